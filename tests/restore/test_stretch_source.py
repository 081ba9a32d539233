"""What a stretch needs of the manifest travels in its own record."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import IntegrityError, OverloadedError
from indexvault.restore import stretch_source
from indexvault.restore.stretch_source import (
    MoreChunks,
    StretchSource,
    has_sources,
    manifest_of,
    read_sources,
    snapshot_source,
    write_sources,
)
from indexvault.restore.stretches import joined
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.checkpoints import Checkpoints
from tests import hotels
from tests.memory_store import MemorySnapshotBlobs, MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, WEST, World, open_world

LATE = {"fault": "item", "status": 503, "key": "h00[1-9]", "operation": "index_documents"}
"""Documents from the second thousand on are put off for ever."""


class CountingBlobs(MemorySnapshotBlobs):
    """Counts the manifests that are read."""

    manifests = 0

    async def read(self, name: str, limit: int) -> bytes:
        self.manifests += "/manifests/" in name
        return await super().read(name, limit)


class CountingStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__("local")
        self.snapshots: CountingBlobs = CountingBlobs("local", lambda: datetime.now(UTC))


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
async def world(store: CountingStore) -> AsyncIterator[World]:
    async with open_world(store) as opened:
        yield opened


async def backed_up(world: World, documents: int = 1500) -> tuple[BackupReport, Manifest, list[Chunk]]:
    await world.fill(hotels.DEFINITION, hotels.hotels(documents))
    snapshot = await world.back_up("hotels")
    manifest = await manifest_of(world.store, EAST, "hotels", snapshot.snapshot)
    chunks = await chunks_of(world.store.snapshots, manifest)
    assert len(chunks) > 3
    assert manifest.tree.level
    return snapshot, manifest, chunks


def one_key_a_chunk(chunks: list[Chunk]) -> tuple[str, ...]:
    """Keys that make a stretch of some chunks, each of its own."""
    return tuple(chunk.first for chunk in chunks[::8])


async def chunks_in(stretch: StretchSource, after: str | None = None) -> list[Chunk]:
    return [chunk async for batch in stretch.batches(after=after) for chunk in batch]


async def manifests_read(world: World, store: CountingStore, snapshot: BackupReport, **changes: Any) -> int:
    before = store.snapshots.manifests
    await world.restore(snapshot, **changes)
    return store.snapshots.manifests - before


@pytest.mark.slow  # reads or restores an index many times
async def test_a_restore_reads_the_manifest_as_often_for_many_stretches_as_for_one(
    world: World, store: CountingStore
) -> None:
    snapshot, _manifest, chunks = await backed_up(world)
    keys = one_key_a_chunk(chunks)
    one = await manifests_read(world, store, snapshot, index="one", keys=keys[:1])
    many = await manifests_read(world, store, snapshot, index="many", keys=keys)
    whole = await manifests_read(world, store, snapshot, index="whole")
    assert await world.west.count("many") == len(keys)
    assert one == many == whole == 3
    before = store.snapshots.manifests
    await world.restore(snapshot, index="whole", mode="fill", keys=keys)
    assert store.snapshots.manifests - before == 2


async def test_a_preflight_reads_the_manifest_no_oftener_than_activities_run_at_once(
    world: World, store: CountingStore
) -> None:
    snapshot, _manifest, chunks = await backed_up(world)
    before = store.snapshots.manifests
    report = await world.preflight(snapshot, keys=one_key_a_chunk(chunks), parallel=2)
    assert report.ready
    assert store.snapshots.manifests - before == 3


async def test_a_restore_resumes_without_such_records(world: World, store: CountingStore) -> None:
    snapshot, _manifest, chunks = await backed_up(world)
    keys = one_key_a_chunk(chunks)
    await world.faults(WEST, LATE)
    with pytest.raises(OverloadedError):
        await world.restore(snapshot, keys=keys)
    await world.faults(WEST)
    named = [
        blob.name async for blob in store.runs.list("runs/") if "/stretch-" in blob.name or "/snapshot" in blob.name
    ]
    assert len(named) == len(keys) + 1
    for name in named:
        await store.runs.delete(name)
    before = store.snapshots.manifests
    report = await world.restore(snapshot, keys=keys)
    assert report.resumed is not None
    assert report.identical == len(keys)
    assert store.snapshots.manifests - before == 1


async def test_a_stretch_without_a_record_reads_the_manifest_once_and_writes_it(
    world: World, store: CountingStore
) -> None:
    snapshot, manifest, chunks = await backed_up(world)
    records = Checkpoints(store.runs, "a-run")
    before = store.snapshots.manifests
    for _ in range(2):
        found = await read_sources(records, store, reference(snapshot), 1, 3)
        assert found.source == snapshot_source(manifest)
        assert (found.stretch.after, found.stretch.until) == (chunks[0].last, chunks[2].last)
        assert await chunks_in(found) == chunks[1:3]
    assert store.snapshots.manifests - before == 1


def reference(snapshot: BackupReport) -> SnapshotReference:
    return SnapshotReference(service=EAST, index="hotels", id=snapshot.snapshot)


async def test_the_record_of_the_last_stretch_says_that_all_are_written(world: World, store: CountingStore) -> None:
    _snapshot, manifest, chunks = await backed_up(world)
    records = Checkpoints(store.runs, "a-run")
    cut = [(0, 1), (1, 3), (3, len(chunks))]
    assert not await has_sources(records, cut)
    await write_sources(records, store.snapshots, manifest, cut)
    assert await has_sources(records, cut)


async def test_stretches_leave_no_key_between_them(world: World, store: CountingStore) -> None:
    snapshot, manifest, chunks = await backed_up(world)
    end = len(chunks)
    records = Checkpoints(store.runs, "a-run")
    cut = [(0, 1), (1, 3), (3, end)]
    written = await write_sources(records, store.snapshots, manifest, cut)
    assert written.stored == 1500
    noted = [await read_sources(records, store, reference(snapshot), *each) for each in cut]
    assert [each.stretch.digest for each in noted] == written.stretches
    assert [chunk for each in noted for chunk in await chunks_in(each)] == chunks
    first, middle, last = (each.stretch for each in noted)
    assert (first.after, first.until, middle.after, middle.until) == (
        None,
        chunks[0].last,
        chunks[0].last,
        chunks[2].last,
    )
    assert (last.after, last.until) == (chunks[2].last, None)
    assert await chunks_in(noted[2], after=chunks[10].first) == chunks[10:]
    assert await chunks_in(noted[2], after=chunks[10].last) == chunks[11:]


async def test_a_long_stretch_has_several_records_each_proved(
    world: World, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretch_source, "RECORD_CHUNKS", 10)
    snapshot, manifest, chunks = await backed_up(world)
    records = Checkpoints(store.runs, "a-run")
    cut = [(0, 2), (2, len(chunks) - 5), (len(chunks) - 5, len(chunks))]
    written = await write_sources(records, store.snapshots, manifest, cut)
    noted = [await read_sources(records, store, reference(snapshot), *each) for each in cut]
    assert [len(each.stretch.rest) for each in noted] == [0, (len(chunks) - 8) // 10, 0]
    assert all(len(each.stretch.chunks) <= 10 for each in noted)
    assert [chunk for each in noted for chunk in await chunks_in(each)] == chunks
    assert sum(each.stretch.documents for each in noted) == written.stored == 1500
    second = f"stretch-2-{len(chunks) - 5}-2"
    names = [blob.name async for blob in store.runs.list("runs/") if second in blob.name]
    await store.runs.delete(names[0])
    assert await chunks_in(noted[1]) == chunks[2:-5]
    other = await records.read(f"stretch-2-{len(chunks) - 5}-1", MoreChunks)
    assert other is not None
    await records.write(second, other)
    with pytest.raises(IntegrityError, match="not what this restore wrote"):
        await chunks_in(noted[1])


async def test_of_listed_keys_only_the_chunks_that_may_hold_them_are_noted(world: World, store: CountingStore) -> None:
    snapshot, manifest, chunks = await backed_up(world)
    records = Checkpoints(store.runs, "a-run")
    wanted = [chunks[position] for position in (3, 20, len(chunks) - 1)]
    keys = [chunk.last for chunk in wanted]
    cut = [(3, 21), (len(chunks) - 1, len(chunks))]
    written = await write_sources(records, store.snapshots, manifest, cut, keys=keys)
    assert written.stored == sum(chunk.documents for chunk in wanted)
    for digests in ([(written.source, digest) for digest in written.stretches], [None, None]):
        noted = [
            await read_sources(records, store, reference(snapshot), *each, digests=digest, keys=keys)
            for each, digest in zip(cut, digests, strict=True)
        ]
        assert [chunk for each in noted for chunk in await chunks_in(each)] == wanted
        assert [(each.stretch.after, each.stretch.until) for each in noted] == [
            (chunks[2].last, chunks[20].last),
            (chunks[-2].last, None),
        ]
        await records.clear()


@pytest.mark.parametrize(
    ("most", "expected"),
    [(1, [(0, 9)]), (2, [(0, 4), (6, 9)]), (3, [(0, 4), (6, 9)]), (9, [(0, 2), (2, 4), (6, 7), (7, 9)])],
)
def test_stretches_are_joined_to_as_many_as_run_at_once(most: int, expected: list[tuple[int, int]]) -> None:
    assert joined([(0, 2), (2, 4), (6, 7), (7, 9)], most) == expected
