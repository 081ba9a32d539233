"""Compare a stretch of the snapshot with the same keys of an index.

The index is read in the order of keys and cut where the chunks are cut. If the bytes of such a window hash to the
chunk, all its documents are the same and the chunk is not read; else documents are compared one by one, by value only
if their bytes differ. Memory holds some megabytes of chunks, and as much of the index.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import msgspec

from indexvault.restore.projection import Projection
from indexvault.restore.report import MOST_NAMED, Difference
from indexvault.restore.selection import Selection
from indexvault.restore.values import same_document
from indexvault.restore.windows import COMPARED_AT_ONCE, Documents, Lookahead, Window, unlike_of
from indexvault.search.schema import Schema
from indexvault.snapshots.chunk_documents import KeyedLine
from indexvault.snapshots.chunks import Chunk

type Chunks = AsyncIterable[Sequence[Chunk]]
"""Chunks in key order, in batches."""

type ReadChunks = Callable[[Chunks | Iterable[Sequence[Chunk]]], AsyncGenerator[tuple[Chunk, list[KeyedLine] | None]]]
"""Yields each chunk with its documents, proved, or with None if it is gone: then its documents count as unproved."""

_MERGED_HERE = 64
"""Documents that are compared at once without a thread of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two sides are compared: stored documents are projected by `projection`, values are read by `schema`."""

    schema: Schema
    projection: Projection
    selection: Selection

    @property
    def by_hash(self) -> bool:
        """Whether a whole chunk can be compared by its hash."""
        return self.projection.keeps_bytes and self.selection.everything


class Deviation(msgspec.Struct, frozen=True):
    """A document that differs from the snapshot.

    `line` is the snapshot's with every field, those too that can't be compared; None if it lacks the document.
    """

    key: str
    kind: Literal["different", "missing", "extra"]
    line: bytes | None


class ComparisonTally(msgspec.Struct):
    """Running counts of a comparison.

    `untouched` chunks matched by their hash, without being read. `unproved` documents are those of chunks that did not
    match and are gone, `passed_over` those that the selection does not take.
    """

    identical: int = 0
    equal: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    untouched: int = 0
    unproved: int = 0
    passed_over: int = 0
    differences: list[Difference] = []

    def note(self, deviation: Deviation) -> None:
        """Count a deviation, and name it if fewer than MOST_NAMED are named."""
        match deviation.kind:
            case "different":
                self.different += 1
            case "missing":
                self.missing += 1
            case "extra":
                self.extra += 1
        if len(self.differences) < MOST_NAMED:
            self.differences.append(Difference(key=deviation.key, kind=deviation.kind))


async def deviations(
    chunks: Chunks, read: ReadChunks, present: Documents, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Yield what differs, in key order, and count everything in `tally`.

    `present` are the index's documents over the keys that the chunks cover. If only some documents are selected, others
    in the index are ignored.
    """
    coming = Lookahead(present)
    compare = _by_hash if by.by_hash else _by_document
    async with aclosing(compare(chunks, read, coming, by, tally)) as found:
        async for deviation in found:
            yield deviation
    # What comes after the last chunk.
    async with aclosing(differing(_given([]), coming.until(None), by, tally)) as found:
        async for deviation in found:
            yield deviation


