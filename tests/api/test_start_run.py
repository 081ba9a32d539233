"""Starting a run: what is taken for it is given back if it can't begin."""

from datetime import UTC, datetime

import pytest

from indexvault.backup.run import claim_of, item_for
from indexvault.errors import ConflictError
from indexvault.maintenance.unlock import unlock_index
from indexvault.model import IndexName
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.workflow.activity import Resources
from indexvault.workflow.lock_activities import Claim, Done, take_lock
from indexvault.workflow.runs import RunRecord, Runs
from indexvault.workflow.submit import claim_and_record
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, Run, open_world


def record(run: str) -> RunRecord:
    now = datetime(2026, 11, 20, 2, tzinfo=UTC)
    return RunRecord(
        run=run, kind="backup", workflow="run_backup", service=EAST, asked="hotels", owner="a test", created=now
    )


async def test_a_run_that_cannot_be_recorded_keeps_no_lock() -> None:
    async with open_world(MemoryStore("local")) as world:
        first, second = record("20261120T020000Z-backup-7f3a9c"), record("20261120T020000Z-backup-000000")
        hotels, rooms = item_for(first, "hotels", 0), item_for(first, "rooms", 1)
        await Runs(world.store.runs).create(first)
        with pytest.raises(ConflictError, match="a run of this name"):
            await claim_and_record(world.resources, first, [claim_of(first, hotels)])
        both = [claim_of(second, item_for(second, name, number)) for number, name in enumerate(("rooms", "hotels"))]
        await claim_and_record(world.resources, second, both)
        with pytest.raises(ConflictError, match="is locked by run 20261120T020000Z-backup-000000-0"):
            await claim_and_record(world.resources, record("x"), [claim_of(first, rooms)])
        assert await Runs(world.store.runs).read("x") is None


async def test_a_run_that_was_unlocked_before_its_first_activity_makes_no_snapshot() -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(3))
        asked = record("20261120T020000Z-backup-7f3a9c")
        item = item_for(asked, "hotels", 0)
        await claim_and_record(world.resources, asked, [claim_of(asked, item)])
        freed = await unlock_index(world.clients, IndexName(EAST, "hotels"), world.resources.clock)
        assert (freed.lock, freed.had) == ("unlocked", f"run {item.run} (a test)")
        with pytest.raises(ConflictError, match=f"run {item.run} has lost its lock"):
            await world.back_up("hotels", run=item.run)
        assert await list_snapshots(world.store.snapshots) == []
        await world.back_up("hotels", run="another")


async def test_a_run_that_was_unlocked_makes_no_snapshot_when_the_taking_of_its_lock_is_repeated() -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(3))

        async def answer_lost(run: Run, resources: Resources, claim: Claim) -> Done:
            await take_lock(resources, claim)
            assert (await unlock_index(world.clients, claim.work.index, resources.clock)).lock == "unlocked"
            done: Done = await run(resources, claim)
            return done

        world.around["take_lock"] = answer_lost
        with pytest.raises(ConflictError, match="has lost its lock"):
            await world.back_up("hotels")
        assert await list_snapshots(world.store.snapshots) == []
