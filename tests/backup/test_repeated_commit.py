"""A commit that is repeated finds the snapshot of its own reading, and never that of another one."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import IndexvaultError, IntegrityError, UnreachableError
from indexvault.snapshots.announcements import ANNOUNCED_FOR, announced_trees
from indexvault.snapshots.catalogue import list_snapshots
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, Run, World, open_world, upload_batch

RUN = "killed"


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
async def world(calendar: Calendar) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local", calendar), clock=calendar) as opened:
        await opened.fill(hotels.DEFINITION, hotels.hotels(40))
        yield opened


async def change(world: World) -> None:
    renamed = hotels.hotels(40)[20] | {"name": "renamed"}
    await world.east.index_documents("hotels", upload_batch([msgspec.json.encode(renamed)]))


async def runs(world: World) -> list[str]:
    return [each.run for each in await list_snapshots(world.store.snapshots, EAST, "hotels")]


def refuse_manifests(world: World, times: int) -> None:
    """Have the store fail so many times as a manifest is written."""
    create, left = world.store.snapshots.create, times

    async def failing(name: str, data: bytes, *, metadata: Mapping[str, str] | None = None, **given: Any) -> bool:
        nonlocal left
        if "/manifests/" in name and left:
            left -= 1
            raise UnreachableError("the store failed", on=name, do="Try again")
        return await create(name, data, metadata=metadata, **given)

    world.store.snapshots.create = failing  # type: ignore[method-assign]  # what crosses to the store fails


async def test_a_resumed_run_does_not_take_its_first_snapshot_for_the_second(world: World, calendar: Calendar) -> None:
    # Killed after its commit, before its lock was released: so the command is resumed under the same name.
    first = await world.back_up("hotels", run=RUN)
    await change(world)
    calendar.now += timedelta(minutes=1)
    refuse_manifests(world, 1)
    second = await world.back_up("hotels", run=RUN)
    assert second.snapshot != first.snapshot
    assert (second.added_chunks, second.notes) == (1, [])
    assert await runs(world) == [RUN, RUN]


async def test_a_damaged_record_is_not_hidden_by_the_first_snapshot_of_a_run(world: World, calendar: Calendar) -> None:
    await world.back_up("hotels", run=RUN)
    await change(world)
    calendar.now += timedelta(minutes=1)

    async def damage(run: Run, resources: Any, given: Any) -> Any:
        async for blob in world.store.runs.list("runs/"):
            if "-range-" in blob.name:
                await world.store.runs.put(blob.name, b"damaged")
        return await run(resources, given)

    world.around["commit_snapshot"] = damage
    with pytest.raises(IntegrityError):
        await world.back_up("hotels", run=RUN)


async def test_a_commit_repeated_after_days_makes_no_second_snapshot(world: World, calendar: Calendar) -> None:
    async def killed_after_its_commit(run: Run, resources: Any, given: Any) -> Any:
        del world.around["commit_snapshot"]
        runs = world.store.runs
        delete = runs.delete

        async def gone(name: str, **_conditions: Any) -> bool:
            raise IndexvaultError("it was killed", on=name, do="Run again")

        runs.delete = gone  # type: ignore[method-assign]  # what crosses to the store fails
        with pytest.raises(IndexvaultError, match="killed"):
            await run(resources, given)
        runs.delete = delete  # type: ignore[method-assign]  # as before
        # The host comes back after days. Meanwhile, a sweep has looked.
        calendar.now += 2 * ANNOUNCED_FOR
        await announced_trees(runs, EAST, "hotels", calendar.now)
        return await run(resources, given)

    world.around["commit_snapshot"] = killed_after_its_commit
    await world.back_up("hotels", run=RUN)
    assert await runs(world) == [RUN]
