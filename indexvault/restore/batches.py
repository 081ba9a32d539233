"""Cut actions into batches that the service takes."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from itertools import accumulate

import msgspec

from indexvault.search.batch import MOST_ACTIONS

BATCH_BYTES = 8 * 1000 * 1000
"""The target size of a batch: half of what the service takes, so that one batch does not take half a minute."""
_FRAME = len(b'{"value":[]}')
_SEPARATOR = 1

type Action = bytes | memoryview
"""The JSON of an action, or what follows the bytes that all actions of an upload begin with."""

type Actions = AsyncIterator[Sequence[tuple[str, Action]]]
"""Keys, each with the action on its document, some at once."""


class Batch(msgspec.Struct, frozen=True):
    """Actions to send in one request, keys and actions in the same order."""

    keys: list[str]
    actions: list[Action]


async def batches(actions: Actions, beginning: int = 0) -> AsyncIterator[Batch]:
    """Yield batches by count and bytes; an action larger than BATCH_BYTES is a batch of its own.

    Each action has so many bytes at its `beginning` that are not in it yet.
    """
    held = Batch([], [])
    size = _FRAME
    async for some in actions:
        ends = list(accumulate([len(action) + beginning + _SEPARATOR for _key, action in some]))
        start = taken = 0
        while start < len(some):
            most = min(len(some), start + MOST_ACTIONS - len(held.keys))
            end = bisect_right(ends, taken + BATCH_BYTES - size, start, most)
            if end == start and held.keys:
                yield held
                held, size = Batch([], []), _FRAME
                continue
            end = max(end, start + 1)
            held.keys.extend([key for key, _action in some[start:end]])
            held.actions.extend([action for _key, action in some[start:end]])
            size += ends[end - 1] - taken
            start, taken = end, ends[end - 1]
    if held.keys:
        yield held


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
