import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from emulator.service import EmulatedService
from indexvault.errors import ConflictError, NotFoundError, OverloadedError, SettingsError, VerificationError
from indexvault.move.job import MoveJob, MoveReport
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX
from indexvault.restore.not_compared import NotCompared
from indexvault.search.batch import batch, upload_action
from indexvault.snapshots.run_names import move_name
from indexvault.workflow.local import LocalEngine
from tests import hotels
from tests.memory_store import MemoryStore
from tests.restore.stored import presume
from tests.world import EAST, WEST, World, open_world


class Mover:
    """A world and an engine for moves."""

    def __init__(self, world: World, engine: LocalEngine) -> None:
        self.world = world
        self.engine = engine
        self.runs = 0

    def job(self, **changes: Any) -> MoveJob:
        self.runs += 1
        members: dict[str, Any] = {
            "service": EAST,
            "index": "hotels",
            "target_service": WEST,
            "target_index": "hotels",
            "run": f"move-{self.runs}",
        }
        return MoveJob(**(members | changes))

    async def move(self, **changes: Any) -> MoveReport:
        return await self.engine.run(MOVE_INDEX, self.job(**changes))

    async def moved_right(self) -> bool:
        there = await self.world.documents(WEST, "hotels", "id")
        return there == await self.world.documents(EAST, "hotels", "id")


@pytest.fixture
async def mover() -> AsyncIterator[Mover]:
    async with (
        open_world(MemoryStore("local")) as world,
        LocalEngine(world.resources, ACTIVITIES, [MOVE_INDEX]) as engine,
    ):
        yield Mover(world, engine)


async def source_writes(world: World) -> list[str]:
    """Return the writes to the east since its counters were cleared."""
    return [
        name
        for name, tally in (await world.requests(EAST)).items()
        if name.startswith(("create", "put", "delete", "index_"))
        and any(status.startswith("2") for status in tally["statuses"])
    ]


async def test_a_move_is_a_copy_proved_against_the_source_which_is_only_read(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(700))
    await mover.world.control("DELETE", EAST, "/requests")
    report = await mover.move()
    assert (report.compared, report.rounds, report.source_deleted) == (700, 1, False)
    assert await mover.moved_right()
    assert await source_writes(mover.world) == []
    assert await mover.world.store.runs.read(move_name(EAST, "hotels"), 2**20) is None


async def test_the_alias_is_swapped_and_then_the_source_deleted(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(30))
    await mover.world.fill(hotels.DEFINITION | {"name": "older"}, hotels.hotels(3), service=WEST)
    await mover.world.west.point_alias("guests", "older", before=None)
    report = await mover.move(alias="guests", delete_source=True)
    assert report.source_deleted
    assert await mover.world.east.index_names() == []
    assert await mover.world.west.alias_target("guests") == "hotels"
    assert await mover.world.west.index_names() == ["hotels", "older"]


async def test_a_source_that_an_alias_holds_is_not_promised_to_be_deleted(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(3))
    await mover.world.east.point_alias("guests", "hotels", before=None)
    with pytest.raises(ConflictError, match="guests"):
        await mover.move(delete_source=True)
    assert await mover.world.west.index_names() == []


async def test_what_is_written_to_the_source_meanwhile_is_caught_up_with(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(50))
    snapshot = await mover.world.back_up("hotels")
    late = [upload_action(msgspec.json.encode(hotels.hotels(1)[0] | {"id": "late"}))]
    await mover.world.faults(WEST, {"fault": "latency", "seconds": 3600, "operation": "index_documents"})
    moving = asyncio.create_task(mover.move())
    while "index_documents" not in await mover.world.requests(WEST):
        assert not moving.done(), moving
        await asyncio.sleep(0.01)
    await mover.world.east.index_documents("hotels", batch(late))
    await mover.world.faults(WEST)
    report = await moving
    assert snapshot.documents == 50
    assert (report.rounds, report.compared) == (2, 51)
    assert await mover.moved_right()


async def test_a_given_snapshot_that_is_no_longer_the_source_is_not_switched_to(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(50))
    snapshot = await mover.world.back_up("hotels")
    late = [upload_action(msgspec.json.encode(hotels.hotels(1)[0] | {"id": "late"}))]
    await mover.world.east.index_documents("hotels", batch(late))
    with pytest.raises(VerificationError, match=r"1 are missing.*'late'.*source is untouched"):
        await mover.move(snapshot=snapshot.snapshot, alias="guests", delete_source=True)
    assert await mover.world.east.count("hotels") == 51
    assert await mover.world.west.alias_target("guests") is None


