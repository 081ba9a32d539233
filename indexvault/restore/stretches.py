"""How a snapshot's chunks are shared out."""

from collections.abc import Sequence

from indexvault.snapshots.chunks import Chunk

STRETCH_DOCUMENTS = 10_000
STRETCH_BYTES = 64 * 1024 * 1024
"""Uncompressed bytes of a stretch: small enough that a killed one costs little, large enough to fill batches."""


def stretches(chunks: Sequence[Chunk]) -> list[tuple[int, int]]:
    """Cut the chunks into stretches of consecutive ones, as (start, end) positions.

    There is always one, if an empty one: that a target holds nothing else is checked stretch by stretch.
    """
    cut: list[tuple[int, int]] = []
    start = documents = size = 0
    for position, chunk in enumerate(chunks):
        documents += chunk.documents
        size += chunk.bytes
        if documents >= STRETCH_DOCUMENTS or size >= STRETCH_BYTES:
            cut.append((start, position + 1))
            start, documents, size = position + 1, 0, 0
    if start < len(chunks) or not cut:
        cut.append((start, len(chunks)))
    return cut
