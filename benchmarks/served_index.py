"""The documents of an index in key order, in blocks of about a megabyte, from which pages are cut without copying.

A write changes its block when the block is read next. So a service that reads pages and takes uploads at the same time
has little to do for either.
"""

import hashlib
import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence

_BLOCK_BYTES = 1024 * 1024
_PENDING_BYTES = 2 * _BLOCK_BYTES

CHANGED = b'"changed":"'
"""What comes before the time at which a document was written, where an index has such a field."""


class _Block:
    """Sorted documents, joined by commas. `pending` are writes by key, None for a deletion."""

    __slots__ = ("body", "keys", "pending", "pending_bytes", "starts")

    def __init__(self, documents: Sequence[tuple[str, bytes]] = ()) -> None:
        self.keys = [key for key, _document in documents]
        self.body = b",".join(document for _key, document in documents)
        lengths = (len(document) + 1 for _key, document in documents)
        self.starts = [0, *itertools.accumulate(lengths)]
        self.pending: dict[str, bytes | None] = {}
        self.pending_bytes = 0

    def has(self, key: str) -> bool:
        if key in self.pending:
            return self.pending[key] is not None
        place = bisect_left(self.keys, key)
        return place < len(self.keys) and self.keys[place] == key

    def slice(self, begin: int, end: int) -> memoryview:
        return memoryview(self.body)[self.starts[begin] : self.starts[end] - 1]

    def documents(self) -> list[tuple[str, bytes]]:
        found: dict[str, bytes | None] = {key: bytes(self.slice(at, at + 1)) for at, key in enumerate(self.keys)}
        found |= self.pending
        return [(key, document) for key, document in sorted(found.items()) if document is not None]


class ServedIndex:
    """Documents by key. Those that are given and taken are whole JSON objects without line breaks."""

    def __init__(self, documents: Iterable[tuple[str, bytes]] = ()) -> None:
        self._blocks = [_Block(part) for part in _parts(sorted(documents))] or [_Block()]
        self._firsts = ["", *(block.keys[0] for block in self._blocks[1:])]
        self._by_value: list[tuple[bytes, str]] | None = None

    def put(self, key: str, document: bytes | None) -> bool:
        """Store a document, or delete it. Return whether there was one of this key."""
        if self._by_value is not None:
            self._note_value(self._by_value, key, document)
        place, block = self._place(key)
        was_there = block.has(key)
        block.pending[key] = document
        block.pending_bytes += len(document or b"")
        if block.pending_bytes > _PENDING_BYTES:
            self._settle(place)
        return was_there

    def since(self, low: bytes) -> list[str]:
        """Return the keys of documents whose field CHANGED is so or more, in its order; the field's text sorts."""
        if self._by_value is None:
            found = zip(self.keys(), self._documents(), strict=True)
            self._by_value = sorted((value_of(document), key) for key, document in found)
        begin = bisect_left(self._by_value, (low, ""))
        return [key for _value, key in self._by_value[begin:]]

    def get(self, key: str) -> bytes | None:
        """Return a document."""
        self._settled(bisect_right(self._firsts, key) - 1)
        _place, block = self._place(key)  # settling may have divided it
        place = bisect_left(block.keys, key)
        return bytes(block.slice(place, place + 1)) if place < len(block.keys) and block.keys[place] == key else None

    def count(self, after: str | None = None, until: str | None = None) -> int:
        """Return the number of documents with keys above `after` and up to `until`."""
        return sum(end - begin for _block, begin, end in self._stretches(after, until))

    def size(self) -> int:
        """Return the bytes of all documents."""
        return sum(len(block.body) for block, _begin, _end in self._stretches(None, None))

    def page(self, after: str | None, until: str | None, skip: int, top: int) -> list[memoryview]:
        """Return slices that hold the documents of a page, joined by commas inside each."""
        found = []
        for block, begin, end in self._stretches(after, until):
            passed = min(skip, end - begin)
            skip -= passed
            taken = min(top, end - begin - passed)
            if taken > 0:
                found.append(block.slice(begin + passed, begin + passed + taken))
                top -= taken
            if top <= 0:
                break
        return found

    def keys(self, after: str | None = None, until: str | None = None, skip: int = 0) -> Iterator[str]:
        """Yield the keys above `after` and up to `until`, in order, without the first ones."""
        for block, begin, end in self._stretches(after, until):
            passed = min(skip, end - begin)
            skip -= passed
            yield from itertools.islice(block.keys, begin + passed, end)

    def digest(self) -> tuple[int, int, str]:
        """Return the number of documents, their bytes, and a hash of them all in key order."""
        number = size = 0
        digest = hashlib.sha256()
        for block, begin, end in self._stretches(None, None):
            number += end - begin
            body = block.slice(begin, end)
            size += len(body) + 1
            digest.update(body)
            digest.update(b",")
        return number, size, digest.hexdigest()

    def _note_value(self, by_value: list[tuple[bytes, str]], key: str, document: bytes | None) -> None:
        if (before := self.get(key)) is not None:
            del by_value[bisect_left(by_value, (value_of(before), key))]
        if document is not None:
            insort(by_value, (value_of(document), key))

    def _place(self, key: str) -> tuple[int, _Block]:
        place = bisect_right(self._firsts, key) - 1
        return place, self._blocks[place]

    def _documents(self) -> Iterator[bytes]:
        for block, begin, end in self._stretches(None, None):
            for at in range(begin, end):
                yield bytes(block.slice(at, at + 1))

    def _stretches(self, after: str | None, until: str | None) -> Iterator[tuple[_Block, int, int]]:
        place = 0 if after is None else bisect_right(self._firsts, after) - 1
        while place < len(self._blocks):
            if until is not None and self._firsts[place] > until:
                return
            block = self._settled(place)
            begin = 0 if after is None else bisect_right(block.keys, after)
            end = len(block.keys) if until is None else bisect_right(block.keys, until)
            if begin < end:
                yield block, begin, end
            place += 1

    def _settled(self, place: int) -> _Block:
        if self._blocks[place].pending:
            self._settle(place)
        return self._blocks[place]

    def _settle(self, place: int) -> None:
        """Carry out the pending writes of a block, and divide it if it has grown."""
        made = [_Block(part) for part in _parts(self._blocks[place].documents())] or [_Block()]
        self._blocks[place : place + 1] = made
        self._firsts[place : place + 1] = [self._firsts[place], *(block.keys[0] for block in made[1:])]


def value_of(document: bytes) -> bytes:
    """Return the text of the field CHANGED in a document that has one."""
    begin = document.index(CHANGED) + len(CHANGED)
    return document[begin : document.index(b'"', begin)]


def _parts(documents: Sequence[tuple[str, bytes]]) -> Iterator[Sequence[tuple[str, bytes]]]:
    """Divide documents into parts of about a block's size, none of them much smaller than the others."""
    size = sum(len(document) for _key, document in documents)
    number = max(1, min(len(documents), round(size / _BLOCK_BYTES)))
    for part in range(number if documents else 0):
        yield documents[part * len(documents) // number : (part + 1) * len(documents) // number]