async def test_a_patch_moves_along(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    report = await mover.move(patch='{"fields":{"visits":null,"stars":{"facetable":true}}}')
    assert report.compared == 20
    assert "visits" not in (await mover.world.documents(WEST, "hotels", "id"))[0]


async def test_an_overlay_gives_the_target_the_secrets_that_no_snapshot_holds(mover: Mover) -> None:
    own = {
        "name": "own",
        "kind": "customWebApi",
        "customWebApiParameters": {"uri": "https://e.example?code=east-key-1"},
    }
    vectors = hotels.DEFINITION["vectorSearch"] | {"vectorizers": [own]}
    await mover.world.fill(hotels.definition(vectorSearch=vectors), hotels.hotels(20))
    west = {
        "vectorSearch": {
            "vectorizers": {"own": {"customWebApiParameters": {"uri": {"env": "WEST_EMBED", "host": "w.example"}}}}
        }
    }
    settings = mover.world.clients.settings
    mover.world.clients.settings = msgspec.structs.replace(settings, overlays={"west": {"indexes/hotels": west}})
    environment = mover.world.clients._environment
    mover.world.clients._environment = {**environment, "WEST_EMBED": "https://w.example?code=west-key-1"}
    with pytest.raises(SettingsError, match="no snapshot holds secrets"):
        await mover.move()
    await mover.move(overlay="west", forget=True)
    made = msgspec.json.decode((await mover.world.west.index_definition("hotels")).body)
    [vectorizer] = made["vectorSearch"]["vectorizers"]
    assert vectorizer["customWebApiParameters"]["uri"] == "https://w.example?code=west-key-1"


async def test_an_index_whose_key_gives_no_order_is_moved_too(mover: Mover) -> None:
    await mover.world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(40))
    report = await mover.move()
    assert report.compared == 40
    assert await mover.world.west.count("hotels") == 40


async def test_a_move_that_failed_goes_on_and_does_not_read_the_source_again(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(1500))
    await mover.world.faults(WEST, {"fault": "item", "status": 503, "key": "h001", "operation": "index_documents"})
    with pytest.raises(OverloadedError):
        await mover.move(delete_source=True)
    assert await mover.world.east.count("hotels") == 1500
    with pytest.raises(ConflictError, match="has not ended"):
        await mover.move(alias="guests")
    await mover.world.faults(WEST)
    report = await mover.move(delete_source=True)
    assert report.resumed == "move-1"
    assert report.rounds == 1
    assert report.source_deleted


async def test_an_index_that_is_not_there_and_a_move_to_itself_are_told(mover: Mover) -> None:
    with pytest.raises(NotFoundError, match="there is no such index"):
        await mover.move()
    await mover.world.fill(hotels.DEFINITION, [])
    with pytest.raises(ConflictError, match="the same"):
        await mover.move(target_service=EAST)


async def test_a_rename_within_one_service_is_a_move(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(12))
    report = await mover.move(target_service=EAST, target_index="inns", delete_source=True)
    assert report.compared == 12
    assert await mover.world.east.index_names() == ["inns"]


async def test_chunks_go_to_the_targets_store_first() -> None:
    east, west = MemoryStore("local"), MemoryStore("west")
    services = (
        EmulatedService(name=EAST, region="eastus", api_key="east-admin-key"),
        EmulatedService(name=WEST, region="westus2", api_key="west-admin-key"),
    )
    async with (
        open_world(east, services=services, replicas={"west": west}, store_of={WEST: "west"}) as world,
        LocalEngine(world.resources, ACTIVITIES, [MOVE_INDEX]) as engine,
    ):
        mover = Mover(world, engine)
        await world.fill(hotels.DEFINITION, hotels.hotels(300))
        report = await mover.move()
        assert report.copied > 0
        assert await mover.moved_right()
        here = [blob.name async for blob in east.snapshots.list(f"{EAST}/")]
        assert [blob.name async for blob in west.snapshots.list(f"{EAST}/")] == here


@pytest.mark.parametrize("changes", [{"target_index": "older"}, {"alias": "older"}])
async def test_a_name_that_is_taken_is_told_before_the_source_is_read(mover: Mover, changes: dict[str, Any]) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    await mover.world.fill(hotels.DEFINITION | {"name": "older"}, [], service=WEST)
    with pytest.raises(ConflictError, match="older"):
        await mover.move(**changes)
    assert [blob async for blob in mover.world.store.snapshots.list("")] == []
    assert await mover.world.store.runs.read(move_name(EAST, "hotels"), 2**20) is None


async def test_a_move_says_which_fields_were_not_compared(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    report = await mover.move(patch='{"fields":{"visits":null,"stars":{"retrievable":false}}}')
    assert report.not_compared == NotCompared(dropped=["visits"], hidden=["stars"])


async def test_a_move_without_key_order_says_so_too(mover: Mover) -> None:
    await mover.world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(20))
    report = await mover.move(patch='{"fields":{"visits":null}}')
    assert report.not_compared == NotCompared(dropped=["visits"])


async def test_a_plain_move_leaves_nothing_out(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    assert (await mover.move()).not_compared == NotCompared()


async def test_a_move_from_a_presumed_snapshot_keeps_the_source(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    presumed = await presume(mover.world, await mover.world.back_up("hotels"))
    report = await mover.move(snapshot=presumed.snapshot, delete_source=True)
    assert not report.source_deleted
    assert any("the snapshot of the move is presumed, and no proof" in note for note in report.notes)
    assert await mover.world.east.count("hotels") == 20
