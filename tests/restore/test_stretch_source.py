"""What a stretch needs of the manifest travels in its own record."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import OverloadedError
from indexvault.restore.stretch_source import (
    has_sources,
    manifest_of,
    read_sources,
    snapshot_source,
    stretch_chunks,
    write_sources,
)
from indexvault.restore.stretches import joined
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.checkpoints import Checkpoints
from tests import hotels
from tests.memory_store import MemorySnapshotBlobs, MemoryStore
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


async def backed_up(world: World, documents: int) -> tuple[BackupReport, Manifest]:
    await world.fill(hotels.DEFINITION, hotels.hotels(documents))
    snapshot = await world.back_up("hotels")
    manifest = await manifest_of(world.store, EAST, "hotels", snapshot.snapshot)
    assert len(manifest.chunks) > 3
    return snapshot, manifest


def one_key_a_chunk(manifest: Manifest) -> tuple[str, ...]:
    """Keys that make a stretch of every chunk."""
    return tuple(chunk.first for chunk in manifest.chunks)


async def manifests_read(world: World, store: CountingStore, snapshot: BackupReport, **changes: Any) -> int:
    before = store.snapshots.manifests
    await world.restore(snapshot, **changes)
    return store.snapshots.manifests - before


@pytest.mark.slow  # reads or restores an index many times
async def test_a_restore_reads_the_manifest_as_often_for_many_stretches_as_for_one(
    world: World, store: CountingStore
) -> None:
    snapshot, manifest = await backed_up(world, 1500)
    keys = one_key_a_chunk(manifest)
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
    snapshot, manifest = await backed_up(world, 1500)
    before = store.snapshots.manifests
    report = await world.preflight(snapshot, keys=one_key_a_chunk(manifest), parallel=2)
    assert report.ready
    assert store.snapshots.manifests - before == 3


async def test_a_restore_of_an_earlier_version_resumes_without_such_records(world: World, store: CountingStore) -> None:
    snapshot, manifest = await backed_up(world, 1500)
    keys = one_key_a_chunk(manifest)
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
    snapshot, manifest = await backed_up(world, 1500)
    records = Checkpoints(store.runs, "a-run")
    reference = SnapshotReference(service=EAST, index="hotels", id=snapshot.snapshot)
    before = store.snapshots.manifests
    for _ in range(2):
        found = await read_sources(records, store, reference, 1, 3)
        assert found == (snapshot_source(manifest), stretch_chunks(manifest, 1, 3))
    assert store.snapshots.manifests - before == 1


async def test_the_record_of_the_last_stretch_says_that_all_are_written(world: World, store: CountingStore) -> None:
    _snapshot, manifest = await backed_up(world, 1500)
    records = Checkpoints(store.runs, "a-run")
    cut = [(0, 1), (1, 3), (3, len(manifest.chunks))]
    assert not await has_sources(records, cut)
    await write_sources(records, manifest, cut)
    assert await has_sources(records, cut)


async def test_stretches_leave_no_key_between_them(world: World) -> None:
    _snapshot, manifest = await backed_up(world, 1500)
    chunks, end = manifest.chunks, len(manifest.chunks)
    first, middle, last = (stretch_chunks(manifest, *cut) for cut in ((0, 1), (1, 3), (3, end)))
    assert first.chunks + middle.chunks + last.chunks == chunks
    assert (first.after, first.until, middle.after, middle.until) == (
        None,
        chunks[0].last,
        chunks[0].last,
        chunks[2].last,
    )
    assert (last.after, last.until) == (chunks[2].last, None)


@pytest.mark.parametrize(
    ("most", "expected"),
    [(1, [(0, 9)]), (2, [(0, 4), (6, 9)]), (3, [(0, 4), (6, 9)]), (9, [(0, 2), (2, 4), (6, 7), (7, 9)])],
)
def test_stretches_are_joined_to_as_many_as_run_at_once(most: int, expected: list[tuple[int, int]]) -> None:
    assert joined([(0, 2), (2, 4), (6, 7), (7, 9)], most) == expected