async def differing(
    stored: Documents, present: Documents, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Yield what differs between two sides in key order; values are compared only if bytes differ.

    `stored` are the selected documents only.
    """
    here, there = _Side(stored), _Side(present)
    while await here.fill() | await there.fill():
        if here.left + there.left > _MERGED_HERE:
            found = await asyncio.to_thread(_merge, here, there, by, tally)
        else:
            found = _merge(here, there, by, tally)
        for deviation in found:
            yield deviation


async def _by_hash(
    chunks: Chunks, read: ReadChunks, coming: Lookahead, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Compare with chunks of which only those are read that differ from the index."""
    async for batch in chunks:
        start = 0
        while start < len(batch):
            end, windows = await coming.windows(batch, start)
            unlike = await asyncio.to_thread(unlike_of, windows) if windows else []
            tally.untouched += end - start - len(unlike)
            tally.identical += sum([chunk.documents for chunk in batch[start:end]])
            tally.identical -= sum([each.chunk.documents for each in unlike])
            start = end
            if unlike:
                async with aclosing(_read_and_compare(unlike, read, coming, by, tally)) as found:
                    async for deviation in found:
                        yield deviation


async def _read_and_compare(
    windows: Sequence[Window], read: ReadChunks, coming: Lookahead, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Read the chunks of windows, of which only the last may not be whole, and compare."""
    stored: list[KeyedLine] = []
    present: list[KeyedLine] = []
    rest: Documents = _given([])
    async with aclosing(read([[each.chunk for each in windows]])) as reading:
        for window in windows:
            _chunk, documents = await anext(reading)
            beyond = coming.until(window.chunk.last) if not window.whole else _given([])
            if documents is not None:
                stored += documents
                present += window.documents
                rest = beyond
            else:
                tally.unproved += window.chunk.documents
                async for _some in beyond:
                    pass
    async with aclosing(differing(_given(stored), _chained(present, rest), by, tally)) as found:
        async for deviation in found:
            yield deviation


async def _by_document(
    chunks: Chunks, read: ReadChunks, coming: Lookahead, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Compare with chunks that are all read."""
    async with aclosing(read(chunks)) as reading, aclosing(_together(reading, by.selection, tally)) as groups:
        async for last, stored in groups:
            if stored is None:
                async for _some in coming.until(last):
                    pass
                continue
            async with aclosing(differing(_given(stored), coming.until(last), by, tally)) as found:
                async for deviation in found:
                    yield deviation


async def _together(
    reading: AsyncIterator[tuple[Chunk, list[KeyedLine] | None]], selection: Selection, tally: ComparisonTally
) -> AsyncGenerator[tuple[str, list[KeyedLine] | None]]:
    """Yield the selected documents of several chunks at once, with their last key; None for a chunk that is gone.

    Counts what is gone, and what is not selected.
    """
    stored: list[KeyedLine] = []
    size = 0
    last = ""
    async for chunk, documents in reading:
        if documents is None:
            if size:
                yield last, stored
            stored, size = [], 0
            tally.unproved += chunk.documents
            yield chunk.last, None
            continue
        selected = await selection.selected(documents)
        tally.passed_over += len(documents) - len(selected)
        stored += selected
        size, last = size + chunk.bytes, chunk.last
        if size >= COMPARED_AT_ONCE:
            yield last, stored
            stored, size = [], 0
    if size:
        yield last, stored


class _Side:
    """One side of a comparison: the documents at hand that are not compared yet. `over` if no others come."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.batch: Sequence[KeyedLine] = ()
        self.at = 0
        self.over = False

    @property
    def left(self) -> int:
        """The number of documents at hand."""
        return len(self.batch) - self.at

    async def fill(self) -> bool:
        """Get more documents if none are left. Return whether there are any."""
        while not self.left and not self.over:
            try:
                self.batch, self.at = await anext(self._documents), 0
            except StopAsyncIteration:
                self.batch, self.at, self.over = (), 0, True
        return self.left > 0


def _merge(here: _Side, there: _Side, by: Comparison, tally: ComparisonTally) -> list[Deviation]:
    """Compare until one side needs more documents, and return what differs. Use a thread for many."""
    found: list[Deviation] = []
    mine, theirs = here.batch, there.batch
    at, other = here.at, there.at
    project = by.projection.project
    while (at < len(mine) or here.over) and (other < len(theirs) or there.over):
        if at < len(mine) and (other == len(theirs) or mine[at][0] < theirs[other][0]):
            found.append(Deviation(mine[at][0], "missing", mine[at][1]))
            at += 1
        elif other < len(theirs) and (at == len(mine) or theirs[other][0] < mine[at][0]):
            if by.selection.everything:
                found.append(Deviation(theirs[other][0], "extra", None))
            other += 1
        elif at < len(mine):
            line = mine[at][1]
            wanted, present = project(line), theirs[other][1]
            if wanted == present:
                tally.identical += 1
            elif same_document(wanted, present, by.schema):
                tally.equal += 1
            else:
                found.append(Deviation(mine[at][0], "different", line))
            at, other = at + 1, other + 1
        else:
            break
    here.at, there.at = at, other
    for deviation in found:
        tally.note(deviation)
    return found


async def _given(documents: Sequence[KeyedLine]) -> AsyncGenerator[Sequence[KeyedLine]]:
    if documents:
        yield documents


async def _chained(first: Sequence[KeyedLine], rest: Documents) -> AsyncGenerator[Sequence[KeyedLine]]:
    if first:
        yield first
    async for some in rest:
        yield some
