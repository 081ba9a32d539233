"""The floor under indexvault: the same bytes over the same wire, and nothing else.

    python -m benchmarks.lean {store,backup,unchanged,verify,restore} SEARCH BLOBS INDEX TARGET

backup: fetch, split, hash, compress, discard. unchanged: the same without compressing. verify: fetch packs, unpack,
hash. restore: fetch packs, unpack, cut, post. `store` writes the packs that the last two read. Nothing is proved,
retried, bounded or resumed.
"""

import asyncio
import hashlib
import itertools
import sys
from collections.abc import AsyncIterator, Iterable, Iterator

import aiohttp
import msgspec
from isal import igzip

_READERS = 4
_PAGE_BYTES = 2 * 1024 * 1024
_PACK_BYTES = 8 * 1024 * 1024
_BATCH, _BATCH_BYTES = 1000, 8_000_000
_LEVEL = 3
_VERSION = "api-version=2026-04-01"
_PACKS = "lean/packs"
_BLOB_HEADERS = {"x-ms-version": "2024-11-04", "x-ms-blob-type": "BlockBlob"}


class _Head(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    value: list[msgspec.Raw]


class _Keys(msgspec.Struct):
    value: list[_Head]


class _Wire:
    """Requests to both services over kept connections."""

    def __init__(self, session: aiohttp.ClientSession, search: str, blobs: str) -> None:
        self._session = session
        self._search = search
        self._blobs = blobs

    async def ask(self, index: str, what: str, body: bytes) -> bytes:
        url = f"{self._search}/indexes('{index}')/docs/search.{what}?{_VERSION}"
        headers = {"Content-Type": "application/json", "api-key": "key"}
        async with self._session.post(url, data=body, headers=headers) as answer:
            answer.raise_for_status()
            data = await answer.read()
            return _unpacked(data) if answer.headers.get("Content-Encoding") == "gzip" else data

    async def count(self, index: str) -> int:
        async with self._session.get(f"{self._search}/indexes('{index}')/docs/$count?{_VERSION}") as answer:
            return int(await answer.text())

    async def get(self, name: str) -> bytes:
        async with self._session.get(f"{self._blobs}/{_PACKS}/{name}", headers=_BLOB_HEADERS) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def put(self, name: str, data: bytes) -> None:
        url = f"{self._blobs}/{_PACKS}/{name}".rstrip("/") + ("" if name else "?restype=container")
        async with self._session.put(url, data=data, headers=_BLOB_HEADERS) as answer:
            if answer.status != 409:  # noqa: PLR2004 - it is there
                answer.raise_for_status()


async def main(operation: str, search: str, blobs: str, index: str, target: str) -> None:
    """Carry an operation out."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        wire = _Wire(session, search, blobs)
        match operation:
            case "store":
                await _store(wire, index)
            case "backup" | "unchanged":
                edges = await _edges(wire, index)
                scans = (
                    _digest(_pages(wire, index, *bounds), compress=operation == "backup")
                    for bounds in itertools.pairwise(edges)
                )
                await asyncio.gather(*scans)
            case "verify" | "restore":
                names = iter(msgspec.json.decode(await wire.get("list"), type=list[str]))
                write_to = target if operation == "restore" else None
                await asyncio.gather(*(_read_packs(wire, names, write_to) for _ in range(_READERS)))
            case _:
                raise SystemExit(f"lean has no {operation}")


async def _edges(wire: _Wire, index: str) -> list[str | None]:
    """Return the keys between which each reader reads."""
    documents = await wire.count(index)
    edges: list[str | None] = [None]
    for _ in range(_READERS - 1):
        skip = min(100_000, documents // _READERS)
        body = _query(edges[-1], None, top=1, select="id", skip=skip)
        found = msgspec.json.decode(await wire.ask(index, "post.search", body), type=_Keys).value
        edges += [head.id for head in found]
    return [*edges, None]


def _query(after: str | None, until: str | None, *, top: int, **more: object) -> bytes:
    bounds = [f"id gt '{after}'"] if after is not None else []
    bounds += [f"id le '{until}'"] if until is not None else []
    query = {"search": "*", "orderby": "id asc", "top": top, "minimumCoverage": 100, **more}
    return msgspec.json.encode(query | ({"filter": " and ".join(bounds)} if bounds else {}))


async def _pages(wire: _Wire, index: str, after: str | None, until: str | None) -> AsyncIterator[list[bytes]]:
    """Yield the documents of a range page by page, as lines."""
    lines, keys = msgspec.json.Decoder(_Page), msgspec.json.Decoder(_Keys)
    top = 100
    while True:
        body = await wire.ask(index, "post.search", _query(after, until, top=top))
        raw, heads = lines.decode(body).value, keys.decode(body).value
        if not raw:
            return
        yield [b"{" + bytes(document)[len(b'{"@search.score":1.0,') :] for document in raw]
        after = heads[-1].id
        top = max(1, min(1000, _PAGE_BYTES * len(raw) // len(body)))


async def _digest(pages: AsyncIterator[list[bytes]], *, compress: bool) -> None:
    async for documents in pages:
        data = b"\n".join(documents)
        hashlib.sha256(data).digest()
        if compress:
            igzip.compress(data, _LEVEL)


async def _store(wire: _Wire, index: str) -> None:
    await wire.put("", b"")
    names: list[str] = []
    pending: list[bytes] = []
    size = 0
    async for documents in _pages(wire, index, None, None):
        data = igzip.compress(b"\n".join(documents) + b"\n", _LEVEL)
        pending.append(data)
        size += len(data)
        if size > _PACK_BYTES:
            names.append(f"{len(names)}")
            await wire.put(names[-1], b"".join(pending))
            pending, size = [], 0
    names.append(f"{len(names)}")
    await wire.put(names[-1], b"".join(pending))
    await wire.put("list", msgspec.json.encode(names))


async def _read_packs(wire: _Wire, names: Iterator[str], target: str | None) -> None:
    for name in names:
        data = _unpacked(await wire.get(name))
        if target is None:
            hashlib.sha256(data).digest()
            continue
        for actions in _batches(data.splitlines()):
            answer = await wire.ask(target, "index", b'{"value":[' + b",".join(actions) + b"]}")
            if answer.count(b'"status":true') != len(actions):
                raise SystemExit("a document was refused")


def _unpacked(data: bytes) -> bytes:
    unpacked: bytes = igzip.decompress(data)  # type: ignore[no-untyped-call]  # the stub leaves it untyped
    return unpacked


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    actions: list[bytes] = []
    size = 0
    for line in lines:
        if len(actions) == _BATCH or size + len(line) > _BATCH_BYTES:
            yield actions
            actions, size = [], 0
        actions.append(b'{"@search.action":"upload",' + line[1:])
        size += len(line)
    if actions:
        yield actions


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
