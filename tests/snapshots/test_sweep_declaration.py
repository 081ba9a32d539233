"""The declaration of a sweep: whose it is, what it lists, and when nothing may be deleted by it any more."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from indexvault.errors import ConflictError
from indexvault.snapshots.announcements import LAST_CALL, SWEEP_FOR, SweepRecord
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.sweep_declaration import REPAIR_FOR, Declaration, declared
from tests.memory_store import MemoryStore

NAME = "sweeps/contoso-east/hotels.json"
MINUTE = timedelta(minutes=1)


@dataclass
class Calendar:
    """A clock that only the test moves."""

    now: datetime = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def store(calendar: Calendar) -> MemoryStore:
    return MemoryStore(clock=calendar)


async def record_in(store: MemoryStore) -> SweepRecord | None:
    return await RecordStore(store.runs, SweepRecord).read(NAME)


async def begun(store: MemoryStore, calendar: Calendar, *blobs: str, ahead: timedelta = timedelta(0)) -> Declaration:
    declaration = Declaration(store.runs, NAME, lambda: calendar() + ahead)
    await declaration.begin(blobs, {"a", "b", "c"})
    return declaration


async def test_it_is_there_while_the_block_runs(store: MemoryStore, calendar: Calendar) -> None:
    async with declared(store.runs, NAME, ["a"], calendar, there={"a"}) as declaration:
        assert await record_in(store) == SweepRecord(calendar.now + SWEEP_FOR, ("a",), made=calendar.now)
        assert await declaration.allows_deletion()
        with pytest.raises(ConflictError, match="swept already"):
            await begun(store, calendar, "b")
    assert await record_in(store) is None


async def test_nothing_is_deleted_in_its_last_minutes(store: MemoryStore, calendar: Calendar) -> None:
    declaration = await begun(store, calendar, "a")
    calendar.now += SWEEP_FOR - LAST_CALL
    assert await declaration.allows_deletion()
    calendar.now += MINUTE
    assert not await declaration.allows_deletion()
    await declaration.declare(["b"])
    assert await declaration.allows_deletion()


async def test_a_process_that_was_suspended_looks_whose_it_is(store: MemoryStore, calendar: Calendar) -> None:
    first = await begun(store, calendar, "a")
    second = await begun(store, calendar, "b", ahead=SWEEP_FOR)
    assert await first.allows_deletion(), "looked at just now"
    calendar.now += 2 * MINUTE
    assert not await first.allows_deletion()
    assert not await first.is_own()
    assert await second.allows_deletion()
    with pytest.raises(ConflictError):
        await first.declare(["c"])
    await first.end()
    assert await second.is_own()


async def test_what_another_may_be_deleting_stays_declared(store: MemoryStore, calendar: Calendar) -> None:
    await begun(store, calendar, "a", "b", "long gone")
    second = await begun(store, calendar, "c", ahead=SWEEP_FOR)
    ahead = calendar.now + SWEEP_FOR
    assert await record_in(store) == SweepRecord(ahead + SWEEP_FOR, ("c", "a", "b"), made=ahead)
    await second.declare([])
    second.deleted("a")
    await second.end()
    assert await record_in(store) == SweepRecord(ahead + LAST_CALL, ("b",), is_over=True, made=ahead)
    third = await begun(store, calendar, "c")
    third.deleted("b")
    await third.end()
    assert await record_in(store) is None


async def test_it_does_not_stay_longer_than_a_deletion_takes(store: MemoryStore, calendar: Calendar) -> None:
    await begun(store, calendar, "a")
    calendar.now += SWEEP_FOR
    second = await begun(store, calendar, "c")
    calendar.now += LAST_CALL
    await second.end()
    assert await record_in(store) is None


async def test_a_repair_that_was_killed_holds_the_next_up_for_minutes(store: MemoryStore, calendar: Calendar) -> None:
    await Declaration(store.runs, NAME, calendar, REPAIR_FOR).begin(["a"])
    calendar.now += REPAIR_FOR - MINUTE
    with pytest.raises(ConflictError):
        await begun(store, calendar)
    calendar.now += MINUTE
    await begun(store, calendar)
