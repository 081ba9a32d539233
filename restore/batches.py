"""Stored documents cut into batches that the service takes."""

from collections.abc import AsyncIterator

import msgspec

from search.batch import MOST_ACTIONS, action_size

BATCH_BYTES = 8 * 1000 * 1000
"""The size of a batch aimed for: half of what the service takes, so that one batch is not half a minute's work."""
_FRAME = len(b'{"value":[]}')


class Batch(msgspec.Struct, frozen=True):
    """Documents to send at once, keys and lines in the same order."""

    keys: list[str]
    lines: list[bytes]


async def batches(documents: AsyncIterator[tuple[str, bytes]]) -> AsyncIterator[Batch]:
    """Cut documents into batches by count and bytes; a document larger than the aim is a batch of its own."""
    keys: list[str] = []
    lines: list[bytes] = []
    size = _FRAME
    async for key, line in documents:
        taken = action_size(line)
        if keys and (len(keys) >= MOST_ACTIONS or size + taken > BATCH_BYTES):
            yield Batch(keys, lines)
            keys, lines, size = [], [], _FRAME
        keys.append(key)
        lines.append(line)
        size += taken
    if keys:
        yield Batch(keys, lines)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Split a batch of at least two documents."""
    middle = len(batch.keys) // 2
    return (
        Batch(batch.keys[:middle], batch.lines[:middle]),
        Batch(batch.keys[middle:], batch.lines[middle:]),
    )


def only(batch: Batch, keys: set[str]) -> Batch:
    """Give the part of a batch that has the given keys."""
    kept = [(key, line) for key, line in zip(batch.keys, batch.lines, strict=True) if key in keys]
    return Batch([key for key, _ in kept], [line for _, line in kept])
