"""Starting a run: what is taken for it is given back if it can't begin."""

from datetime import UTC, datetime

import pytest

from indexvault.backup.run import claim_of, item_for
from indexvault.errors import ConflictError
from indexvault.workflow.runs import RunRecord, Runs
from indexvault.workflow.submit import claim_and_record
from tests.memory_store import MemoryStore
from tests.world import EAST, open_world


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
