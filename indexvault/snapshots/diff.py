"""Compare two states of an index chunk by chunk, in key order.

A chunk that both sides have is not read: its hash says that its documents are the same. So two large snapshots that
differ in a few documents are compared by reading the few chunks that hold these.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import msgspec

from indexvault.errors import ConflictError
from indexvault.snapshots.chunks import document_lines, key_reader
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.store import SnapshotReader

READ_AHEAD = 8
"""Chunks of a side that are read at once. Their documents bound the memory."""

Documents = list[tuple[str, bytes]]
"""Keys and lines, keys rising."""


@dataclass(frozen=True, slots=True)
class Span:
    """A chunk's worth of consecutive documents of one side: its hash, its first key, how to get its documents."""

    sha256: str
    first: str
    documents: Callable[[], Awaitable[Documents]]


class DocumentChange(msgspec.Struct, frozen=True):
    """A document that is not the same on both sides. The side that lacks it has None."""

    kind: Literal["added", "removed", "changed"]
    key: str
    before: bytes | None = None
    after: bytes | None = None


class DiffTally(msgspec.Struct):
    """The numbers of a comparison, counted while it runs: chunks of both sides, and documents."""

    chunks_skipped: int = 0
    chunks_read: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    same: int = 0
    """Equal documents in chunks that were read. Those of skipped chunks are equal too, and not counted."""


async def diff_snapshots(
    blobs: SnapshotReader,
    before: Manifest,
    after: Manifest,
    tally: DiffTally,
    *,
    after_blobs: SnapshotReader | None = None,
) -> AsyncGenerator[DocumentChange]:
    """Yield the documents that differ between two snapshots, in key order.

    `after_blobs` holds the second one, if it is in another store. Raises ConflictError if the two have different key
    fields, IntegrityError and NotFoundError for chunks that differ and can't be read.
    """
    require_same_key(before, after.key_field)
    shared = {chunk.sha256 for chunk in before.chunks} & {chunk.sha256 for chunk in after.chunks}
    one = snapshot_spans(blobs, before, shared)
    other = snapshot_spans(after_blobs or blobs, after, shared)
    async with aclosing(one), aclosing(other), aclosing(diff_spans(one, other, tally)) as changes:
        async for change in changes:
            yield change


async def diff_spans(
    before: AsyncIterator[Span], after: AsyncIterator[Span], tally: DiffTally
) -> AsyncGenerator[DocumentChange]:
    """Yield the documents that differ between two sides, in key order. The keys of a side's spans rise throughout."""
    one, other = _Side(before, tally), _Side(after, tally)
    while True:
        here, there = await one.next_key(), await other.next_key()
        if here is None and there is None:
            return
        if one.span is not None and other.span is not None and one.span.sha256 == other.span.sha256:
            one.skip()
            other.skip()
        elif there is None or (here is not None and here < there):
            tally.removed += 1
            yield DocumentChange("removed", *await one.take())
        elif here is None or there < here:
            key, line = await other.take()
            tally.added += 1
            yield DocumentChange("added", key, after=line)
        else:
            (key, old), (_, new) = await one.take(), await other.take()
            if old == new:
                tally.same += 1
            else:
                tally.changed += 1
                yield DocumentChange("changed", key, old, new)


async def snapshot_spans(
    blobs: SnapshotReader, manifest: Manifest, shared: Collection[str] | None = None
) -> AsyncGenerator[Span]:
    """Yield a snapshot's chunks as spans.

    Given the hashes `shared` with the other side, all other chunks are read ahead.
    """
    key_of = key_reader(manifest.key_field)

    def reading(position: int) -> Callable[[], Awaitable[Documents]]:
        async def documents() -> Documents:
            data = await read_chunk(blobs, manifest.folder, manifest.chunks[position])
            return [(key_of(line), line) for line in document_lines(data)]

        return documents

    started: deque[tuple[Span, asyncio.Task[Documents] | None]] = deque()

    def started_span(span: Span, task: asyncio.Task[Documents] | None) -> Span:
        if task is None:
            return span
        return Span(span.sha256, span.first, lambda: task)

    try:
        for position, chunk in enumerate(manifest.chunks):
            span = Span(chunk.sha256, chunk.first, reading(position))
            ahead = shared is not None and chunk.sha256 not in shared
            started.append((span, asyncio.ensure_future(_run(span)) if ahead else None))
            if len(started) == READ_AHEAD:
                yield started_span(*started.popleft())
        while started:
            yield started_span(*started.popleft())
    finally:
        tasks = [task for _, task in started if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def require_same_key(before: Manifest, key_field: str) -> None:
    """Raise ConflictError if the snapshot has another key field."""
    if before.key_field != key_field:
        raise ConflictError(
            f"its key field is {before.key_field}, that of the other side {key_field}",
            on=f"snapshot {before.service}/{before.index}@{before.id}",
            do="Compare states of an index with the same key field",
        )


async def _run(span: Span) -> Documents:
    return await span.documents()


class _Side:
    """One side's spans, each read as late as possible. `span` is the next one until its first document is taken."""

    def __init__(self, spans: AsyncIterator[Span], tally: DiffTally) -> None:
        self._spans = spans
        self._tally = tally
        self._documents: deque[tuple[str, bytes]] = deque()
        self.span: Span | None = None

    async def next_key(self) -> str | None:
        if self._documents:
            return self._documents[0][0]
        if self.span is None:
            self.span = await anext(self._spans, None)
        return None if self.span is None else self.span.first

    def skip(self) -> None:
        self._tally.chunks_skipped += 1
        self.span = None

    async def take(self) -> tuple[str, bytes]:
        if self.span is not None:
            span, self.span = self.span, None
            self._tally.chunks_read += 1
            self._documents.extend(await span.documents())
        return self._documents.popleft()
