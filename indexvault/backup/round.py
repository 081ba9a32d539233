"""What a round of reading says of all partitions together, counted in bounded memory.

The marks of an index of ten million documents take 160 MB. So records are read one after the other, and those that
don't fit in memory are read again for each slice of all possible marks. What a round keeps whole is what changed in it.
"""

import heapq
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from indexvault.backup.key_marks import unpack
from indexvault.backup.pieces import Piece
from indexvault.backup.state import CollectedPartition

MOST_BYTES = 16 * 1024 * 1024
"""Bytes of marks that are held at once: those of a million documents, which `known` and `present` have each."""

_MARK_BYTES = 8
_MARKS = 1 << 64

type ReadPartition = Callable[[int], Awaitable[CollectedPartition]]
"""Returns the record of the partition at a position."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round saw of all partitions.

    `known` and `present` are how many different keys were ever read, and are there now; `present_each` counts those of
    each partition by itself, `changes` keys that came or went in each. `new`, `gone` and `returned` are marks,
    `unknown` those of keys that no partition had known. `pieces`, without their marks, and `unread` are by partition.
    """

    known: int
    present: int
    present_each: int
    changes: int
    new: frozenset[int]
    gone: frozenset[int]
    returned: frozenset[int]
    unknown: frozenset[int]
    pieces: list[list[Piece]]
    unread: list[int]


async def read_round(read: ReadPartition, partitions: int, *, most_bytes: int = MOST_BYTES) -> Round:
    """Read the records of all partitions and return what they say together."""
    records = _Records(read, most_bytes)
    new: set[int] = set()
    gone: set[int] = set()
    returned: set[int] = set()
    pieces: list[list[Piece]] = []
    unread: list[int] = []
    size = present = changes = 0
    for position in range(partitions):
        record = await records.first(position)
        new.update(unpack(record.new))
        gone.update(unpack(record.gone))
        returned.update(unpack(record.returned))
        pieces.append([msgspec.structs.replace(piece, marks=b"") for piece in record.pieces])
        unread.append(record.unread)
        size += len(record.known) + len(record.present)
        present += len(record.present) // _MARK_BYTES
        changes += (len(record.new) + len(record.gone)) // _MARK_BYTES
    counted = [0, 0]
    unknown = new - gone
    slices = max(1, -(-size // most_bytes))
    for number in range(slices):
        low, high = _MARKS * number // slices, _MARKS * (number + 1) // slices
        known_marks: list[Sequence[int]] = []
        present_marks: list[Sequence[int]] = []
        for position in range(partitions):
            record = await records.again(position)
            known_marks.append(_between(record.known, low, high))
            present_marks.append(_between(record.present, low, high))
            if unknown:
                unknown -= unknown.intersection(known_marks[-1]) - set(unpack(record.new))
        counted[0] += _distinct(known_marks)
        counted[1] += _distinct(present_marks)
    return Round(
        known=counted[0],
        present=counted[1],
        present_each=present,
        changes=changes,
        new=frozenset(new),
        gone=frozenset(gone),
        returned=frozenset(returned),
        unknown=frozenset(unknown),
        pieces=pieces,
        unread=unread,
    )


class _Records:
    """Reads records, and keeps the first that fit in memory together."""

    def __init__(self, read: ReadPartition, most_bytes: int) -> None:
        self._read = read
        self._left = most_bytes
        self._kept: dict[int, CollectedPartition] = {}

    async def first(self, position: int) -> CollectedPartition:
        record = await self._read(position)
        self._left -= len(record.known) + len(record.present)
        if self._left >= 0:
            self._kept[position] = record
        return record

    async def again(self, position: int) -> CollectedPartition:
        return self._kept[position] if position in self._kept else await self._read(position)


def _between(marks: bytes, low: int, high: int) -> Sequence[int]:
    """Return the marks from `low` to below `high`, in order."""
    every = unpack(marks)
    return every[bisect_left(every, low) : bisect_left(every, high)]


def _distinct(marks: Iterable[Sequence[int]]) -> int:
    """Return how many different marks there are. Each sequence is in order."""
    number, last = 0, None
    for mark in heapq.merge(*marks):
        number += mark != last
        last = mark
    return number
