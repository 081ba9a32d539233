"""The records of runs in a store, and the marks of unfinished runs beside them."""

from datetime import UTC, datetime

import pytest

from indexvault.errors import IntegrityError
from indexvault.snapshots.run_names import open_name, record_name
from indexvault.workflow.runs import RunRecord, Runs, cancelled
from tests.memory_store import MemoryStore

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
DAMAGED, SOUND = "20261120T020000Z-policy-nightly", "20261120T030000Z-backup-7f3a9c"


def record(run: str) -> RunRecord:
    return RunRecord(
        run=run, kind="backup", workflow="run_backup", service="east", asked="all", owner="a test", created=NOW
    )


@pytest.fixture
async def store() -> MemoryStore:
    """Return a store with a run whose record can't be read and one whose record can."""
    store = MemoryStore("local")
    await store.prepare()
    for run in (DAMAGED, SOUND):
        await Runs(store.runs).create(record(run))
    await store.runs.put(record_name(DAMAGED), b'{"run": "of another ver')
    return store


async def test_a_damaged_record_keeps_no_other_run_from_being_found(store: MemoryStore) -> None:
    runs = Runs(store.runs)
    assert [each.run for each in await runs.unfinished()] == [SOUND]
    assert [each.run for each in await runs.read_all([SOUND, DAMAGED])] == [SOUND]
    assert await store.runs.read(open_name(DAMAGED), 10) is not None  # once it is repaired it is found
    with pytest.raises(IntegrityError, match="can't be read"):
        await runs.read(DAMAGED)


async def test_a_finished_record_does_not_change(store: MemoryStore) -> None:
    runs = Runs(store.runs)
    ended = await runs.change(SOUND, lambda each: cancelled(each, NOW))
    assert await runs.change(SOUND, lambda _each: record(SOUND)) == ended
    assert await runs.unfinished() == []
    assert not await runs.create(record(SOUND))
