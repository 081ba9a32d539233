"""A snapshot is restored under a temporary name, proved, queried, and nothing is left behind."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from indexvault.errors import ConflictError, NotFoundError
from indexvault.model import IndexName
from indexvault.recovery.drill import ACTIVITIES, DRILL_INDEX, drill_for, remove_temporary
from indexvault.recovery.drill_job import DrillJob, DrillReport
from indexvault.recovery.drill_records import OpenDrill, all_open, note_open, read_results
from indexvault.recovery.drill_schedule import remove_left_behind, tick_drills
from indexvault.settings.model import DrillQuery, DrillSettings
from indexvault.settings.patterns import select
from indexvault.workflow.activity import Activity
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.lock_activities import Claim, release_lock, take_lock
from tests.memory_store import MemoryStore
from tests.recovery.conftest import NOTES, note
from tests.world import EAST, WEST, World

NOTES_EAST = IndexName(EAST, "notes")
JOB = DrillJob(service=EAST, index="notes", target_service=WEST, run="drill-1-0", allow_cross_region=True)
QUERY = {
    "name": "notes",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "text", "type": "Edm.String", "searchable": True},
        {"name": "rank", "type": "Edm.Double", "filterable": True, "sortable": True},
    ],
}


@pytest.fixture
async def engine(world: World) -> AsyncIterator[LocalEngine]:
    await world.fill(QUERY, [note(number) for number in range(120)])
    await world.back_up("notes")
    async with LocalEngine(world.resources, ACTIVITIES, [DRILL_INDEX]) as opened:
        yield opened


async def drill(engine: LocalEngine, **changes: Any) -> DrillReport:
    job = DrillJob(**({name: getattr(JOB, name) for name in JOB.__struct_fields__} | changes))
    return await engine.run(DRILL_INDEX, job, run=job.run)


async def left(world: World) -> list[str]:
    """Return what a drill has left on its target and in the target's store."""
    indexes = [name for name in await world.west.index_names() if name != "notes"]
    records = [each.target.index async for each in all_open(world.store.runs)]
    blobs = [blob.name async for blob in world.store.runs.list("") if _is_left(blob.name)]
    holds = [blob.name async for blob in world.store.runs.list("holds/")]
    return [*indexes, *records, *blobs, *holds]


def _is_left(name: str) -> bool:
    """Return whether a blob tells of a temporary index. Locks stay, as those of every index do."""
    return "indexvault-drill" in name and not name.startswith("locks/")


async def test_a_good_drill_is_kept_and_leaves_nothing(world: World, engine: LocalEngine) -> None:
    report = await drill(engine)
    assert (report.is_good, report.documents, report.failure) == (True, 120, None)
    assert report.seconds is not None
    assert await left(world) == []
    results = await read_results(world.store.runs, NOTES_EAST)
    assert results is not None
    assert results.last == results.last_good == report


async def test_a_damaged_chunk_fails_the_drill_and_is_named(world: World, engine: LocalEngine) -> None:
    good = await drill(engine)
    assert isinstance(world.store.snapshots, object)
    name = next(iter([name async for name in _packs(world)]))
    await _flip(world, name)
    report = await drill(engine, run="drill-2-0")
    assert not report.is_good
    assert report.failure is not None
    assert (report.failure.kind, name in report.faults[0]) == ("IntegrityError", True), report.faults
    assert await left(world) == []
    results = await read_results(world.store.runs, NOTES_EAST)
    assert results is not None
    assert (results.last, results.last_good) == (report, good)


async def _packs(world: World) -> AsyncIterator[str]:
    async for blob in world.store.snapshots.list(""):
        if "/packs/" in blob.name:
            yield blob.name


