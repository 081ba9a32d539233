"""How a snapshot's chunks are divided between activities."""

import math
from collections.abc import Sequence
from itertools import batched

from indexvault.snapshots.chunks import Chunk

STRETCH_DOCUMENTS = 10_000
STRETCH_BYTES = 64 * 1024 * 1024
"""Uncompressed bytes of a stretch: small enough that an interrupted one costs little, large enough to fill batches."""
MOST_STRETCHES = 2000
"""Stretches of an index at most: those of a larger one are longer, since all of them are named in one payload."""


def stretches(chunks: Sequence[Chunk]) -> list[tuple[int, int]]:
    """Return the chunks cut into stretches of consecutive ones, as (start, end) positions.

    There is always one, even if empty: that the target holds nothing else is checked stretch by stretch.
    """
    most_documents = max(STRETCH_DOCUMENTS, math.ceil(sum(chunk.documents for chunk in chunks) / (MOST_STRETCHES / 2)))
    most_bytes = max(STRETCH_BYTES, math.ceil(sum(chunk.bytes for chunk in chunks) / (MOST_STRETCHES / 2)))
    cut: list[tuple[int, int]] = []
    start = documents = size = 0
    for position, chunk in enumerate(chunks):
        documents += chunk.documents
        size += chunk.bytes
        if documents >= most_documents or size >= most_bytes:
            cut.append((start, position + 1))
            start, documents, size = position + 1, 0, 0
    if start < len(chunks) or not cut:
        cut.append((start, len(chunks)))
    return cut


def joined(cut: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Return at most `most` stretches, each from the start to the end of some consecutive ones."""
    together = math.ceil(len(cut) / max(1, most))
    return [(some[0][0], some[-1][1]) for some in batched(cut, together, strict=False)]
