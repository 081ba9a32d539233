"""Checks of indexvault's own operations on generated indexes: what it says it did is compared by reading both sides."""

import random
import time
from typing import Any

from live.seen import Seen, as_assumed, not_settled, otherwise
from live.site import KEY, Site, remove_index
from live.tool import Ran

_UNORDERED = {**KEY, "filterable": False, "sortable": False, "searchable": True, "analyzer": "keyword"}
_FIELDS: list[dict[str, Any]] = [
    {"name": "text", "type": "Edm.String", "searchable": True},
    {"name": "number", "type": "Edm.Int64", "filterable": True, "sortable": True},
    {"name": "ratio", "type": "Edm.Double", "filterable": True},
    {"name": "flag", "type": "Edm.Boolean", "filterable": True},
    {"name": "at", "type": "Edm.DateTimeOffset", "filterable": True, "sortable": True},
    {"name": "place", "type": "Edm.GeographyPoint"},
    {"name": "tags", "type": "Collection(Edm.String)", "filterable": True},
    {"name": "inner", "type": "Collection(Edm.ComplexType)", "fields": [
        {"name": "name", "type": "Edm.String"}, {"name": "rate", "type": "Edm.Double"}]},
    {"name": "vector", "type": "Collection(Edm.Single)", "dimensions": 8, "vectorSearchProfile": "plain",
     "searchable": True, "retrievable": True, "stored": True},
]  # fmt: skip
_VECTOR_SEARCH = {
    "algorithms": [{"name": "graph", "kind": "hnsw"}],
    "profiles": [{"name": "plain", "algorithm": "graph"}],
}
_ORDERED, _HASHED, _COPY, _MOVED = "ordered", "unordered", "copy", "moved"


def documents(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return generated documents with every kind of value."""
    rng = random.Random(seed)  # noqa: S311 - test data is repeatable, not secret
    return [
        {
            "id": f"k{number:06}",
            "text": f'Nr. {number}: "Zum Löwen" \u00e4 \\ \u2028',
            "number": rng.randint(-(2**53), 2**53),
            "ratio": rng.uniform(-1e9, 1e9),
            "flag": rng.random() < 0.5,  # noqa: PLR2004 - a coin
            "at": f"20{rng.randint(10, 26)}-0{rng.randint(1, 9)}-11T10:20:30.{rng.randint(0, 999):03}Z",
            "place": {"type": "Point", "coordinates": [rng.uniform(-180, 180), rng.uniform(-90, 90)]},
            "tags": rng.sample(["pool", "bar", "view"], rng.randint(0, 3)),
            "inner": [{"name": f"n{rng.randint(0, 9)}", "rate": rng.random()}] * rng.randint(0, 3),
            "vector": [rng.uniform(-1, 1) for _ in range(8)],
        }
        for number in range(count)
    ]


async def backup(site: Site) -> Seen:
    """Back up two generated indexes: one in key order, one whose key gives none."""
    for part, key in ((_ORDERED, KEY), (_HASHED, _UNORDERED)):
        name = await _generated(site, part, key)
        if not await site.wait_until_found(name, site.documents):
            return not_settled(f"the documents of {name} were not all found in time")
        site.kept[part] = await site.dump(name)
    ran = await site.tool.run("backup", site.tool.service, site.name(_ORDERED), site.name(_HASHED))
    made = [each for each in ran.records if each.get("event") == "backup"]
    states = ", ".join(f"{each['index'].rpartition('-')[2]}: {each['state']}, {each['documents']}" for each in made)
    if ran.code != 0 or len(made) != 2 or any(each["documents"] != site.documents for each in made):  # noqa: PLR2004 - both
        return _failed(ran, states)
    site.kept["snapshots"] = True
    return as_assumed(f"{states} documents of {site.documents}")


async def restore(site: Site) -> Seen:
    """Restore the snapshot under another name and compare both indexes."""
    if "snapshots" not in site.kept:
        return not_settled("there is no snapshot")
    site.note("index", site.name(_COPY))
    ran = await site.tool.run("restore", _at(site, _ORDERED, "@latest"), "--to", _at(site, _COPY))
    if ran.code != 0:
        return _failed(ran)
    site.kept["copy"] = True
    return await _compared(site, _ORDERED, _COPY, "restored")


async def drill(site: Site) -> Seen:
    """Damage the copy, bring it back from the snapshot, and time that."""
    if "copy" not in site.kept:
        return not_settled("there is no restored index")
    name, keys = site.name(_COPY), sorted(site.kept[_ORDERED])
    gone, changed = keys[::7], keys[1::7]
    await site.index_documents(name, [{"@search.action": "delete", "id": key} for key in gone][:1000])
    await site.index_documents(
        name, [{"@search.action": "merge", "id": key, "text": "changed"} for key in changed][:1000]
    )
    if not await site.wait_until_found(name, len(keys) - len(gone[:1000])):
        return not_settled("the damage was not to be seen in time")
    began = time.monotonic()
    ran = await site.tool.run("restore", _at(site, _ORDERED, "@latest"), "--to", _at(site, _COPY), "--mode", "sync")
    if ran.code != 0:
        return _failed(ran)
    seen = await _compared(site, _ORDERED, _COPY, f"brought back in {time.monotonic() - began:.0f} s")
    await remove_index(site.wire, name, site.prefix)
    return seen


async def move(site: Site) -> Seen:
    """Move the index without key order to another name, with its source deleted."""
    if "snapshots" not in site.kept:
        return not_settled("there is no snapshot")
    site.note("index", site.name(_MOVED))
    ran = await site.tool.run("move", _at(site, _HASHED), "--to", _at(site, _MOVED), "--delete-source")
    if ran.code != 0:
        return _failed(ran)
    if await site.found(site.name(_HASHED)) is not None:
        return otherwise("the source is still there")
    return await _compared(site, _HASHED, _MOVED, "moved, the source deleted")


async def _generated(site: Site, part: str, key: dict[str, Any]) -> str:
    name = await site.create(part, _FIELDS, key=key, vectorSearch=_VECTOR_SEARCH)
    await site.upload(name, documents(site.documents))
    return name


async def _compared(site: Site, part: str, target: str, what: str) -> Seen:
    wanted = site.kept[part]
    await site.wait_until_found(site.name(target), len(wanted))
    found = await site.dump(site.name(target))
    differing = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
    if differing:
        return otherwise(f"{what}, but {len(differing)} of {len(wanted)} documents differ, {min(differing)} first")
    return as_assumed(f"{what}: all {len(wanted)} documents are the same")


def _at(site: Site, part: str, snapshot: str = "") -> str:
    return f"{site.tool.service}/{site.name(part)}{snapshot}"


def _failed(ran: Ran, more: str = "") -> Seen:
    error = ran.record("error")
    why = f"{error.get('on')}: {error.get('what')}" if error else ran.error
    return otherwise("; ".join(part for part in (more, f"exit code {ran.code}", why) if part))
