from datetime import timedelta

import msgspec
import pytest

from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.run_names import unchanged_name
from indexvault.snapshots.store import RunBlobs
from indexvault.snapshots.unchanged import Unchanged, as_of, note_unchanged, read_unchanged
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING

ONE = SnapshotReference(service="contoso-east", index="hotels", id="20261120T023000Z-7f3a9c")
MINUTE = timedelta(minutes=1)
NOW = MORNING + timedelta(days=1)


@pytest.fixture
def runs() -> RunBlobs:
    return MemoryStore().runs


async def test_counts_how_often_an_index_was_found_unchanged_in_one_record(runs: RunBlobs) -> None:
    for minute in range(1, 4):
        await note_unchanged(runs, ONE, began=MORNING + minute * MINUTE, run=f"run-{minute}")
    found = await read_unchanged(runs, now=NOW)
    assert found == {
        ONE: Unchanged(
            service=ONE.service,
            index=ONE.index,
            snapshot=str(ONE.id),
            first=MORNING + MINUTE,
            last=MORNING + 3 * MINUTE,
            times=3,
            run="run-3",
        )
    }
    assert [blob.name async for blob in runs.list("")] == [unchanged_name(ONE.service, ONE.index)]
    assert as_of(MORNING, ONE, found) == MORNING + 3 * MINUTE
    assert as_of(MORNING, msgspec.structs.replace(ONE, id="20261119T023000Z-7f3a9c"), found) == MORNING


async def test_a_run_that_notes_it_twice_counts_once(runs: RunBlobs) -> None:
    first = await note_unchanged(runs, ONE, began=MORNING + MINUTE, run="run-1")
    assert await note_unchanged(runs, ONE, began=MORNING + MINUTE, run="run-1") == first


async def test_another_snapshot_begins_anew(runs: RunBlobs) -> None:
    await note_unchanged(runs, ONE, began=MORNING + MINUTE, run="run-1")
    other = msgspec.structs.replace(ONE, id="20261120T024000Z-7f3a9c")
    await note_unchanged(runs, other, began=MORNING + 20 * MINUTE, run="run-2")
    assert [(key.id, each.times) for key, each in (await read_unchanged(runs, now=NOW)).items()] == [(other.id, 1)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"last": NOW + timedelta(hours=1)},
        {"first": MORNING - MINUTE},
        {"index": "rooms"},
        {"index": ""},
        {"service": "."},
        {"snapshot": "../x"},
        {"first": NOW},
    ],
    ids=str,
)
async def test_a_record_that_contradicts_itself_counts_for_nothing(runs: RunBlobs, wrong: dict[str, object]) -> None:
    record = await note_unchanged(runs, ONE, began=MORNING + MINUTE, run="run-1")
    forged = msgspec.structs.replace(record, **wrong)
    await runs.put(unchanged_name(ONE.service, ONE.index), msgspec.json.encode(forged))
    assert await read_unchanged(runs, ONE.service, ONE.index, now=NOW) == {}


async def test_a_record_that_can_not_be_read_counts_for_nothing_and_is_written_anew(runs: RunBlobs) -> None:
    await runs.put(unchanged_name(ONE.service, ONE.index), b"{}")
    assert await read_unchanged(runs, ONE.service, now=NOW) == {}
    await note_unchanged(runs, ONE, began=MORNING + MINUTE, run="run-1")
    assert [each.times for each in (await read_unchanged(runs, ONE.service, now=NOW)).values()] == [1]
