"""Compare a range that was read with the service's count of it, and read again only what differs.

Documents come and go while an index is read, so the count of a whole index says little. The count of a short subrange
says much: it is taken seconds after the subrange was read, and a subrange that fits one page is read together with its
count, in one answer.
"""

import itertools
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunk_writer import StoredChunk
from indexvault.snapshots.chunks import ends_chunk

ROUNDS = 5
"""How often a subrange is read again at most."""


class Subrange(msgspec.Struct, frozen=True):
    """A part of a range between two keys that end chunks, with its chunks."""

    keys: KeyRange
    stored: tuple[StoredChunk, ...]

    @property
    def documents(self) -> int:
        """The number of documents that were read."""
        return sum(entry.chunk.documents for entry in self.stored)


class Reread(msgspec.Struct, frozen=True):
    """The chunks of a subrange that was read again. `counted` is its count if one answer held both."""

    stored: list[StoredChunk]
    counted: int | None


class SettledRange(msgspec.Struct, frozen=True):
    """The chunks of a range, as its last readings found it.

    `again` is how many of its subranges were read again. `open` is by how many documents the counts of subranges still
    differ from what was read, 0 if every document is accounted for.
    """

    stored: list[StoredChunk]
    again: int
    open: int = 0


type CountKeys = Callable[[KeyRange], Awaitable[int]]
type ReadKeys = Callable[[KeyRange], Awaitable[Reread]]


async def _no_waiting() -> bool:
    return False


def subranges(keys: KeyRange, stored: Sequence[StoredChunk], bits: int) -> list[Subrange]:
    """Split a range at keys that always end chunks; chunks that were cut by the size cap stay together."""
    groups: list[list[StoredChunk]] = [[]]
    for entry in stored:
        groups[-1].append(entry)
        if ends_chunk(entry.chunk.last, bits):
            groups.append([])
    if len(groups) > 1 and not groups[-1]:
        groups.pop()
    borders = [keys.after, *(group[-1].chunk.last for group in groups[:-1]), keys.until]
    return [
        Subrange(KeyRange(after, until), tuple(group))
        for (after, until), group in zip(itertools.pairwise(borders), groups, strict=True)
    ]


async def settle(
    keys: KeyRange,
    stored: Sequence[StoredChunk],
    bits: int,
    *,
    count: CountKeys,
    read: ReadKeys,
    rounds: int = ROUNDS,
    wait: Callable[[], Awaitable[bool]] = _no_waiting,
) -> SettledRange:
    """Return a range's chunks once each subrange has as many unique keys as the service counts in it.

    A subrange that differs is read again and settled in turn, so the subranges that still differ become shorter until
    one fits an answer. A count may also be off for minutes: once `rounds` readings differ, each further one waits
    first, as long as `wait` returns True. What differs then is left open.
    """
    documents = sum(entry.chunk.documents for entry in stored)
    counted = await count(keys)
    if counted == documents:
        return SettledRange(list(stored), again=0)
    if not rounds:
        if not await wait():
            return SettledRange(list(stored), again=0, open=abs(counted - documents))
        rounds = 1
    chunks: list[StoredChunk] = []
    again = left_open = 0
    found = subranges(keys, stored, bits)
    differing = await _differing(found, count)
    for position, subrange in enumerate(found):
        if position not in differing:
            chunks += subrange.stored
            continue
        reread = await read(subrange.keys)
        settled = SettledRange(reread.stored, again=0)
        if reread.counted != sum(entry.chunk.documents for entry in reread.stored):
            settled = await settle(
                subrange.keys, reread.stored, bits, count=count, read=read, rounds=rounds - 1, wait=wait
            )
        chunks += settled.stored
        again += 1 + settled.again
        left_open += settled.open
    return SettledRange(chunks, again, left_open)


async def _differing(found: Sequence[Subrange], count: CountKeys) -> set[int]:
    """Return the positions of subranges whose counts differ, by bisection: two small queries for each step."""
    differing: set[int] = set()
    pending = [(0, len(found))]
    while pending:
        start, end = pending.pop()
        documents = sum(subrange.documents for subrange in found[start:end])
        if await count(KeyRange(found[start].keys.after, found[end - 1].keys.until)) == documents:
            continue
        if end - start == 1:
            differing.add(start)
        else:
            middle = (start + end) // 2
            pending += [(start, middle), (middle, end)]
    return differing
