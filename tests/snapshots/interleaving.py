"""Run one action whole in the middle of another, at each call that this makes to the store."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from tests.memory_store import MemoryStore

type Action = Callable[[], Awaitable[object]]


async def interleave(
    store: MemoryStore, one: Action, other: Action, stop: int, *, passes_on: bool = False, skip: str = ""
) -> bool:
    """Run `other` whole just before the `stop`-th call to the store that `one` makes; both may be refused.

    With `passes_on`, what `other` raises, `one` gets as the answer to its call, and to every later one. Calls of the
    name `skip` don't count. Return whether there was such a call.
    """
    calls = 0
    in_other = False

    async def count() -> None:
        nonlocal calls, in_other
        if not in_other:
            calls += 1
            if passes_on and calls > stop:
                await other()
            elif calls == stop + 1:
                in_other = True
                await _attempt(other)
                in_other = False

    for name in {"create", "read", "read_range", "delete", "properties"} - {skip}:
        _watch(store.snapshots, name, count)
    for name in {"put", "read", "delete"} - {skip}:
        _watch(store.runs, name, count)
    _watch_list(store.snapshots, count)
    _watch_list(store.runs, count)
    await _attempt(one)
    return calls > stop


async def _attempt(action: Action) -> None:
    with contextlib.suppress(ConflictError, IntegrityError, NotFoundError):
        await action()


def _watch(half: Any, name: str, count: Action) -> None:
    original = getattr(half, name)

    async def call(*given: object, **named: object) -> object:
        await count()
        return await original(*given, **named)

    setattr(half, name, call)


def _watch_list(half: Any, count: Action) -> None:
    original = half.list

    async def listing(prefix: str) -> AsyncIterator[object]:
        await count()
        async for blob in original(prefix):
            yield blob

    half.list = listing
