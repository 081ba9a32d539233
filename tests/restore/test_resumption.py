"""What an interrupted restore leaves, and how the next one resumes it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from emulator.service import EmulatedService
from indexvault.errors import ConflictError, ForbiddenError, NotFoundError, OverloadedError, QuotaError
from indexvault.model import IndexName
from indexvault.restore.state import PLAN, RestoreState
from indexvault.restore.workflow import RESTORE_INDEX
from indexvault.search.batch import batch, delete_action, upload_action
from indexvault.snapshots.run_names import checkpoint_name, restore_name
from indexvault.workflow.activity import Resources
from indexvault.workflow.lock import Lock
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, WEST, Run, World, open_world

LATE = {"fault": "item", "status": 503, "key": "h00[2-9]", "operation": "index_documents"}
"""Documents from the third thousand on are put off for ever."""


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(clock: Clock) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local", clock), clock=clock) as opened:
        yield opened


async def restore_state(world: World, index: str = "restored") -> RestoreState | None:
    blob = await world.store.runs.read(restore_name(WEST, index), 2**20)
    return None if blob is None else msgspec.json.decode(blob.data, type=RestoreState)


async def records(world: World) -> list[str]:
    return [blob.name async for blob in world.store.runs.list("runs/") if "restore" in blob.name]


async def half_restored(world: World, **changes: Any) -> Any:
    """Restore 2,500 documents to a target that takes no more than 2,000, and return the snapshot."""
    await world.fill(hotels.DEFINITION, hotels.hotels(2500))
    snapshot = await world.back_up("hotels")
    await world.faults(WEST, LATE)
    with pytest.raises(OverloadedError, match="run the same restore again"):
        await world.restore(snapshot, **changes)
    await world.faults(WEST)
    return snapshot


async def test_a_restore_that_failed_goes_on_from_the_last_acknowledged_batch(world: World) -> None:
    snapshot = await half_restored(world)
    left = await restore_state(world)
    assert left is not None
    assert left.touched
    before = (await world.requests(WEST))["index_documents"]["requests"]
    report = await world.restore(snapshot)
    assert (await world.requests(WEST))["index_documents"]["requests"] - before == 1
    assert report.resumed == left.execution
    assert (report.uploaded, report.identical) == (2500, 2500)
    assert await restore_state(world) is None
    assert await records(world) == []


async def test_another_restore_into_an_unfinished_target_says_so(world: World) -> None:
    snapshot = await half_restored(world)
    for changes in ({"mode": "sync"}, {"filter": "stars"}, {"mode": "create", "accept_loss": True}):
        with pytest.raises(ConflictError, match=r"unfinished.*--resume"):
            await world.restore(snapshot, **changes)
    assert await world.west.count("restored") == 2000
    assert (await world.preflight(snapshot)).resumes is not None
    other = await world.preflight(snapshot, mode="sync")
    assert not other.ready
    assert other.checks[0].name == "unfinished"


async def test_resume_continues_whatever_else_is_asked(world: World) -> None:
    snapshot = await half_restored(world)
    report = await world.restore(snapshot, filter="stars", resume=True)
    assert report.documents == 2500
    with pytest.raises(NotFoundError, match="unfinished"):
        await world.restore(snapshot, resume=True)


async def test_an_unfinished_restore_can_be_forgotten(world: World) -> None:
    snapshot = await half_restored(world)
    report = await world.restore(snapshot, mode="sync", discard_unfinished=True)
    assert (report.uploaded, report.identical) == (500, 2500)
    assert await records(world) == []


@pytest.mark.slow  # reads or restores an index many times
async def test_when_the_unfinished_index_was_deleted_nothing_stands_in_the_way(world: World) -> None:
    snapshot = await half_restored(world)
    await world.west.delete_index("restored", before=await world.west.index_definition("restored"))
    report = await world.restore(snapshot, filter="stars == `1`")
    assert report.documents < 2500


async def test_a_restore_into_an_index_that_was_changed_meanwhile_is_not_resumed(world: World) -> None:
    snapshot = await half_restored(world)
    present = await world.west.index_definition("restored")
    body = msgspec.json.decode(present.body) | {"corsOptions": {"allowedOrigins": ["*"]}}
    await world.west.update_index("restored", msgspec.json.encode(body), before=present, preview=False)
    with pytest.raises(ConflictError, match="changed"):
        await world.restore(snapshot)


async def test_a_failed_check_leaves_no_trace(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3))
    snapshot = await world.back_up("hotels")
    await world.fill(hotels.DEFINITION, hotels.hotels(1), service=WEST)
    with pytest.raises(ConflictError):
        await world.restore(snapshot, index="hotels")
    assert await restore_state(world, "hotels") is None
    assert await records(world) == []


async def locked_by_the_first(world: World, clock: Clock) -> None:
    """Take the lock for the interrupted run, as if it were alive or had died without releasing it."""
    left = await restore_state(world)
    assert left is not None
    await Lock(world.store.runs, IndexName(WEST, "restored"), run=left.execution, owner="a test", clock=clock).take()


async def test_a_restore_that_still_holds_its_lock_is_not_taken_for_dead(world: World, clock: Clock) -> None:
    snapshot = await half_restored(world)
    await locked_by_the_first(world, clock)
    with pytest.raises(ConflictError, match="the same job is already running"):
        await world.restore(snapshot)
    assert world.slept.count(3) > 10
    assert await world.west.count("restored") == 2000


@pytest.mark.slow  # reads or restores an index many times
async def test_a_dead_restore_is_resumed_once_its_lease_has_lapsed(world: World, clock: Clock) -> None:
    snapshot = await half_restored(world)
    await locked_by_the_first(world, clock)
    clock.now += timedelta(seconds=61)
    report = await world.restore(snapshot)
    assert report.resumed is not None
    assert report.identical == 2500


async def test_two_restores_into_one_target_are_a_conflict(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(1200))
    snapshot = await world.back_up("hotels")
    read, reading, go_on = world.store.snapshots.read, asyncio.Event(), asyncio.Event()

    async def held_back(name: str, limit: int) -> bytes:
        if "/packs/" in name:
            reading.set()
            await go_on.wait()
        return await read(name, limit)

    monkeypatch.setattr(world.store.snapshots, "read", held_back)
    one = asyncio.create_task(world.engine.run(RESTORE_INDEX, world.restore_job(snapshot)))
    async with asyncio.timeout(300):
        await reading.wait()
    assert await restore_state(world) is not None
    with pytest.raises(ConflictError):
        await world.restore(snapshot, filter="stars")
    go_on.set()
    assert (await one).identical == 1200


async def test_documents_that_will_not_fit_are_refused_before_anything_is_made(clock: Clock) -> None:
    async with open_world(MemoryStore("local", clock), clock=clock, services=small(documents=2000)) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(2500))
        with pytest.raises(QuotaError, match=r"2,500 more documents.*nothing was touched"):
            await world.restore(await world.back_up("hotels"))
        assert await world.west.index_names() == []


async def test_a_quota_of_documents_that_others_use_up_leaves_the_target_unfinished(clock: Clock) -> None:
    async with open_world(MemoryStore("local", clock), clock=clock, services=small(documents=3000)) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(2500))
        snapshot = await world.back_up("hotels")
        await world.faults(WEST, LATE)
        with pytest.raises(OverloadedError):
            await world.restore(snapshot)
        await world.faults(WEST)
        strangers = [upload_action(msgspec.json.encode({"id": f"s{number}"})) for number in range(900)]
        await world.west.index_documents("restored", batch(strangers))
        with pytest.raises(QuotaError, match="run the same restore again"):
            await world.restore(snapshot)
        assert await restore_state(world) is not None
        gone = [delete_action("id", f"s{number}") for number in range(900)]
        await world.west.index_documents("restored", batch(gone))
        assert (await world.restore(snapshot)).identical == 2500


async def test_storage_that_runs_out_half_way_leaves_the_target_unfinished_and_nothing_lost(clock: Clock) -> None:
    async with open_world(MemoryStore("local", clock), clock=clock, services=small(storage=600_000)) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(2500))
        snapshot = await world.back_up("hotels")
        with pytest.raises(QuotaError, match=r"quota.*run the same restore again"):
            await world.restore(snapshot)
        left = await restore_state(world)
        assert left is not None
        assert left.touched
        assert await world.east.count("hotels") == 2500


def small(**quotas: int) -> tuple[EmulatedService, EmulatedService]:
    return (
        EmulatedService(name=EAST, tier="standard", region="eastus", api_key=KEYS[EAST]),
        EmulatedService(name=WEST, tier="basic", region="westus2", api_key=KEYS[WEST], quotas=quotas),
    )


async def test_a_restore_killed_after_it_hid_its_fields_goes_on_and_keeps_them_hidden(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(30))
    await world.fill(hotels.with_field("stars", retrievable=False) | {"name": "older"}, [], service=WEST)
    await world.west.point_alias("guests", "older", before=None)
    snapshot = await world.back_up("hotels")
    # The alias can't be swapped: everything before it is done.
    await world.faults(WEST, {"fault": "unavailable", "method": "PUT", "path": "alias"})
    asked = {"alias": "guests", "patch": '{"fields":{"stars":{"retrievable":false}}}'}
    with pytest.raises(OverloadedError):
        await world.restore(snapshot, **asked)
    await world.faults(WEST)
    report = await world.restore(snapshot, **asked)
    assert report.identical == 30
    assert await world.west.alias_target("guests") == "restored"
    assert "stars" not in (await world.documents(WEST, "restored", "id"))[0]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_restore_that_waited_for_the_same_one_to_end_is_a_conflict(world: World, *, fails: bool) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(300))
    snapshot = await world.back_up("hotels")
    at_end, waiting = asyncio.Event(), asyncio.Event()
    first = world.restore_job(snapshot)

    async def held_back(run: Run, resources: Resources, given: Any) -> Any:
        at_end.set()
        await waiting.wait()
        if fails:
            raise ForbiddenError("no role", on="a test", do="Give it")
        return await run(resources, given)

    async def after_the_first(run: Run, resources: Resources, given: Any) -> Any:
        waiting.set()
        await asyncio.wait([one])
        return await run(resources, given)

    world.around["mark_target_touched" if fails else "conclude_restore"] = held_back
    world.around["take_over_lock"] = after_the_first
    one = asyncio.create_task(world.engine.run(RESTORE_INDEX, first))
    async with asyncio.timeout(60):
        await at_end.wait()
    with pytest.raises(ConflictError, match="has ended meanwhile") as refused:
        await world.restore(snapshot)
    assert "discard-unfinished" not in refused.value.do
    assert "it resumes where this one stopped" not in refused.value.do
    if fails:
        with pytest.raises(ForbiddenError):
            await one
        assert await world.west.index_names() == []
    else:
        assert (await one).identical == 300
    assert await restore_state(world) is None


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_restore_that_ends_while_the_same_one_begins_is_a_conflict(world: World, *, dry_run: bool) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(300))
    snapshot = await world.back_up("hotels")
    at_end, go_on = asyncio.Event(), asyncio.Event()
    first = world.restore_job(snapshot)

    async def held_back(run: Run, resources: Resources, given: Any) -> Any:
        at_end.set()
        await go_on.wait()
        return await run(resources, given)

    world.around["conclude_restore"] = held_back
    one = asyncio.create_task(world.engine.run(RESTORE_INDEX, first))
    async with asyncio.timeout(60):
        await at_end.wait()
    blobs = world.store.runs
    read = blobs.read

    async def read_once_the_first_has_ended(name: str, limit: int) -> Any:
        if name == checkpoint_name(first.run, PLAN) and asyncio.current_task() is not one:
            blobs.read = read  # type: ignore[method-assign]
            go_on.set()
            await asyncio.wait([one])
        return await read(name, limit)

    blobs.read = read_once_the_first_has_ended  # type: ignore[method-assign]
    with pytest.raises(ConflictError, match="has ended meanwhile"):
        await (world.preflight(snapshot) if dry_run else world.restore(snapshot))
    assert (await one).identical == 300
