"""A full reading after presumed snapshots says what these had missed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from indexvault.backup.job import BackupReport
from indexvault.backup.limits import Limits
from indexvault.errors import SettingsError
from indexvault.snapshots.manifest import MissedField
from indexvault.snapshots.names import manifest_name
from tests.backup.changes.live_documents import INDEX, by_changes, definition, delete, document, manifest_of, write
from tests.memory_store import MemoryStore
from tests.recorded_telemetry import RecordedTelemetry
from tests.world import EAST, Calendar, World, open_world

WEEK = timedelta(days=7)
DOCUMENTS = 400


@pytest.fixture
def clock() -> Calendar:
    return Calendar()


@pytest.fixture
async def world(clock: Calendar) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), clock=clock, limits=Limits(smallest_range=1000)) as opened:
        await opened.fill(definition(), [document(2 * each, clock.now - WEEK) for each in range(DOCUMENTS)])
        assert (await by_changes(opened)).missed is None
        clock.now += timedelta(minutes=30)
        yield opened


async def presumed(world: World, clock: Calendar) -> BackupReport:
    """Make a presumed snapshot, of a document that says it was changed."""
    await write(world, [document(0, clock.now, int(clock.now.timestamp()) % 1000 + 1)])
    report = await by_changes(world)
    assert report.state == "presumed"
    clock.now += timedelta(minutes=30)
    return report


async def test_a_proof_that_finds_nothing_says_so(world: World, clock: Calendar) -> None:
    last = await presumed(world, clock)
    await write(world, [document(2 * each, clock.now, 7) for each in range(5)])
    await delete(world, [100, 102])
    clock.now += WEEK
    report = await by_changes(world)
    assert report.state == "complete"
    assert report.missed is not None
    assert (report.missed.snapshot, report.missed.documents, report.missed.explained) == (last.snapshot, 0, 5)
    assert report.missed.stood_still == 0
    assert not any("missed" in note for note in report.notes)
    assert (await manifest_of(world, report.snapshot)).missed == report.missed
    # The next proof has no presumed snapshot before it.
    clock.now += WEEK
    assert (await by_changes(world)).missed is None


async def test_a_proof_finds_every_document_that_a_writer_changed_without_the_field(
    world: World, clock: Calendar, telemetry: RecordedTelemetry
) -> None:
    quiet = [document(2 * each, clock.now - WEEK - timedelta(minutes=30), 5) for each in range(10, 17)]
    quiet[0]["text"] = "other"
    await write(world, quiet)
    await presumed(world, clock)
    await presumed(world, clock)
    clock.now += WEEK
    report = await by_changes(world)
    assert report.missed is not None
    assert (report.missed.documents, report.missed.changed, report.missed.stood_still) == (7, 7, 7)
    assert report.missed.fields == (MissedField("version", 7), MissedField("text", 1))
    (note,) = (note for note in report.notes if "missed" in note)
    assert "had missed 7 documents changed without written: version (7), text (1)" in note
    assert "choose another one for changes, or prove more often" in note
    assert (INDEX, 7) in telemetry.values("indexvault.missed")


async def test_a_deletion_behind_an_addition_without_the_field_counts_for_both(world: World, clock: Calendar) -> None:
    await delete(world, [20, 22])
    await write(world, [document(21, clock.now - WEEK), document(23, clock.now - WEEK)])
    await presumed(world, clock)
    clock.now += WEEK
    report = await by_changes(world)
    assert report.missed is not None
    assert (report.missed.added, report.missed.gone, report.missed.documents) == (2, 2, 4)
    assert "2 deleted while as many were added without it" in report.missed.words


async def test_a_full_reading_by_hand_is_a_proof_too(world: World, clock: Calendar) -> None:
    last = await presumed(world, clock)
    report = await world.back_up(INDEX)
    assert report.missed is not None
    assert (report.state, report.missed.snapshot, report.missed.documents) == ("complete", last.snapshot, 0)


async def test_a_presumed_snapshot_that_can_not_be_read_keeps_no_reading_from_being_committed(
    world: World, clock: Calendar
) -> None:
    last = await presumed(world, clock)
    blobs: Any = world.store.snapshots
    name = manifest_name(EAST, INDEX, last.snapshot)
    blob = blobs._blobs[name]
    blobs._blobs[name] = type(blob)(**{**{each: getattr(blob, each) for each in blob.__struct_fields__}, "data": b"{}"})
    clock.now += WEEK
    report = await by_changes(world)
    assert (report.state, report.missed) == ("complete", None)


async def test_an_unchanged_index_is_replicated_and_not_pruned(world: World, clock: Calendar) -> None:
    seen: list[str] = []

    async def note(run: Any, resources: Any, given: Any) -> Any:
        seen.append("replicated")
        return await run(resources, given)

    async def pruned(run: Any, resources: Any, given: Any) -> Any:
        seen.append("pruned")
        return await run(resources, given)

    world.around["replicate_snapshots"] = note
    world.around["prune_snapshots"] = pruned
    report = await by_changes(world, policy="often")
    assert (report.unchanged, seen) == (True, ["replicated"])
    await write(world, [document(0, clock.now, 3)])
    assert not (await by_changes(world, policy="often")).unchanged
    assert seen == ["replicated", "replicated", "pruned"]


async def test_a_field_that_a_proof_saw_standing_still_is_refused(world: World, clock: Calendar) -> None:
    await write(world, [document(2 * each, clock.now - WEEK - timedelta(minutes=30), 5) for each in range(10, 40)])
    await presumed(world, clock)
    clock.now += WEEK
    proof = await by_changes(world)
    assert proof.missed is not None
    assert (proof.missed.documents, proof.missed.stood_still) == (30, 30)
    clock.now += timedelta(minutes=30)
    with pytest.raises(SettingsError, match=r"written can't say which .*: it stood still in 30 of 30 documents"):
        await by_changes(world)
    assert (await world.back_up(INDEX)).state == "complete"