async def _flip(world: World, name: str) -> None:
    store = world.store
    assert isinstance(store, MemoryStore)
    data = bytearray(await store.snapshots.read(name, 2**30))
    data[len(data) // 2] ^= 1
    await store.snapshots.delete(name)
    await store.snapshots.create(name, bytes(data))


async def test_one_that_takes_too_long_has_failed(world: World, engine: LocalEngine) -> None:
    report = await drill(engine, recovery_time=timedelta())
    assert report.faults[0].startswith("the restore took")
    assert await left(world) == []


async def test_queries_are_answered_alike(world: World, engine: LocalEngine) -> None:
    queries = (DrillQuery(orderby="rank desc", top=5), DrillQuery(filter="rank lt 3"), DrillQuery(filter="nope eq 1"))
    report = await drill(engine, queries=queries)
    assert [(each.same, each.of, bool(each.fault)) for each in report.queries] == [
        (5, 5, False),
        (3, 3, False),
        (0, 0, True),
    ]
    assert not report.is_good
    assert await left(world) == []


async def test_a_query_that_finds_nothing_anywhere_proves_nothing(engine: LocalEngine) -> None:
    report = await drill(engine, queries=(DrillQuery(filter="rank gt 1000000"),))
    assert report.faults == ["query 1 was answered otherwise: it finds nothing on either side"]


async def test_of_an_empty_index_queries_find_nothing(world: World, engine: LocalEngine) -> None:
    await world.fill(QUERY | {"name": "empty"}, [])
    await world.back_up("empty")
    report = await drill(engine, index="empty", queries=(DrillQuery(),))
    assert (report.documents, report.faults) == (0, [])


def failing(name: str) -> list[Activity[Any, Any]]:
    """Return the activities of a drill, of which one fails."""

    async def fail(_resources: Any, _given: Any) -> Any:
        raise ConflictError("it fails", on="the test", do="")

    every: list[Activity[Any, Any]] = [*ACTIVITIES]
    assert name in {each.name for each in every}
    return [replace(each, run=fail) if each.name == name else each for each in every]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("activity", ["make_target", "load_documents", "compare_restored", "answer_drill_queries"])
async def test_what_fails_leaves_nothing(world: World, activity: str) -> None:
    """A restore that fails half way is in the report, and its index is removed."""
    async with LocalEngine(world.resources, failing(activity), [DRILL_INDEX]) as broken:
        report = await drill(broken, queries=(DrillQuery(),))
    assert report.failure is not None
    assert await left(world) == []


async def test_a_dead_drill_is_cleaned_up_by_the_next_one(world: World, engine: LocalEngine) -> None:
    async with LocalEngine(world.resources, failing("close_drill"), [DRILL_INDEX]) as broken:
        with pytest.raises(ConflictError):
            await drill(broken)
    assert JOB.temporary.index in await world.west.index_names()
    assert (await drill(engine, run="drill-2-0")).is_good
    assert await left(world) == []


@pytest.mark.usefixtures("engine")
async def test_a_dead_drill_is_cleaned_up_by_a_tick(world: World) -> None:
    async with LocalEngine(world.resources, failing("close_drill"), [DRILL_INDEX]) as broken:
        with pytest.raises(ConflictError):
            await drill(broken)
    assert JOB.temporary.index in await world.west.index_names()

    claim = Claim(JOB.work, "a drill at work")
    await take_lock(world.resources, claim)
    assert await remove_left_behind(world.resources, WEST) == []
    await release_lock(world.resources, claim)
    assert await remove_left_behind(world.resources, WEST) == [JOB.temporary.index]
    assert await left(world) == []


@pytest.mark.usefixtures("engine")
async def test_a_tick_cleans_up_where_no_drill_of_the_settings_goes(world: World) -> None:
    """A drill may be asked for by hand, to any service."""
    async with LocalEngine(world.resources, failing("close_drill"), [DRILL_INDEX]) as broken:
        with pytest.raises(ConflictError):
            await drill(broken)
    assert not world.clients.settings.drills
    assert await tick_drills(world.resources, DurableEngine.__new__(DurableEngine)) == []
    assert await left(world) == []


async def test_an_index_that_no_record_names_is_not_removed(world: World, engine: LocalEngine) -> None:
    await world.fill(NOTES | {"name": JOB.temporary.index}, [note(1)], WEST)
    with pytest.raises(ConflictError, match="exists"):
        await drill(engine)
    await remove_temporary(world.resources, WEST, JOB.temporary.index)
    assert JOB.temporary.index in await world.west.index_names()


async def test_a_drill_that_could_not_begin_is_kept_too(world: World, engine: LocalEngine) -> None:
    """Its last result would otherwise stay the good one until that is too old."""
    good = await drill(engine)
    await world.fill(QUERY | {"name": JOB.temporary.index}, [note(1)], WEST)
    with pytest.raises(ConflictError):
        await drill(engine, run="drill-2-0")
    results = await read_results(world.store.runs, NOTES_EAST)
    assert results is not None
    assert results.last_good == good
    assert results.last.faults == [f"{JOB.temporary}: it exists, and no drill has made it"]
    assert JOB.temporary.index in await world.west.index_names()


async def test_without_a_snapshot_there_is_no_drill(world: World, engine: LocalEngine) -> None:
    with pytest.raises(NotFoundError):
        await drill(engine, index="nothing")
    assert await left(world) == []
    assert await read_results(world.store.runs, IndexName(EAST, "nothing")) is None


def test_no_pattern_matches_a_temporary_index() -> None:
    name = JOB.temporary.index
    assert select(["notes", name], ["*"]).found == ["notes"]
    assert select(["notes", name], ["*", name]).found == sorted(["notes", name])


async def test_the_settings_complete_a_drill(world: World) -> None:
    weekly = DrillSettings(service=EAST, target=WEST, schedule="0 0 5 * * 0", recovery_time=timedelta(minutes=30))
    settings = world.clients.settings
    configured = type(settings)(
        **{name: getattr(settings, name) for name in settings.__struct_fields__} | {"drills": {"weekly": weekly}}
    )
    asked = DrillJob(service=EAST, index="notes", target_service="", run="r")
    assert drill_for(configured, asked).target_service == WEST
    assert drill_for(configured, asked).recovery_time == timedelta(minutes=30)
    assert drill_for(settings, asked) == asked
    elsewhere = DrillJob(service=EAST, index="notes", target_service=EAST, run="r")
    assert drill_for(configured, elsewhere) == elsewhere


async def test_a_record_of_a_temporary_index_is_found(world: World) -> None:
    noted = OpenDrill("run", JOB.temporary, NOTES_EAST, "snapshot", world.resources.clock())
    await note_open(world.store.runs, noted)
    assert [each async for each in all_open(world.store.runs)] == [noted]
