"""What an unlock says that it took away: nothing of a run that has released its lock."""

from datetime import timedelta

from indexvault.maintenance.unlock import unlock_index
from indexvault.model import IndexName
from indexvault.workflow.lock import Lock
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, open_world

HOTELS = IndexName(EAST, "hotels")


async def test_a_lock_that_a_finished_run_released_was_none() -> None:
    calendar = Calendar()
    store = MemoryStore("local", calendar)
    async with open_world(store, clock=calendar) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(3))
        await world.back_up("hotels")
        freed = await unlock_index(world.clients, HOTELS, calendar)
        assert (freed.lock, freed.had) == ("free", None)


async def test_a_lock_that_a_dead_run_left_was_one_until_it_expired() -> None:
    calendar = Calendar()
    store = MemoryStore("local", calendar)
    async with open_world(store, clock=calendar) as world:
        for passed, expected in ((timedelta(minutes=1), "unlocked"), (timedelta(hours=1), "free")):
            await Lock(store.runs, HOTELS, run=f"dead-{passed}", owner="a test", clock=calendar).take()
            calendar.now += passed
            assert (await unlock_index(world.clients, HOTELS, calendar)).lock == expected
