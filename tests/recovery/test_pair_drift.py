"""The drift of a hot-hot pair is measured on its schedule, kept, and repaired from the authority on request."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import ConflictError
from indexvault.recovery import drift_run, drift_schedule
from indexvault.recovery.drift_records import DriftState, read_drifts
from indexvault.recovery.drift_schedule import drift_items, tick_drifts
from indexvault.recovery.job import DriftReport
from indexvault.workflow.reports import read_report
from indexvault.workflow.runs import RunRecord, Runs
from tests.recorded_telemetry import RecordedTelemetry, measured
from tests.recovery.conftest import NOTES, note
from tests.recovery.pairs import PAIR, InProcess, PairWorld, open_pair
from tests.world import EAST, WEST, upload_batch

HOT = msgspec.structs.replace(PAIR, mode="hot-hot", drift_schedule="0 0 * * * *")
WORKFLOWS = (*drift_run.WORKFLOWS, *drift_schedule.WORKFLOWS)


@pytest.fixture
async def pair() -> AsyncIterator[PairWorld]:
    activities = (*drift_run.ACTIVITIES, *drift_schedule.ACTIVITIES)
    async with open_pair(pair=HOT, activities=activities, workflows=WORKFLOWS) as opened:
        yield opened


async def tick(pair: PairWorld, minutes: int = 60) -> list[RunRecord]:
    """Wait, tick, and return the records of the runs that were started, as they ended."""
    pair.clock.now += timedelta(minutes=minutes)
    engine = InProcess(pair.engine, WORKFLOWS)
    started = await tick_drifts(pair.resources, engine)
    await engine.finish()
    return [record for run in started if (record := await Runs(pair.west_runs).read(run)) is not None]


async def drifts(pair: PairWorld) -> dict[str, DriftState]:
    return {each.index: each for each in await read_drifts(pair.west_runs, "contoso")}


async def upload(pair: PairWorld, service: str, *documents: dict[str, Any]) -> None:
    lines = [msgspec.json.encode(each) for each in documents]
    await pair.world.clients.service(service).index_documents("notes", upload_batch(lines))


async def drift_apart(pair: PairWorld) -> None:
    """Let an update and an addition fail in the west, and an addition in the east."""
    await upload(pair, EAST, note(3, "only here"), note(900))
    await upload(pair, WEST, note(901))


async def test_drift_is_measured_once_an_hour_and_kept_since_it_was_first_seen(
    pair: PairWorld, telemetry: RecordedTelemetry
) -> None:
    for service in (EAST, WEST):
        await pair.world.fill(NOTES, [note(number) for number in range(50)], service=service)
    (run,) = await tick(pair)
    assert (run.kind, run.pair, run.state) == ("drift", "contoso", "done"), run
    assert await tick(pair, 1) == []
    state = (await drifts(pair))["notes"]
    assert (state.differs, state.since, state.documents) == (False, None, 50)

    await drift_apart(pair)
    await tick(pair)
    first = (await drifts(pair))["notes"]
    assert (first.changed, first.missing, first.extra, first.one, first.other) == (1, 1, 1, EAST, WEST)
    assert first.since == first.measured == pair.clock.now
    await tick(pair)
    second = (await drifts(pair))["notes"]
    assert second.since == first.since
    assert second.measured == pair.clock.now
    labels = {"indexvault.service": WEST, "indexvault.index": "notes"}
    told = measured(telemetry.reader)
    for kind in ("changed", "missing", "extra"):
        assert told["indexvault.drift", frozenset((labels | {"indexvault.kind": kind}).items())] == 1


async def test_a_repair_writes_what_deviates_and_ends_the_drift(pair: PairWorld) -> None:
    for service in (EAST, WEST):
        await pair.world.fill(NOTES, [note(number) for number in range(50)], service=service)
    await upload(pair, EAST, *(note(number, "changed") for number in range(37)), *(note(100 + i) for i in range(5)))
    await upload(pair, WEST, *(note(200 + i) for i in range(3)))
    await tick(pair)
    state = (await drifts(pair))["notes"]
    assert (state.changed, state.missing, state.extra) == (37, 5, 3)
    items = await drift_items(pair.resources, "contoso", run="mend", owner="a test", repair_from=EAST)
    for item in items:
        if item.index.index == "notes":
            await pair.engine.run(drift_run.COMPARE_INDEXES, item.job)
            written = await read_report(pair.west_runs, item.run)
            assert written is not None
            mended = msgspec.json.decode(written, type=DriftReport).mended
            assert mended is not None
            assert (mended.written, mended.deleted) == (42, 3)
    state = (await drifts(pair))["notes"]
    assert (state.differs, state.since, state.documents) == (False, None, 55)
    assert await pair.world.documents(WEST, "notes", "id") == await pair.world.documents(EAST, "notes", "id")


async def test_an_index_that_one_of_the_two_lacks_is_a_drift(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(1)])
    (run,) = await tick(pair)
    assert run.state == "failed"
    state = (await drifts(pair))["notes"]
    assert (state.absent, state.differs, state.since) == (WEST, True, pair.clock.now)
    await pair.world.fill(NOTES, [note(1)], service=WEST)
    await tick(pair)
    assert not (await drifts(pair))["notes"].differs

    for service in (pair.world.east, pair.world.west):
        await service.delete_index("notes", before=await service.index_definition("notes"))
    await tick(pair)
    assert set(await drifts(pair)) == {"$service"}  # what neither has is forgotten


async def test_definitions_of_hot_kinds_are_compared(pair: PairWorld) -> None:
    words = {"name": "words", "format": "solr", "synonyms": "hotel, inn"}
    await pair.world.east.create_definition("synonymmaps", "words", msgspec.json.encode(words), preview=False)
    own = {"name": "own", "type": "azureblob", "credentials": {"connectionString": "x"}, "container": {"name": "c"}}
    await pair.world.west.create_definition("datasources", "own", msgspec.json.encode(own), preview=False)
    pair.settle(kinds={"datasources": "hot-cold"})
    await tick(pair)
    assert (await drifts(pair))["$service"].definition == [f"synonymmaps/words only on {EAST}"]


async def test_a_comparison_that_fails_keeps_what_was_measured_before(pair: PairWorld) -> None:
    for service in (EAST, WEST):
        await pair.world.fill(NOTES, [note(1)], service=service)
    await upload(pair, EAST, note(2))
    await tick(pair)
    before = (await drifts(pair))["notes"]

    async def unreadable(*_given: Any, **_options: Any) -> Any:
        raise ConflictError("it broke off", on="a test", do="x")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drift_run, "compare_and_mend", unreadable)
        (run,) = await tick(pair)
    assert run.state == "failed"
    state = (await drifts(pair))["notes"]
    assert state.failure is not None
    assert (state.failure.what, state.missing, state.since) == ("it broke off", 1, before.since)
    assert (state.measured, state.tried_at) == (before.measured, pair.clock.now)
    await tick(pair)
    assert (await drifts(pair))["notes"].failure is None


async def test_a_pair_that_follows_is_not_repaired(pair: PairWorld) -> None:
    pair.settle(mode="hot-warm", drift_schedule=None)
    with pytest.raises(ConflictError, match="kept equal by following"):
        await drift_items(pair.resources, "contoso", run="x", owner="a test", repair_from=EAST)
    assert await tick(pair) == []


async def test_the_authority_is_the_side_that_misses_nothing(pair: PairWorld) -> None:
    pair.settle(authority=WEST)
    for service in (EAST, WEST):
        await pair.world.fill(NOTES, [note(1)], service=service)
    await upload(pair, EAST, note(2))
    await tick(pair)
    state = (await drifts(pair))["notes"]
    assert (state.one, state.other, state.missing, state.extra) == (WEST, EAST, 0, 1)
