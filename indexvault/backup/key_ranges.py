"""Split an index into key ranges that are read in parallel.

Ranges end only at keys that end chunks (see docs/format.md), so that reading in parallel gives the same chunks as
reading in one go.
"""

import itertools
from collections.abc import Sequence

from indexvault.backup.limits import LIMITS, Limits
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import Chunk, ends_chunk

RANGES_A_READER = 8
"""Ranges for each that is read at once: an interrupted run reads only unfinished ranges again."""


def range_count(documents: int, parallel: int, limits: Limits = LIMITS) -> int:
    """Return how many ranges an index of that many documents is worth reading in."""
    return max(1, min(parallel * RANGES_A_READER, documents // limits.smallest_range))


def ranges_between(edges: Sequence[str]) -> list[KeyRange]:
    """Return the ranges that cover all keys and end at the given ones, which are in ascending order."""
    bounds: list[str | None] = [None, *edges, None]
    return [KeyRange(after=after, until=until) for after, until in itertools.pairwise(bounds)]


def edges_of_chunks(chunks: Sequence[Chunk], bits: int, ranges: int) -> list[str]:
    """Choose at most `ranges` - 1 range edges among the last keys of an earlier snapshot's chunks.

    They split the documents as evenly as the chunks allow. Chunks that were cut by the size cap are skipped: whether
    their last key ends a chunk depends on the documents before it.
    """
    total = sum(chunk.documents for chunk in chunks)
    edges: list[str] = []
    seen = 0
    for chunk in chunks[:-1]:
        seen += chunk.documents
        due = (len(edges) + 1) * total / ranges
        if len(edges) < ranges - 1 and seen >= due and ends_chunk(chunk.last, bits):
            edges.append(chunk.last)
    return edges
