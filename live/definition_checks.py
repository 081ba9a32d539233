"""Checks of definitions: ETags, conditions, lists, versions, answers' encoding, keys."""

from typing import Any

from azure.core.credentials import AzureKeyCredential

from indexvault.search.transport import PREVIEW, STABLE
from live.seen import Seen, as_assumed, judged, not_settled, otherwise
from live.site import Site
from live.wire import Wire, index_path

_MOST_PAGES = 5000
_PRECONDITION_FAILED = 412
_PREVIEW_FIELDS = [
    {"name": "readers", "type": "Collection(Edm.String)", "filterable": True, "permissionFilter": "userIds"}
]


async def identical_put(site: Site) -> Seen:
    """Send an index's own definition again and compare the ETags."""
    async with site.index("etag", []) as name:
        before = await site.wire.ask("GET", index_path(name))
        body = {member: value for member, value in before.json.items() if not member.startswith("@odata.")}
        put = await site.wire.ask("PUT", index_path(name), body, headers={"If-Match": before.json["@odata.etag"]})
        if not put.ok:
            return otherwise(f"an identical PUT was answered {put.told}")
        after = await site.wire.ask("GET", index_path(name))
        kept = after.json["@odata.etag"] == before.json["@odata.etag"]
        return as_assumed(f"an identical PUT was answered {put.status} and {'kept' if kept else 'changed'} the ETag")


async def if_match_on_absent(site: Site) -> Seen:
    """Change and delete an index that is not there, under an ETag."""
    name = site.name("absent")
    site.note("index", name)
    headers = {"If-Match": '"0x1"'}
    put = await site.wire.ask("PUT", index_path(name), {"name": name, "fields": []}, headers=headers)
    deleted = await site.wire.ask("DELETE", index_path(name), headers=headers)
    there = await site.wire.ask("GET", index_path(name))
    text = f"PUT {put.status}, DELETE {deleted.status}; afterwards the index is {'there' if there.ok else 'absent'}"
    return judged(put.status == deleted.status == _PRECONDITION_FAILED and not there.ok, text)


async def preview_index(site: Site) -> Seen:
    """Ask for an index with preview features in the stable version, alone and in the list."""
    async with site.index("preview", _PREVIEW_FIELDS, version=PREVIEW, permissionFilterOption="enabled") as name:
        alone = await site.wire.ask("GET", index_path(name), version=STABLE)
        listed = await site.wire.ask("GET", "indexes", query="$select=name", version=STABLE)
        names = _names(listed.json)
        shows = alone.ok and any("permissionFilter" in field for field in alone.json["fields"])
        how = f"GET {alone.told}" + ("" if not alone.ok else ", with the preview's members" if shows else ", trimmed")
        text = f"{how}; the stable list {'names' if name in names else 'lacks'} it ({listed.told})"
        is_known = (alone.ok and not shows) or (alone.status == 400 and "version" in alone.message.lower())  # noqa: PLR2004 - Bad Request
        return judged(is_known and name in names, text)


async def list_paging(site: Site) -> Seen:
    """List the indexes in the preview version page by page and compare with the stable list."""
    async with site.index("list-a", []), site.index("list-b", []):
        stable = await site.wire.ask("GET", "indexes", query="$select=name", version=STABLE)
        page = await site.wire.ask("GET", "indexes", query="$select=name&pageSize=1", version=PREVIEW)
        sized = page.ok
        if not sized:
            page = await site.wire.ask("GET", "indexes", query="$select=name", version=PREVIEW)
        if not stable.ok or not page.ok:
            return otherwise(f"the lists were answered {stable.told} and {page.told}")
        names, first, pages = _names(page.json), len(_names(page.json)), 1
        while (link := page.json.get("@odata.nextLink")) and pages < _MOST_PAGES:
            page = await site.wire.follow(link)
            if not page.ok:
                return otherwise(f"page {pages + 1} was answered {page.told}")
            names |= _names(page.json)
            pages += 1
        expected = _names(stable.json)
        text = (
            f"pageSize=1 {'gave pages of ' + str(first) if sized else 'was refused'}; {pages} pages name {len(names)}"
            f" indexes, the stable list {len(expected)}"
        )
        if names != expected:
            return otherwise(text)
        return as_assumed(text) if pages > 1 else not_settled(f"{text}: there were too few indexes for a second page")


async def gzip_answers(site: Site) -> Seen:
    """Ask for a compressed answer."""
    answer = await site.wire.ask("GET", "indexes", headers={"Accept-Encoding": "gzip"})
    encoding = answer.headers.get("content-encoding", "identity")
    text = f"Content-Encoding: {encoding}; the body was {'decoded' if answer.json is not None else 'not decoded'}"
    return judged(encoding in {"gzip", "identity"} and answer.json is not None, text)


async def wrong_key(site: Site) -> Seen:
    """Send a key that is none."""
    async with Wire(site.wire.endpoint, AzureKeyCredential("0" * 52), sleep=site.sleep) as stranger:
        answer = await stranger.ask("GET", "indexes", query="$select=name")
    return judged(answer.status in {401, 403}, f"a wrong key was answered {answer.status}")


def _names(listed: Any) -> set[str]:
    return {entry["name"] for entry in listed["value"]} if isinstance(listed, dict) and "value" in listed else set()
