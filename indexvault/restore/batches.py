"""Actions cut into batches that the service takes."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from indexvault.search.batch import MOST_ACTIONS

BATCH_BYTES = 8 * 1000 * 1000
"""The size of a batch aimed for: half of what the service takes, so that one batch is not half a minute's work."""
_FRAME = len(b'{"value":[]}')
_SEPARATOR = 1

type Actions = AsyncIterator[tuple[str, bytes]]
"""Keys, and what is to be done with each document as JSON."""


class Batch(msgspec.Struct, frozen=True):
    """Actions to send at once, keys and actions in the same order."""

    keys: list[str]
    actions: list[bytes]


async def batches(actions: Actions) -> AsyncIterator[Batch]:
    """Cut actions into batches by count and bytes; one larger than the aim is a batch of its own."""
    keys: list[str] = []
    taken: list[bytes] = []
    size = _FRAME
    async for key, action in actions:
        added = len(action) + _SEPARATOR
        if keys and (len(keys) >= MOST_ACTIONS or size + added > BATCH_BYTES):
            yield Batch(keys, taken)
            keys, taken, size = [], [], _FRAME
        keys.append(key)
        taken.append(action)
        size += added
    if keys:
        yield Batch(keys, taken)


def pieces(batch: Batch, most: int) -> list[Batch]:
    """Cut a batch into ones of at most so many actions."""
    return [
        Batch(batch.keys[start : start + most], batch.actions[start : start + most])
        for start in range(0, len(batch.keys), most)
    ]


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Split a batch of at least two actions."""
    middle = len(batch.keys) // 2
    return (
        Batch(batch.keys[:middle], batch.actions[:middle]),
        Batch(batch.keys[middle:], batch.actions[middle:]),
    )


def joined(parts: Sequence[Batch]) -> Batch:
    """Put batches together."""
    return Batch([key for part in parts for key in part.keys], [action for part in parts for action in part.actions])


def only(batch: Batch, keys: set[str]) -> Batch:
    """Return the part of a batch that has the given keys."""
    kept = [(key, action) for key, action in zip(batch.keys, batch.actions, strict=True) if key in keys]
    return Batch([key for key, _ in kept], [action for _, action in kept])
