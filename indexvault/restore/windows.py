"""The documents of an index in the order of their keys, cut where a snapshot's chunks are cut.

Where a page has the bytes of chunks, one after the other, its documents are these chunks' documents: it need not be
split. Else the documents that go with a chunk are a window, which is compared by its hash first.
"""

import asyncio
import hashlib
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import overload

from indexvault.bounds import MEBIBYTE
from indexvault.search.page import UnsplitDocuments
from indexvault.snapshots.chunk_documents import KeyedLine
from indexvault.snapshots.chunks import Chunk

type Documents = AsyncIterator[Sequence[KeyedLine]]
"""Documents in batches, keys strictly ascending."""

COMPARED_AT_ONCE = 4 * MEBIBYTE
"""Uncompressed bytes of chunks whose documents are read from the index before those that differ are read themselves:
these are then fetched together."""


class UnsplitBatch(Sequence[KeyedLine]):
    """Documents of a page, which is split when one of them is looked at. `text` are their lines, if they have any."""

    def __init__(self, page: UnsplitDocuments) -> None:
        self._page = page
        self.text = page.text

    @cached_property
    def documents(self) -> list[KeyedLine]:
        """The documents."""
        return [(document.key, document.line) for document in self._page]

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate([len(line) + 1 for _key, line in self.documents], initial=0))

    def start_of(self, position: int) -> int | None:
        """Return where the line of a document begins in the text; None if the text is not that of the documents."""
        return self._starts[position] if self._starts[-1] == len(self.text) else None

    def __len__(self) -> int:
        return len(self.documents)

    @overload
    def __getitem__(self, index: int) -> KeyedLine: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[KeyedLine]: ...
    def __getitem__(self, index: int | slice) -> KeyedLine | Sequence[KeyedLine]:
        return self.documents[index]

    def __iter__(self) -> Iterator[KeyedLine]:
        return iter(self.documents)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A chunk, and the first documents of the index up to its last key; `whole` if there are no more."""

    chunk: Chunk
    documents: list[KeyedLine]
    whole: bool


def unlike_of(windows: Sequence[Window]) -> list[Window]:
    """Return the windows that don't have exactly their chunks' documents, byte for byte. Use a thread."""
    return [each for each in windows if not _is_same(each)]


class Lookahead:
    """The documents of an index in order, of which one batch is held."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._batch: Sequence[KeyedLine] = ()
        self._at = 0
        self._over = False
        self._source: UnsplitBatch | None = None
        """What `_batch` was split from."""
        self._unsplit: UnsplitBatch | None = None
        """What is looked at as text, and not split: then `_at` is where the rest begins in it."""

    async def windows(self, chunks: Sequence[Chunk], start: int) -> tuple[int, list[Window]]:
        """Return up to which of these chunks, from `start` on, documents were looked at: of one at least.

        Also return windows of those that are not the same at first sight. Only the last one may not be whole.
        """
        windows: list[Window] = []
        size = 0
        at = start
        while at < len(chunks) and size < COMPARED_AT_ONCE:
            passed = await self._pass_over(chunks, at)
            size += sum([chunk.bytes for chunk in chunks[at : at + passed]])
            at += passed
            if at == len(chunks) or size >= COMPARED_AT_ONCE:
                break
            windows.append(await self._window(chunks[at]))
            size += chunks[at].bytes
            at += 1
            if not windows[-1].whole:
                break
        return at, windows

    async def until(self, until: str | None) -> AsyncGenerator[Sequence[KeyedLine]]:
        """Yield the documents up to a key."""
        while some := await self._take(until):
            yield some

    async def _pass_over(self, chunks: Sequence[Chunk], start: int) -> int:
        """Return how many chunks the next documents are, byte for byte, and go on behind these documents."""
        if self._unsplit is None and self._source is not None:
            place = self._source.start_of(self._at)
            if place is not None:
                self._unsplit, self._at = self._source, place
        at = start
        while at < len(chunks):
            if self._unsplit is None:
                if self._at < len(self._batch) or self._over:
                    break
                await self._fill()
                continue
            text = self._unsplit.text
            same, self._at = await asyncio.to_thread(_same, text, self._at, chunks, at)
            at += same
            if self._at == len(text):
                self._drop()
            elif at == len(chunks) or chunks[at].bytes <= len(text) - self._at:
                break
            elif await self._goes_on(chunks[at]):
                at += 1
            else:
                break
        return at - start

    async def _goes_on(self, chunk: Chunk) -> bool:
        """Return whether what is left of the text, and the begin of the next one, are a chunk; then go on behind it.

        Else both batches are split and held.
        """
        before, begin = self._unsplit, self._at
        assert before is not None  # noqa: S101 - only then it is asked
        await self._fill()
        rest = before.text[begin:]
        if self._unsplit is not None and self._at == 0:
            end = chunk.bytes - len(rest)
            if _same(rest + self._unsplit.text[:end], 0, [chunk], 0)[0]:
                self._at = end
                if end == len(self._unsplit.text):
                    self._drop()
                return True
        passed = before.text.count(b"\n", 0, begin)
        self._batch, self._at = [*before.documents[passed:], *self._batch], 0
        self._source = self._unsplit = None
        return False

    async def _window(self, chunk: Chunk) -> Window:
        """Return the documents up to a chunk's last key, but not much more of them than the chunk has."""
        held: list[KeyedLine] = []
        while len(held) <= chunk.documents:
            some = await self._take(chunk.last, chunk.documents + 1 - len(held))
            if not some:
                return Window(chunk, held, whole=True)
            held += some
        return Window(chunk, held, whole=False)

    async def _take(self, until: str | None, most: int | None = None) -> Sequence[KeyedLine]:
        """Return some of the next documents up to a key, or none if there are no more."""
        self._split()
        while self._at == len(self._batch) and not self._over:
            await self._fill()
            self._split()
        start = self._at
        end = len(self._batch) if most is None else min(len(self._batch), start + most)
        if until is not None:
            end = bisect_right(self._batch, until, start, end, key=_key)
        self._at = end
        return self._batch[start:end]

    def _split(self) -> None:
        if self._unsplit is not None:
            passed = self._unsplit.text.count(b"\n", 0, self._at)
            self._batch, self._at, self._unsplit = self._unsplit.documents, passed, None

    def _drop(self) -> None:
        """Forget the batch, all of which has been looked at."""
        self._source = self._unsplit = None
        self._batch, self._at = (), 0

    async def _fill(self) -> None:
        """Hold the next batch, or none if there are no more."""
        try:
            self._batch, self._at = await anext(self._documents), 0
        except StopAsyncIteration:
            self._batch, self._at, self._over = (), 0, True
        self._source = self._unsplit = self._batch if isinstance(self._batch, UnsplitBatch) else None


def _same(text: bytes, start: int, chunks: Sequence[Chunk], at: int) -> tuple[int, int]:
    """Return how many chunks, from `at` on, a text has one after the other from `start`, and where they end in it.

    Use a thread.
    """
    view = memoryview(text)
    end, position, documents = start, at, 0
    while position < len(chunks):
        chunk = chunks[position]
        until = end + chunk.bytes
        if until > len(text) or hashlib.sha256(view[end:until]).hexdigest() != chunk.sha256:
            break
        documents += chunk.documents
        end, position = until, position + 1
    return (position - at, end) if text.count(b"\n", start, end) == documents else (0, start)


def _is_same(window: Window) -> bool:
    if not window.whole or len(window.documents) != window.chunk.documents:
        return False
    data = b"".join([part for _key, line in window.documents for part in (line, b"\n")])
    return hashlib.sha256(data).hexdigest() == window.chunk.sha256


def _key(document: KeyedLine) -> str:
    return document[0]
