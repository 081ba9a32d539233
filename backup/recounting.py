"""Seeing to it that a range that was read holds what the service counts in it, and reading again only what differs.

Documents come and go while an index is read, so the count of a whole index says little. The count of a short stretch
says much: it is asked for seconds after the stretch was read, and a stretch that fits one page is read together with
its count, in one answer, at one moment.
"""

import itertools
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from errors import AccountingError
from search.scan import KeyRange
from snapshots.chunks import ends_chunk
from snapshots.writer import StoredChunk

ROUNDS = 5
"""How often a stretch is read again at most."""


class Stretch(msgspec.Struct, frozen=True):
    """A part of a range between two keys at which chunks end, with the chunks that hold it."""

    keys: KeyRange
    stored: tuple[StoredChunk, ...]

    @property
    def documents(self) -> int:
        """How many documents were read."""
        return sum(entry.chunk.documents for entry in self.stored)


class Reread(msgspec.Struct, frozen=True):
    """A stretch as it was read again. `counted` came in the same answer, if one answer held all of it."""

    stored: list[StoredChunk]
    counted: int | None


class Settled(msgspec.Struct, frozen=True):
    """A range that is accounted for, and how many stretches were read again for it."""

    stored: list[StoredChunk]
    again: int


type CountKeys = Callable[[KeyRange], Awaitable[int]]
type ReadKeys = Callable[[KeyRange], Awaitable[Reread]]


def stretches(keys: KeyRange, stored: Sequence[StoredChunk], bits: int) -> list[Stretch]:
    """Cut a range at keys that end chunks wherever a reading begins; where a size cap ended a chunk is no border."""
    groups: list[list[StoredChunk]] = [[]]
    for entry in stored:
        groups[-1].append(entry)
        if ends_chunk(entry.chunk.last, bits):
            groups.append([])
    if len(groups) > 1 and not groups[-1]:
        groups.pop()
    borders = [keys.after, *(group[-1].chunk.last for group in groups[:-1]), keys.until]
    return [
        Stretch(KeyRange(after, until), tuple(group))
        for (after, until), group in zip(itertools.pairwise(borders), groups, strict=True)
    ]


async def settle(
    keys: KeyRange, stored: Sequence[StoredChunk], bits: int, *, count: CountKeys, read: ReadKeys, on: str
) -> Settled:
    """Give a range's chunks once each stretch of it has as many unique keys as the service counts there.

    Raises AccountingError if a stretch does not come to agree.
    """
    whole = stretches(keys, stored, bits)
    if await count(keys) == sum(stretch.documents for stretch in whole):
        return Settled(list(stored), again=0)
    found: list[StoredChunk] = []
    again = 0
    differing = await _differing(whole, count)
    for position, stretch in enumerate(whole):
        if position in differing:
            found += await _read_again(stretch, count=count, read=read, on=on)
            again += 1
        else:
            found += stretch.stored
    return Settled(found, again)


async def _differing(whole: Sequence[Stretch], count: CountKeys) -> set[int]:
    """Find the stretches whose counts differ by halving: two small questions for each halving that matters."""
    differing: set[int] = set()
    pending = [(0, len(whole))]
    while pending:
        start, end = pending.pop()
        documents = sum(stretch.documents for stretch in whole[start:end])
        if await count(KeyRange(whole[start].keys.after, whole[end - 1].keys.until)) == documents:
            continue
        if end - start == 1:
            differing.add(start)
        else:
            middle = (start + end) // 2
            pending += [(start, middle), (middle, end)]
    return differing


async def _read_again(stretch: Stretch, *, count: CountKeys, read: ReadKeys, on: str) -> list[StoredChunk]:
    documents = counted = 0
    for _ in range(ROUNDS):
        reread = await read(stretch.keys)
        documents = sum(entry.chunk.documents for entry in reread.stored)
        counted = reread.counted if reread.counted is not None else await count(stretch.keys)
        if documents == counted:
            return reread.stored
    raise AccountingError(
        f"{documents} unique keys were read in a stretch of the index that the service counts {counted} documents in,"
        f" in {ROUNDS} readings",
        on=on,
        do="Run the backup again, best while the index is not written to",
    )
