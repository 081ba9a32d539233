"""Locks of dead runs that are freed for the runs that resume their work."""

from datetime import UTC, datetime, timedelta

import pytest

from indexvault.errors import ConflictError
from indexvault.model import IndexName
from indexvault.snapshots.run_names import lock_name
from indexvault.workflow.lock import Lock
from indexvault.workflow.lock_holder import read_holder
from indexvault.workflow.lock_takeover import LockTakeover, take_over_lock
from tests.memory_store import MemoryStore
from tests.world import WEST, open_world

HOTELS = IndexName(WEST, "hotels")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def test_the_lock_of_a_dead_run_is_emptied_and_free_and_its_blob_stays() -> None:
    clock = Clock()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        blobs = world.store.runs
        await Lock(blobs, HOTELS, run="dead", owner="a test", clock=clock).take()
        clock.now += timedelta(seconds=61)
        await take_over_lock(world.resources, LockTakeover(HOTELS, "dead", "heir"))
        assert await read_holder(blobs, HOTELS) is None
        # A late write of the dead run could recreate a deleted blob.
        assert await blobs.read(lock_name(WEST, "hotels"), 1024) is not None
        await Lock(blobs, HOTELS, run="heir", owner="a test", clock=clock).take()


async def test_the_lock_of_a_third_run_is_left_alone() -> None:
    clock = Clock()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        await Lock(world.store.runs, HOTELS, run="third", owner="a test", clock=clock).take()
        await take_over_lock(world.resources, LockTakeover(HOTELS, "dead", "heir"))
        holder = await read_holder(world.store.runs, HOTELS)
        assert holder is not None
        assert holder.run == "third"


async def test_a_run_whose_lock_was_taken_over_does_not_take_it_again() -> None:
    clock = Clock()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        dead, heir = (Lock(world.store.runs, HOTELS, run=run, owner="a test", clock=clock) for run in ("dead", "heir"))
        await dead.take()
        clock.now += timedelta(seconds=61)
        await take_over_lock(world.resources, LockTakeover(HOTELS, "dead", "heir"))
        await heir.take()
        await heir.release()
        with pytest.raises(ConflictError, match="run dead has lost its lock"):
            await dead.take()
