"""Compare two states of an index chunk by chunk, in key order.

A chunk that both sides have is not read: its hash says that its documents are the same. So two large snapshots that
differ in a few documents are compared by reading the few chunks that hold these.
"""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Literal

import msgspec

from indexvault.errors import ConflictError
from indexvault.snapshots.differing_spans import DifferingSpans
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.spans import Span
from indexvault.snapshots.store import SnapshotReader


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
    differing = DifferingSpans(blobs, before, after_blobs or blobs, after)
    one, other = differing.spans(0), differing.spans(1)
    try:
        async with aclosing(one), aclosing(other), aclosing(diff_spans(one, other, tally)) as changes:
            async for change in changes:
                yield change
    finally:
        await differing.close()
    tally.chunks_skipped = before.tree.count + after.tree.count - tally.chunks_read


async def diff_spans(
    before: AsyncIterator[Span], after: AsyncIterator[Span], tally: DiffTally
) -> AsyncGenerator[DocumentChange]:
    """Yield the documents that differ between two sides, in key order. The keys of a side's spans rise throughout."""
    one, other = _Side(before, tally), _Side(after, tally)
    while True:
        here, there = await one.next_key(), await other.next_key()
        if here is None and there is None:
            return
        is_first = here is not None and (there is None or here <= there)
        is_second = there is not None and (here is None or there <= here)
        if (is_first and one.drop_gap()) or (is_second and other.drop_gap()):
            continue
        if one.span is not None and other.span is not None and one.span.sha256 == other.span.sha256:
            one.skip()
            other.skip()
        elif not is_second:
            tally.removed += 1
            yield DocumentChange("removed", *await one.take())
        elif not is_first:
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


def require_same_key(before: Manifest, key_field: str) -> None:
    """Raise ConflictError if the snapshot has another key field."""
    if before.key_field != key_field:
        raise ConflictError(
            f"its key field is {before.key_field}, that of the other side {key_field}",
            on=f"snapshot {before.service}/{before.index}@{before.id}",
            do="Compare states of an index with the same key field",
        )


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

    def drop_gap(self) -> bool:
        """Go on to the next span if this one is a gap; return whether it was."""
        if self.span is None or not self.span.is_gap:
            return False
        self.span = None
        return True

    def skip(self) -> None:
        self._tally.chunks_skipped += 1
        self.span = None

    async def take(self) -> tuple[str, bytes]:
        if self.span is not None:
            span, self.span = self.span, None
            self._tally.chunks_read += 1
            self._documents.extend(await span.documents())
        return self._documents.popleft()
