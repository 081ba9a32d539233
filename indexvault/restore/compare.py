"""Compare a stretch of the snapshot with the same keys of an index.

The index is read in the order of keys and cut where the chunks are cut. If the bytes of such a window hash to the
chunk, all its documents are the same and the chunk is not read; else documents are compared one by one, by value only
if their bytes differ. Memory holds one chunk and as much of the index.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from indexvault.restore.projection import Projection
from indexvault.restore.report import MOST_NAMED, Difference
from indexvault.restore.selection import Selection
from indexvault.restore.values import same_document
from indexvault.search.schema import Schema
from indexvault.snapshots.chunks import Chunk, document_lines

type Documents = AsyncIterator[tuple[str, bytes]]
"""Keys and lines, keys strictly ascending."""

type ReadChunk = Callable[[Chunk], Awaitable[bytes | None]]
"""Returns a chunk's uncompressed bytes, proved, or None if it is gone: then its documents count as unproved."""


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
    chunks: Sequence[Chunk], read: ReadChunk, present: Documents, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Yield what differs, in key order, and count everything in `tally`.

    `present` are the index's documents over the keys that the chunks cover. If only some documents are selected, others
    in the index are ignored.
    """
    coming = _Lookahead(present)
    if not chunks:
        async for deviation in differing(_given([]), coming.until(None), by, tally):
            yield deviation
    for position, chunk in enumerate(chunks):
        until = chunk.last if position + 1 < len(chunks) else None
        window = await coming.window(until, chunk.bytes) if by.by_hash else _Window([], whole=False)
        if window.whole and window.sha256() == chunk.sha256:
            tally.identical += chunk.documents
            tally.untouched += 1
            continue
        documents = _chained(window.documents, coming.until(until))
        data = await read(chunk)
        if data is None:
            tally.unproved += chunk.documents
            async for _document in documents:
                pass
            continue
        selected = await by.selection.selected(document_lines(data), by.key_of)
        tally.passed_over += chunk.documents - len(selected)
        async for deviation in differing(_given(selected), documents, by, tally):
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
    """The first documents up to a chunk's last key; `whole` if there are no more."""

    documents: list[tuple[str, bytes]]
    whole: bool

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for _key, line in self.documents:
            digest.update(line)
            digest.update(b"\n")
        return digest.hexdigest()


class _Lookahead:
    """The documents of an index in order, with one document of lookahead."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._next: tuple[str, bytes] | None = None
        self._over = False

    async def window(self, until: str | None, size: int) -> _Window:
        """Return the documents up to a key, but not much more than `size` bytes of them, line feeds included."""
        held: list[tuple[str, bytes]] = []
        taken = 0
        while taken <= size:
            document = await self._take(until)
            if document is None:
                return _Window(held, whole=True)
            held.append(document)
            taken += len(document[1]) + 1
        return _Window(held, whole=False)

    async def until(self, until: str | None) -> AsyncGenerator[tuple[str, bytes]]:
        """Yield the documents up to a key."""
        while (document := await self._take(until)) is not None:
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


async def _chained(first: list[tuple[str, bytes]], rest: Documents) -> AsyncGenerator[tuple[str, bytes]]:
    for document in first:
        yield document
    async for document in rest:
        yield document
