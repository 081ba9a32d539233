"""Interrupted moves that resume, and sources that must not be deleted."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from indexvault.errors import ConflictError, IndexvaultError, VerificationError
from indexvault.model import IndexName
from indexvault.move.job import SourceRange
from indexvault.move.state import require_move_state, write_move_state
from indexvault.move.verify import COMPARE_SOURCE
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX
from indexvault.restore.report import StretchCompared
from indexvault.search.batch import batch, delete_action, upload_action
from indexvault.snapshots.run_names import restore_name
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.lock import Lock
from indexvault.workflow.lock_holder import read_holder
from tests import hotels
from tests.memory_store import MemoryStore
from tests.move.test_move_index import Mover
from tests.world import EAST, WEST, World, open_world

VECTORIZER = {
    "name": "words-to-vectors",
    "kind": "azureOpenAI",
    "azureOpenAIParameters": {
        "resourceUri": "https://contoso.openai.azure.com",
        "deploymentId": "embed",
        "modelName": "text-embedding-3-small",
        "apiKey": "vectorizer-key",
    },
}


@pytest.fixture
async def mover() -> AsyncIterator[Mover]:
    async with (
        open_world(MemoryStore("local")) as world,
        LocalEngine(world.resources, ACTIVITIES, [MOVE_INDEX]) as engine,
    ):
        yield Mover(world, engine)


async def add_to_source(world: World, key: str) -> None:
    document = hotels.hotels(1)[0] | {"id": key}
    await world.east.index_documents("hotels", batch([upload_action(msgspec.json.encode(document))]))


async def stop_before_the_end(mover: Mover, **changes: object) -> None:
    """Move, but with the source's deletion failing, so that only the end is missing."""
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
    move_state = await require_move_state(runs, mover.job().source, "move-1")
    await write_move_state(runs, msgspec.structs.replace(move_state, rounds=3))
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
    move_state = await require_move_state(runs, mover.job().source, "move-1")
    assert move_state.removing
    await east.delete_index("hotels", before=await east.index_definition("hotels"))
    report = await mover.move(delete_source=True)
    assert report.source_deleted
    assert any("was deleted by run" in note for note in report.notes)


async def stop_at_the_alias(mover: Mover, **changes: object) -> None:
    """Move, but with the swap of the alias failing, so that everything before it is done."""
    await mover.world.faults(WEST, {"fault": "unavailable", "method": "PUT", "path": "alias"})
    with pytest.raises(IndexvaultError):
        await mover.move(alias="guests", **changes)
    await mover.world.faults(WEST)


async def test_what_was_lost_is_told_by_the_execution_that_ends_the_move(mover: Mover) -> None:
    await mover.world.fill(hotels.with_field("stars", retrievable=False), hotels.hotels(20))
    await stop_at_the_alias(mover, accept_loss=True)
    report = await mover.move(alias="guests", accept_loss=True)
    assert report.resumed is not None
    assert [loss.partition(":")[0] for loss in report.losses] == ["stars"]
    assert report.documents == 20


async def test_what_was_noted_is_told_by_the_execution_that_ends_the_move(mover: Mover) -> None:
    vectors = hotels.DEFINITION["vectorSearch"] | {"vectorizers": [VECTORIZER]}
    await mover.world.fill(hotels.definition(vectorSearch=vectors), hotels.hotels(3))
    await stop_at_the_alias(mover)
    report = await mover.move(alias="guests")
    assert any("secrets" in note for note in report.notes)


async def stop_in_a_sync(mover: Mover) -> None:
    """Stop in a second round: the target was created, and one document is still missing there."""
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    await stop_before_the_end(mover)
    await add_to_source(mover.world, "late")
    await mover.world.faults(WEST, {"fault": "item", "status": 503, "key": "late", "operation": "index_documents"})
    with pytest.raises(IndexvaultError):
        await mover.move(delete_source=True)
    await mover.world.faults(WEST)


async def marks(world: World) -> list[str]:
    return [blob.name async for blob in world.store.runs.list("restores/")]


