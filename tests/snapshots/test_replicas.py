"""Several stores read as one: whichever answers is used."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from indexvault.errors import IntegrityError, NotFoundError, UnreachableError
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.catalogue import list_snapshots, read_manifest, resolve
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.replicas import Replicas
from indexvault.snapshots.replicate import replicate_index
from indexvault.snapshots.store import Store
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import packs_of, replace, rewrite
from tests.snapshots.samples import LATER, MORNING, chunks_of, documents, verified, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LINES = documents(range(200))


@pytest.fixture
async def replica(store: Store) -> MemoryStore:
    """Return a replica of a store with one snapshot."""
    await write_snapshot(store.snapshots, LINES, bits=2, pack_bytes=3000)
    west = MemoryStore("west")
    await replicate_index(store, west, EAST, HOTELS, clock=lambda: MORNING)
    return west


async def proved(nearest: Replicas) -> Manifest:
    summary = await resolve(nearest.snapshots, SnapshotReference(service=EAST, index=HOTELS), now=LATER)
    manifest = await read_manifest(nearest.snapshots, summary)
    (await verified(nearest.snapshots, manifest)).raise_for_damage()
    return manifest


async def wipe(store: Store) -> None:
    for name in [blob.name async for blob in store.snapshots.list("")]:
        await store.snapshots.delete(name)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("lost", [0, 1])
async def test_losing_either_store_whole_loses_nothing(
    store: Store, replica: MemoryStore, order: int, lost: int
) -> None:
    both: list[Store] = [store, replica]
    nearest = Replicas(both[::-1] if order else both)
    before = await proved(nearest)
    await wipe(both[lost])
    assert await proved(nearest) == before


async def test_a_store_that_does_not_answer_is_passed_over(
    replica: MemoryStore, azurite_that_is_gone: AzureStore
) -> None:
    nearest = Replicas([azurite_that_is_gone, replica])
    await nearest.prepare()
    assert (await proved(nearest)).counts.documents == 200
    with pytest.raises(UnreachableError):
        await Replicas([azurite_that_is_gone]).snapshots.read("x", 1)
    with pytest.raises(UnreachableError):
        await nearest.snapshots.read("in neither", 1)


@pytest.fixture
async def azurite_that_is_gone(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> AsyncIterator[AzureStore]:
    """Return a store behind a port where nobody listens, without pauses between tries."""
    monkeypatch.setattr("indexvault.snapshots.azure_store._RETRIES", 0)
    connection = (
        "DefaultEndpointsProtocol=http;AccountName=gone;AccountKey=Z29uZQ==;"
        f"BlobEndpoint=http://127.0.0.1:{closed_port}/gone"
    )
    async with AzureStore.from_connection_string("gone", connection) as gone:
        yield gone


async def test_single_packs_may_come_from_either(store: Store, replica: MemoryStore) -> None:
    nearest = Replicas([store, replica])
    manifest = await proved(nearest)
    packs = packs_of(await chunks_of(store.snapshots, manifest))
    assert len(packs) > 2
    for place, pack in enumerate(packs):
        await (store, replica)[place % 2].snapshots.delete(manifest.folder.pack(pack))
    for place, pack in enumerate({node.pack for node in manifest.tree.nodes}):
        await (store, replica)[place % 2].snapshots.delete(manifest.folder.segments(pack))
    await proved(nearest)


async def test_stores_may_have_rewritten_different_packs(store: Store, replica: MemoryStore) -> None:
    nearest = Replicas([store, replica])
    manifest = await proved(nearest)
    packs = packs_of(await chunks_of(store.snapshots, manifest))
    await rewrite(store.snapshots, manifest.folder, packs[0])
    await rewrite(replica.snapshots, manifest.folder, packs[1])
    for pack in packs[:2]:
        for one in (store, replica):
            await rewrite(one.snapshots, manifest.folder, pack) if await has(one, manifest, pack) else None
    await replace(store, manifest.folder.locations(packs[1]), lambda _: b"rotten")
    await proved(nearest)


async def has(store: Store, manifest: Manifest, pack: str) -> bool:
    return await store.snapshots.properties(manifest.folder.pack(pack)) is not None


async def test_what_is_damaged_in_the_nearest_is_read_from_the_other(
    store: Store, replica: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    nearest = Replicas([store, replica])
    manifest = await proved(nearest)
    damaged = [
        manifest.folder.pack((await chunks_of(store.snapshots, manifest))[0].pack),
        manifest_name(EAST, HOTELS, manifest.id),
    ]
    for name in damaged:
        properties = await store.snapshots.properties(name)
        assert properties is not None
        await store.snapshots.delete(name)
        await store.snapshots.create(name, b"rotten", metadata=properties.metadata)
    with caplog.at_level(logging.WARNING):
        assert await proved(nearest) == manifest
    assert all(name in caplog.text for name in damaged)
    await replica.snapshots.delete(damaged[0])
    with pytest.raises(IntegrityError, match="ends before byte"):
        await proved(nearest)


async def test_a_range_comes_from_the_first_store_that_has_all_of_it() -> None:
    east, west, north = MemoryStore("east"), MemoryStore("west"), MemoryStore("north")
    await west.snapshots.create("a", b"123")
    await north.snapshots.create("a", b"12345")
    assert await Replicas([east, west, north]).snapshots.read_range("a", 1, 4) == b"2345"
    with pytest.raises(IntegrityError):
        await Replicas([east, west]).snapshots.read_range("a", 1, 4)
    with pytest.raises(NotFoundError):
        await Replicas([east]).snapshots.read_range("a", 1, 4)


async def test_listings_unite_what_each_store_has(store: Store, replica: MemoryStore) -> None:
    await write_snapshot(store.snapshots, LINES, created=MORNING + timedelta(days=1), run="run-2")
    await write_snapshot(replica.snapshots, LINES, index="motels")
    found = await list_snapshots(Replicas([replica, store]).snapshots)
    assert [(summary.index, summary.created) for summary in found] == [
        ("hotels", MORNING + timedelta(days=1)),
        ("hotels", MORNING),
        ("motels", MORNING),
    ]


async def test_nothing_is_written(store: Store) -> None:
    nearest = Replicas([store])
    assert not hasattr(nearest.snapshots, "create")
    assert not hasattr(nearest.snapshots, "delete")
    with pytest.raises(NotFoundError):
        await nearest.snapshots.read("a", 1)
    assert await nearest.snapshots.properties("a") is None
