"""Which packs a backup makes, which blobs it writes, and what is left of that when it is killed."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupJob
from indexvault.backup.leftovers import Leftovers
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.state import PLAN_RECORD, Plan, ScannedRange
from indexvault.backup.tree_building import build_tree
from indexvault.errors import ConflictError, IndexvaultError
from indexvault.search.scan import KeyRange
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.chunks import Chunk, document_lines
from indexvault.snapshots.manifest import Added, Definition, Manifest, VersionedDefinition
from indexvault.snapshots.names import PackFolder, SnapshotReference
from indexvault.snapshots.packs import member, scan_members
from indexvault.snapshots.reader import as_bytes, read_chunks
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import checkpoint_name, run_prefix
from indexvault.snapshots.store import RunBlob, Store
from tests import hotels
from tests.memory_store import MemoryStore
from tests.peak import taking_at_most
from tests.snapshots.samples import chunks_of, verified
from tests.watched_store import WatchedStore
from tests.world import EAST, LATER, World, open_world, upload_batch

DOCUMENTS = 800
RANGES = 8
IN_RANGES = Limits(smallest_range=DOCUMENTS // RANGES)
IN_PACKS = msgspec.structs.replace(IN_RANGES, pack_bytes=6 * 1024, smallest_pack=3 * 1024)
FOLDER = PackFolder(service=EAST, index="hotels")
RUN = "interrupted"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(WatchedStore(), limits=IN_RANGES) as opened:
        await opened.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
        yield opened


def store_of(world: World) -> WatchedStore:
    assert isinstance(world.store, WatchedStore)
    return world.store


async def newest(world: World) -> Manifest:
    return await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)


async def packs(store: Store) -> list[str]:
    return [blob.name async for blob in store.snapshots.list(FOLDER.prefix())]


async def require_whole(world: World) -> Manifest:
    manifest = await newest(world)
    chunks = await chunks_of(world.store.snapshots, manifest)
    found = [
        msgspec.json.decode(line)["id"]
        async for _chunk, data in read_chunks(world.store.snapshots, manifest.folder, [chunks], as_bytes)
        for line in document_lines(data)
    ]
    assert found == [each["id"] for each in hotels.hotels(DOCUMENTS)]
    (await verified(world.store.snapshots, manifest)).raise_for_damage()
    return manifest


async def test_what_many_ranges_leave_over_shares_a_pack(world: World) -> None:
    report = await world.back_up("hotels")
    assert report.reading is not None
    assert report.reading.parts == RANGES
    [pack] = await packs(world.store)
    manifest = await require_whole(world)
    assert {chunk.pack for chunk in await chunks_of(world.store.snapshots, manifest)} == {pack.split("/")[-1][:64]}
    data = await world.store.snapshots.read(pack, 10**8)
    assert len(list(scan_members(data, pack))) == report.chunks
    assert report.stored_bytes == len(data) <= report.added_bytes


async def test_an_unchanged_index_costs_its_manifest_and_few_records(world: World) -> None:
    await world.back_up("hotels")
    store_of(world).written.clear()
    report = await world.back_up("hotels")
    assert (report.added_chunks, report.added_bytes) == (0, 0)
    written = store_of(world).written
    assert len([name for name in written if name.startswith(EAST)]) == 1
    records = [name for name in written if name.startswith("runs/")]
    assert len(records) == 1  # the plan


async def test_a_change_costs_its_chunk_the_way_to_the_root_and_one_leftover(world: World) -> None:
    await world.back_up("hotels")
    store_of(world).written.clear()
    renamed = hotels.hotels(DOCUMENTS)[DOCUMENTS // 2] | {"name": "renamed"}
    await world.east.index_documents("hotels", upload_batch([msgspec.json.encode(renamed)]))
    report = await world.back_up("hotels")
    assert report.added_chunks == 1
    written = store_of(world).written
    assert len([name for name in written if "/left/" in name]) == 1
    assert sorted(name.split("/")[2] for name in written if name.startswith(EAST)) == ["manifests", "packs", "segments"]


async def undisturbed_writes() -> int:
    async with open_world(WatchedStore(), limits=IN_PACKS) as other:
        await other.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
        await other.back_up("hotels", run=RUN, parallel=2)
        assert len(await packs(other.store)) > RANGES
        return len(store_of(other).written)


async def require_resumed(dies_at: int, *, done: bool) -> None:
    async with open_world(WatchedStore(), limits=IN_PACKS) as world:
        store = store_of(world)
        await world.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
        store.dies_at, store.done = dies_at, done
        with pytest.raises(IndexvaultError):
            await world.back_up("hotels", run=RUN, parallel=2)
        store.dies_at = None
        report = await world.back_up("hotels", run=RUN, parallel=2)
        assert (report.state, report.documents, report.notes) == ("complete", DOCUMENTS, [])
        manifest = await require_whole(world)
        assert not [name for name in store.again if "/packs/" in name or "/segments/" in name]
        stored = [len(list(scan_members(await store.snapshots.read(name, 10**8), name))) for name in await packs(store)]
        assert sum(stored) == manifest.tree.count
        assert [blob.name async for blob in store.runs.list("runs/")] == []


async def test_a_backup_that_is_killed_resumes_and_sends_no_stored_pack_again() -> None:
    writes = await undisturbed_writes()
    for dies_at in range(4, writes - 8, writes // 5):
        await require_resumed(dies_at, done=bool(dies_at % 2))


@pytest.mark.slow  # backs up an index some hundred times
@pytest.mark.parametrize("done", [False, True])
async def test_a_backup_that_is_killed_at_any_write_resumes_and_sends_no_stored_pack_again(*, done: bool) -> None:
    writes = await undisturbed_writes()
    for dies_at in range(1, writes - 5):
        await require_resumed(dies_at, done=done)


async def leftovers(world: World) -> list[str]:
    return [blob.name async for blob in world.store.runs.list(f"{run_prefix(RUN)}left/")]


def made_member(number: int = 0) -> bytes:
    line = b'{"id":"forged%d"}\n' % number
    return member(hashlib.sha256(line).hexdigest(), line)


FORGED = {"gone": b"", "other members": made_member(), "no members": b"x" * 999}


async def forge(world: World, data: bytes) -> None:
    for name in await leftovers(world):
        if data:
            await world.store.runs.put(name, data)
        else:
            await world.store.runs.delete(name)


@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_leftover_is_not_believed_by_a_run_that_resumes(world: World, forged: str) -> None:
    async def die(_run: Any, _resources: Any, _given: Any) -> Any:
        raise ConflictError("it died", on="a test", do="Run again")

    world.around["commit_snapshot"] = die
    with pytest.raises(ConflictError):
        await world.back_up("hotels", run=RUN)
    del world.around["commit_snapshot"]
    assert len(await leftovers(world)) == RANGES
    await forge(world, FORGED[forged])
    report = await world.back_up("hotels", run=RUN)
    assert (report.state, report.notes) == ("complete", [])
    await require_whole(world)


@pytest.mark.parametrize("forged", FORGED)
async def test_a_leftover_that_is_forged_before_the_commit_is_not_packed(world: World, forged: str) -> None:
    async def alter(run: Any, resources: Any, given: Any) -> Any:
        del world.around["commit_snapshot"]
        await forge(world, FORGED[forged])
        return await run(resources, given)

    world.around["commit_snapshot"] = alter
    report = await world.back_up("hotels", run=RUN)
    assert any("runs container" in note for note in report.notes)
    await require_whole(world)


CHUNKS_A_RANGE = 10_000


def plan_of(ranges: int) -> Plan:
    definition = Definition(stable=VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(b"{}")))
    return Plan(
        id="plan",
        started=datetime(2026, 11, 20, tzinfo=UTC),
        definition=definition,
        etag="1",
        etag_reading="1",
        synonym_maps=[],
        losses=[],
        key_field="id",
        counted=0,
        found=0,
        elevated=False,
        average_document_bytes=1000,
        boundary_bits=3,
        previous=None,
        method="",
        reason="",
        ranges=[KeyRange(None, None)] * ranges,
    )


def record_of(position: int) -> ScannedRange:
    """Return the record of a range with many chunks."""
    start = position * CHUNKS_A_RANGE
    chunks = [
        Chunk(hashlib.sha256(b"%d" % number).hexdigest(), f"{number:09}", f"{number:09}z", 8, 8000, "ab" * 32, 64, 3000)
        for number in range(start, start + CHUNKS_A_RANGE)
    ]
    return ScannedRange(chunks=chunks, digest="0" * 64, added=Added(CHUNKS_A_RANGE, 8000, 3000))


class ManyRecords(MemoryStore):
    """A store with a record for every range, made when it is read, that keeps none of what is written to it."""

    def __init__(self) -> None:
        super().__init__("local")
        self.segments = 0
        read = self.runs.read

        async def read_made(name: str, limit: int) -> RunBlob | None:
            _before, found, position = name.rpartition("-range-")
            if not found:
                return await read(name, limit)
            record = record_of(int(position.removesuffix(".json")))
            return RunBlob(msgspec.json.encode(record), "etag")

        async def forget(_name: str, data: bytes, **_more: Any) -> bool:
            self.segments += len(data)
            return True

        self.runs.read = read_made  # type: ignore[method-assign]  # the records are too many to hold
        self.snapshots.create = forget  # type: ignore[method-assign,assignment]  # the same


async def build(ranges: int) -> None:
    store, plan = ManyRecords(), plan_of(ranges)
    await RecordStore(store.runs, Plan).write(checkpoint_name("run", PLAN_RECORD), plan)
    built = await build_tree(store, BackupJob(service=EAST, index="hotels", run="run"), plan, None, LIMITS)
    assert built.tree.count == ranges * CHUNKS_A_RANGE == built.added.chunks
    assert store.segments > ranges * CHUNKS_A_RANGE * 32


@pytest.mark.slow  # a million chunks
async def test_a_commit_of_a_million_chunks_takes_no_more_memory_than_one_of_few() -> None:
    await build(2)
    with taking_at_most(40):
        await build(100)


async def test_leftovers_fill_packs_in_the_order_of_the_ranges() -> None:
    store, plan = MemoryStore(), plan_of(5)
    left = [made_member(position) * number for position, number in enumerate((3, 1, 4, 1, 5))]
    for position, data in enumerate(left):
        await store.runs.put(f"{run_prefix('run')}left/plan-{position}.jsonl.gz", data)
    job = BackupJob(service=EAST, index="hotels", run="run", left=(0, 1, 2, 3, 4))
    for _ in range(2):
        await Leftovers.join(store, job, plan, len(made_member(0)) * 4)
        stored = {await store.snapshots.read(name, 10**6) for name in await packs(store)}
        assert stored == {left[0] + left[1], left[2], left[3] + left[4]}