async def test_a_sync_that_was_killed_with_all_written_leaves_no_mark(mover: Mover) -> None:
    await stop_in_a_sync(mover)
    assert await marks(mover.world) == [restore_name(WEST, "hotels")]
    late = hotels.hotels(1)[0] | {"id": "late"}
    await mover.world.west.index_documents("hotels", batch([upload_action(msgspec.json.encode(late))]))
    report = await mover.move(delete_source=True)
    assert (report.compared, report.rounds, report.source_deleted) == (21, 2, True)
    assert await marks(mover.world) == []


async def test_a_sync_that_was_killed_is_ended_before_anything_else(mover: Mover) -> None:
    await stop_in_a_sync(mover)
    report = await mover.move(delete_source=True)
    assert (report.compared, report.rounds, report.source_deleted) == (21, 2, True)
    assert await marks(mover.world) == []


async def test_what_another_restore_left_unfinished_in_the_target_is_not_the_moves_to_discard(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    snapshot = await mover.world.back_up("hotels")
    await stop_before_the_end(mover)
    gone = [delete_action("id", "h000003")]
    await mover.world.west.index_documents("hotels", batch(gone))
    await mover.world.faults(WEST, {"fault": "item", "status": 503, "key": "h000003", "operation": "index_documents"})
    with pytest.raises(IndexvaultError):
        await mover.world.restore(snapshot, index="hotels", mode="sync")
    await mover.world.faults(WEST)
    with pytest.raises(ConflictError, match="hotels is unfinished"):
        await mover.move(delete_source=True)
    assert await mover.world.east.count("hotels") == 20
    await mover.world.restore(snapshot, index="hotels", mode="sync")
    assert (await mover.move(delete_source=True)).source_deleted


async def test_the_target_is_the_moves_own_until_it_ends(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    snapshot = await mover.world.back_up("hotels")
    locks: list[str | None] = []
    step = COMPARE_SOURCE.run

    async def watched(resources: Resources, stretch: SourceRange) -> StretchCompared:
        for name in ("guests", "hotels"):
            holder = await read_holder(mover.world.store.runs, IndexName(WEST, name))
            locks.append(holder.run if holder is not None else None)
        with pytest.raises(ConflictError, match="locked by"):
            await mover.world.restore(snapshot, index="hotels", mode="sync")
        return await step(resources, stretch)

    steps = [each for each in ACTIVITIES if each is not COMPARE_SOURCE]
    steps.append(Activity(COMPARE_SOURCE.name, SourceRange, StretchCompared, watched, COMPARE_SOURCE.work))
    async with LocalEngine(mover.world.resources, steps, [MOVE_INDEX]) as engine:
        job = mover.job(alias="guests", delete_source=True)
        report = await engine.run(MOVE_INDEX, job)
    assert locks == [job.run, job.run]
    assert report.source_deleted
    for index in (IndexName(WEST, "guests"), IndexName(WEST, "hotels"), IndexName(EAST, "hotels")):
        await Lock(mover.world.store.runs, index, run="next", owner="a test", clock=mover.world.resources.clock).take()


async def test_of_two_moves_of_one_index_that_begin_at_once_one_is_refused(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    ends = await asyncio.gather(
        mover.move(), mover.move(target_index="inns"), mover.move(target_index="lodges"), return_exceptions=True
    )
    assert sum(isinstance(each, ConflictError) for each in ends) == 2
    assert len(await mover.world.west.index_names()) == 1


async def test_a_target_without_key_order_that_was_changed_is_not_taken_for_the_source(mover: Mover) -> None:
    await mover.world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(40))
    await stop_before_the_end(mover)
    await mover.world.west.index_documents("hotels", batch([delete_action("id", "h000003")]))
    with pytest.raises(VerificationError, match=r"1 are missing, 0 extra \(first: 'h000003' missing\)"):
        await mover.move(delete_source=True)
    assert await mover.world.east.count("hotels") == 40
