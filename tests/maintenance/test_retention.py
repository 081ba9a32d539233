"""What follows a policy's backup: copies, then removals, on every store; and reading back in slices."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from indexvault.errors import ForbiddenError, NotFoundError
from indexvault.maintenance.retention import MaintenanceJob, prune_stores, replicate
from indexvault.maintenance.scrub import ACTIVITIES, VERIFY_SERVICE, IndexToVerify, scrub_run, verify_due
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.known import forget_snapshot, known_snapshots, note_snapshot
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name, snapshot_id
from indexvault.snapshots.pins import Pin, pin
from indexvault.snapshots.repair import repair_index
from indexvault.snapshots.repair_sources import ReplicaSource
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.service_manifest import ServiceManifest, commit_service
from indexvault.snapshots.store import Protection, Store
from indexvault.snapshots.used_packs import used_packs
from indexvault.snapshots.verify import verify_index
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.local import LocalEngine
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, LATER, Calendar, World, open_world

DAY = timedelta(days=1)
HOTELS = MaintenanceJob(service=EAST, index="hotels")
NIGHTLY = PolicySettings(
    service=EAST, schedule="0 0 2 * * *", keep=Retention(last=2), replicate_to=("west",), verify_within=28 * DAY
)


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def west(calendar: Calendar) -> MemoryStore:
    return MemoryStore("west", calendar)


@pytest.fixture
async def world(calendar: Calendar, west: MemoryStore) -> AsyncIterator[World]:
    local = MemoryStore("local", calendar)
    async with open_world(local, clock=calendar, replicas={"west": west}, policies={"nightly": NIGHTLY}) as opened:
        await opened.fill(hotels.DEFINITION, hotels.hotels(300))
        yield opened


async def ids(store: Store, index: str = "hotels") -> list[str]:
    return [summary.id for summary in await list_snapshots(store.snapshots, EAST, index)]


async def nights(world: World, calendar: Calendar, number: int, policy: str | None = "nightly") -> list[str]:
    """Back up night after night and give the ids, the newest first."""
    made = []
    for _ in range(number):
        made.append((await world.back_up("hotels", policy=policy)).snapshot)
        calendar.now += DAY
    return made[::-1]


async def test_each_backup_is_copied_and_then_what_no_rule_keeps_is_removed_everywhere(
    world: World, calendar: Calendar, west: MemoryStore
) -> None:
    made = await nights(world, calendar, 4)
    assert await ids(world.store) == await ids(west) == made[:2]
    report = await world.back_up("hotels", policy="nightly")
    assert report.notes == [
        "1 snapshots copied to store west (0 packs)",
        "1 snapshots removed from store local",
        "1 snapshots removed from store west",
    ]


async def test_what_an_account_keeps_of_removed_blobs_is_told(
    world: World, calendar: Calendar, west: MemoryStore
) -> None:
    west.snapshots.protected = Protection(kind="version", versions=3, bytes=700, until=calendar.now + DAY)
    await nights(world, calendar, 2)
    before = await world.back_up("hotels", policy="nightly")
    assert any("3 versions" in note and "store west" in note and "until" in note for note in before.notes)
    plans = {each.store: each for each in await prune_stores(world.resources, HOTELS, dry_run=True)}
    assert plans["west"].protection is None  # nothing more is to be removed, so nothing is asked


async def test_a_backup_that_no_policy_asked_for_removes_nothing(
    world: World, calendar: Calendar, west: MemoryStore
) -> None:
    assert len(await nights(world, calendar, 4, policy=None)) == 4
    assert len(await ids(world.store)) == 4
    assert await ids(west) == []


async def test_a_policy_whose_backup_fails_removes_nothing(world: World, calendar: Calendar) -> None:
    await nights(world, calendar, 4, policy=None)
    index = await world.east.index_definition("hotels")
    await world.east.delete_index("hotels", before=index)
    with pytest.raises(NotFoundError):
        await world.back_up("hotels", policy="nightly")
    assert len(await ids(world.store)) == 4


async def test_a_pin_holds_in_every_store(world: World, calendar: Calendar, west: MemoryStore) -> None:
    made = await nights(world, calendar, 2)
    await pin(world.store, SnapshotReference(service=EAST, index="hotels", id=made[1]), Pin(calendar.now, "audit"))
    later = await nights(world, calendar, 2)
    assert await ids(world.store) == await ids(west) == [*later, made[1]]


async def test_a_replica_that_refuses_is_noted_and_the_snapshot_stays_made(
    world: World, west: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> bool:
        raise ForbiddenError("the identity may not do this", on="store west", do="")

    monkeypatch.setattr(west.snapshots, "create", refuse)
    report = await world.back_up("hotels", policy="nightly")
    assert report.notes == ["not copied to store west: store west: the identity may not do this"]
    assert await ids(world.store) == [report.snapshot]


async def test_a_dry_run_says_what_would_go_and_changes_nothing(world: World, calendar: Calendar) -> None:
    made = await nights(world, calendar, 3, policy=None)
    plans = await prune_stores(world.resources, HOTELS, dry_run=True)
    assert [plan.store for plan in plans] == ["local", "west"]
    assert [(each.snapshot.id, each.keep, each.reasons) for each in plans[0].decisions] == [
        (made[0], True, ("last 1", "the last complete one")),
        (made[1], True, ("last 2",)),
        (made[2], False, ("no rule keeps it",)),
    ]
    assert await ids(world.store) == made


async def test_packs_of_removed_snapshots_go_after_their_grace_period(world: World, calendar: Calendar) -> None:
    await nights(world, calendar, 1)
    before = [blob.name async for blob in world.store.snapshots.list(f"{EAST}/hotels/packs/")]
    index = await world.east.index_definition("hotels")
    await world.east.delete_index("hotels", before=index)
    await world.fill(hotels.DEFINITION, hotels.hotels(50, seed=2))
    await nights(world, calendar, 4)
    after = [blob.name async for blob in world.store.snapshots.list(f"{EAST}/hotels/packs/")]
    assert not set(before) & set(after)
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)
    used = await used_packs(world.store.snapshots, manifest)
    assert set(after) == {manifest.folder.pack(pack) for pack in used.chunks}


async def test_replicating_twice_at_once_gives_one_replica(world: World, calendar: Calendar, west: MemoryStore) -> None:
    made = await nights(world, calendar, 2, policy=None)
    await asyncio.gather(*(replicate(world.resources, HOTELS) for _ in range(3)))
    assert await ids(west) == made


class TestVerification:
    async def verify(self, world: World, calendar: Calendar) -> list[tuple[str, list[str], int, int]]:
        order = RunOrder(service=EAST, run=scrub_run(EAST, calendar.now))
        async with LocalEngine(world.resources, ACTIVITIES, [VERIFY_SERVICE]) as engine:
            report = await engine.run(VERIFY_SERVICE, order)
        return [(each.store, each.slices, each.chunks, len(each.damage)) for each in report.verified]

    async def test_every_chunk_is_read_once_in_the_period_of_the_policy(self, world: World, calendar: Calendar) -> None:
        await nights(world, calendar, 1)
        manifest = await resolve_manifest(
            world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER
        )
        found = []
        for _ in range(4):
            found += await self.verify(world, calendar)
            calendar.now += 7 * DAY
        for store in ("local", "west"):
            mine = [each for each in found if each[0] == store]
            assert sorted(each[1] for each in mine) == [["1/4"], ["2/4"], ["3/4"], ["4/4"]]
            assert sum(each[2] for each in mine) == manifest.tree.count

    async def test_a_turn_is_dealt_with_once_and_missed_turns_are_made_up(
        self, world: World, calendar: Calendar
    ) -> None:
        await nights(world, calendar, 1)
        await self.verify(world, calendar)
        assert [each[1] for each in await self.verify(world, calendar)] == [[], []]
        calendar.now += 21 * DAY
        assert [len(each[1]) for each in await self.verify(world, calendar)] == [3, 3]

    async def test_damage_is_named_and_stops_nothing(
        self, world: World, calendar: Calendar, west: MemoryStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        (made,) = await nights(world, calendar, 1)
        manifest = await resolve_manifest(west.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)
        name = manifest.folder.pack((await chunks_of(west.snapshots, manifest))[0].pack)
        await west.snapshots.delete(name)
        found = await verify_due(world.resources, IndexToVerify("west", EAST, "hotels"))
        assert [(finding.blob, finding.snapshots) for finding in found.damage] == [(name, (made,))]
        assert name in caplog.text
        assert made in caplog.text

    async def test_a_vanished_manifest_is_named_in_each_store(
        self, world: World, calendar: Calendar, west: MemoryStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        (made,) = await nights(world, calendar, 1)
        name = manifest_name(EAST, "hotels", made)
        await world.store.snapshots.delete(name)
        await west.snapshots.delete(name)
        found = await self.verify(world, calendar)
        assert [(each[0], each[3]) for each in found] == [("local", 1), ("west", 1)]
        assert f"{name}: the manifest has vanished, and nobody removed it" in caplog.text

    async def test_an_index_of_which_nothing_is_left_is_verified_too(
        self, world: World, calendar: Calendar, west: MemoryStore
    ) -> None:
        await nights(world, calendar, 1)
        world.store.snapshots._blobs.clear()  # type: ignore[attr-defined]
        assert [(each[0], each[3]) for each in await self.verify(world, calendar)] == [("local", 1), ("west", 0)]
        assert west.snapshots._blobs

    async def test_snapshots_that_were_never_recorded_are_recorded(self, world: World, calendar: Calendar) -> None:
        """An earlier version made them, or the run died right after its commit."""
        (made,) = await nights(world, calendar, 1)
        reference = SnapshotReference(service=EAST, index="hotels", id=made)
        await forget_snapshot(world.store.runs, reference)
        assert [each[3] for each in await self.verify(world, calendar)] == [0, 0]
        assert await known_snapshots(world.store.runs) == {reference}

    async def test_the_objects_of_a_service_are_looked_for(self, world: World, calendar: Calendar) -> None:
        manifest = ServiceManifest(
            id=snapshot_id(calendar.now, b"abc"),
            service=EAST,
            state="complete",
            created=calendar.now,
            tool="indexvault",
            run="run-1",
            objects=(),
        )
        summary = await commit_service(world.store.snapshots, manifest)
        await note_snapshot(world.store.runs, summary)
        await world.store.snapshots.delete(manifest_name(EAST, SERVICE_OBJECTS, manifest.id))
        assert [(each[0], each[3]) for each in await self.verify(world, calendar)] == [("local", 1)]


async def test_a_prune_records_what_was_never_recorded(world: World, calendar: Calendar, west: MemoryStore) -> None:
    (made,) = await nights(world, calendar, 1)
    reference = SnapshotReference(service=EAST, index="hotels", id=made)
    for store in (world.store, west):
        await forget_snapshot(store.runs, reference)
    await prune_stores(world.resources, HOTELS, dry_run=True)
    assert await known_snapshots(world.store.runs) == set()
    await prune_stores(world.resources, HOTELS, dry_run=False)
    for store in (world.store, west):
        assert await known_snapshots(store.runs) == {reference}


async def test_every_way_to_a_snapshot_records_it(world: World, calendar: Calendar, west: MemoryStore) -> None:
    (made,) = await nights(world, calendar, 1)
    reference = SnapshotReference(service=EAST, index="hotels", id=made)
    assert await known_snapshots(world.store.runs) == await known_snapshots(west.runs) == {reference}
    for name in [blob.name async for blob in west.runs.list("known/")]:
        await west.runs.delete(name)
    name = manifest_name(EAST, "hotels", made)
    await west.snapshots.delete(name)
    found = await verify_index(west.snapshots, EAST, "hotels", missing={made: "vanished"})
    await repair_index(west, found, [ReplicaSource("store local", world.store.snapshots)], calendar)
    assert await ids(west) == [made]
    assert await known_snapshots(west.runs) == {reference}


async def test_restores_read_from_the_store_that_answers(world: World) -> None:
    made = await world.back_up("hotels", policy="nightly")
    for name in [blob.name async for blob in world.store.snapshots.list("")]:
        await world.store.snapshots.delete(name)
    reading = world.clients.reading_store(EAST, near="west")
    manifest = await resolve_manifest(reading.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)
    assert manifest.id == made.snapshot


async def test_the_service_s_other_objects_are_copied_audited_and_pruned_too(
    world: World, calendar: Calendar, west: MemoryStore
) -> None:
    made = []
    for _ in range(3):
        manifest = ServiceManifest(
            id=snapshot_id(calendar.now, b"abc"),
            service=EAST,
            state="complete",
            created=calendar.now,
            tool="test",
            run=f"run-{calendar.now}",
            objects=(),
        )
        await commit_service(world.store.snapshots, manifest)
        made.append(manifest.id)
        calendar.now += DAY
    await world.back_up("hotels", policy="nightly")
    assert await ids(west, SERVICE_OBJECTS) == made[::-1]
    audit = await verify_index(west.snapshots, EAST, SERVICE_OBJECTS)
    assert (audit.snapshots, audit.findings) == (3, ())
    name = manifest_name(EAST, SERVICE_OBJECTS, made[1])
    data = await west.snapshots.read(name, 10**6)
    await west.snapshots.delete(name)
    await west.snapshots.create(name, data.replace(b"test", b"tset"))
    damaged = await verify_index(west.snapshots, EAST, SERVICE_OBJECTS)
    assert [finding.snapshots for finding in damaged.damage] == [(made[1],)]
    source = ReplicaSource("store local", world.store.snapshots)
    assert len((await repair_index(west, damaged, [source], calendar)).repaired) == 1
    assert not (await verify_index(west.snapshots, EAST, SERVICE_OBJECTS)).findings
    await prune_stores(world.resources, MaintenanceJob(service=EAST, index=SERVICE_OBJECTS), dry_run=False)
    assert await ids(west, SERVICE_OBJECTS) == await ids(world.store, SERVICE_OBJECTS) == made[:0:-1]
