"""Find the chunks in which two trees differ, by descending where hashes differ."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.tree import Entries, Tree, as_chunks, as_nodes
from indexvault.snapshots.tree_reader import NODES_AT_ONCE, TreeReader

type Side = Literal["one", "other"]


@dataclass(frozen=True, slots=True)
class _Part:
    """Consecutive entries of one side, of one level. Without entries, the level is 0.

    All keys under an entry come after the one in `lows` in its place.
    """

    reader: TreeReader
    level: int
    entries: Entries
    lows: Sequence[str]

    @classmethod
    def of(cls, reader: TreeReader, tree: Tree) -> "_Part":
        """Return the root of a tree."""
        return cls(reader, tree.level if tree.entries else 0, tree.entries, _lows(tree.entries, ""))

    def without(self, hashes: Collection[str]) -> "_Part":
        kept = [at for at, each in enumerate(self.entries) if each.sha256 not in hashes]
        left = [self.entries[at] for at in kept]
        return _Part(self.reader, self.level if left else 0, left, [self.lows[at] for at in kept])

    def up_to(self, start: int, edge: str) -> tuple["_Part", int]:
        """Return the entries from a position that may hold keys up to `edge`, and the position after them."""
        end = start
        while end < len(self.entries) and self.lows[end] < edge:
            end += 1
        some = self.entries[start:end]
        return _Part(self.reader, self.level if some else 0, some, self.lows[start:end]), end

    async def opened(self) -> "_Part":
        """Return the entries below."""
        if not self.level:
            return self
        below = await self.reader.open_in_order(as_nodes(self.entries), self.level, self.lows)
        lows = [low for some, first in zip(below, self.lows, strict=True) for low in _lows(some, first)]
        return _Part(self.reader, self.level - 1, [each for some in below for each in some], lows)


def _lows(entries: Entries, first: str) -> list[str]:
    """Return for each entry the last key before it, `first` for the first one."""
    return [first, *(each.last for each in entries[:-1])] if entries else []


@dataclass(frozen=True, slots=True)
class Region:
    """The chunks in which two trees differ in a range of keys.

    All chunks after these, of either side, begin after the key `edge`.
    """

    one: Sequence[Chunk]
    other: Sequence[Chunk]
    edge: str


async def differing(
    one: TreeReader, before: Tree, other: TreeReader, after: Tree
) -> AsyncGenerator[tuple[Side, Sequence[Chunk]]]:
    """Yield the chunks of two trees that only one of them has, each side's in key order; see `differing_regions`."""
    async with aclosing(differing_regions(one, before, other, after)) as regions:
        async for region in regions:
            if region.one:
                yield "one", region.one
            if region.other:
                yield "other", region.other


async def differing_regions(one: TreeReader, before: Tree, other: TreeReader, after: Tree) -> AsyncGenerator[Region]:
    """Yield the chunks of two trees that only one of them has, some thousands at once, in key order.

    Only segments that differ are read. Here and there a chunk that both have is yielded on both sides, next to others
    that differ.
    """
    edge = max((entries[-1].last for entries in (before.entries, after.entries) if entries), default="")
    async with aclosing(_differing(_Part.of(one, before), _Part.of(other, after), edge)) as found:
        async for region in found:
            yield region


async def _differing(here: _Part, there: _Part, until: str) -> AsyncGenerator[Region]:
    if here.level == there.level:
        common = {each.sha256 for each in here.entries} & {each.sha256 for each in there.entries}
        here, there = here.without(common), there.without(common)
    if not here.level and not there.level:
        if here.entries or there.entries:
            yield Region(as_chunks(here.entries), as_chunks(there.entries), until)
        return
    # Some of both sides at once: so what is equal below is found, and little is held. The higher entries are opened
    # first and say how much that is: they cover more than those of the other side.
    level = max(here.level, there.level)
    sides = [each.entries for each in (here, there) if each.level == level]
    edges = sorted(
        {entries[at].last for entries in sides for at in range(NODES_AT_ONCE - 1, len(entries), NODES_AT_ONCE)}
    )
    edges.append(max(each.entries[-1].last for each in (here, there) if each.entries))
    taken_here = taken_there = 0
    for edge in edges:
        mine, taken_here = here.up_to(taken_here, edge)
        theirs, taken_there = there.up_to(taken_there, edge)
        mine, theirs = [await part.opened() if part.level == level else part for part in (mine, theirs)]
        async with aclosing(_differing(mine, theirs, min(edge, until))) as found:
            async for region in found:
                yield region
