"""How a snapshot's chunks are divided between activities."""

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import batched, pairwise

from indexvault.bounds import MEBIBYTE
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.tree import Node, Tree, chunks_below
from indexvault.snapshots.tree_reader import TreeReader

STRETCH_BYTES = 64 * MEBIBYTE
"""Uncompressed bytes of a stretch: small enough that an interrupted one costs little, large enough to fill batches."""
SMALLEST_STRETCH = 8 * MEBIBYTE
"""Uncompressed bytes of the stretches of an index so small that it would not be divided otherwise."""
FEWEST_STRETCHES = 8
"""Stretches into which an index is cut as long as they are not smaller than SMALLEST_STRETCH."""
MOST_STRETCHES = 1000
"""Stretches of an index at most: those of a larger one are longer, since all of them are named in one payload."""


async def stretches(reader: TreeReader, tree: Tree) -> list[tuple[int, int]]:
    """Return a tree's chunks cut into stretches of consecutive ones, as (start, end) positions.

    There is always one, even if empty: that the target holds nothing else is checked stretch by stretch. The lists of
    chunks are read only where they are larger than a stretch. Raises IntegrityError and NotFoundError as
    `TreeReader.open` does.
    """
    ends = [end for end, _last in await _ends(reader, tree)]
    return list(pairwise([0, *ends])) or [(0, 0)]


async def stretch_keys(reader: TreeReader, tree: Tree) -> list[str]:
    """Return the keys at which a tree is cut: the last keys of its stretches, without that of the last stretch."""
    return [last for _end, last in await _ends(reader, tree)][:-1]


async def _ends(reader: TreeReader, tree: Tree) -> list[tuple[int, str]]:
    """Return where stretches end: the position after the last chunk, and its last key."""
    most = stretch_bytes(tree.bytes)
    ends: list[tuple[int, str]] = []
    end = size = 0
    last = ""
    async with aclosing(_pieces(reader, tree, most)) as pieces:
        async for piece in pieces:
            end, size, last = end + chunks_below(piece), size + piece.bytes, piece.last
            if size >= most:
                ends.append((end, last))
                size = 0
    if size:
        ends.append((end, last))
    return ends


def stretch_bytes(total: int) -> int:
    """Return the uncompressed bytes at which a stretch of an index of so many ends."""
    wanted = min(STRETCH_BYTES, max(SMALLEST_STRETCH, total // FEWEST_STRETCHES))
    return max(wanted, math.ceil(total / (MOST_STRETCHES / 2)))


def stretches_of(positions: Sequence[int]) -> list[tuple[int, int]]:
    """Return stretches that begin and end with chunks at some positions, which rise: one for each if they are few.

    What lies between two positions of one stretch belongs to none of the documents that are restored.
    """
    return joined([(position, position + 1) for position in positions], MOST_STRETCHES)


def joined(cut: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Return at most `most` stretches, each from the start to the end of some consecutive ones."""
    together = math.ceil(len(cut) / max(1, most))
    return [(some[0][0], some[-1][1]) for some in batched(cut, together, strict=False)] if cut else []


async def _pieces(reader: TreeReader, tree: Tree, most: int) -> AsyncGenerator[Chunk | Node]:
    """Yield what stretches are put together of: whole lists of chunks, or the chunks of lists that are too large."""
    for chunk in tree.chunks:
        yield chunk
    if not tree.level:
        return
    async with aclosing(reader.nodes(tree, 1)) as nodes:
        async for node in nodes:
            if node.bytes <= most:
                yield node
            else:
                for below in (await reader.open([node], 1))[0]:
                    yield below
