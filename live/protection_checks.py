"""Checks of documents that are protected one by one: who counts them, and whom an empty list lets in."""

from indexvault.search.documents import ELEVATED
from indexvault.search.transport import PREVIEW
from live.seen import Seen, judged, not_settled
from live.site import Site

_FIELDS = [{"name": "readers", "type": "Collection(Edm.String)", "filterable": True, "permissionFilter": "userIds"}]
_SOMEBODY = "00000000-0000-0000-0000-000000000001"


async def count_of_protected(site: Site) -> Seen:
    """Count documents that the caller may not read, by `$count`, by a query and elevated."""
    documents = [{"id": f"{number:02}", "readers": ["all"] if number < 10 else [_SOMEBODY]} for number in range(30)]  # noqa: PLR2004 - a third
    async with site.index("protected", _FIELDS, version=PREVIEW, permissionFilterOption="enabled") as name:
        await site.upload(name, documents, version=PREVIEW)
        is_elevated = await site.found(name, headers=ELEVATED, version=PREVIEW) is not None
        if is_elevated:
            await site.wait_until_found(name, len(documents), headers=ELEVATED, version=PREVIEW)
        else:
            await site.wait_until_found(name, 10, version=PREVIEW)
        by_query = await site.found(name, version=PREVIEW)
        elevated = await site.found(name, headers=ELEVATED, version=PREVIEW)
        by_count = await site.counted(name)
        text = (
            f"of 30 documents, 20 of which are kept from the caller, $count says {by_count}, a query {by_query}, an"
            f" elevated query {'was refused' if elevated is None else elevated}"
        )
        if by_count is None:
            return not_settled(text)
        return judged(by_count == len(documents) and elevated in {None, len(documents)}, text)


async def empty_lists(site: Site) -> Seen:
    """See whom `[]`, `["none"]` and `["all"]` let read a document."""
    lists = {"empty": [], "none": ["none"], "all": ["all"], "missing": None}
    documents = [{"id": key, **({} if readers is None else {"readers": readers})} for key, readers in lists.items()]
    async with site.index("empty", _FIELDS, version=PREVIEW, permissionFilterOption="enabled") as name:
        await site.upload(name, documents, version=PREVIEW)
        if not await site.wait_until_found(name, 1, filter="id eq 'all'", version=PREVIEW):
            return not_settled("not even the document for all was found in time")
        answer = await site.search(name, select="id", version=PREVIEW)
        shown = sorted(document["id"] for document in answer.json["value"]) if answer.ok else []
        text = f"a caller without elevated rights sees the documents with these lists: {', '.join(shown) or 'none'}"
        return judged(shown == ["all"], text)
