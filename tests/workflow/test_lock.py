"""Locks, over the store in memory and over Azurite."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import indexvault.workflow.lock
from indexvault.errors import ConflictError
from indexvault.model import IndexName
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.run_names import lock_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.lock import Lock, unlock
from indexvault.workflow.lock_holder import EXPIRES_AFTER, read_holder
from tests.memory_store import MemoryStore
from tests.watched_store import WatchedStore

HOTELS = IndexName("contoso-east", "hotels")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "azurite"])
async def blobs(request: pytest.FixtureRequest) -> AsyncIterator[RunBlobs]:
    if request.param == "memory":
        async with MemoryStore() as store:
            await store.prepare()
            yield store.runs
        return
    account = request.getfixturevalue("storage_account")
    async with AzureStore.from_connection_string("local", account) as store:
        await store.prepare()
        yield store.runs


def lock(blobs: RunBlobs, run: str, clock: Clock) -> Lock:
    return Lock(blobs, HOTELS, run=run, owner=f"policy {run}", clock=clock)


async def test_only_one_run_gets_it(blobs: RunBlobs, clock: Clock) -> None:
    taken = await asyncio.gather(
        *(lock(blobs, f"run-{number}", clock).take() for number in range(5)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in taken) == ["ConflictError"] * 4 + ["NoneType"]


async def test_the_refusal_says_who_has_it(blobs: RunBlobs, clock: Clock) -> None:
    await lock(blobs, "first", clock).take()
    with pytest.raises(ConflictError) as raised:
        await lock(blobs, "second", clock).take()
    assert "run first (policy first), at the latest until 2026-11-20 02:10:00Z" in raised.value.what
    assert raised.value.on == "contoso-east/hotels"


async def test_the_same_run_may_take_and_hold_it_again(blobs: RunBlobs, clock: Clock) -> None:
    await lock(blobs, "first", clock).take()
    await lock(blobs, "first", clock).take()
    await lock(blobs, "first", clock).hold()


async def test_a_lock_is_written_again_only_when_much_of_its_time_is_over(blobs: RunBlobs, clock: Clock) -> None:
    await lock(blobs, "first", clock).take()
    taken = clock.now
    clock.now += EXPIRES_AFTER / 5
    await lock(blobs, "first", clock).hold()
    holder = await read_holder(blobs, HOTELS)
    assert holder is not None
    assert holder.expires == taken + EXPIRES_AFTER
    clock.now += EXPIRES_AFTER / 10
    await lock(blobs, "first", clock).hold()
    holder = await read_holder(blobs, HOTELS)
    assert holder is not None
    assert holder.expires == clock.now + EXPIRES_AFTER


async def test_another_index_is_another_lock(blobs: RunBlobs, clock: Clock) -> None:
    await lock(blobs, "first", clock).take()
    other = Lock(blobs, IndexName("contoso-east", "hotels-2"), run="second", owner="x", clock=clock)
    await other.take()


async def test_what_is_given_back_is_free(blobs: RunBlobs, clock: Clock) -> None:
    first = lock(blobs, "first", clock)
    await first.take()
    await first.release()
    await lock(blobs, "second", clock).take()
    with pytest.raises(ConflictError, match="has lost its lock"):
        await first.hold()


async def test_a_dead_run_keeps_it_until_it_runs_out(blobs: RunBlobs, clock: Clock) -> None:
    first, second = lock(blobs, "first", clock), lock(blobs, "second", clock)
    await first.take()
    await blobs.break_lease("locks/contoso-east/hotels.json")  # as after a minute without renewing
    with pytest.raises(ConflictError, match="run first"):
        await second.take()
    clock.now += EXPIRES_AFTER + timedelta(seconds=1)
    await second.take()
    with pytest.raises(ConflictError, match="run first has lost its lock: run second holds it now"):
        await first.hold()


@pytest.mark.parametrize("released", [True, False])
async def test_a_clock_that_was_wrong_once_locks_nothing_until_that_day(
    blobs: RunBlobs, clock: Clock, *, released: bool
) -> None:
    right = clock.now
    clock.now += timedelta(days=3000)
    first = lock(blobs, "first", clock)
    await first.take()
    if released:
        await first.release()
    else:
        await blobs.release(lock_name(HOTELS.service, HOTELS.index), first._lease)
    clock.now = right
    await lock(blobs, "second", clock).take()
    with pytest.raises(ConflictError, match="run second holds it now"):
        await first.hold()


async def test_holding_does_not_take(blobs: RunBlobs, clock: Clock) -> None:
    with pytest.raises(ConflictError, match="has lost its lock"):
        await lock(blobs, "first", clock).hold()


async def test_unlock(blobs: RunBlobs, clock: Clock) -> None:
    first = lock(blobs, "first", clock)
    await first.take()
    assert await unlock(blobs, HOTELS, clock=clock, run="second") == "other"
    assert await unlock(blobs, HOTELS, clock=clock) == "unlocked"
    assert await unlock(blobs, HOTELS, clock=clock) == "free"
    assert await read_holder(blobs, HOTELS) is None
    with pytest.raises(ConflictError, match="has lost its lock"):
        await first.hold()


async def test_a_lock_that_cannot_be_read_can_be_taken_away(blobs: RunBlobs, clock: Clock) -> None:
    await blobs.put("locks/contoso-east/hotels.json", b"{}")
    assert await unlock(blobs, HOTELS, clock=clock) == "unlocked"
    await lock(blobs, "first", clock).take()


async def test_work_stops_when_the_lock_is_broken(
    blobs: RunBlobs, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexvault.workflow.lock, "RENEW_SECONDS", 0.01)
    first = lock(blobs, "first", clock)
    await first.take()
    committed = False

    async def work() -> None:
        nonlocal committed
        async with first.held():
            await unlock(blobs, HOTELS, clock=clock)
            await asyncio.sleep(300)
            committed = True

    with pytest.raises(ConflictError, match="has lost its lock"):
        await work()
    assert not committed


async def test_work_that_fails_says_its_own_error(blobs: RunBlobs, clock: Clock) -> None:
    first = lock(blobs, "first", clock)
    await first.take()
    with pytest.raises(KeyError):
        async with first.held():
            raise KeyError


async def test_unlocking_wins_against_a_run_that_holds_on(blobs: RunBlobs, clock: Clock) -> None:
    first = lock(blobs, "first", clock)
    await first.take()

    held = asyncio.Event()

    async def hold_on() -> None:
        while True:
            await first.hold()
            held.set()
            await asyncio.sleep(0)  # the store in memory never waits

    holding = asyncio.create_task(hold_on())
    await held.wait()
    assert await unlock(blobs, HOTELS, clock=clock) == "unlocked"
    with pytest.raises(ConflictError, match="has lost its lock"):
        await asyncio.wait_for(holding, 300)


async def test_cancelled_work_gives_it_back(blobs: RunBlobs, clock: Clock) -> None:
    first = lock(blobs, "first", clock)
    await first.take()

    begun = asyncio.Event()

    async def work() -> None:
        async with first.held():
            begun.set()
            await asyncio.sleep(300)

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await lock(blobs, "second", clock).take()


async def test_an_unlocked_run_does_not_take_its_lock_again(blobs: RunBlobs, clock: Clock) -> None:
    first, second = lock(blobs, "first", clock), lock(blobs, "second", clock)
    await first.take()
    assert await unlock(blobs, HOTELS, clock=clock) == "unlocked"
    with pytest.raises(ConflictError, match="run first has lost its lock"):
        await first.take()
    await second.take()
    await second.release()
    with pytest.raises(ConflictError, match="run first has lost its lock"):
        await first.take()
    await second.take()


async def test_a_run_whose_lock_had_expired_was_not_unlocked(blobs: RunBlobs, clock: Clock) -> None:
    waiting = lock(blobs, "waiting", clock)
    await waiting.take()
    clock.now += EXPIRES_AFTER + timedelta(seconds=1)
    await unlock(blobs, HOTELS, clock=clock)
    await waiting.take()


async def test_the_lock_of_a_part_is_not_that_of_the_same_part_of_another_execution(
    blobs: RunBlobs, clock: Clock
) -> None:
    first, again = (
        Lock(blobs, HOTELS, run="move-1-backup-1", owner="a test", clock=clock, part_of=execution)
        for execution in ("move-1", "move-2")
    )
    await first.take()
    await unlock(blobs, HOTELS, clock=clock)
    await again.take()
    with pytest.raises(ConflictError, match="has lost its lock"):
        await first.hold()
    await first.release()
    await again.hold()


async def test_a_run_that_is_unlocked_while_it_takes_its_lock_does_not_keep_it(clock: Clock) -> None:
    async with MemoryStore() as store:
        await store.prepare()
        first, put = lock(store.runs, "first", clock), store.runs.put
        await first.take()

        async def put_after_an_unlock(name: str, data: bytes, **conditions: Any) -> str:
            if b"first" in data and name.startswith("locks/") and "lease" in conditions:
                store.runs.put = put  # type: ignore[method-assign]
                assert await unlock(store.runs, HOTELS, clock=clock) == "unlocked"
                await store.runs.acquire(name, conditions["lease"], 60)  # as the same activity does, run twice
            return await put(name, data, **conditions)

        store.runs.put = put_after_an_unlock  # type: ignore[method-assign]
        with pytest.raises(ConflictError, match="run first has lost its lock"):
            await first.take()
        assert await read_holder(store.runs, HOTELS) is None
        await lock(store.runs, "second", clock).take()


async def test_a_run_that_is_unlocked_while_it_makes_its_lock_does_not_keep_it(clock: Clock) -> None:
    async with MemoryStore() as store:
        await store.prepare()
        first, put = lock(store.runs, "first", clock), store.runs.put

        async def unlock_after_a_put(name: str, data: bytes, **conditions: Any) -> str:
            etag = await put(name, data, **conditions)
            if conditions.get("if_absent"):
                store.runs.put = put  # type: ignore[method-assign]
                assert await unlock(store.runs, HOTELS, clock=clock) == "unlocked"
            return etag

        store.runs.put = unlock_after_a_put  # type: ignore[method-assign]
        with pytest.raises(ConflictError, match="run first has lost its lock"):
            await first.take()
        assert await read_holder(store.runs, HOTELS) is None
        await lock(store.runs, "second", clock).take()


async def test_a_run_that_has_ended_leaves_no_lock(blobs: RunBlobs, clock: Clock) -> None:
    first = lock(blobs, "first", clock)
    await first.take()
    await first.release(ended=True)
    assert await blobs.read(lock_name(HOTELS.service, HOTELS.index), 1024) is None
    await first.release(ended=True)
    with pytest.raises(ConflictError, match="has lost its lock"):
        await lock(blobs, "first", clock).hold()
    await lock(blobs, "second", clock).take()


async def test_a_run_that_has_ended_deletes_no_lock_of_another_one(blobs: RunBlobs, clock: Clock) -> None:
    first = lock(blobs, "first", clock)
    await first.take()
    await unlock(blobs, HOTELS, clock=clock)
    await lock(blobs, "second", clock).take()
    await first.release(ended=True)
    holder = await read_holder(blobs, HOTELS)
    assert holder is not None
    assert holder.run == "second"


async def test_a_late_write_does_not_bring_a_deleted_lock_back(blobs: RunBlobs, clock: Clock) -> None:
    stalled = lock(blobs, "first", clock)
    await stalled.take()
    clock.now += EXPIRES_AFTER / 2
    await lock(blobs, "first", clock).release(ended=True)
    with pytest.raises(ConflictError, match="has lost its lock"):
        await stalled._write(clock.now + EXPIRES_AFTER)
    assert await read_holder(blobs, HOTELS) is None


async def test_taking_a_lock_and_ending_writes_one_blob(clock: Clock) -> None:
    async with WatchedStore() as store:
        await store.prepare()
        for run in ("first", "second"):
            store.written.clear()
            taken = lock(store.runs, run, clock)
            await taken.take()
            await taken.hold()
            await taken.release(ended=True)
            assert store.written == [lock_name(HOTELS.service, HOTELS.index)]


async def test_of_many_that_make_it_at_once_one_gets_it_and_the_others_are_told_who(
    blobs: RunBlobs, clock: Clock
) -> None:
    for attempt in range(3):
        locks = [lock(blobs, f"run-{attempt}-{number}", clock) for number in range(4)]
        taken = await asyncio.gather(*(each.take() for each in locks), return_exceptions=True)
        assert sorted(type(each).__name__ for each in taken) == ["ConflictError"] * 3 + ["NoneType"]
        await locks[taken.index(None)].release(ended=True)


async def test_a_run_that_slept_while_it_made_its_lock_does_not_take_it_for_its_own(clock: Clock) -> None:
    async with MemoryStore("local", clock) as store:
        await store.prepare()
        first, second, put = lock(store.runs, "first", clock), lock(store.runs, "second", clock), store.runs.put

        async def sleep_after_a_put(name: str, data: bytes, **conditions: Any) -> str:
            etag = await put(name, data, **conditions)
            store.runs.put = put  # type: ignore[method-assign]
            clock.now += EXPIRES_AFTER + timedelta(seconds=1)
            await second.take()
            clock.now += timedelta(seconds=61)  # between two activities, nobody renews the lease
            return etag

        store.runs.put = sleep_after_a_put  # type: ignore[method-assign]
        with pytest.raises(ConflictError, match="run first has lost its lock: run second holds it now"):
            await first.take()
        await second.hold()
