"""How an index is cut into key ranges that are read side by side.

Ranges end only at keys that end chunks (see docs/format.md), so that reading in parallel cuts the same chunks as
reading in one go.
"""

import itertools
from collections.abc import Sequence

from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import Chunk, ends_chunk

SMALLEST_RANGE = 5_000
"""Documents below which a further range costs more requests than it saves time."""


RANGES_A_READER = 8
"""Ranges for each that is read at once: a run that is killed goes on from those that it had finished."""


def range_count(documents: int, parallel: int) -> int:
    """Return how many ranges an index of that many documents is worth reading in."""
    return max(1, min(parallel * RANGES_A_READER, documents // SMALLEST_RANGE))


def ranges_between(edges: Sequence[str]) -> list[KeyRange]:
    """Return the ranges that cover all keys and end at the given ones, which rise."""
    bounds: list[str | None] = [None, *edges, None]
    return [KeyRange(after=after, until=until) for after, until in itertools.pairwise(bounds)]


def edges_of_chunks(chunks: Sequence[Chunk], bits: int, parts: int) -> list[str]:
    """Choose at most `parts` - 1 range edges among the last keys of an earlier snapshot's chunks.

    They split the documents as evenly as the chunks allow. Chunks that a size cap ended are passed over: their
    last key ends a chunk only by what came before it.
    """
    total = sum(chunk.documents for chunk in chunks)
    edges: list[str] = []
    seen = 0
    for chunk in chunks[:-1]:
        seen += chunk.documents
        due = (len(edges) + 1) * total / parts
        if len(edges) < parts - 1 and seen >= due and ends_chunk(chunk.last, bits):
            edges.append(chunk.last)
    return edges
