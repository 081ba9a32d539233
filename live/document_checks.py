"""Checks of documents: what is accepted, how values read back, orders, counts, full storage."""

import struct
from typing import Any

from live.seen import Seen, as_assumed, judged, not_settled, otherwise, skipped
from live.site import Site
from live.wire import index_path

_ANSWERS = 20
_BAD_REQUEST = 400
_TIED = 60
_BATCH_BYTES = 8 * 1024 * 1024
_MOST_BATCHES = 40
_SMALL_STORAGE = 60 * 1024 * 1024
"""Bytes of the largest storage quota that a check may fill: that of the Free tier."""
_VECTOR_SEARCH = {
    "algorithms": [{"name": "graph", "kind": "hnsw"}, {"name": "bits", "kind": "hnsw",
                    "hnswParameters": {"metric": "hamming"}}],
    "profiles": [{"name": "plain", "algorithm": "graph"}, {"name": "packed", "algorithm": "bits"}],
}  # fmt: skip


async def search_members(site: Site) -> Seen:
    """Upload a document with a member that only answers have."""
    async with site.index("members", []) as name:
        sent = await site.index_documents(
            name, [{"@search.action": "upload", "@search.score": 1.0, "id": "1"}], may_be_busy=True
        )
        text = f"a document with @search.score was answered {sent.told}"
        if not sent.ok:
            return as_assumed(text) if sent.status == _BAD_REQUEST else not_settled(text)
        if not await site.wait_until_found(name, 1):
            return not_settled(f"{text}, and was not found in time")
        kept = await site.wire.ask("GET", index_path(name, "/docs('1')"))
        if not kept.ok:
            return not_settled(f"{text}; the look-up was answered {kept.told}")
        stays = "@search.score" in kept.json
        return judged(not stays, f"{text}; the member was {'kept' if stays else 'left out'}")


async def half_vectors(site: Site) -> Seen:
    """Write and read a vector of half-precision numbers that it can't hold exactly."""
    return await _vectors(site, "half", "Collection(Edm.Half)", [0.1, -1.5, 65504.0, 6e-8], _as_half)


async def int8_vectors(site: Site) -> Seen:
    """Write and read a vector of signed bytes."""
    return await _vectors(site, "int8", "Collection(Edm.SByte)", [-128, -1, 0, 127], float)


async def binary_vectors(site: Site) -> Seen:
    """Write and read a vector of packed bits."""
    values = [0, 1, 128, 255]
    return await _vectors(
        site, "binary", "Collection(Edm.Byte)", values, float,
        dimensions=8 * len(values), vectorEncoding="packedBit", vectorSearchProfile="packed",
    )  # fmt: skip


async def ties(site: Site) -> Seen:
    """Ask again and again for documents that all tie, and count the orders."""
    fields = [{"name": "same", "type": "Edm.Int32", "filterable": True, "sortable": True}]
    async with site.index("ties", fields) as name:
        await site.upload(name, [{"id": f"{number:03}", "same": 1} for number in range(_TIED)])
        if not await site.wait_until_found(name, _TIED):
            return not_settled("the documents were not all found in time")
        orders = set()
        for _ in range(_ANSWERS):
            answer = await site.search(name, orderby="same", top=_TIED, select="id")
            orders.add(tuple(document["id"] for document in answer.json["value"]))
        complete = all(len(set(order)) == _TIED for order in orders)
        text = f"{_ANSWERS} answers with {_TIED} documents that tie came in {len(orders)} orders"
        return judged(complete, text if complete else f"{text}, not all of them whole")


async def count_lag(site: Site) -> Seen:
    """Write documents, then time how long `$count` and a query's count take to agree with what was written."""
    async with site.index("lag", [{"name": "text", "type": "Edm.String"}]) as name:
        wanted = min(site.documents, 1000)
        await site.upload(name, [{"id": f"{number:06}", "text": "some"} for number in range(wanted)])
        waited, rest, seen = 0.0, 0.5, {"$count": -1.0, "a query": -1.0}
        while min(seen.values()) < 0 and waited <= site.patience:
            if seen["a query"] < 0 and await site.found(name) == wanted:
                seen["a query"] = waited
            if seen["$count"] < 0 and await site.counted(name) == wanted:
                seen["$count"] = waited
            if min(seen.values()) < 0:
                await site.sleep(rest)
                waited, rest = waited + rest, min(10.0, rest * 1.5)
        text = "; ".join(
            f"{what} agreed after {seconds:.0f} s" if seconds >= 0 else f"{what} disagreed for {site.patience:.0f} s"
            for what, seconds in seen.items()
        )
        return judged(min(seen.values()) >= 0, text)


async def full_storage(site: Site) -> Seen:
    """Fill the storage of a small service, and see what a document is answered that no longer fits."""
    if not site.fill_storage:
        return skipped("it fills the service: only with --fill-storage")
    statistics = await site.wire.ask("GET", "servicestats")
    storage = ((statistics.json or {}).get("counters") or {}).get("storageSize") or {}
    quota = storage.get("quota")
    if not isinstance(quota, int) or quota > _SMALL_STORAGE:
        return skipped(f"it fills no service with more than {_SMALL_STORAGE // 2**20} MB; this has {quota}")
    # Large texts can be stored, not indexed as single terms.
    plain = dict.fromkeys(("searchable", "filterable", "sortable", "facetable"), False)
    async with site.index("full", [{"name": "text", "type": "Edm.String", **plain}]) as name:
        for number in range(_MOST_BATCHES):
            text = f"{number:08}".ljust(256 * 1024, "x")
            documents = [
                {"@search.action": "upload", "id": f"{number:04}-{part:02}", "text": text}
                for part in range(_BATCH_BYTES // len(text))
            ]
            sent = await site.index_documents(name, documents, may_be_busy=True)
            items = [item for item in (sent.json or {}).get("value", []) if not item.get("status")]
            if items:
                kinds = sorted({f"{item['statusCode']} ({item.get('errorMessage')})" for item in items})
                by_itself = sent.status == 207 and all(item["statusCode"] != 400 for item in items)  # noqa: PLR2004 - Multi-Status, Bad Request
                return judged(by_itself, f"HTTP {sent.status}, documents: {'; '.join(kinds[:3])}")
            if not sent.ok:
                known = sent.status == 429 and "quota" in sent.message.lower()  # noqa: PLR2004 - Too Many Requests
                return judged(known, f"the whole batch was answered {sent.told}")
        return not_settled(f"{_MOST_BATCHES * _BATCH_BYTES // 2**20} MB were taken, and nothing was refused")


async def _vectors(site: Site, part: str, kind: str, values: list[Any], meant: Any, **members: Any) -> Seen:
    vector = {
        "name": "vector", "type": kind, "dimensions": len(values), "vectorSearchProfile": "plain",
        "searchable": True, "retrievable": True, "stored": True,
    }  # fmt: skip
    async with site.index(part, [vector | members], vectorSearch=_VECTOR_SEARCH) as name:
        await site.upload(name, [{"id": "1", "vector": values}])
        if not await site.wait_until_found(name, 1):
            return not_settled("the document was not found in time")
        looked_up = await site.wire.ask("GET", index_path(name, "/docs('1')"))
        if not looked_up.ok:
            return otherwise(f"the look-up was answered {looked_up.told}")
        found = looked_up.json.get("vector")
        text = f"{values} came back as {found}"
        if not isinstance(found, list) or len(found) != len(values):
            return otherwise(text)
        return judged([meant(value) for value in found] == [meant(value) for value in values], text)


def _as_half(value: float) -> float:
    rounded: float = struct.unpack("<e", struct.pack("<e", value))[0]
    return rounded
