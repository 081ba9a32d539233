from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from indexvault.backup import key_ranges
from indexvault.backup.commit import commit_snapshot
from indexvault.backup.job import BackupJob, ScanInput, ScanSummary
from indexvault.backup.limits import Limits
from indexvault.backup.state import PLAN_FORMAT, PLAN_RECORD
from indexvault.errors import IndexvaultError, IntegrityError, UnreachableError
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder, SnapshotReference
from indexvault.snapshots.packs import scan_members
from indexvault.snapshots.run_names import checkpoint_name
from indexvault.snapshots.store import Store
from indexvault.workflow.activity import Resources
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, LATER, Run, World, open_world

DOCUMENTS = 2_100
LIMITS = Limits(smallest_range=DOCUMENTS // 8, pack_bytes=16 * 1024)


class CountingStore(MemoryStore):
    """A store in memory that notes every pack it is sent."""

    def __init__(self) -> None:
        super().__init__("local")
        self.sent: list[str] = []
        create = self.snapshots.create

        async def counted(
            name: str, data: bytes, *, metadata: Mapping[str, str] | None = None, content_type: str = ""
        ) -> bool:
            if "/packs/" in name or "/segments/" in name:
                self.sent.append(name)
            return await create(name, data, metadata=metadata, content_type=content_type)

        self.snapshots.create = counted  # type: ignore[method-assign]  # what crosses to the store is watched


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(clock: Clock) -> AsyncIterator[World]:
    async with open_world(CountingStore(), clock=clock, limits=LIMITS) as opened:
        yield opened


def sent(world: World) -> list[str]:
    assert isinstance(world.store, CountingStore)
    return world.store.sent


async def manifest_of(world: World, index: str) -> Manifest:
    return await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index=index), now=LATER)


async def interrupt(world: World, index: str, *, after: int) -> None:
    """Run until the service has answered so many searches and then answers none any more."""
    await world.faults(EAST, {"fault": "unavailable", "operation": "search", "skip": after})
    with pytest.raises(IndexvaultError):
        await world.back_up(index, run="interrupted")
    await world.faults(EAST)
    await world.control("DELETE", EAST, "/requests")


async def searches(world: World) -> int:
    return int((await world.requests(EAST))["search"]["requests"])


async def stored_members(store: Store) -> int:
    """Return how many chunks lie in packs, each counted as often as it does."""
    folder = PackFolder(service=EAST, index="hotels")
    packs = [blob.name async for blob in store.snapshots.list(folder.prefix())]
    return sum([len(list(scan_members(await store.snapshots.read(name, 10**8), name))) for name in packs])


async def test_a_run_goes_on_from_its_finished_ranges_and_sends_no_pack_twice(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    await interrupt(world, "hotels", after=24)
    before = len(sent(world))
    assert before > 0
    report = await world.back_up("hotels", run="interrupted")
    resumed_searches = await searches(world)
    assert report.documents == DOCUMENTS
    assert report.notes == []
    assert len(set(sent(world))) == len(sent(world))
    assert await stored_members(world.store) == report.chunks
    resumed = await manifest_of(world, "hotels")
    async with open_world(MemoryStore("other"), limits=LIMITS) as other:
        await other.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
        await other.back_up("hotels")
        assert resumed_searches < await searches(other)
        undisturbed = await manifest_of(other, "hotels")
    chunks = [chunk.sha256 for chunk in await chunks_of(world.store.snapshots, resumed)]
    assert chunks == [chunk.sha256 for chunk in await chunks_of(other.store.snapshots, undisturbed)]


async def test_activities_that_read_several_ranges_go_on_within_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    whole = await world.back_up("hotels")
    assert whole.reading is not None
    assert whole.reading.parts > 4
    monkeypatch.setattr(key_ranges, "MOST_SCANS", 2)
    scanned: list[ScanSummary] = []

    async def noted(run: Run, resources: Resources, given: ScanInput) -> ScanSummary:
        scanned.append(await run(resources, given))
        return scanned[-1]

    world.around["scan_range"] = noted
    await interrupt(world, "hotels", after=14)
    started = len(scanned)
    report = await world.back_up("hotels", run="interrupted")
    assert 0 < len(scanned) - started <= 2
    assert report.documents == sum(each.documents for each in scanned[started:]) == DOCUMENTS
    assert report.reading is not None
    assert (report.reading.parts, report.chunks, report.added_chunks) == (whole.reading.parts, whole.chunks, 0)
    assert report.notes == []


async def test_a_run_in_parts_goes_on_from_its_finished_parts(world: World) -> None:
    await world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(1500))
    await interrupt(world, "hotels", after=8)
    report = await world.back_up("hotels", run="interrupted")
    assert (report.documents, report.notes) == (1500, [])
    assert [blob.name async for blob in world.store.runs.list("runs/")] == []


