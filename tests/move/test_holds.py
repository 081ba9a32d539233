"""A snapshot that an unfinished move needs stays, whatever the policies say."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from indexvault.errors import IndexvaultError
from indexvault.maintenance.retention import MaintenanceJob, prune_stores
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.retention import Retention
from indexvault.workflow.local import LocalEngine
from tests import hotels
from tests.memory_store import MemoryStore
from tests.move.test_move_index import Mover
from tests.world import EAST, WEST, open_world

HOTELS = MaintenanceJob(service=EAST, index="hotels")
LAST_ONE = PolicySettings(service=EAST, schedule="0 0 2 * * *", keep=Retention(last=1))


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 16, 2, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def mover(clock: Clock) -> AsyncIterator[Mover]:
    store = MemoryStore("local", clock)
    async with (
        open_world(store, clock=clock, policies={"nightly": LAST_ONE}) as world,
        LocalEngine(world.resources, ACTIVITIES, [MOVE_INDEX]) as engine,
    ):
        await world.fill(hotels.DEFINITION, hotels.hotels(30))
        yield Mover(world, engine)


async def interrupted(mover: Mover, clock: Clock, **changes: object) -> list[str]:
    """Interrupt a move at its end, back the source up again, prune a week later, and return the snapshots' ids."""
    await mover.world.faults(WEST, {"fault": "unavailable", "method": "PUT", "path": "alias"})
    with pytest.raises(IndexvaultError):
        await mover.move(alias="guests", **changes)
    await mover.world.faults(WEST)
    clock.now += timedelta(days=7)
    await mover.world.back_up("hotels")
    plans = await prune_stores(mover.world.resources, HOTELS, dry_run=False)
    assert any("an unfinished move into contoso-west/hotels" in each.reasons[0] for each in plans[0].decisions)
    return await ids(mover)


async def ids(mover: Mover) -> list[str]:
    return [summary.id for summary in await list_snapshots(mover.world.store.snapshots, EAST, "hotels")]


async def holds(mover: Mover) -> list[str]:
    return [blob.name async for blob in mover.world.store.runs.list("holds/")]


@pytest.mark.parametrize("given", [False, True])
async def test_an_interrupted_move_keeps_its_snapshot_until_it_ends(mover: Mover, clock: Clock, *, given: bool) -> None:
    changes = {"snapshot": (await mover.world.back_up("hotels")).snapshot} if given else {}
    assert len(await interrupted(mover, clock, **changes)) == 2
    report = await mover.move(alias="guests", **changes)
    assert report.resumed is not None
    assert await holds(mover) == []
    await prune_stores(mover.world.resources, HOTELS, dry_run=False)
    assert len(await ids(mover)) == 1


async def test_a_move_that_is_forgotten_lets_its_snapshot_go(mover: Mover, clock: Clock) -> None:
    assert len(await interrupted(mover, clock)) == 2
    with pytest.raises(IndexvaultError):
        await mover.move(alias="guests", forget=True)
    assert await holds(mover) == []
    await prune_stores(mover.world.resources, HOTELS, dry_run=False)
    assert len(await ids(mover)) == 1
