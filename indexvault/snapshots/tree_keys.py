"""Find the chunks of a tree that may hold given keys, and where each of them stands."""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from itertools import batched
from typing import NamedTuple

from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.tree import Entries, Node, Tree, chunks_below
from indexvault.snapshots.tree_reader import NODES_AT_ONCE, TreeReader


class PositionedChunk(NamedTuple):
    """A chunk, its position in the tree, and the last key before it, which is None for the first chunk."""

    position: int
    before: str | None
    chunk: Chunk


class _Wanted(NamedTuple):
    """What is looked for below: from a position on, after the last key before it, the chunks of these keys."""

    position: int
    before: str | None
    keys: Sequence[str]


async def chunks_with_keys(reader: TreeReader, tree: Tree, keys: Collection[str]) -> AsyncGenerator[PositionedChunk]:
    """Yield the chunks that may hold some of these keys, in key order. Only segments on the way to them are read.

    Raises IntegrityError and NotFoundError as `TreeReader.open` does.
    """
    wanted = _Wanted(0, None, sorted(set(keys)))
    async with aclosing(_chunks(reader, tree.level, tree.entries, wanted)) as found:
        async for each in found:
            yield each


async def _chunks(reader: TreeReader, level: int, entries: Entries, wanted: _Wanted) -> AsyncGenerator[PositionedChunk]:
    position, before, keys = wanted
    below: list[tuple[Node, _Wanted]] = []
    taken = 0
    for entry in entries:
        end = bisect_right(keys, entry.last, taken)
        here, taken = keys[taken:end], end
        if isinstance(entry, Node):
            if here:
                below.append((entry, _Wanted(position, before, here)))
        elif here and here[-1] >= entry.first:
            yield PositionedChunk(position, before, entry)
        position += chunks_below(entry)
        before = entry.last
    for some in batched(below, NODES_AT_ONCE, strict=False):
        opened = await reader.open_in_order([node for node, _ in some], level, [inside.before for _, inside in some])
        for (_node, inside), entries_below in zip(some, opened, strict=True):
            async with aclosing(_chunks(reader, level - 1, entries_below, inside)) as found:
                async for chunk in found:
                    yield chunk
