"""A snapshot that an unfinished restore needs stays, whatever the policies say."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import (
    ConflictError,
    ForbiddenError,
    IndexvaultError,
    NotFoundError,
    OverloadedError,
    UnreachableError,
)
from indexvault.maintenance.retention import MaintenanceJob, PrunePlan, prune_stores, replicate
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.retention import Retention
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, Calendar, World, open_world

DAY = timedelta(days=1)
HOTELS = MaintenanceJob(service=EAST, index="hotels")
LAST_ONE = PolicySettings(service=EAST, schedule="0 0 2 * * *", keep=Retention(last=1), replicate_to=("west",))
LATE = {"fault": "item", "status": 503, "key": "h0000[5-9]", "operation": "index_documents"}
"""Documents from the fiftieth on are put off for ever."""


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def west(calendar: Calendar) -> MemoryStore:
    return MemoryStore("west", calendar)


@pytest.fixture
async def world(calendar: Calendar, west: MemoryStore) -> AsyncIterator[World]:
    local = MemoryStore("local", calendar)
    async with open_world(local, clock=calendar, replicas={"west": west}, policies={"nightly": LAST_ONE}) as opened:
        yield opened


@pytest.fixture
async def old(world: World, calendar: Calendar) -> BackupReport:
    """Return the older of two snapshots, which the policy does not keep. Both are in both stores."""
    await world.fill(hotels.DEFINITION, hotels.hotels(90))
    made = await world.back_up("hotels", policy="nightly")
    calendar.now += timedelta(hours=1)
    await world.back_up("hotels")
    await replicate(world.resources, HOTELS)
    return made


async def ids(store: MemoryStore | Any) -> set[str]:
    return {summary.id for summary in await list_snapshots(store.snapshots, EAST, "hotels")}


async def holds(store: MemoryStore | Any) -> list[str]:
    return [blob.name async for blob in store.runs.list("holds/")]


async def prune(world: World, *, dry_run: bool = False) -> list[PrunePlan]:
    return await prune_stores(world.resources, HOTELS, dry_run=dry_run)


async def interrupted(world: World, made: BackupReport, **changes: Any) -> None:
    await world.faults(WEST, LATE)
    with pytest.raises(OverloadedError):
        await world.restore(made, **changes)
    await world.faults(WEST)


async def test_an_in_place_restore_that_was_interrupted_keeps_its_snapshot(
    world: World, old: BackupReport, calendar: Calendar, west: MemoryStore
) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(10), service=WEST)
    asked = {"index": "hotels", "mode": "replace", "in_place": True}
    await interrupted(world, old, **asked)
    calendar.now += 30 * DAY
    for plan in await prune(world):
        (decision,) = (each for each in plan.decisions if each.snapshot.id == old.snapshot)
        assert decision.keep
        assert decision.reasons == ("an unfinished restore into contoso-west/hotels (run restore-3) needs it",)
    assert old.snapshot in await ids(world.store) & await ids(west)
    assert (await world.restore(old, **asked)).identical == 90
    assert await holds(world.store) == await holds(west) == []
    await prune(world)
    assert old.snapshot not in await ids(world.store) | await ids(west)


async def test_a_restore_that_is_discarded_lets_its_snapshot_go(
    world: World, old: BackupReport, calendar: Calendar, west: MemoryStore
) -> None:
    await interrupted(world, old)
    calendar.now += 2 * DAY
    (newer,) = await ids(world.store) - {old.snapshot}
    changed = msgspec.structs.replace(old, snapshot=newer)
    await world.restore(changed, mode="sync", discard_unfinished=True)
    assert await holds(world.store) == await holds(west) == []
    await prune(world)
    assert await ids(world.store) == {newer}


async def test_a_restore_that_touched_nothing_holds_nothing_afterwards(
    world: World, old: BackupReport, west: MemoryStore
) -> None:
    with pytest.raises(NotFoundError, match="picks none"):
        await world.restore(old, filter="name == 'nobody'")
    assert await holds(world.store) == await holds(west) == []


async def test_a_snapshot_that_goes_between_the_plan_and_the_locks_leaves_the_target_untouched(
    world: World, old: BackupReport
) -> None:
    async def after_a_prune(run: Any, resources: Any, given: Any) -> Any:
        await prune(world)
        return await run(resources, given)

    world.around["claim_target"] = after_a_prune
    with pytest.raises(NotFoundError, match="no such snapshot"):
        await world.restore(old)
    assert await world.west.index_names() == []
    assert [blob.name async for blob in world.store.runs.list("runs/restore")] == []
    assert await holds(world.store) == []


async def test_a_snapshot_that_is_being_removed_is_not_restored(world: World, old: BackupReport) -> None:
    delete = world.store.snapshots.delete
    west = world.clients.store("west")
    outcomes: list[str] = []

    async def restore_first(name: str) -> bool:
        if "/manifests/" in name and not outcomes:
            outcomes.append("begun")
            with pytest.raises(IndexvaultError) as raised:
                await world.restore(old)
            outcomes.append(str(raised.value))
        return await delete(name)

    # The other store has let it go before.
    for name in [blob.name async for blob in west.snapshots.list(f"{EAST}/hotels/manifests/{old.snapshot}")]:
        await west.snapshots.delete(name)
    world.store.snapshots.delete = restore_first  # type: ignore[method-assign]
    await prune(world)
    assert "being removed" in outcomes[1]
    assert await world.west.index_names() == []


async def test_a_store_that_can_not_be_written_is_told_and_stops_nothing(
    world: World, old: BackupReport, west: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = west.runs.put

    async def refuse(name: str, *given: Any, **named: Any) -> str:
        if name.startswith("holds/"):
            raise ForbiddenError("the identity may not do this", on="store west", do="Give it the role")
        return await put(name, *given, **named)

    monkeypatch.setattr(west.runs, "put", refuse)
    report = await world.restore(old)
    assert [note for note in report.notes if "store west" in note] == [
        "the snapshot could not be held in store west (the identity may not do this): a prune there may have removed it"
    ]


def failing(store: MemoryStore | Any, times: int) -> None:
    """Let a store leave so many writes of holds without an answer."""
    put, left = store.runs.put, [times]

    async def fail(name: str, *given: Any, **named: Any) -> str:
        if name.startswith("holds/") and left[0]:
            left[0] -= 1
            raise UnreachableError("the store does not answer", on=f"store {store.name}", do="Try again")
        etag: str = await put(name, *given, **named)
        return etag

    store.runs.put = fail  # type: ignore[method-assign]  # the one way in front of a store that is already open


async def test_a_hold_that_failed_is_tried_again_before_the_target_is_touched(
    world: World, old: BackupReport, calendar: Calendar, west: MemoryStore
) -> None:
    failing(world.store, 1)
    failing(west, 1)
    await interrupted(world, old)
    calendar.now += 2 * DAY
    await prune(world)
    assert old.snapshot in await ids(world.store)
    assert (await world.restore(old)).identical == 90


async def test_a_snapshot_that_no_store_holds_for_want_of_an_answer_is_not_restored(
    world: World, old: BackupReport, west: MemoryStore
) -> None:
    failing(world.store, 1000)
    failing(west, 1000)
    with pytest.raises(UnreachableError, match="store local"):
        await world.restore(old)
    assert await world.west.index_names() == []


async def test_a_hold_in_one_store_is_enough(world: World, old: BackupReport) -> None:
    failing(world.store, 1000)
    assert [note for note in (await world.restore(old)).notes if "store local" in note] == [
        "the snapshot could not be held in store local (the store does not answer): a prune there may have removed it"
    ]


@pytest.mark.parametrize(("first", "stop"), [*(("restore", n) for n in range(10)), *(("prune", n) for n in range(16))])
async def test_every_interleaving_of_a_prune_and_a_restore_leaves_a_target_or_nothing(
    calendar: Calendar, first: str, stop: int
) -> None:
    """Run a whole prune before the n-th write of a restore, and a restore before the n-th call of a prune."""
    store = MemoryStore("local", calendar)
    only = PolicySettings(service=EAST, schedule="0 0 2 * * *", keep=Retention(last=1))
    async with open_world(store, clock=calendar, policies={"nightly": only}) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(30))
        made = await world.back_up("hotels")
        calendar.now += timedelta(hours=1)
        await world.back_up("hotels")
        await world.faults(WEST, {"fault": "item", "status": 503, "key": "h00002", "operation": "index_documents"})
        failed: list[IndexvaultError] = []

        async def restore() -> None:
            try:
                await world.restore(made)
            except IndexvaultError as error:
                failed.append(error)

        async def prune_too() -> None:
            await prune(world)

        one, other = (restore, prune_too) if first == "restore" else (prune_too, restore)
        await before_call(store, one, other, stop, reads=first == "prune")
        await world.faults(WEST)
        calendar.now += 2 * DAY
        await prune(world)
        if "restored" in await world.west.index_names():
            assert isinstance(failed[0], OverloadedError)
            assert made.snapshot in await ids(store), (first, stop)
            assert (await world.restore(made)).identical == 30
        else:
            assert isinstance(failed[0], NotFoundError | ConflictError)
        assert await holds(store) == []


async def before_call(store: MemoryStore, one: Any, other: Any, stop: int, *, reads: bool) -> None:
    """Run `other` whole just before the `stop`-th call of `one` to the store, or after it if it makes fewer."""
    calls = 0
    ran = False

    def watch(half: Any, name: str) -> None:
        original = getattr(half, name)

        async def call(*given: Any, **named: Any) -> Any:
            nonlocal calls, ran
            if not ran and not given[0].startswith("locks/"):
                if calls == stop:
                    ran = True
                    await other()
                calls += 1
            return await original(*given, **named)

        setattr(half, name, call)

    reading = ["read"] if reads else []
    for name in ("delete", *reading):
        watch(store.snapshots, name)
    for name in ("put", "delete", *reading):
        watch(store.runs, name)
    await one()
    if not ran:
        ran = True
        await other()
