"""Moves that stopped and are given again, and sources that must not be deleted."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.embedded import EmbeddedEngine
from errors import ConflictError, IndexvaultError, VerificationError
from move.record import require_moving, write_moving
from move.workflow import MOVE_INDEX, STEPS
from search.batch import batch, upload_action
from snapshots.memory_store import MemoryStore
from snapshots.names import restore_name
from tests import hotels
from tests.move.test_move_index import Mover
from tests.world import EAST, WEST, World, open_world


@pytest.fixture
async def mover() -> AsyncIterator[Mover]:
    async with (
        open_world(MemoryStore("local")) as world,
        EmbeddedEngine(world.resources, STEPS, [MOVE_INDEX]) as engine,
    ):
        yield Mover(world, engine)


async def add_to_source(world: World, key: str) -> None:
    document = hotels.hotels(1)[0] | {"id": key}
    await world.east.index_documents("hotels", batch([upload_action(msgspec.json.encode(document))]))


async def stop_before_the_end(mover: Mover, **changes: object) -> None:
    """Move, but with the source's deletion failing, so that everything but the end is done."""
    await mover.world.faults(EAST, {"fault": "unavailable", "method": "DELETE"})
    with pytest.raises(IndexvaultError):
        await mover.move(delete_source=True, **changes)
    await mover.world.faults(EAST)


async def test_a_source_without_key_order_that_changed_is_not_taken_for_moved_the_second_time(mover: Mover) -> None:
    await mover.world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(40))
    await stop_before_the_end(mover)
    await add_to_source(mover.world, "late")
    for _ in range(2):
        with pytest.raises(VerificationError, match="not what the source is now"):
            await mover.move(delete_source=True)
        assert await mover.world.east.count("hotels") == 41


async def test_an_index_that_came_after_a_failed_restore_is_not_the_moves_to_overwrite(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    blob = restore_name(WEST, "hotels")
    await mover.world.store.runs.put(blob, b"no record")
    with pytest.raises(IndexvaultError, match="can't be read"):
        await mover.move()
    await mover.world.store.runs.delete(blob)
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(3), service=WEST)
    with pytest.raises(ConflictError, match=r"an index .* exists"):
        await mover.move()
    assert await mover.world.west.count("hotels") == 3


async def test_a_source_that_kept_changing_is_caught_up_with_once_it_rests(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    await stop_before_the_end(mover)
    runs = mover.world.store.runs
    moving = await require_moving(runs, mover.job().source, "move-1")
    await write_moving(runs, msgspec.structs.replace(moving, rounds=3))
    await add_to_source(mover.world, "late")
    report = await mover.move(delete_source=True)
    assert (report.compared, report.source_deleted) == (21, True)
    assert len(await mover.world.documents(WEST, "hotels", "id")) == 21


async def test_fields_that_were_lost_keep_the_source_from_being_deleted(mover: Mover) -> None:
    await mover.world.fill(hotels.with_field("stars", retrievable=False), hotels.hotels(20))
    report = await mover.move(delete_source=True, accept_loss=True)
    assert report.losses
    assert not report.source_deleted
    assert any("the target lacks stars" in note for note in report.notes)
    assert await mover.world.east.count("hotels") == 20


async def test_a_move_killed_right_after_the_sources_deletion_ends_well(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    await stop_before_the_end(mover)
    runs, east = mover.world.store.runs, mover.world.east
    moving = await require_moving(runs, mover.job().source, "move-1")
    assert moving.removing
    await east.delete_index("hotels", etag=(await east.index_definition("hotels")).etag)
    report = await mover.move(delete_source=True)
    assert report.source_deleted
    assert any("was deleted by run" in note for note in report.notes)
