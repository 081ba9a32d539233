"""What changed between two states of an index, read chunk by chunk in key order.

A chunk that both sides have is neither read nor taken apart: the hash of its bytes says that its documents are the
same. So two large snapshots that differ in a few documents are compared by reading the few chunks these are in.
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
"""Chunks of a side that are read at once: with their documents, they bound the memory."""

Documents = list[tuple[str, bytes]]
"""Keys and lines, keys rising."""


@dataclass(frozen=True, slots=True)
class Span:
    """A chunk of one side: its hash, its first key, and how to get its documents."""

    sha256: str
    first: str
    documents: Callable[[], Awaitable[Documents]]


class Change(msgspec.Struct, frozen=True):
    """A document that is not the same on both sides; the side that lacks it has None."""

    kind: Literal["added", "removed", "changed"]
    key: str
    before: bytes | None = None
    after: bytes | None = None


class Tally(msgspec.Struct):
    """What a comparison came to, counted as it goes on: chunks of both sides, and documents."""

    chunks_skipped: int = 0
    chunks_read: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    same: int = 0
    """Documents found equal in chunks that were read; those of skipped chunks are equal too."""


async def diff_snapshots(
    blobs: SnapshotReader, before: Manifest, after: Manifest, tally: Tally, *, after_blobs: SnapshotReader | None = None
) -> AsyncGenerator[Change]:
    """Return the documents that differ between two snapshots, in key order.

    `after_blobs` is where the second one lies, if not with the first. Raises ConflictError when the two have different
    key fields, IntegrityError and NotFoundError for chunks that differ and can't be read.
    """
    require_same_key(before, after.key_field)
    shared = {chunk.sha256 for chunk in before.chunks} & {chunk.sha256 for chunk in after.chunks}
    one = snapshot_parts(blobs, before, shared)
    other = snapshot_parts(after_blobs or blobs, after, shared)
    async with aclosing(one), aclosing(other), aclosing(diff_parts(one, other, tally)) as changes:
        async for change in changes:
            yield change


async def diff_parts(before: AsyncIterator[Span], after: AsyncIterator[Span], tally: Tally) -> AsyncGenerator[Change]:
    """Return the documents that differ between two sides, in key order. The keys of a side's parts rise throughout."""
    one, other = _Side(before, tally), _Side(after, tally)
    while True:
        here, there = await one.next_key(), await other.next_key()
        if here is None and there is None:
            return
        if one.part is not None and other.part is not None and one.part.sha256 == other.part.sha256:
            one.skip()
            other.skip()
        elif there is None or (here is not None and here < there):
            tally.removed += 1
            yield Change("removed", *await one.take())
        elif here is None or there < here:
            key, line = await other.take()
            tally.added += 1
            yield Change("added", key, after=line)
        else:
            (key, old), (_, new) = await one.take(), await other.take()
            if old == new:
                tally.same += 1
            else:
                tally.changed += 1
                yield Change("changed", key, old, new)


async def snapshot_parts(
    blobs: SnapshotReader, manifest: Manifest, shared: Collection[str] | None = None
) -> AsyncGenerator[Span]:
    """Return a snapshot's chunks as parts.

    Given the hashes that are `shared` with the other side, all other chunks are read ahead.
    """
    key_of = key_reader(manifest.key_field)

    def reading(position: int) -> Callable[[], Awaitable[Documents]]:
        async def documents() -> Documents:
            data = await read_chunk(blobs, manifest.folder, manifest.chunks[position])
            return [(key_of(line), line) for line in document_lines(data)]

        return documents

    started: deque[tuple[Span, asyncio.Task[Documents] | None]] = deque()

    def give(part: Span, task: asyncio.Task[Documents] | None) -> Span:
        if task is None:
            return part
        return Span(part.sha256, part.first, lambda: task)

    try:
        for position, chunk in enumerate(manifest.chunks):
            part = Span(chunk.sha256, chunk.first, reading(position))
            ahead = shared is not None and chunk.sha256 not in shared
            started.append((part, asyncio.ensure_future(_run(part)) if ahead else None))
            if len(started) == READ_AHEAD:
                yield give(*started.popleft())
        while started:
            yield give(*started.popleft())
    finally:
        tasks = [task for _, task in started if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def require_same_key(before: Manifest, key_field: str) -> None:
    """Raise ConflictError when documents are told apart by another key field."""
    if before.key_field != key_field:
        raise ConflictError(
            f"its documents are told apart by {before.key_field}, those of the other side by {key_field}",
            on=f"snapshot {before.service}/{before.index}@{before.id}",
            do="Compare states of an index with the same key field",
        )


async def _run(part: Span) -> Documents:
    return await part.documents()


class _Side:
    """One side's parts, taken apart as late as can be. `part` is the next one while none of it has been taken."""

    def __init__(self, parts: AsyncIterator[Span], tally: Tally) -> None:
        self._parts = parts
        self._tally = tally
        self._documents: deque[tuple[str, bytes]] = deque()
        self.part: Span | None = None

    async def next_key(self) -> str | None:
        if self._documents:
            return self._documents[0][0]
        if self.part is None:
            self.part = await anext(self._parts, None)
        return None if self.part is None else self.part.first

    def skip(self) -> None:
        self._tally.chunks_skipped += 1
        self.part = None

    async def take(self) -> tuple[str, bytes]:
        if self.part is not None:
            part, self.part = self.part, None
            self._tally.chunks_read += 1
            self._documents.extend(await part.documents())
        return self._documents.popleft()
