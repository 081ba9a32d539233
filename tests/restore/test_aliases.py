"""Each index has one writer at a time, whatever name it is asked for by: its own, or an alias."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import ConflictError, NotFoundError, OverloadedError
from indexvault.model import IndexName
from indexvault.restore.mark_target import claim
from indexvault.restore.start import begin
from indexvault.restore.state import read_restore_state
from indexvault.restore.workflow import RESTORE_INDEX
from indexvault.search.batch import batch, delete_action
from indexvault.workflow.lock import Lock
from indexvault.workflow.lock_holder import read_holder
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import WEST, World, open_world

NEVER = {"fault": "item", "status": 503, "key": "h000[1-5]", "operation": "index_documents"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


@pytest.fixture
async def snapshot(world: World) -> BackupReport:
    """Return a snapshot of 600 documents; the west has the first ten of them, behind an alias."""
    await world.fill(hotels.DEFINITION, hotels.hotels(600))
    await world.fill(hotels.DEFINITION, hotels.hotels(10), service=WEST)
    await world.west.point_alias("guests", "hotels", before=None)
    return await world.back_up("hotels")


def lock(world: World, index: str) -> Lock:
    return Lock(
        world.store.runs, IndexName(WEST, index), run="another", owner="a test", clock=world.resources.clock
    )  # fmt: skip


async def locked(world: World) -> dict[str, str]:
    """Return the locked names of the west, each with the run that holds the lock."""
    found = {}
    for index in ["guests", *await world.west.index_names()]:
        holder = await read_holder(world.store.runs, IndexName(WEST, index))
        if holder is not None and holder.expires > world.resources.clock():
            found[index] = holder.run
    return found


@asynccontextmanager
async def under_way(world: World, snapshot: BackupReport, **changes: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Start a restore, and block it before its first checkpoint of loaded documents until the context is left."""
    put, written, go_on = world.store.runs.put, asyncio.Event(), asyncio.Event()

    async def held_back(name: str, data: bytes, **options: Any) -> str:
        if "/loaded-" in name:
            written.set()
            await go_on.wait()
        return await put(name, data, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.store.runs, "put", held_back)
        restoring = asyncio.create_task(world.engine.run(RESTORE_INDEX, world.restore_job(snapshot, **changes)))
        async with asyncio.timeout(300):
            await written.wait()
        yield restoring
        go_on.set()


@pytest.mark.parametrize("mode", ["sync", "fill"])
@pytest.mark.parametrize(("asked", "held"), [("guests", "hotels"), ("hotels", "hotels"), ("guests", "guests")])
async def test_an_index_that_is_being_worked_on_is_so_by_each_of_its_names(
    world: World, snapshot: BackupReport, mode: str, asked: str, held: str
) -> None:
    await lock(world, held).take()
    with pytest.raises(ConflictError, match="locked by run another"):
        await world.restore(snapshot, index=asked, mode=mode)
    assert await world.west.count("hotels") == 10
    assert set(await locked(world)) == {held}


async def test_a_sync_through_an_alias_keeps_others_from_both(world: World, snapshot: BackupReport) -> None:
    async with under_way(world, snapshot, index="guests", mode="sync") as syncing:
        assert set(await locked(world)) == {"guests", "hotels"}
        for changes in ({"index": "hotels", "mode": "fill"}, {"index": "guests", "mode": "replace"}):
            with pytest.raises(ConflictError):
                await world.restore(snapshot, **changes)
    assert (await syncing).uploaded == 590
    assert await locked(world) == {}


async def test_an_alias_that_another_run_works_through_is_not_swapped(world: World, snapshot: BackupReport) -> None:
    await lock(world, "guests").take()
    with pytest.raises(ConflictError, match="locked by run another"):
        await world.restore(snapshot, index="new", alias="guests")
    assert await world.west.index_names() == ["hotels"]


async def test_a_replacement_has_the_alias_and_the_new_index_to_itself_and_leaves_the_old_one_free(
    world: World, snapshot: BackupReport
) -> None:
    async with under_way(world, snapshot, index="guests", mode="replace") as replacing:
        [new] = set(await world.west.index_names()) - {"hotels"}
        assert set(await locked(world)) == {"guests", new}
        with pytest.raises(ConflictError):
            await world.restore(snapshot, index=new, mode="sync")
        await world.back_up("hotels")
    report = await replacing
    assert report.target_index == new
    assert await world.west.alias_target("guests") == new


