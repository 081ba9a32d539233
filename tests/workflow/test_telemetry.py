"""What a backup and a restore tell, and what they never do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest

from indexvault.errors import ConflictError, IndexvaultError
from indexvault.snapshots.azure_store import AzureStore
from indexvault.workflow.fan_out import RunEnd, RunOrder, close_run
from indexvault.workflow.runs import RunRecord, Runs
from tests import hotels
from tests.memory_store import MemoryStore
from tests.recorded_telemetry import RecordedTelemetry
from tests.world import EAST, KEYS, WEST, World, open_world

COUNT = 1500
CANARY = "a-canary-in-a-document"
BACKUP = ["take_lock", "prepare_fields", "plan_backup", "scan_range", "commit_snapshot", "release_lock"]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def fired(world: World, service: str) -> int:
    """Tell how often the rules in force have hit."""
    overview = await world.control("GET", service, "")
    return sum(each["fired"] for each in overview["faults"])


async def test_a_run_is_a_tree_of_spans_in_which_nothing_is_repeated(
    telemetry: RecordedTelemetry, world: World
) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(COUNT))
    made = await world.back_up("hotels", run="the-backup")
    assert [span.name for span in telemetry.spans] == [*BACKUP, "back_up_index"]
    [run] = telemetry.named("back_up_index")
    assert (telemetry.parent(run), {telemetry.parent(span) for span in telemetry.spans if span is not run}) == (
        None,
        {"back_up_index"},
    )
    [scanned] = telemetry.named("scan_range")
    assert scanned.attributes == {
        "indexvault.run": "the-backup",
        "indexvault.service": EAST,
        "indexvault.index": "hotels",
        "indexvault.position": 0,
    }
    await world.restore(made)
    batches = telemetry.named("index_documents")
    assert {telemetry.parent(span) for span in batches} == {"load_documents"}
    assert [(span.attributes or {})["indexvault.documents"] for span in batches] == [1000, 500]
    [restored] = telemetry.named("restore_index")
    assert len({span.context.trace_id for span in [*batches, restored, *telemetry.named("compare_restored")]}) == 1


async def test_documents_and_bytes_are_counted_by_stage(telemetry: RecordedTelemetry, world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(COUNT))
    made = await world.back_up("hotels")
    await world.restore(made)
    assert telemetry.total("indexvault.documents", service=EAST, index="hotels", stage="read") == COUNT
    assert telemetry.total("indexvault.bytes", service=EAST, index="hotels", stage="read") == made.bytes
    assert telemetry.total("indexvault.documents", service=WEST, index="restored", stage="load") == COUNT
    assert telemetry.total("indexvault.documents", service=WEST, index="restored", stage="compare") == COUNT


async def test_throttles_and_retries_are_those_that_happened(telemetry: RecordedTelemetry, world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(COUNT))
    throttled = {"fault": "throttled", "probability": 0.5, "times": 4}
    await world.faults(EAST, throttled)
    made = await world.back_up("hotels")
    assert telemetry.total("indexvault.throttles", service=EAST) == await fired(world, EAST) > 0
    assert telemetry.total("indexvault.retries", service=EAST) == await fired(world, EAST)
    await world.faults(WEST, {"fault": "item", "times": 5})
    await world.restore(made)
    assert telemetry.total("indexvault.throttles", service=WEST) == 0
    assert [(span.attributes or {})["indexvault.documents.again"] for span in telemetry.named("index_documents")] == [
        5,
        0,
        0,
    ]
    assert telemetry.total("indexvault.retries", service=WEST) == 1


async def test_a_failure_is_told_by_its_kind_alone(telemetry: RecordedTelemetry, world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3))
    made = await world.back_up("hotels")
    await world.restore(made)
    with pytest.raises(ConflictError):
        await world.restore(made)
    failed = telemetry.named("begin_restore")[-1]
    assert (failed.attributes or {})["error.type"] == "ConflictError"
    assert (failed.status.is_ok, failed.status.description, failed.events) == (False, None, ())


async def test_entries_tell_the_run_service_and_index(telemetry: RecordedTelemetry, world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3))
    await world.faults(
        EAST,
        {"fault": "throttled", "operation": "search_documents", "times": 1},
        {"fault": "throttled", "times": 1, "skip": 6},
    )
    await world.back_up("hotels", run="the-backup")
    told = [record for record in telemetry.entries.records if record.name == "indexvault.search.transport"]
    assert {(vars(each)["run"], vars(each)["service"], vars(each)["index"]) for each in told} == {
        ("the-backup", EAST, "hotels")
    }


@pytest.mark.slow  # reads or restores an index many times
async def test_nothing_tells_documents_or_secrets(telemetry: RecordedTelemetry, storage_account: str) -> None:
    documents = [each | {"name": f"{CANARY} {each['id']}", "tags": [CANARY]} for each in hotels.hotels(COUNT)]
    async with (
        AzureStore.from_connection_string("local", storage_account) as store,
        open_world(store) as world,
    ):
        await world.fill(hotels.DEFINITION, documents)
        kinds = ("throttled", "unavailable", "reset", "truncated")
        for service in (EAST, WEST):
            await world.faults(
                service,
                *({"fault": kind, "probability": 0.1, "times": 3} for kind in kinds),
                {"fault": "item", "times": 7},
            )
        made = await world.back_up("hotels")
        await world.restore(made)
        stray = hotels.hotels(1)[0] | {"id": "stray", "name": CANARY}
        await world.fill(hotels.definition(name="other"), [stray], WEST)
        await world.restore(made, index="other", mode="sync")
        with pytest.raises(IndexvaultError):
            await world.restore(made, index="restored")
    account_key = storage_account.partition("AccountKey=")[2].partition(";")[0]
    everything = telemetry.everything
    assert {"azure.core.pipeline.policies.http_logging_policy", "indexvault.workflow.local"} <= {
        record.name for record in telemetry.entries.records
    }
    assert len(telemetry.spans) > 30
    for secret in (CANARY, account_key, storage_account, *KEYS.values()):
        assert secret not in everything, everything[max(0, everything.find(secret) - 300) :][:600]


async def test_a_run_of_the_app_is_one_span_however_often_it_is_closed(
    telemetry: RecordedTelemetry, world: World
) -> None:
    await world.store.prepare()
    created = datetime(2026, 11, 20, 2, tzinfo=UTC)
    record = RunRecord(
        run="20261120T020000Z-backup-7f3a9c",
        kind="backup",
        workflow="run_backup",
        service=EAST,
        asked="hotels",
        owner="a test",
        created=created,
    )
    runs = Runs(world.store.runs)
    await runs.create(record)
    closing = RunEnd(RunOrder(service=EAST, run=record.run), failure=ConflictError("a", on="b", do="c").record())
    await close_run(world.resources, closing)
    await close_run(world.resources, closing)
    ended = await runs.read(record.run)
    [span] = telemetry.named("run_backup")
    assert ended is not None
    assert ended.finished is not None
    assert (span.start_time, span.status.is_ok) == (int(created.timestamp()) * 10**9, False)
    assert span.end_time == int(ended.finished.timestamp() * 1_000_000) * 1000
    assert msgspec.json.encode(span.attributes and dict(span.attributes)) == msgspec.json.encode(
        {"indexvault.run": record.run, "indexvault.service": EAST, "indexvault.state": "failed"}
    )
