"""An interrupted command's run is found again, whatever became of its lock."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from indexvault.model import IndexName
from indexvault.snapshots.run_names import lock_name
from indexvault.workflow.lock import Lock, unlock
from indexvault.workflow.lock_holder import EXPIRES_AFTER, LocalProcess
from indexvault.workflow.lock_takeover import LockTakeover, take_over_lock
from indexvault.workflow.unfinished import note_failed, note_finished, read_unfinished
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world

HOTELS = IndexName(EAST, "hotels")
PROCESS = LocalProcess("a-host", 4711, datetime(2026, 11, 16, 2, 29, tzinfo=UTC))


def lock(world: World, run: str, process: LocalProcess | None = None) -> Lock:
    return Lock(world.store.runs, HOTELS, run=run, owner="a test", clock=world.resources.clock, process=process)


async def found(world: World) -> str | None:
    unfinished = await read_unfinished(world.store.runs, HOTELS)
    if unfinished is None:
        return None
    assert (unfinished.host, unfinished.process, unfinished.started) == (
        PROCESS.host,
        PROCESS.process,
        PROCESS.started,
    )
    return unfinished.run


async def is_killed(_world: World, _clock: Calendar) -> None:
    """Leave the lock as the run had it."""


async def is_stopped(world: World, _clock: Calendar) -> None:
    await lock(world, "first").release()


async def is_unlocked(world: World, clock: Calendar) -> None:
    await unlock(world.store.runs, HOTELS, clock=clock)


async def loses_it_to_a_new_run(world: World, clock: Calendar) -> None:
    clock.now += 2 * EXPIRES_AFTER
    other = lock(world, "other")
    await other.take()
    await other.release(ended=True)


async def loses_it_to_a_resumed_run(world: World, clock: Calendar) -> None:
    clock.now += timedelta(seconds=61)
    await take_over_lock(world.resources, LockTakeover(HOTELS, "first", "heir"))


async def is_healed_under_its_name(world: World, _clock: Calendar) -> None:
    healing = lock(world, "first")
    await healing.take()
    await healing.release(ended=True)


FATES: list[Callable[[World, Calendar], Awaitable[None]]] = [
    is_killed,
    is_stopped,
    is_unlocked,
    loses_it_to_a_new_run,
    loses_it_to_a_resumed_run,
    is_healed_under_its_name,
]


@pytest.mark.parametrize("fate", FATES)
async def test_a_run_of_a_command_is_found_until_it_has_ended(
    fate: Callable[[World, Calendar], Awaitable[None]],
) -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        await lock(world, "first", PROCESS).take()
        await fate(world, clock)
        assert await found(world) == "first"
        await note_failed(world.store.runs, HOTELS, "another")
        assert await found(world) == "first"
        await note_failed(world.store.runs, HOTELS, "first")
        assert await found(world) is None or fate is is_killed


@pytest.mark.parametrize("fate", FATES)
async def test_one_that_resumes_and_ends_leaves_nothing(
    fate: Callable[[World, Calendar], Awaitable[None]],
) -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        await lock(world, "first", PROCESS).take()
        await fate(world, clock)
        clock.now += timedelta(minutes=2)
        for blob in [blob.name async for blob in world.store.runs.list("lost-locks/")]:
            await world.store.runs.delete(blob)
        again = lock(world, "first", LocalProcess("a-host", 4712, clock.now))
        await again.take()
        await again.release(ended=True)
        await note_finished(world.store.runs, HOTELS)
        assert await found(world) is None
        assert await world.store.runs.read(lock_name(EAST, "hotels"), 1024) is None


async def test_a_run_of_the_app_is_not_resumed_by_a_command() -> None:
    async with open_world(MemoryStore("local")) as world:
        await lock(world, "first").take()
        assert await found(world) is None
