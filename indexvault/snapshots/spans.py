"""Spans: a side of a comparison, cut into what a chunk holds."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from indexvault.bounds import MEBIBYTE
from indexvault.snapshots.chunk_documents import document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.fetch import Failure
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.reader import read_chunk, try_chunks
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree_reader import TreeReader

Documents = list[tuple[str, bytes]]
"""Keys and lines, keys rising."""

READ_AT_ONCE = 4 * MEBIBYTE
"""Uncompressed bytes of chunks that a side reads at once. It holds those of two such readings."""


@dataclass(frozen=True, slots=True)
class Span:
    """A chunk's worth of consecutive documents of one side: its hash, its first key, how to get its documents.

    A gap has no documents: it only says that the side has none before `first` that were not yielded yet.
    """

    sha256: str
    first: str
    documents: Callable[[], Awaitable[Documents]]
    is_gap: bool = False


def gap(first: str) -> Span:
    """Return a span that says that a side has no further document before a key."""
    return Span("", first, _no_documents, is_gap=True)


async def snapshot_spans(blobs: SnapshotReader, manifest: Manifest) -> AsyncGenerator[Span]:
    """Yield a snapshot's chunks as spans. The documents of each are read when they are asked for, by themselves."""
    documents_of = document_reader(manifest.key_field, manifest.folder)

    def reading(chunk: Chunk) -> Callable[[], Awaitable[Documents]]:
        async def documents() -> Documents:
            data = await read_chunk(blobs, manifest.folder, chunk)
            return await asyncio.to_thread(documents_of, chunk, data)

        return documents

    async with aclosing(TreeReader(blobs, manifest.folder).chunks(manifest.tree)) as batches:
        async for batch in batches:
            for chunk in batch:
                yield Span(chunk.sha256, chunk.first, reading(chunk))


class SpanReader:
    """Reads the documents of a snapshot's chunks some megabytes at once, and the next ones ahead."""

    def __init__(self, blobs: SnapshotReader, manifest: Manifest) -> None:
        self._blobs = blobs
        self._folder = manifest.folder
        self._documents_of = document_reader(manifest.key_field, manifest.folder)
        self._tasks: set[asyncio.Task[list[Documents | Failure]]] = set()

    def spans(self, chunks: Sequence[Chunk]) -> list[Span]:
        """Return consecutive chunks as spans. The documents of one chunk can be taken once."""
        found: list[list[Span]] = []
        later: _Reading | None = None
        for some in reversed(_cut(chunks)):
            later = _Reading(self._start(some), later)
            found.append([Span(chunk.sha256, chunk.first, later.taking(at)) for at, chunk in enumerate(some)])
        return [span for spans in reversed(found) for span in spans]

    async def close(self) -> None:
        """Cancel what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, chunks: Sequence[Chunk]) -> Callable[[], asyncio.Task[list[Documents | Failure]]]:
        def start() -> asyncio.Task[list[Documents | Failure]]:
            task = asyncio.create_task(self._read(chunks))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return task

        return start

    async def _read(self, chunks: Sequence[Chunk]) -> list[Documents | Failure]:
        async with aclosing(try_chunks(self._blobs, self._folder, [chunks], self._documents_of)) as reading:
            return [found async for _chunk, found in reading]


class _Reading:
    """Documents of some chunks, which are read when the first of them are asked for; then `later` ones are read too."""

    def __init__(self, start: Callable[[], asyncio.Task[list[Documents | Failure]]], later: "_Reading | None") -> None:
        self._start = start
        self._later = later
        self._task: asyncio.Task[list[Documents | Failure]] | None = None

    def begin(self) -> asyncio.Task[list[Documents | Failure]]:
        if self._task is None:
            self._task = self._start()
        return self._task

    def taking(self, at: int) -> Callable[[], Awaitable[Documents]]:
        async def take() -> Documents:
            task = self.begin()
            if self._later is not None:
                self._later.begin()
                self._later = None
            found = await task
            documents, found[at] = found[at], []
            if isinstance(documents, Exception):
                raise documents
            return documents

        return take


def _cut(chunks: Iterable[Chunk]) -> list[list[Chunk]]:
    """Cut chunks into those that are read at once."""
    found: list[list[Chunk]] = []
    size = READ_AT_ONCE
    for chunk in chunks:
        if size >= READ_AT_ONCE:
            found.append([])
            size = 0
        found[-1].append(chunk)
        size += chunk.bytes
    return found


async def _no_documents() -> Documents:
    return []
