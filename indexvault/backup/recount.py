"""Seeing to it that a range that was read holds what the service counts in it, and reading again only what differs.

Documents come and go while an index is read, so the count of a whole index says little. The count of a short stretch
says much: it is asked for seconds after the stretch was read, and a stretch that fits one page is read together with
its count, in one answer, at one moment.
"""

import itertools
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from indexvault.errors import AccountingError
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import ends_chunk
from indexvault.snapshots.writer import StoredChunk

ROUNDS = 5
"""How often a stretch is read again at most."""


class CountedRange(msgspec.Struct, frozen=True):
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


def stretches(keys: KeyRange, stored: Sequence[StoredChunk], bits: int) -> list[CountedRange]:
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
        CountedRange(KeyRange(after, until), tuple(group))
        for (after, until), group in zip(itertools.pairwise(borders), groups, strict=True)
    ]


async def settle(
    keys: KeyRange,
    stored: Sequence[StoredChunk],
    bits: int,
    *,
    count: CountKeys,
    read: ReadKeys,
    on: str,
    rounds: int = ROUNDS,
) -> Settled:
    """Return a range's chunks once each stretch of it has as many unique keys as the service counts there.

    A stretch that differs is read again, and what was read is settled in its turn: so the stretches that still differ
    become shorter, until one fits an answer. Raises AccountingError if one does not come to agree.
    """
    whole = stretches(keys, stored, bits)
    documents = sum(stretch.documents for stretch in whole)
    counted = await count(keys)
    if counted == documents:
        return Settled(list(stored), again=0)
    if not rounds:
        raise AccountingError(
            f"{documents} unique keys were read in a stretch of the index that the service counts {counted} documents"
            f" in, in {ROUNDS + 1} readings",
            on=on,
            do="Run the backup again, best while the index is not written to",
        )
    found: list[StoredChunk] = []
    again = 0
    differing = await _differing(whole, count)
    for position, stretch in enumerate(whole):
        if position not in differing:
            found += stretch.stored
            continue
        reread = await read(stretch.keys)
        settled = Settled(reread.stored, again=0)
        if reread.counted != sum(entry.chunk.documents for entry in reread.stored):
            settled = await settle(stretch.keys, reread.stored, bits, count=count, read=read, on=on, rounds=rounds - 1)
        found += settled.stored
        again += 1 + settled.again
    return Settled(found, again)


async def _differing(whole: Sequence[CountedRange], count: CountKeys) -> set[int]:
    """Find the stretches whose counts differ by halving: two small probe for each halving that matters."""
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
