"""Compare a stretch of the snapshot with the same keys of an index.

The index is read in the order of keys and cut where the chunks are cut. If the bytes of such a window hash to the
chunk, all its documents are the same and the chunk is not read; else documents are compared one by one, by value only
if their bytes differ. Memory holds some megabytes of chunks, and as much of the index.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import msgspec

from indexvault.bounds import MEBIBYTE
from indexvault.restore.projection import Projection
from indexvault.restore.report import MOST_NAMED, Difference
from indexvault.restore.selection import Selection
from indexvault.restore.values import same_document
from indexvault.search.schema import Schema
from indexvault.snapshots.chunks import Chunk, document_lines

type Documents = AsyncIterator[tuple[str, bytes]]
"""Keys and lines, keys strictly ascending."""

type Chunks = AsyncIterable[Sequence[Chunk]]
"""Chunks in key order, in batches."""

type ReadChunks = Callable[[Chunks | Iterable[Sequence[Chunk]]], AsyncGenerator[tuple[Chunk, bytes | None]]]
"""Yields each chunk with its uncompressed bytes, proved, or with None if it is gone: then its documents count as
unproved."""

_COMPARED_AT_ONCE = 4 * MEBIBYTE
"""Uncompressed bytes of chunks whose documents are read from the index before those that differ are read themselves:
these are then fetched together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two sides are compared: stored documents are projected by `projection`, values are read by `schema`."""

    schema: Schema
    projection: Projection
    selection: Selection
    key_of: Callable[[bytes], str]

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
    coming = _Lookahead(present)
    compare = _by_hash if by.by_hash else _by_document
    async with aclosing(compare(chunks, read, coming, by, tally)) as found:
        async for deviation in found:
            yield deviation
    # What comes after the last chunk.
    async with aclosing(differing(_given([]), coming.until(None), by, tally)) as found:
        async for deviation in found:
            yield deviation


async def _by_hash(
    chunks: Chunks, read: ReadChunks, coming: "_Lookahead", by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Compare with chunks of which only those are read that differ from the index."""
    async for batch in chunks:
        start = 0
        while start < len(batch):
            windows = await coming.windows(batch[start:])
            unlike = [window for window in windows if not window.is_same()]
            tally.identical += sum(each.chunk.documents for each in windows) - sum(
                each.chunk.documents for each in unlike
            )
            tally.untouched += len(windows) - len(unlike)
            start += len(windows)
            if unlike:
                async with aclosing(read([[each.chunk for each in unlike]])) as reading:
                    for window in unlike:
                        _chunk, data = await anext(reading)
                        documents = coming.rest(window)
                        async with aclosing(_compared(window.chunk, data, documents, by, tally)) as found:
                            async for deviation in found:
                                yield deviation


async def _by_document(
    chunks: Chunks, read: ReadChunks, coming: "_Lookahead", by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Compare with chunks that are all read."""
    async with aclosing(read(chunks)) as reading:
        async for chunk, data in reading:
            async with aclosing(_compared(chunk, data, coming.until(chunk.last), by, tally)) as found:
                async for deviation in found:
                    yield deviation


async def _compared(
    chunk: Chunk, data: bytes | None, documents: Documents, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Compare one chunk with the documents of the index up to its last key."""
    if data is None:
        tally.unproved += chunk.documents
        async for _document in documents:
            pass
        return
    selected = await by.selection.selected(document_lines(data), by.key_of)
    tally.passed_over += chunk.documents - len(selected)
    async with aclosing(differing(_given(selected), documents, by, tally)) as found:
        async for deviation in found:
            yield deviation


async def differing(
    stored: Documents, present: Documents, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Yield what differs between two sides in key order; values are compared only if bytes differ.

    `stored` are the selected documents only.
    """
    wanted = ((key, line, by.projection.project(line)) async for key, line in stored)
    here, there = await anext(wanted, None), await anext(present, None)
    while here is not None or there is not None:
        deviation = None
        if here is not None and (there is None or here[0] < there[0]):
            deviation = Deviation(here[0], "missing", here[1])
            here = await anext(wanted, None)
        elif there is not None and (here is None or there[0] < here[0]):
            if by.selection.everything:
                deviation = Deviation(there[0], "extra", None)
            there = await anext(present, None)
        elif here is not None and there is not None:
            if here[2] == there[1]:
                tally.identical += 1
            elif same_document(here[2], there[1], by.schema):
                tally.equal += 1
            else:
                deviation = Deviation(here[0], "different", here[1])
            here, there = await anext(wanted, None), await anext(present, None)
        if deviation is not None:
            tally.note(deviation)
            yield deviation


@dataclass(frozen=True, slots=True)
class _Window:
    """A chunk, and the first documents of the index up to its last key; `whole` if there are no more."""

    chunk: Chunk
    documents: list[tuple[str, bytes]]
    whole: bool

    def is_same(self) -> bool:
        """Whether the index has exactly the chunk's documents, byte for byte."""
        if not self.whole or len(self.documents) != self.chunk.documents:
            return False
        digest = hashlib.sha256()
        for _key, line in self.documents:
            digest.update(line)
            digest.update(b"\n")
        return digest.hexdigest() == self.chunk.sha256


class _Lookahead:
    """The documents of an index in order, with one document of lookahead."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._next: tuple[str, bytes] | None = None
        self._over = False

    async def windows(self, chunks: Sequence[Chunk]) -> list[_Window]:
        """Return the documents that go with some of these chunks, the first ones: one at least.

        Only the last window may not be whole.
        """
        windows: list[_Window] = []
        size = 0
        for chunk in chunks:
            windows.append(await self._window(chunk))
            size += chunk.bytes
            if not windows[-1].whole or size >= _COMPARED_AT_ONCE:
                break
        return windows

    async def _window(self, chunk: Chunk) -> _Window:
        """Return the documents up to a chunk's last key, but not much more bytes of them than the chunk has."""
        held: list[tuple[str, bytes]] = []
        taken = 0
        while taken <= chunk.bytes:
            document = await self._take(chunk.last)
            if document is None:
                return _Window(chunk, held, whole=True)
            held.append(document)
            taken += len(document[1]) + 1
        return _Window(chunk, held, whole=False)

    async def until(self, until: str | None) -> AsyncGenerator[tuple[str, bytes]]:
        """Yield the documents up to a key."""
        while (document := await self._take(until)) is not None:
            yield document

    async def rest(self, window: _Window) -> AsyncGenerator[tuple[str, bytes]]:
        """Yield the documents of a window, and those that belong to it and have not been read yet."""
        for document in window.documents:
            yield document
        if not window.whole:
            async for document in self.until(window.chunk.last):
                yield document

    async def _take(self, until: str | None) -> tuple[str, bytes] | None:
        if self._next is None and not self._over:
            self._next = await anext(self._documents, None)
            self._over = self._next is None
        document = self._next
        if document is None or (until is not None and document[0] > until):
            return None
        self._next = None
        return document


async def _given(documents: Sequence[tuple[str, bytes]]) -> AsyncGenerator[tuple[str, bytes]]:
    for document in documents:
        yield document