@pytest.mark.parametrize("failing", range(1, 6))
async def test_a_commit_whose_checkpoints_could_not_all_be_cleared_is_a_success(world: World, failing: int) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    delete, deleted = world.store.runs.delete, 0

    async def failing_once(name: str, *, if_match: str | None = None, lease: str | None = None) -> bool:
        nonlocal deleted
        if name.startswith("runs/"):
            deleted += 1
            if deleted == failing:
                raise UnreachableError("no answer", on=name, do="Try again")
        return await delete(name, if_match=if_match, lease=lease)

    world.store.runs.delete = failing_once  # type: ignore[method-assign]  # the store is made to fail
    report = await world.back_up("hotels", run="committed")
    assert (report.documents, report.state) == (DOCUMENTS, "complete")
    assert deleted >= failing
    assert [each.run for each in await list_snapshots(world.store.snapshots, EAST, "hotels")] == ["committed"]


async def test_a_commit_that_is_done_again_after_its_checkpoints_went_tells_of_the_same_snapshot(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    report = await world.back_up("hotels", run="committed")
    again = await commit_snapshot(world.resources, BackupJob(service=EAST, index="hotels", run="committed"))
    assert (again.snapshot, again.documents) == (report.snapshot, report.documents)
    with pytest.raises(IntegrityError, match="its record of plan is gone"):
        await commit_snapshot(world.resources, BackupJob(service=EAST, index="hotels", run="another"))


async def test_a_changed_definition_starts_over_and_says_so(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    await interrupt(world, "hotels", after=24)
    current = await world.east.index_definition("hotels")
    changed = msgspec.json.decode(current.body)
    changed["fields"].append({"name": "new", "type": "Edm.String"})
    await world.east.update_index("hotels", msgspec.json.encode(changed), before=current, preview=False)
    report = await world.back_up("hotels", run="interrupted")
    assert len(report.notes) == 1
    assert "definition has changed" in report.notes[0]
    assert report.documents == DOCUMENTS
    assert b'"new"' in bytes((await manifest_of(world, "hotels")).definition.stable.body)
    assert [blob.name async for blob in world.store.runs.list("runs/")] == []


async def test_a_run_of_the_day_before_yesterday_starts_over_and_says_so(world: World, clock: Clock) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    await interrupt(world, "hotels", after=24)
    clock.now += timedelta(days=2)
    report = await world.back_up("hotels", run="interrupted")
    assert "more than a day ago" in report.notes[0]
    assert (await manifest_of(world, "hotels")).started == clock.now


async def test_records_of_another_format_start_over_and_say_so(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
    await interrupt(world, "hotels", after=24)
    name = checkpoint_name("interrupted", PLAN_RECORD)
    stored = await world.store.runs.read(name, 10**8)
    assert stored is not None
    await world.store.runs.put(name, stored.data.replace(PLAN_FORMAT.encode(), b"indexvault/0 plan 9"))
    report = await world.back_up("hotels", run="interrupted")
    assert "format" in report.notes[0]
    assert report.documents == DOCUMENTS


@pytest.mark.slow  # reads or restores an index many times
async def test_a_run_killed_in_any_round_goes_on_and_ends_the_same(world: World) -> None:
    await world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(2_100))
    await world.back_up("hotels", run="first")
    await world.control("DELETE", EAST, "/requests")
    await world.back_up("hotels", run="undisturbed")
    needed = await searches(world)
    assert needed > 8
    for after in range(2, needed):
        await interrupt(world, "hotels", after=after)
        report = await world.back_up("hotels", run="interrupted")
        assert (report.documents, report.state, report.notes) == (2_100, "complete", [])
        assert report.added_chunks == 0
        assert await searches(world) <= needed
    assert [blob.name async for blob in world.store.runs.list("runs/")] == []
