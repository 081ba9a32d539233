"""What a repair replaces, and what it never does."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from indexvault.errors import NotFoundError
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.repair import RepairReport, ReplicaSource, repair_index
from indexvault.snapshots.store import Store
from indexvault.snapshots.verify import verify_index
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, document, documents, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LINES = documents(range(300))
NOW = MORNING + timedelta(days=5)


async def two_snapshots(store: Store) -> tuple[Manifest, Manifest]:
    first, _ = await write_snapshot(store.snapshots, LINES)
    changed = LINES | dict([document(150, " b")])
    second, _ = await write_snapshot(
        store.snapshots, changed, created=MORNING + timedelta(days=1), run="run-2", previous=first
    )
    return first, second


@pytest.fixture
async def replica() -> MemoryStore:
    store = MemoryStore("west")
    await two_snapshots(store)
    return store


async def change(store: Store, name: str, how: Callable[[bytes], bytes]) -> None:
    data = await store.snapshots.read(name, 10**6)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, how(data))


async def repair(store: Store, *replicas: Store) -> RepairReport:
    audit = await verify_index(store.snapshots, EAST, HOTELS)
    sources = [ReplicaSource(f"store {each.name}", each.snapshots) for each in replicas]
    return await repair_index(store, audit, sources, NOW)


async def test_every_kind_of_damage_is_put_right_from_a_replica(store: Store, replica: MemoryStore) -> None:
    first, second = await two_snapshots(store)
    missing, cut_off = (first.folder.blob(first.chunks[place].sha256) for place in (0, 2))
    manifest = manifest_name(EAST, HOTELS, second.id)
    await store.snapshots.delete(missing)
    await change(store, cut_off, lambda data: data[:40])
    await change(store, manifest, lambda data: data.replace(b'"run-2"', b'"run-3"'))
    report = await repair(store, replica)
    assert [each.blob for each in report.repaired] == [manifest, *sorted([missing, cut_off])]
    assert {each.source for each in report.repaired} == {"store west"}
    assert report.left == ()
    after = await verify_index(store.snapshots, EAST, HOTELS)
    assert after.findings == ()
    assert len(await list_snapshots(store.snapshots)) == 2


async def test_what_no_source_has_is_left_as_it_is(store: Store, replica: MemoryStore) -> None:
    first, second = await two_snapshots(store)
    name = first.folder.blob(first.chunks[0].sha256)
    await change(store, name, lambda data: data[:40])
    await change(replica, name, lambda data: data[:41])
    report = await repair(store, replica)
    assert [(each.blob, each.snapshots) for each in report.left] == [(name, (first.id, second.id))]
    assert "store west" in report.left[0].why
    assert len(await store.snapshots.read(name, 100)) == 40


async def test_the_second_source_is_asked_when_the_first_has_nothing(store: Store, replica: MemoryStore) -> None:
    first, _ = await two_snapshots(store)
    await store.snapshots.delete(first.folder.blob(first.chunks[0].sha256))
    report = await repair(store, MemoryStore("empty"), replica)
    assert [each.source for each in report.repaired] == ["store west"]


async def test_what_may_not_be_deleted_is_reported_and_stays(replica: MemoryStore) -> None:
    store = MemoryStore()
    first, _ = await two_snapshots(store)
    name = first.folder.blob(first.chunks[0].sha256)
    await change(store, name, lambda data: data[:40])
    store.snapshots.immutable = {name}
    report = await repair(store, replica)
    assert [(each.blob, each.why) for each in report.left] == [(name, "an immutability policy keeps the blob")]


async def test_a_source_that_gives_other_bytes_changes_nothing(store: Store) -> None:
    first, _ = await two_snapshots(store)

    class Liar:
        name = "somewhere"

        async def chunk(self, manifest: Manifest, position: int) -> bytes | None:
            return f"{manifest.id}{position}".encode()

        async def manifest(self, reference: SnapshotReference) -> bytes | None:
            raise NotFoundError("no", on=str(reference), do="")

    name = first.folder.blob(first.chunks[0].sha256)
    await store.snapshots.delete(name)
    report = await repair_index(store, await verify_index(store.snapshots, EAST, HOTELS), [Liar()], NOW)
    assert [each.blob for each in report.left] == [name]
    assert await store.snapshots.properties(name) is None
