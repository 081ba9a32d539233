"""A reading by changes that is killed at any of its writes resumes, and ends the same."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.backup.changes.records import CHANGED_PART, ChangedDocuments
from indexvault.backup.limits import Limits
from indexvault.backup.state import PLAN_RECORD, Plan, changes_record
from indexvault.errors import IndexvaultError, UnreachableError
from indexvault.workflow.checkpoints import Checkpoints
from tests.backup.changes.live_documents import (
    by_changes,
    definition,
    delete,
    digest_of_index,
    document,
    manifest_of,
    write,
)
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world


class MortalStore(MemoryStore):
    """A store to which nothing can be written any more after so many writes; None if it lives."""

    def __init__(self) -> None:
        super().__init__("local")
        self.left: int | None = None
        self.snapshots.create = self._mortal(self.snapshots.create)  # type: ignore[method-assign]  # the store is made to fail
        self.runs.put = self._mortal(self.runs.put)  # type: ignore[method-assign]  # as above

    def _mortal(self, write: Any) -> Any:
        async def mortal(name: str, *arguments: Any, **options: Any) -> Any:
            if name.startswith("locks/"):
                return await write(name, *arguments, **options)
            if self.left is not None:
                if self.left <= 0:
                    raise UnreachableError("no answer", on=name, do="Try again")
                self.left -= 1
            return await write(name, *arguments, **options)

        return mortal


@pytest.fixture
def clock() -> Calendar:
    return Calendar()


@pytest.fixture
async def world(clock: Calendar) -> AsyncIterator[World]:
    async with open_world(MortalStore(), clock=clock, limits=Limits(sorted_run_bytes=4_000)) as opened:
        await opened.fill(definition(), [document(2 * n, clock.now - timedelta(days=1)) for n in range(600)])
        await by_changes(opened)
        yield opened


async def change(world: World, clock: Calendar, version: int) -> None:
    clock.now += timedelta(minutes=30)
    await write(world, [document(2 * number, clock.now, version) for number in range(version, 600, 50)])
    await write(world, [document(2 * (100 + version) + 1, clock.now)])
    await delete(world, [1000 + 2 * version])


async def test_a_run_killed_at_any_write_resumes_and_ends_the_same(world: World, clock: Calendar) -> None:
    store = world.store
    assert isinstance(store, MortalStore)
    killed, writes = True, -1
    while killed:
        writes += 1
        await change(world, clock, writes)
        store.left = writes
        try:
            await by_changes(world, run=f"killed-{writes}")
            killed = False
        except IndexvaultError:
            assert writes < 40
        store.left = None
        report = await by_changes(world, run=f"killed-{writes}")
        assert (await manifest_of(world, report.snapshot)).content_digest == await digest_of_index(world)
        assert report.notes == []
    assert writes >= 7  # the plan, the sorted runs, their record, a pack, segments or none, the record, the identity
    # A run that had committed before was done again: it found nothing to do.
    assert [blob.name async for blob in store.runs.list("runs/")] == []


async def test_a_run_whose_service_fails_now_and_then_ends_the_same(world: World, clock: Calendar) -> None:
    for seed in range(3):
        await change(world, clock, seed)
        await world.faults(EAST, {"fault": "unavailable", "operation": "search", "probability": 0.3}, seed=seed)
        report = await by_changes(world)
        await world.faults(EAST)
        assert (await manifest_of(world, report.snapshot)).content_digest == await digest_of_index(world)


async def test_a_resumed_run_believes_no_record_of_what_was_read(world: World, clock: Calendar) -> None:
    """Somebody who can write to the runs container hides what was changed; there is no record key."""
    await change(world, clock, 1)

    async def kill(_run: Any, _resources: Any, _given: Any) -> Any:
        raise UnreachableError("no answer", on="the store", do="Try again")

    world.around["merge_changes"] = kill
    with pytest.raises(IndexvaultError):
        await by_changes(world, run="interrupted")
    del world.around["merge_changes"]
    checkpoints = Checkpoints(world.store.runs, "interrupted")
    plan = await checkpoints.read(PLAN_RECORD, Plan)
    assert plan is not None
    record = changes_record(plan, CHANGED_PART)
    changed = await checkpoints.read(record, ChangedDocuments)
    assert changed is not None
    assert changed.documents > 10
    await checkpoints.write(record, msgspec.structs.replace(changed, runs=[], documents=0))
    report = await by_changes(world, run="interrupted")
    assert report.notes == []
    assert (await manifest_of(world, report.snapshot)).content_digest == await digest_of_index(world)


async def test_a_resumed_run_follows_the_base_that_there_is_now(world: World, clock: Calendar) -> None:
    store = world.store
    assert isinstance(store, MortalStore)
    await change(world, clock, 1)
    store.left = 3
    with pytest.raises(IndexvaultError):
        await by_changes(world, run="interrupted")
    store.left = None
    await by_changes(world)
    await change(world, clock, 2)
    report = await by_changes(world, run="interrupted")
    assert "other changes than those since the last snapshot" in report.notes[0]
    assert (await manifest_of(world, report.snapshot)).content_digest == await digest_of_index(world)
