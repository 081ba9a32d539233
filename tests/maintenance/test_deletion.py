"""What an operator deletes goes from every store, and what pruning keeps nobody deletes."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from indexvault.errors import ConflictError, NotFoundError, SettingsError
from indexvault.maintenance.deletion import delete_snapshots, plan_deletion
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.holds import Hold, place_hold
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.pins import Pin, pin
from indexvault.snapshots.store import Store
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world

DAY = timedelta(days=1)
COPIED = PolicySettings(service=EAST, schedule="0 0 2 * * *", replicate_to=("west",))


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def west(calendar: Calendar) -> MemoryStore:
    return MemoryStore("west", calendar)


@pytest.fixture
async def world(calendar: Calendar, west: MemoryStore) -> AsyncIterator[World]:
    local = MemoryStore("local", calendar)
    async with open_world(local, clock=calendar, replicas={"west": west}, policies={"nightly": COPIED}) as opened:
        await opened.fill(hotels.DEFINITION, hotels.hotels(100))
        yield opened


async def three_nights(world: World, calendar: Calendar) -> list[str]:
    """Back up in three nights, in the last one other documents, and return the ids, oldest first."""
    made = []
    for night in range(3):
        if night == 2:
            await world.east.delete_index("hotels", before=await world.east.index_definition("hotels"))
            await world.fill(hotels.DEFINITION, hotels.hotels(60))
        made.append((await world.back_up("hotels", policy="nightly")).snapshot)
        calendar.now += DAY
    return made


async def ids(store: Store) -> list[str]:
    return [summary.id for summary in reversed(await list_snapshots(store.snapshots, EAST, "hotels"))]


def named(*points: str) -> Sequence[SnapshotReference]:
    return [SnapshotReference.parse(f"{EAST}/hotels@{point}") for point in points]


async def test_what_is_deleted_goes_from_every_store_and_is_not_missing_there(
    world: World, calendar: Calendar, west: MemoryStore
) -> None:
    made = await three_nights(world, calendar)
    planned = await plan_deletion(world.resources, named(made[0], made[2][-6:]))
    assert [(each.store, [one.id for one in each.snapshots]) for each in planned] == [
        ("local", [made[2], made[0]]),
        ("west", [made[2], made[0]]),
    ]
    reports = [await delete_snapshots(world.resources, each) for each in planned]
    assert [sorted(report.removed) for report in reports] == [sorted([made[0], made[2]])] * 2
    assert await ids(world.store) == await ids(west) == [made[1]]
    with pytest.raises(NotFoundError, match=f"There are {made[1]}"):
        await plan_deletion(world.resources, named(made[0]))


async def test_it_says_what_is_freed_before(world: World, calendar: Calendar, west: MemoryStore) -> None:
    made = await three_nights(world, calendar)
    shared = await plan_deletion(world.resources, named(made[0]))
    assert [each.frees for each in shared] == [0, 0], "the second night has the same documents"
    own = await plan_deletion(world.resources, named(made[0], made[1]))
    assert own[0].frees == own[1].frees > 0
    for each in own:
        await delete_snapshots(world.resources, each)
    calendar.now += 3 * DAY
    extra = (await world.back_up("hotels", policy="nightly")).snapshot
    _local, there = [
        await delete_snapshots(world.resources, each) for each in await plan_deletion(world.resources, named(extra))
    ]
    assert there.sweep.wasted_bytes == own[1].frees, (
        "free once their pack is rewritten: it is small, and most of it needed"
    )
    stored = sum([blob.size async for blob in west.snapshots.list("") if "/packs/" in blob.name])
    assert there.sweep.stored_bytes == stored


async def test_pins_and_holds_in_any_store_keep_a_snapshot(world: World, calendar: Calendar, west: MemoryStore) -> None:
    made = await three_nights(world, calendar)
    await pin(west, named(made[0])[0], Pin(calendar()))
    hold = Hold(run="restore-1", kind="restore", target="west/x", since=calendar(), store="west", state="x/y.json")
    assert await place_hold(west, named(made[1])[0], hold, calendar())
    with pytest.raises(ConflictError, match=f"{made[0]}: it is pinned in store west; nothing was deleted"):
        await plan_deletion(world.resources, named(made[2], made[0]))
    with pytest.raises(ConflictError, match=r"into west/x .* needs it; nothing was deleted"):
        await plan_deletion(world.resources, named(made[1]))


async def test_a_complete_one_is_left(world: World, calendar: Calendar) -> None:
    made = await three_nights(world, calendar)
    with pytest.raises(ConflictError, match="no complete snapshot would be left; nothing was deleted"):
        await plan_deletion(world.resources, named(*made))


async def test_one_that_only_its_metadata_calls_complete_is_not_left_alone(world: World, calendar: Calendar) -> None:
    made = await three_nights(world, calendar)
    name = manifest_name(EAST, "hotels", made[2])
    properties = await world.store.snapshots.properties(name)
    assert properties is not None
    await world.store.snapshots.delete(name)
    await world.store.snapshots.create(name, b"{}", metadata=properties.metadata)
    with pytest.raises(ConflictError, match="no complete snapshot would be left"):
        await plan_deletion(world.resources, named(made[0], made[1]))


async def test_what_the_container_does_not_let_go_stays_whole(
    world: World, calendar: Calendar, west: MemoryStore
) -> None:
    made = await three_nights(world, calendar)
    west.snapshots.immutable.add(manifest_name(EAST, "hotels", made[0]))
    [local, there] = [
        await delete_snapshots(world.resources, each) for each in await plan_deletion(world.resources, named(made[0]))
    ]
    assert (local.removed, there.removed, [each.blob for each in there.refused]) == (
        (made[0],),
        (),
        [manifest_name(EAST, "hotels", made[0])],
    )
    assert await ids(west) == made


@pytest.mark.parametrize("point", ["latest", "yesterday", "-1d", "2026-11-20"])
async def test_only_an_id_names_what_is_deleted(world: World, point: str) -> None:
    with pytest.raises(SettingsError, match="only its id"):
        await plan_deletion(world.resources, named(point))
