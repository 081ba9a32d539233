"""Who can write the run container alone gets no snapshot that lacks documents or has another definition."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupReport
from indexvault.backup.limits import Limits
from indexvault.backup.reveal_records import Reveal, RevealRecords
from indexvault.backup.state import (
    PLAN_RECORD,
    CollectedPartition,
    Plan,
    ScannedRange,
    Settling,
)
from indexvault.errors import ConflictError, IndexvaultError
from indexvault.search.scan import KeyRange
from indexvault.search.schema import read_schema
from indexvault.snapshots.announcements import Announcement
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.manifest import Definition, Manifest, VersionedDefinition
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import announcement_name, checkpoint_name
from indexvault.snapshots.tree import Tree
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, LATER, Run, World, open_world

DOCUMENTS = 600
LIMITS = Limits(smallest_range=DOCUMENTS // 4)
UNORDERED = hotels.with_field("id", filterable=False, sortable=False)
RUN = "interrupted"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), limits=LIMITS) as opened:
        yield opened


async def interrupt(world: World, step: str, definition: dict[str, Any] = hotels.DEFINITION) -> None:
    """Back an index up until an activity that is never reached, and leave what is durable by then."""
    await world.fill(definition, hotels.hotels(DOCUMENTS))

    async def die(_run: Any, _resources: Any, _given: Any) -> Any:
        raise ConflictError("it died", on="a test", do="Run again")

    world.around[step] = die
    with pytest.raises(ConflictError):
        await world.back_up("hotels", run=RUN)
    del world.around[step]


async def change[Record](world: World, part: str, kind: type[Record], how: Callable[[Record], Record]) -> int:
    """Change all checkpoints of the run whose names have this in it, and return how many there are."""
    records = RecordStore(world.store.runs, kind)
    prefix = checkpoint_name(RUN, "x").rpartition("/")[0]
    names = [blob.name async for blob in world.store.runs.list(f"{prefix}/")]
    wanted = [
        name for name in names if part in name.rpartition("/")[2] and "/sorted/" not in name and "/left/" not in name
    ]
    for name in wanted:
        found = await records.read(name)
        assert found is not None
        await records.write(name, how(found))
    return len(wanted)


async def require_whole(world: World, report: BackupReport) -> Manifest:
    reference = SnapshotReference(service=EAST, index="hotels")
    manifest = await resolve_manifest(world.store.snapshots, reference, now=LATER)
    fields = [path for path, _field in read_schema(manifest.definition.stable.body, on="x").walk()]
    assert (report.state, report.documents, manifest.counts.documents) == ("complete", DOCUMENTS, DOCUMENTS)
    assert "rooms/rate" in fields
    async with open_world(MemoryStore("other"), limits=LIMITS) as other:
        definition = msgspec.json.decode(manifest.definition.stable.body)
        ordered = definition["fields"][0].get("filterable") is not False
        await other.fill(hotels.DEFINITION if ordered else UNORDERED, hotels.hotels(DOCUMENTS))
        await other.back_up("hotels")
        undisturbed = await resolve_manifest(other.store.snapshots, reference, now=LATER)
    assert manifest.content_digest == undisturbed.content_digest
    assert manifest.id < f"{datetime.now(UTC) + timedelta(minutes=1):%Y%m%dT%H%M%SZ}"
    return manifest


def key_only(definition: Definition) -> Definition:
    body = msgspec.Raw(msgspec.json.encode({"name": "hotels", "fields": hotels.DEFINITION["fields"][:1]}))
    return Definition(stable=VersionedDefinition(definition.stable.api_version, body))


PLANS: dict[str, Callable[[Plan], Plan]] = {
    "another definition": lambda plan: msgspec.structs.replace(plan, definition=key_only(plan.definition)),
    "no last range": lambda plan: msgspec.structs.replace(plan, ranges=plan.ranges[:-1]),
    "no range": lambda plan: msgspec.structs.replace(plan, ranges=[]),
    "a gap": lambda plan: msgspec.structs.replace(plan, ranges=[plan.ranges[0], KeyRange(after="h000400", until=None)]),
    "an end": lambda plan: msgspec.structs.replace(
        plan, ranges=[*plan.ranges[:-1], msgspec.structs.replace(plan.ranges[-1], until="h000590")]
    ),
    "another key": lambda plan: msgspec.structs.replace(plan, key_field="name"),
    "a future": lambda plan: msgspec.structs.replace(plan, started=datetime(2099, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("forged", PLANS)
async def test_a_forged_plan_is_not_continued(world: World, forged: str) -> None:
    await interrupt(world, "scan_range")
    assert await change(world, PLAN_RECORD, Plan, PLANS[forged]) == 1
    report = await world.back_up("hotels", run=RUN)
    await require_whole(world, report)
    assert any("was not continued" in note for note in report.notes)


async def test_losses_that_a_plan_hides_are_found_again(world: World) -> None:
    await interrupt(world, "scan_range", hotels.with_field("stars", retrievable=False))
    await change(world, PLAN_RECORD, Plan, lambda plan: msgspec.structs.replace(plan, losses=[]))
    report = await world.back_up("hotels", run=RUN)
    assert (report.state, len(report.losses)) == ("lossy", 1)


def halved(found: ScannedRange) -> ScannedRange:
    return msgspec.structs.replace(found, chunks=found.chunks[::2])


def inflated(found: ScannedRange) -> ScannedRange:
    """Leave all chunks but one out, and let that one claim their documents."""
    first, documents = found.chunks[0], sum(chunk.documents for chunk in found.chunks)
    return msgspec.structs.replace(found, chunks=[msgspec.structs.replace(first, documents=documents)])


RANGES: dict[str, Callable[[ScannedRange], ScannedRange]] = {
    "nothing": lambda found: msgspec.structs.replace(found, chunks=[], digest="0" * 64),
    "half": halved,
    "inflated": inflated,
    "another digest": lambda found: msgspec.structs.replace(found, digest="1" * 64),
}


@pytest.mark.parametrize("when", ["resumed", "live"])
@pytest.mark.parametrize("forged", RANGES)
async def test_a_range_that_a_record_calls_read_is_counted_and_looked_at(world: World, forged: str, when: str) -> None:
    if when == "resumed":
        await interrupt(world, "commit_snapshot")
        assert await change(world, "-range-", ScannedRange, RANGES[forged]) > 1
    else:
        await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
        await alter_once(world, "commit_snapshot", "-range-", ScannedRange, RANGES[forged])
    await require_whole(world, await world.back_up("hotels", run=RUN))


async def alter_once[Record](
    world: World, step: str, part: str, kind: type[Record], how: Callable[[Record], Record]
) -> None:
    """Change records right before an activity runs for the first time."""

    async def alter(run: Run, resources: Any, given: Any) -> Any:
        del world.around[step]
        await change(world, part, kind, how)
        return await run(resources, given)

    world.around[step] = alter


@pytest.mark.parametrize("step", ["scan_range", "commit_snapshot"])
@pytest.mark.parametrize("forged", ["another definition", "no last range", "another key"])
async def test_a_plan_that_is_altered_while_the_run_reads_is_not_followed(world: World, forged: str, step: str) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    await alter_once(world, step, PLAN_RECORD, Plan, PLANS[forged])
    report = await world.back_up("hotels", run=RUN)
    await require_whole(world, report)
    assert any("runs container" in note for note in report.notes)


def empty(found: CollectedPartition) -> CollectedPartition:
    piece = msgspec.structs.replace(found.pieces[0], documents=0, open=0, paged=False, marks=b"")
    return msgspec.structs.replace(found, known=b"", present=b"", pieces=[piece], sets=[])


def without_runs(found: CollectedPartition) -> CollectedPartition:
    return msgspec.structs.replace(found, sets=[])


@pytest.mark.parametrize("when", ["resumed", "live"])
@pytest.mark.parametrize("forged", [empty, without_runs], ids=lambda how: how.__name__)
async def test_a_partition_that_a_record_calls_read_is_counted(
    world: World, forged: Callable[[CollectedPartition], CollectedPartition], when: str
) -> None:
    if when == "resumed":
        await interrupt(world, "settle_partitions", UNORDERED)
        assert await change(world, "-part-", CollectedPartition, forged)
    else:
        await world.fill(UNORDERED, hotels.hotels(DOCUMENTS))
        await alter_once(world, "merge_partitions", "-part-", CollectedPartition, forged)
    await require_whole(world, await world.back_up("hotels", run=RUN))


@pytest.mark.parametrize("when", ["resumed", "live"])
@pytest.mark.parametrize("forged", RANGES)
async def test_what_a_record_calls_merged_is_held_against_what_was_read(world: World, forged: str, when: str) -> None:
    if when == "resumed":
        await interrupt(world, "commit_snapshot", UNORDERED)
        assert await change(world, "-merged-", ScannedRange, RANGES[forged]) == 1
    else:
        await world.fill(UNORDERED, hotels.hotels(DOCUMENTS))
        await alter_once(world, "commit_snapshot", "-merged-", ScannedRange, RANGES[forged])
    await require_whole(world, await world.back_up("hotels", run=RUN))


async def test_a_settling_that_is_altered_before_the_commit_is_not_believed(world: World) -> None:
    await world.fill(UNORDERED, hotels.hotels(DOCUMENTS))
    await alter_once(
        world,
        "commit_snapshot",
        "-settling",
        Settling,
        lambda found: msgspec.structs.replace(found, unknown=7),
    )
    report = await world.back_up("hotels", run=RUN)
    await require_whole(world, report)
    assert any("runs container" in note for note in report.notes)


@pytest.mark.parametrize("lie", ["another tree", "the future", "a path"])
async def test_an_identity_that_somebody_announced_is_not_taken(world: World, lie: str) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    there = await world.back_up("hotels")
    manifest = await resolve_manifest(
        world.store.snapshots, SnapshotReference(service=EAST, index="hotels", id=there.snapshot), now=LATER
    )

    async def alter(run: Run, resources: Any, given: Any) -> Any:
        found = await RecordStore(world.store.runs, Plan).read(checkpoint_name(RUN, PLAN_RECORD))
        assert found is not None
        now = datetime.now(UTC)
        created = datetime(2099, 1, 1, tzinfo=UTC) if lie == "the future" else now
        forged = Announcement(
            made=now,
            generation=manifest.generation,
            tree=Tree() if lie == "another tree" else manifest.tree,
            id="../../x" if lie == "a path" else f"{created:%Y%m%dT%H%M%SZ}-7f3a9c",
            created=created,
        )
        await RecordStore(world.store.runs, Announcement).write(announcement_name(EAST, "hotels", found.id), forged)
        return await run(resources, given)

    world.around["commit_snapshot"] = alter
    report = await world.back_up("hotels", run=RUN)
    await require_whole(world, report)
    assert not report.snapshot.endswith("-7f3a9c")
    assert report.snapshot < "2099"


async def forge_reveal(world: World, run: str, fields: list[str]) -> None:
    present = await world.east.index_definition("hotels")
    definition = Definition(stable=VersionedDefinition(present.api_version, present.body))
    reveal = Reveal(
        service=EAST,
        index="hotels",
        run=run,
        fields=fields,
        definition=definition,
        etag=present.etag,
        started=datetime(2026, 11, 1, tzinfo=UTC),
    )
    await RevealRecords(world.store.runs).write(reveal)


async def hidden_now(world: World) -> list[str]:
    definition = await world.east.index_definition("hotels")
    return [path for path, field in read_schema(definition.body, on="x").walk() if not field.is_readable]


@pytest.mark.parametrize("hidden_fields", ["report", "reveal"])
async def test_a_forged_reveal_hides_no_field_that_the_last_snapshot_shows(world: World, hidden_fields: str) -> None:
    await world.fill(hotels.with_field("name", retrievable=False), hotels.hotels(30))
    await world.back_up("hotels")
    await forge_reveal(world, "dead", ["stars", "rooms/rate"])
    report = await world.back_up("hotels", hidden_fields=hidden_fields)
    assert await hidden_now(world) == ["name"]
    assert any("stars" in note for note in report.notes)
    assert {loss.split(":")[0] for loss in report.losses} == ({"name"} if hidden_fields == "report" else set())


async def test_a_reveal_hides_what_its_own_run_revealed_and_nothing_else(world: World) -> None:
    await world.fill(hotels.with_field("name", retrievable=False), hotels.hotels(30))

    async def alter(run: Run, resources: Any, given: Any) -> Any:
        await forge_reveal(world, RUN, ["stars", "name"])
        return await run(resources, given)

    world.around |= dict.fromkeys(("plan_backup", "scan_range", "restore_fields"), alter)
    report = await world.back_up("hotels", run=RUN, hidden_fields="reveal")
    assert await hidden_now(world) == ["name"]
    reference = SnapshotReference(service=EAST, index="hotels")
    manifest = await resolve_manifest(world.store.snapshots, reference, now=LATER)
    shown = read_schema(manifest.definition.stable.body, on="x").walk()
    assert [path for path, field in shown if not field.is_readable] == ["name"]
    assert (report.state, report.documents) == ("complete", 30)


async def test_a_revealed_field_is_hidden_again_although_its_record_is_gone(world: World) -> None:
    await world.fill(hotels.with_field("name", retrievable=False), hotels.hotels(30))

    async def forget(run: Run, resources: Any, given: Any) -> Any:
        await RevealRecords(world.store.runs).remove(EAST, "hotels")
        return await run(resources, given)

    world.around["restore_fields"] = forget
    await world.back_up("hotels", hidden_fields="reveal")
    assert await hidden_now(world) == ["name"]


async def test_nothing_is_committed_if_the_records_are_altered_each_time(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))

    async def alter(run: Run, resources: Any, given: Any) -> Any:
        await change(world, "-range-", ScannedRange, halved)
        return await run(resources, given)

    world.around["commit_snapshot"] = alter
    with pytest.raises(IndexvaultError, match="runs container"):
        await world.back_up("hotels", run=RUN)
    assert await list_snapshots(world.store.snapshots) == []
