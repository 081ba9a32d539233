"""A restore writes documents with old times, which no reading by changes would ask for."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import IndexvaultError, UnreachableError
from indexvault.snapshots.run_names import restored_name
from tests.backup.changes.live_documents import (
    INDEX,
    by_changes,
    definition,
    digest_of_index,
    document,
    manifest_of,
    write,
)
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world

BACK = {"target_service": EAST, "index": INDEX, "mode": "sync"}


@pytest.fixture
def clock() -> Calendar:
    return Calendar()


@pytest.fixture
async def world(clock: Calendar) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), clock=clock) as opened:
        await opened.fill(definition(), [document(number, clock.now - timedelta(days=1)) for number in range(300)])
        yield opened


async def damage(world: World, clock: Calendar) -> None:
    clock.now += timedelta(minutes=30)
    await write(world, [document(number, clock.now, version=666) for number in range(40)])


async def back_up(world: World, clock: Calendar, state: str) -> BackupReport:
    clock.now += timedelta(minutes=30)
    report = await by_changes(world)
    assert report.state == state
    assert (await manifest_of(world, report.snapshot)).content_digest == await digest_of_index(world)
    return report


async def test_an_index_that_was_restored_is_read_in_full_once(world: World, clock: Calendar) -> None:
    good = await back_up(world, clock, "complete")
    await damage(world, clock)
    await back_up(world, clock, "presumed")
    await world.restore(good, **BACK)
    after = await back_up(world, clock, "complete")
    assert after.reading is not None
    assert after.reading.reason.endswith("a restore has written to the index since its last snapshot, with older times")
    assert (after.missed, after.notes) == (None, [])
    await damage(world, clock)
    await back_up(world, clock, "presumed")


async def test_an_index_that_was_brought_on_by_following_is_read_in_full(world: World, clock: Calendar) -> None:
    good = await back_up(world, clock, "complete")
    await world.restore(good, **BACK, follow=True)
    await back_up(world, clock, "complete")
    await damage(world, clock)
    bad = await back_up(world, clock, "presumed")
    await world.restore(bad, **BACK, follow=True)
    await back_up(world, clock, "complete")
    followed = await world.restore(good, **BACK, follow=True)
    assert followed.followed == bad.snapshot
    await back_up(world, clock, "complete")


async def test_an_interrupted_reading_by_changes_begins_anew_after_a_restore(world: World, clock: Calendar) -> None:
    good = await back_up(world, clock, "complete")
    await damage(world, clock)
    await back_up(world, clock, "presumed")
    clock.now += timedelta(minutes=30)

    async def kill(_run: Any, _resources: Any, _given: Any) -> Any:
        raise UnreachableError("no answer", on="the store", do="Try again")

    world.around["merge_changes"] = kill
    with pytest.raises(IndexvaultError):
        await by_changes(world, run="interrupted")
    del world.around["merge_changes"]
    await world.restore(good, **BACK)
    report = await by_changes(world, run="interrupted")
    assert report.state == "complete"
    assert (await manifest_of(world, report.snapshot)).content_digest == await digest_of_index(world)


async def test_a_record_that_can_not_be_read_has_the_whole_index_read(world: World, clock: Calendar) -> None:
    await back_up(world, clock, "complete")
    await damage(world, clock)
    await world.store.runs.put(restored_name(EAST, INDEX), b"{}")
    await back_up(world, clock, "complete")


async def test_a_target_without_snapshots_gets_no_record(world: World, clock: Calendar) -> None:
    await world.restore(await back_up(world, clock, "complete"))
    assert [blob.name async for blob in world.store.runs.list("restored/")] == []
