"""Read the snapshot that changes are merged into: only what lies on the way to them, in few requests."""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import batched
from typing import NamedTuple

from indexvault.bounds import MEBIBYTE
from indexvault.snapshots.chunk_documents import document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.reader import read_chunks
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree import Entries, Entry, Node, Tree
from indexvault.snapshots.tree_reader import NODES_AT_ONCE, TreeReader

MOST_ENTRIES = 200_000
"""Entries of opened segments that are kept: about 50 MB."""

MOST_BYTES = 64 * MEBIBYTE
"""Bytes of documents of opened chunks that are kept."""

type Documents = dict[str, bytes]
"""The documents of a chunk, in the order of their keys."""


class TouchedChunk(NamedTuple):
    """A chunk, and the keys that belong in it, or between the one before and it."""

    chunk: Chunk
    keys: Sequence[str]


class _Touched(NamedTuple):
    """An entry, and the keys that belong in it, or between the one before and it."""

    entry: Entry
    keys: Sequence[str]


class Base:
    """The last snapshot. What was opened is kept, within limits: it is needed to compare, to count and to merge."""

    def __init__(self, blobs: SnapshotReader, manifest: Manifest) -> None:
        self.manifest = manifest
        self.reader = TreeReader(blobs, manifest.folder)
        self._blobs = blobs
        self._documents_of = document_reader(manifest.key_field, manifest.folder)
        self._segments: dict[str, Entries] = {}
        self._entries = 0
        self._chunks: dict[str, Documents] = {}
        self._bytes = 0

    @property
    def tree(self) -> Tree:
        """The snapshot's tree."""
        return self.manifest.tree

    async def open(self, nodes: Sequence[Node], level: int) -> list[Entries]:
        """Return the entries of the segments that nodes of `level` stand for. Raises as `TreeReader.open`."""
        found = {node.sha256: kept for node in nodes if (kept := self._segments.get(node.sha256)) is not None}
        missing = [node for node in nodes if node.sha256 not in found]
        for some in batched(missing, NODES_AT_ONCE, strict=False):
            for node, entries in zip(some, await self.reader.open(some, level), strict=True):
                found[node.sha256] = entries
                if self._entries < MOST_ENTRIES:
                    self._segments[node.sha256] = entries
                    self._entries += len(entries)
        return [found[node.sha256] for node in nodes]

    async def documents(self, chunks: Sequence[Chunk]) -> AsyncGenerator[tuple[Chunk, Documents]]:
        """Yield chunks with their documents. Raises as `read_chunks`, and as `document_reader` for what is no chunk."""
        missing = [chunk for chunk in chunks if chunk.sha256 not in self._chunks]
        if not missing:
            for chunk in chunks:
                yield chunk, self._chunks[chunk.sha256]
            return
        async with aclosing(read_chunks(self._blobs, self.manifest.folder, [missing], self._read)) as reading:
            for chunk in chunks:
                if (kept := self._chunks.get(chunk.sha256)) is not None:
                    yield chunk, kept
                    continue
                _chunk, documents = await anext(reading)
                if self._bytes < MOST_BYTES:
                    self._chunks[chunk.sha256] = documents
                    self._bytes += chunk.bytes
                yield chunk, documents

    async def touched(self, keys: Sequence[str]) -> AsyncGenerator[list[TouchedChunk]]:
        """Yield the chunks that keys, in order, belong in or just before, some at once. Keys above all are left out."""
        begun = _distributed(self.tree.entries, keys)
        async with aclosing(self._below(self.tree.level, begun)) as found:
            async for some in found:
                yield some

    async def _below(self, level: int, touched: list[_Touched]) -> AsyncGenerator[list[TouchedChunk]]:
        for some in batched(touched, NODES_AT_ONCE, strict=False):
            if not level:
                yield [TouchedChunk(each.entry, each.keys) for each in some if isinstance(each.entry, Chunk)]
                continue
            nodes = [each.entry for each in some if isinstance(each.entry, Node)]
            opened = await self.open(nodes, level)
            below = [
                child for each, entries in zip(some, opened, strict=True) for child in _distributed(entries, each.keys)
            ]
            async with aclosing(self._below(level - 1, below)) as found:
                async for children in found:
                    yield children

    def _read(self, chunk: Chunk, data: bytes) -> Documents:
        return dict(self._documents_of(chunk, data))


def _distributed(entries: Entries, keys: Sequence[str]) -> list[_Touched]:
    """Return the entries that some of the keys belong in, each with these."""
    found: list[_Touched] = []
    taken = 0
    for entry in entries:
        if taken == len(keys):
            break
        end = bisect_right(keys, entry.last, taken)
        if end > taken:
            found.append(_Touched(entry, keys[taken:end]))
        taken = end
    return found
