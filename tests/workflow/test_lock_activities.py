"""Runs that lock several names: an alias and the index behind it."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

import indexvault.workflow.lock
from indexvault.errors import CancelledError, ConflictError
from indexvault.model import IndexName
from indexvault.snapshots.run_names import lock_name
from indexvault.workflow.activity import Activity, Resources, Work
from indexvault.workflow.lock import Lock
from indexvault.workflow.lock_activities import Claim, release_lock, revoke, take_lock
from indexvault.workflow.lock_holder import read_holder
from indexvault.workflow.payloads import perform
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, World, open_world

ALIAS, INDEX = IndexName(WEST, "guests"), IndexName(WEST, "hotels")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


def claim(run: str, index: IndexName = ALIAS, *also: IndexName) -> Claim:
    return Claim(Work(run=run, service=WEST, index=index, also=also), owner="a test")


async def holder_of(world: World, name: IndexName) -> str | None:
    holder = await read_holder(world.store.runs, name)
    return None if holder is None or holder.expires <= world.resources.clock() else holder.run


async def test_a_run_gets_all_its_names_or_none(world: World) -> None:
    await take_lock(world.resources, claim("direct", INDEX))
    with pytest.raises(ConflictError, match="direct"):
        await take_lock(world.resources, claim("through-alias", ALIAS, INDEX))
    assert await holder_of(world, ALIAS) is None
    await release_lock(world.resources, claim("direct", INDEX))
    await take_lock(world.resources, claim("through-alias", ALIAS, INDEX))
    assert [await holder_of(world, name) for name in (ALIAS, INDEX)] == ["through-alias"] * 2


async def test_of_many_that_need_the_same_names_one_gets_them(world: World) -> None:
    claims = [
        claim(f"run-{number}", *((ALIAS, INDEX) if number % 2 else (INDEX, ALIAS, IndexName(EAST, "hotels"))))
        for number in range(8)
    ]
    taken = await asyncio.gather(*(take_lock(world.resources, each) for each in claims), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in taken) == 1


async def test_a_revoked_run_loses_all_its_names(world: World) -> None:
    await take_lock(world.resources, claim("stopped", ALIAS, INDEX))
    await revoke(world.resources, ALIAS, "stopped")
    assert [await holder_of(world, name) for name in (ALIAS, INDEX)] == [None, None]


async def test_a_run_that_is_revoked_takes_its_parts_along(world: World) -> None:
    part = Claim(Work(run="move-0-backup-1", service=WEST, index=INDEX, also=(ALIAS,), part_of="move-0"), "a test")
    other = claim("move-0-backup-10", IndexName(WEST, "rooms"))
    await take_lock(world.resources, part)
    await take_lock(world.resources, other)
    for name in (INDEX, other.work.index):
        await revoke(world.resources, name, "move-0")
    assert [await holder_of(world, name) for name in (INDEX, ALIAS)] == [None, None]
    assert await holder_of(world, other.work.index) == other.work.run
    with pytest.raises(CancelledError, match="run move-0: it was cancelled"):
        await take_lock(world.resources, part)


async def test_a_step_stops_when_any_of_its_names_is_lost(world: World) -> None:
    taken = claim("working", ALIAS, INDEX)
    await take_lock(world.resources, taken)

    async def work(resources: Resources, _given: Claim) -> Claim:
        await revoke(world.resources, INDEX, "working")
        await resources.fence()
        return taken

    activity = Activity("work", Claim, Claim, work, lambda given: given.work)
    with pytest.raises(Exception, match="lost its lock"):
        await perform(activity, world.resources, msgspec.to_builtins(taken))


async def test_a_rival_that_only_looks_does_not_cost_a_run_its_lock(world: World) -> None:
    ours = Lock(world.store.runs, INDEX, run="ours", owner="a test", clock=world.resources.clock)
    await ours.take()
    await world.store.runs.break_lease(lock_name(WEST, "hotels"))
    name, rival = lock_name(WEST, "hotels"), "7d2c8a7e-3d55-4a8e-8f4e-1c0b8c1f0a55"
    await world.store.runs.acquire(name, rival, 60)
    holding = asyncio.create_task(ours.hold())
    await asyncio.sleep(0)
    await world.store.runs.release(name, rival)
    await holding
    assert await holder_of(world, INDEX) == "ours"


async def test_a_run_that_only_looked_whether_it_still_has_the_lock_is_in_nobodys_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexvault.workflow.lock, "_POLL_SECONDS", 0.001)
    runs, name, looker = world.store.runs, lock_name(WEST, "hotels"), "7d2c8a7e-3d55-4a8e-8f4e-1c0b8c1f0a55"
    await runs.put(name, b"")
    await runs.acquire(name, looker, 60)
    taking = asyncio.create_task(take_lock(world.resources, claim("next", INDEX)))
    await asyncio.sleep(0)
    await runs.release(name, looker)
    await taking
    assert await holder_of(world, INDEX) == "next"