async def test_an_old_index_that_is_to_be_deleted_is_locked_too(world: World, snapshot: BackupReport) -> None:
    await lock(world, "hotels").take()
    with pytest.raises(ConflictError, match="locked by"):
        await world.restore(snapshot, index="guests", mode="replace", delete_old=True)
    await lock(world, "hotels").release()
    report = await world.restore(snapshot, index="guests", mode="replace", delete_old=True)
    assert report.old_deleted


async def test_an_alias_that_is_moved_before_the_locks_are_taken_is_noticed(
    world: World, snapshot: BackupReport
) -> None:
    await world.fill(hotels.DEFINITION | {"name": "other"}, [], service=WEST)
    for mode in ("sync", "replace"):
        job = world.restore_job(snapshot, index="guests", mode=mode)
        started = await begin(world.resources, job)
        present = await world.west.alias("guests")
        assert present is not None
        elsewhere = "other" if present.index == "hotels" else "hotels"
        await world.west.point_alias("guests", elsewhere, before=present)
        with pytest.raises(ConflictError, match=r"(stood for|was changed).*nothing was touched"):
            await claim(world.resources, started)
        assert await read_restore_state(world.store.runs, IndexName(WEST, "hotels")) is None


async def half_synced(world: World, snapshot: BackupReport, **changes: Any) -> None:
    await world.faults(WEST, NEVER)
    with pytest.raises(OverloadedError):
        await world.restore(snapshot, **changes)
    await world.faults(WEST)


async def test_an_index_half_synced_through_an_alias_is_unfinished_by_its_own_name(
    world: World, snapshot: BackupReport
) -> None:
    await half_synced(world, snapshot, index="guests", mode="sync")
    with pytest.raises(ConflictError, match="hotels is unfinished"):
        await world.restore(snapshot, index="hotels", mode="fill")
    report = await world.restore(snapshot, index="guests", mode="sync")
    assert report.resumed is not None
    assert report.identical == 600
    assert [blob.name async for blob in world.store.runs.list("restores/")] == []


async def test_an_index_half_synced_through_an_alias_that_moved_on_stays_unfinished(
    world: World, snapshot: BackupReport
) -> None:
    await half_synced(world, snapshot, index="guests", mode="sync")
    await world.fill(hotels.DEFINITION | {"name": "other"}, [], service=WEST)
    present = await world.west.alias("guests")
    await world.west.point_alias("guests", "other", before=present)
    report = await world.restore(snapshot, index="guests", mode="sync")
    assert (report.target_index, report.uploaded, report.resumed) == ("other", 600, None)
    with pytest.raises(ConflictError, match="hotels is unfinished"):
        await world.restore(snapshot, index="hotels", mode="sync")
    assert (await world.restore(snapshot, index="hotels", resume=True)).identical == 600


async def test_an_unfinished_replacement_is_so_by_the_alias_and_by_its_new_index(
    world: World, snapshot: BackupReport
) -> None:
    await half_synced(world, snapshot, index="guests", mode="replace")
    [new] = set(await world.west.index_names()) - {"hotels"}
    for asked in ("guests", new):
        with pytest.raises(ConflictError, match=f"{new} is unfinished"):
            await world.restore(snapshot, index=asked, mode="sync")
    report = await world.restore(snapshot, index=new, mode="sync", discard_unfinished=True)
    assert report.identical == 600
    # By the alias nothing is left either: a replacement given again is a new one.
    with pytest.raises(NotFoundError, match="unfinished"):
        await world.restore(snapshot, index="guests", resume=True)
    assert [blob.name async for blob in world.store.runs.list("restores/")] == []


async def test_a_replacement_is_resumed_by_the_name_of_its_new_index_too(world: World, snapshot: BackupReport) -> None:
    await half_synced(world, snapshot, index="guests", mode="replace")
    [new] = set(await world.west.index_names()) - {"hotels"}
    report = await world.restore(snapshot, index=new, resume=True)
    assert (report.alias, report.identical) == ("guests", 600)
    assert await world.west.alias_target("guests") == new
    assert [blob.name async for blob in world.store.runs.list("restores/")] == []
    assert await locked(world) == {}


async def test_a_document_deleted_behind_an_alias_comes_back_through_it(world: World, snapshot: BackupReport) -> None:
    await world.west.index_documents("hotels", batch([delete_action("id", "h000003")]))
    report = await world.restore(snapshot, index="guests", mode="fill", keys=("h000003",))
    assert (report.target_index, report.uploaded) == ("hotels", 1)
    assert msgspec.json.decode(await world.west.document("hotels", "h000003") or b"null")["id"] == "h000003"
