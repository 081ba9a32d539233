"""The preflight of a move: what it reports, and that it writes nothing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from indexvault.errors import ConflictError, IndexvaultError
from indexvault.move.job import MovePreflightReport
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX, PREFLIGHT_MOVE
from indexvault.restore.checks import failure
from indexvault.workflow.local import LocalEngine
from tests import hotels
from tests.memory_store import MemoryStore
from tests.move.test_move_index import Mover
from tests.world import EAST, WEST, World, open_world


@pytest.fixture
async def mover() -> AsyncIterator[Mover]:
    async with (
        open_world(MemoryStore("local")) as world,
        LocalEngine(world.resources, ACTIVITIES, [MOVE_INDEX, PREFLIGHT_MOVE]) as engine,
    ):
        yield Mover(world, engine)


async def standing(world: World) -> tuple[Any, ...]:
    """Return all that a move could change: both services' indexes and aliases, and every blob."""
    services = [
        ([(name, (await service.index_definition(name)).etag) for name in await service.index_names()],
         await service.aliases())
        for service in (world.east, world.west)
    ]  # fmt: skip
    blobs = [
        blob
        for half in (world.store.snapshots, world.store.runs)
        async for blob in half.list("")
    ]  # fmt: skip
    return (*services, blobs)


async def checked(mover: Mover, **changes: Any) -> MovePreflightReport:
    """Check a move, and assert that the check touched nothing."""
    before = await standing(mover.world)
    report = await mover.engine.run(PREFLIGHT_MOVE, mover.job(**changes))
    assert await standing(mover.world) == before
    return report


def failed(report: MovePreflightReport) -> dict[str, str]:
    return {check.name: check.error for check in report.checks if check.outcome == "failed"}


async def test_a_move_that_can_be_made_is_told_step_by_step(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(50))
    await mover.world.fill(hotels.DEFINITION | {"name": "older"}, [], service=WEST)
    await mover.world.west.point_alias("guests", "older", before=None)
    report = await checked(mover, alias="guests", delete_source=True)
    assert (report.ready, report.resumes, report.documents) == (True, None, 50)
    assert report.would == [
        f"make a snapshot of {EAST}/hotels",
        f"make {WEST}/hotels from it, and prove it",
        f"compare {WEST}/hotels with {EAST}/hotels as it is then, and catch up with what has changed",
        f"move the alias {WEST}/guests from older",
        f"delete {EAST}/hotels, if it is unchanged",
    ]
    assert [check.name for check in report.checks][:2] == ["source", "snapshot"]
    moved = await mover.move(alias="guests", delete_source=True)
    assert moved.source_deleted


async def test_a_given_snapshot_is_read_and_its_target_checked(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(50))
    snapshot = (await mover.world.back_up("hotels")).snapshot
    report = await checked(mover, snapshot=snapshot)
    assert report.ready
    assert report.would[0] == f"use the snapshot {snapshot}"
    assert report.would[-1] == f"keep {EAST}/hotels"
    assert "chunks" in {check.name for check in report.checks if check.outcome == "ok"}


@pytest.mark.parametrize(
    ("changes", "found", "code"),
    [
        ({"index": "nothing"}, {"source": "NotFoundError"}, 4),
        ({"target_service": EAST}, {"source": "ConflictError"}, 5),
        ({"target_index": "older"}, {"name": "ConflictError"}, 5),
        ({"target_index": "No Name"}, {"name": "SettingsError"}, 2),
        ({"alias": "older"}, {"alias": "ConflictError"}, 5),
        ({"patch": '{"fields":{"stars":{"type":"Edm.DateTimeOffset"}}}'}, {"patch": "SettingsError"}, 2),
    ],
)
async def test_what_stands_in_the_way_is_told_with_the_code_that_the_move_would_end_with(
    mover: Mover, changes: dict[str, Any], found: dict[str, str], code: int
) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(5))
    await mover.world.fill(hotels.DEFINITION | {"name": "older"}, [], service=WEST)
    report = await checked(mover, **changes)
    assert failed(report) == found
    stop = failure(report.checks, "")
    assert stop is not None
    assert stop.exit_code == code


async def test_a_name_that_is_taken_is_refused_with_advice_that_a_move_can_follow(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(5))
    await mover.world.fill(hotels.DEFINITION | {"name": "older"}, [], service=WEST)
    snapshot = (await mover.world.back_up("hotels")).snapshot
    for changes in ({}, {"snapshot": snapshot}):
        report = await checked(mover, target_index="older", **changes)
        assert [check.do for check in report.checks if check.outcome == "failed"] == [
            f"Move it to another name (--to {WEST}/NAME)"
        ]
    with pytest.raises(ConflictError, match="Move it to another name") as refused:
        await mover.move(target_index="older")
    assert "--mode" not in str(refused.value)


async def test_losses_are_told_before_anything_is_read(mover: Mover) -> None:
    await mover.world.fill(hotels.with_field("stars", retrievable=False), hotels.hotels(5))
    assert failed(await checked(mover)) == {"losses": "LossNotAcceptedError"}
    assert (await checked(mover, accept_loss=True)).ready


async def test_a_move_that_has_begun_says_what_is_left_of_it(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(5))
    await mover.world.faults(WEST, {"fault": "unavailable", "method": "PUT", "path": "alias"})
    with pytest.raises(IndexvaultError):
        await mover.move(alias="guests")
    await mover.world.faults(WEST)
    report = await checked(mover, alias="guests")
    assert (report.ready, report.resumes, report.documents) == (True, "move-1", 5)
    assert not any("snapshot" in step for step in report.would)
    assert failed(await checked(mover, alias="others")) == {"move": "ConflictError"}


async def test_a_move_that_was_stopped_while_it_loaded_would_go_on_with_its_restore(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    await mover.world.faults(WEST, {"fault": "item", "status": 503, "operation": "index_documents"})
    with pytest.raises(IndexvaultError):
        await mover.move()
    await mover.world.faults(WEST)
    report = await checked(mover)
    assert report.ready, failed(report)
    assert report.resumes == "move-1"
    assert (await mover.move()).compared == 20
