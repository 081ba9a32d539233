"""Cut actions into batches that the service takes."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from indexvault.search.batch import MOST_ACTIONS

BATCH_BYTES = 8 * 1000 * 1000
"""The target size of a batch: half of what the service takes, so that one batch does not take half a minute."""
_FRAME = len(b'{"value":[]}')
_SEPARATOR = 1

type Actions = AsyncIterator[Sequence[tuple[str, bytes]]]
"""Keys, each with the JSON of the action on its document, some at once."""


class Batch(msgspec.Struct, frozen=True):
    """Actions to send in one request, keys and actions in the same order."""

    keys: list[str]
    actions: list[bytes]


async def batches(actions: Actions) -> AsyncIterator[Batch]:
    """Yield batches by count and bytes; an action larger than BATCH_BYTES is a batch of its own."""
    keys: list[str] = []
    taken: list[bytes] = []
    size = _FRAME
    async for some in actions:
        for key, action in some:
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
    """Return a batch cut into batches of at most `most` actions."""
    return [
        Batch(batch.keys[start : start + most], batch.actions[start : start + most])
        for start in range(0, len(batch.keys), most)
    ]


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Return the two halves of a batch of at least two actions."""
    middle = len(batch.keys) // 2
    return (
        Batch(batch.keys[:middle], batch.actions[:middle]),
        Batch(batch.keys[middle:], batch.actions[middle:]),
    )


def joined(parts: Sequence[Batch]) -> Batch:
    """Return several batches as one."""
    return Batch([key for part in parts for key in part.keys], [action for part in parts for action in part.actions])


def only(batch: Batch, keys: set[str]) -> Batch:
    """Return the actions of a batch that have the given keys."""
    if not keys:
        return Batch([], [])
    kept = [(key, action) for key, action in zip(batch.keys, batch.actions, strict=True) if key in keys]
    return Batch([key for key, _ in kept], [action for _, action in kept])


def without(batch: Batch, keys: set[str]) -> Batch:
    """Return the actions of a batch that have other keys; the batch itself if no keys are given."""
    return only(batch, {key for key in batch.keys if key not in keys}) if keys else batch
