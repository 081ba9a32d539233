"""A restore whose snapshot is deleted by hand while it is interrupted is proved by what it has, or says it can't be."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import IndexvaultError, IntegrityError, NotFoundError, OverloadedError, VerificationError
from indexvault.model import IndexName
from indexvault.restore.source import resolve_source
from indexvault.snapshots.names import SnapshotReference
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, World, open_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def loaded(world: World, definition: dict[str, Any] = hotels.DEFINITION, **asked: Any) -> BackupReport:
    """Restore an index, interrupted before its proof, and delete the snapshot with all its packs."""
    await world.fill(definition, hotels.hotels(300))
    snapshot = await world.back_up("hotels")

    async def interrupt(_run: Any, _resources: Any, _given: Any) -> Any:
        raise OverloadedError("it is too busy", on="contoso-west", do="Try again later")

    world.around["settle_target"] = interrupt
    with pytest.raises(OverloadedError):
        await world.restore(snapshot, **asked)
    del world.around["settle_target"]
    await delete(world, "")
    return snapshot


async def delete(world: World, part: str) -> None:
    for name in [blob.name async for blob in world.store.snapshots.list(f"{EAST}/hotels/{part}")]:
        await world.store.snapshots.delete(name)


def reference(snapshot: BackupReport) -> SnapshotReference:
    return SnapshotReference(service=EAST, index="hotels", id=snapshot.snapshot)


@pytest.mark.parametrize("mode", ["create", "sync"])
async def test_a_loaded_index_is_proved_by_the_hashes_of_its_chunks(world: World, mode: str) -> None:
    if mode == "sync":
        await world.fill(hotels.DEFINITION | {"name": "restored"}, hotels.hotels(20), service=WEST)
    snapshot = await loaded(world, mode=mode)
    report = await world.restore(snapshot, mode=mode)
    assert report.resumed is not None
    assert (report.identical, report.equal) == (300, 0)
    assert report.notes == [
        "the snapshot is gone from every store: the index was proved by what the restore had noted of it"
    ]


async def test_documents_that_need_their_chunks_are_said_to_be_unproved(world: World) -> None:
    snapshot = await loaded(world)
    await world.west.index_documents("restored", b'{"value":[{"@search.action":"merge","id":"h000003","stars":99}]}')
    with pytest.raises(VerificationError, match=r"\d+ documents can't be proved.*are gone.*\d+ documents are as in"):
        await world.restore(snapshot)


async def test_an_index_without_key_order_can_not_be_proved_without_its_chunks(world: World) -> None:
    snapshot = await loaded(world, hotels.with_field("id", filterable=False, sortable=False))
    with pytest.raises(VerificationError, match="300 documents can't be proved"):
        await world.restore(snapshot)


async def test_an_index_that_is_not_loaded_needs_its_chunks(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(300))
    snapshot = await world.back_up("hotels")
    await world.faults(WEST, {"fault": "item", "status": 503, "key": "h0000[5-9]", "operation": "index_documents"})
    with pytest.raises(OverloadedError):
        await world.restore(snapshot)
    await world.faults(WEST)
    await delete(world, "")
    with pytest.raises(IntegrityError, match="the pack is gone"):
        await world.restore(snapshot)


async def test_a_restore_that_touched_nothing_needs_its_manifest(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(30))
    snapshot = await world.back_up("hotels")

    async def die(_run: Any, _resources: Any, _given: Any) -> Any:
        raise OverloadedError("it is too busy", on="contoso-west", do="Try again later")

    world.around |= {"mark_target_touched": die, "abandon_restore": die}
    with pytest.raises(OverloadedError):
        await world.restore(snapshot)
    world.around.clear()
    await delete(world, "manifests/")
    with pytest.raises(NotFoundError, match="snapshot"):
        await world.restore(snapshot)
    assert await world.west.index_names() == []


async def test_the_command_finds_the_snapshot_of_the_unfinished_restore(world: World) -> None:
    snapshot = await loaded(world)
    target = IndexName(WEST, "restored")

    async def found(wanted: SnapshotReference, *, resume: bool = False, index: IndexName = target) -> str:
        now = world.resources.clock()
        summary = await resolve_source(world.clients, world.store, wanted, index, now=now, resume=resume)
        return str(summary.reference)

    assert await found(reference(snapshot)) == str(reference(snapshot))
    assert await found(SnapshotReference(service=EAST, index="hotels"), resume=True) == str(reference(snapshot))
    for wanted, index in (
        (SnapshotReference(service=EAST, index="hotels"), target),
        (SnapshotReference(service=EAST, index="hotels", id="20200101T000000Z-000000"), target),
        (reference(snapshot), IndexName(WEST, "other")),
    ):
        with pytest.raises(IndexvaultError, match="snapshot"):
            await found(wanted, index=index)
