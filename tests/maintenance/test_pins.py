"""Why a snapshot is pinned is told by every listing, and pruning says it too."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from indexvault.api.snapshot_views import list_stock, with_keepers
from indexvault.maintenance.pins import Pinned, list_pins
from indexvault.maintenance.retention import MaintenanceJob, prune_stores
from indexvault.maintenance.stock import take_stock
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Pin, pin
from indexvault.snapshots.run_names import pin_name
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, World, open_world

NOW = datetime(2026, 11, 20, tzinfo=UTC)
HOTELS = (EAST, "hotels")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def test_pins_are_listed_with_their_reasons(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(5))
    made = await world.back_up("hotels")
    reference = SnapshotReference(service=EAST, index="hotels", id=made.snapshot)
    assert await list_pins(world.resources, {HOTELS}) == {}
    await pin(world.store, reference, Pin(NOW, "audit of 2026"))
    assert await list_pins(world.resources, {HOTELS}) == {reference: Pinned(NOW, "audit of 2026")}
    assert await list_pins(world.resources, {(EAST, "other")}) == {}
    listed = list_stock(await take_stock(world.clients, "local", EAST, "hotels"), NOW)
    (kept,) = await with_keepers(world.resources, listed)
    assert kept.pinned == Pinned(NOW, "audit of 2026")
    (plan,) = await prune_stores(world.resources, MaintenanceJob(service=EAST, index="hotels"), dry_run=True)
    assert "pinned: audit of 2026" in plan.decisions[0].reasons


async def test_a_pin_that_can_not_be_read_is_a_pin(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(5))
    made = await world.back_up("hotels")
    await world.store.runs.put(pin_name(EAST, "hotels", made.snapshot or ""), b"{")
    reference = SnapshotReference(service=EAST, index="hotels", id=made.snapshot)
    assert await list_pins(world.resources, {HOTELS}) == {reference: Pinned()}
    (plan,) = await prune_stores(world.resources, MaintenanceJob(service=EAST, index="hotels"), dry_run=True)
    assert "pinned" in plan.decisions[0].reasons
