from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import ConflictError, NotFoundError, RefusedError, SettingsError
from indexvault.search.batch import batch, delete_action, upload_action
from indexvault.workflow.patience import FIRST_PAUSE
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, World, open_world

ROOMS: list[dict[str, Any]] = next(field["fields"] for field in hotels.DEFINITION["fields"] if field["name"] == "rooms")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


@pytest.fixture
async def snapshot(world: World) -> BackupReport:
    await world.fill(hotels.DEFINITION, hotels.hotels(600))
    return await world.back_up("hotels")


async def there(world: World, index: str = "hotels") -> list[dict[str, Any]]:
    return await world.documents(WEST, index, "id")


async def change(world: World, *, changed: int = 0, deleted: int = 0, added: int = 0) -> None:
    """Change the west's index: documents from the first on, the last deleted, others added behind."""
    documents = hotels.hotels(600)
    actions = [upload_action(msgspec.json.encode(document | {"stars": 99})) for document in documents[:changed]]
    actions += [delete_action("id", document["id"]) for document in documents[len(documents) - deleted :]]
    actions += [upload_action(msgspec.json.encode(documents[0] | {"id": f"x{number}"})) for number in range(added)]
    if actions:
        await world.west.index_documents("hotels", batch(actions))


async def writes(world: World) -> int:
    """Return how many requests have changed documents of the west."""
    written: int = (await world.requests(WEST))["index_documents"]["statuses"].get("200", 0)
    return written


async def test_sync_writes_only_what_differs_and_deletes_what_is_too_much(world: World, snapshot: BackupReport) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(600), service=WEST)
    await change(world, changed=3, deleted=5, added=2)
    report = await world.restore(snapshot, index="hotels", mode="sync")
    assert (report.uploaded, report.deleted) == (8, 2)
    assert (report.identical + report.equal, report.different, report.extra) == (600, 0, 0)
    assert await there(world) == await world.documents(EAST, "hotels", "id")


async def test_sync_of_an_equal_index_writes_nothing_and_reads_no_chunk(world: World, snapshot: BackupReport) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(600), service=WEST)
    before = await writes(world)
    report = await world.restore(snapshot, index="hotels", mode="sync")
    assert (report.uploaded, report.deleted, report.requests) == (0, 0, 0)
    assert report.untouched_chunks == snapshot.chunks
    assert await writes(world) == before


async def test_sync_goes_through_an_alias_to_its_index(world: World, snapshot: BackupReport) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(10), service=WEST)
    await world.west.point_alias("guests", "hotels", before=None)
    report = await world.restore(snapshot, index="guests", mode="sync")
    assert (report.target_index, report.uploaded) == ("hotels", 590)


async def test_fill_brings_back_what_is_missing_and_leaves_the_rest_alone(world: World, snapshot: BackupReport) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(600), service=WEST)
    await change(world, changed=3, deleted=5, added=2)
    report = await world.restore(snapshot, index="hotels", mode="fill")
    assert (report.uploaded, report.deleted, report.different, report.extra) == (5, 0, 3, 2)
    documents = await there(world)
    assert [document["stars"] for document in documents[:3]] == [99, 99, 99]
    assert len(documents) == 602


@pytest.mark.parametrize("mode", ["sync", "fill"])
async def test_fields_that_the_target_hides_are_written_with_their_documents(world: World, mode: str) -> None:
    """Such fields can't be compared; the documents that are written have them all the same, at every depth."""
    await world.fill(hotels.DEFINITION, hotels.hotels(60))
    made = await world.back_up("hotels")
    rooms = [*ROOMS[:1], ROOMS[1] | {"retrievable": False}, *ROOMS[2:]]
    hiding = hotels.with_field("rooms", fields=rooms)
    hiding["fields"] = [
        field | {"retrievable": False} if field["name"] in {"visits", "vector"} else field for field in hiding["fields"]
    ]
    await world.fill(hiding, [document | {"stars": 9} for document in hotels.hotels(50)], service=WEST)
    report = await world.restore(made, index="hotels", mode=mode)
    assert report.uploaded == (60 if mode == "sync" else 10)
    present = await world.west.index_definition("hotels")
    shown = msgspec.json.encode(hotels.DEFINITION)
    await world.west.update_index("hotels", shown, before=present, preview=False)
    written, wanted = await there(world), await world.documents(EAST, "hotels", "id")
    assert written[50:] == wanted[50:]
    assert (written == wanted) == (mode == "sync")


@pytest.mark.parametrize("mode", ["sync", "fill"])
async def test_single_documents_come_back_by_key(world: World, snapshot: BackupReport, mode: str) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(600), service=WEST)
    await change(world, changed=3, deleted=600 - 3, added=2)
    report = await world.restore(snapshot, index="hotels", mode=mode, keys=("h000001", "h000500"))
    assert report.uploaded == (2 if mode == "sync" else 1)
    assert report.deleted == 0
    documents = {document["id"]: document["stars"] for document in await there(world)}
    assert set(documents) == {"h000000", "h000001", "h000002", "h000500", "x0", "x1"}
    assert (documents["h000001"] == 99) == (mode == "fill")


async def test_a_filter_restores_the_documents_it_picks_as_an_index_of_their_own(
    world: World, snapshot: BackupReport
) -> None:
    report = await world.restore(snapshot, filter="stars == `5`")
    wanted = [document for document in await world.documents(EAST, "hotels", "id") if document["stars"] == 5]
    assert await there(world, "restored") == wanted
    assert report.documents == len(wanted)


async def test_a_key_that_the_snapshot_lacks_is_told_before_anything_is_touched(
    world: World, snapshot: BackupReport
) -> None:
    with pytest.raises(NotFoundError, match="h999999"):
        await world.restore(snapshot, keys=("h000001", "h999999"))
    assert await world.west.index_names() == []


async def test_replace_swaps_the_alias_and_keeps_the_old_index(world: World, snapshot: BackupReport) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(10), service=WEST)
    await world.west.point_alias("guests", "hotels", before=None)
    report = await world.restore(snapshot, index="guests", mode="replace")
    assert await world.west.alias_target("guests") == report.target_index
    assert report.target_index.startswith("guests-20")
    assert (report.alias, report.old_index, report.old_deleted) == ("guests", "hotels", False)
    assert await world.west.count("hotels") == 10
    assert await there(world, "guests") == await world.documents(EAST, "hotels", "id")
    assert 10 in world.slept


async def test_replace_deletes_the_old_index_only_when_asked(world: World, snapshot: BackupReport) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(10), service=WEST)
    await world.west.point_alias("guests", "hotels", before=None)
    report = await world.restore(snapshot, index="guests", mode="replace", delete_old=True)
    assert report.old_deleted
    assert await world.west.index_names() == [report.target_index]


async def test_a_plain_index_is_replaced_only_in_place_and_only_when_told(world: World, snapshot: BackupReport) -> None:
    await world.fill(hotels.with_field("stars", facetable=False), hotels.hotels(10), service=WEST)
    with pytest.raises(ConflictError, match="--replace-in-place"):
        await world.restore(snapshot, index="hotels", mode="replace")
    assert await world.west.count("hotels") == 10
    report = await world.restore(snapshot, index="hotels", mode="replace", in_place=True)
    assert report.uploaded == 600
    assert await world.west.index_names() == ["hotels"]
    assert await there(world) == await world.documents(EAST, "hotels", "id")


async def test_a_definition_the_target_refuses_does_not_cost_the_index_that_is_replaced_in_place(
    world: World, snapshot: BackupReport
) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(10), service=WEST)
    patch = '{"fields":{"name":{"analyzer":"no.such"}}}'
    with pytest.raises(RefusedError):
        await world.restore(snapshot, index="hotels", mode="replace", in_place=True, patch=patch)
    assert await world.west.index_names() == ["hotels"]
    assert await world.west.count("hotels") == 10


@pytest.mark.parametrize("mode", ["replace", "sync", "fill"])
async def test_modes_that_need_an_index_say_so_when_there_is_none(
    world: World, snapshot: BackupReport, mode: str
) -> None:
    with pytest.raises(NotFoundError, match=f"to {mode}"):
        await world.restore(snapshot, index="hotels", mode=mode)
    assert await world.west.index_names() == []


@pytest.mark.parametrize("mode", ["create", "sync"])
async def test_another_schema_is_refused_and_untouched(world: World, snapshot: BackupReport, mode: str) -> None:
    other = {"name": "hotels", "fields": [hotels.DEFINITION["fields"][0], {"name": "other", "type": "Edm.String"}]}
    await world.fill(other, [{"id": "a", "other": "b"}], service=WEST)
    with pytest.raises(ConflictError, match="nothing was touched"):
        await world.restore(snapshot, index="hotels", mode=mode)
    assert await there(world) == [{"id": "a", "other": "b"}]


async def test_a_sync_can_bring_the_definition_along(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(5))
    fewer = {**hotels.DEFINITION, "fields": [each for each in hotels.DEFINITION["fields"] if each["name"] != "visits"]}
    await world.fill(fewer, [], service=WEST)
    snapshot = await world.back_up("hotels")
    with pytest.raises(ConflictError, match=r"visits.*--update-definition"):
        await world.restore(snapshot, index="hotels", mode="sync")
    await world.restore(snapshot, index="hotels", mode="sync", update_definition=True)
    assert await there(world) == await world.documents(EAST, "hotels", "id")


async def test_a_patch_rebuilds_the_index_and_documents_follow(world: World, snapshot: BackupReport) -> None:
    patch = msgspec.json.encode(
        {
            "fields": {
                "stars": {"facetable": True, "type": "Edm.Double"},
                "visits": None,
                "rooms": {"fields": {"beds": None}},
                "note": {"type": "Edm.String"},
            }
        }
    ).decode()
    report = await world.restore(snapshot, patch=patch)
    assert report.documents == report.identical + report.equal == 600
    document = (await there(world, "restored"))[1]
    assert "visits" not in document
    assert document["note"] is None
    assert all("beds" not in room for room in document["rooms"])


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        ('{"fields":{"id":null}}', "key"),
        ('{"fields":{"id":{"key":false},"name":{"key":true}}}', "key"),
        ('{"fields":{"stars":{"type":"Edm.DateTimeOffset"}}}', "stars"),
    ],
)
async def test_a_patch_that_can_not_be_filled_is_refused_before_anything_is_made(
    world: World, snapshot: BackupReport, patch: str, what: str
) -> None:
    with pytest.raises(SettingsError, match=what):
        await world.restore(snapshot, patch=patch)
    assert await world.west.index_names() == []


async def test_hidden_fields_are_proved_and_hidden_again(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(5))
    snapshot = await world.back_up("hotels")
    report = await world.restore(snapshot, patch='{"fields":{"stars":{"retrievable":false}}}')
    assert report.identical + report.equal == 5
    definition = msgspec.json.decode((await world.west.index_definition("restored")).body)
    assert [field["retrievable"] for field in definition["fields"] if field["name"] == "stars"] == [False]
    assert "stars" not in (await there(world, "restored"))[0] or (await there(world, "restored"))[0]["stars"] is None


async def test_an_alias_is_made_once_the_index_is_proved(world: World, snapshot: BackupReport) -> None:
    report = await world.restore(snapshot, index="guests-2", alias="guests")
    assert report.alias == "guests"
    assert await world.west.alias_target("guests") == "guests-2"


async def test_documents_that_the_target_refuses_fail_the_restore_with_a_list(world: World) -> None:
    patch = '{"fields":{"name":{"filterable":true}}}'
    plain = hotels.with_field("name", filterable=False, sortable=False, facetable=False) | {"name": "long"}
    await world.fill(plain, [*hotels.hotels(3), {"id": "zz", "name": "x" * 40_000}])
    long = await world.back_up("long")
    with pytest.raises(RefusedError, match=r"'zz'.*reports/.*--skip-refused"):
        await world.restore(long, patch=patch)
    report = await world.restore(long, patch=patch, skip_refused=True)
    assert (report.refused, report.identical + report.equal) == (1, 3)
    blobs = [blob.name async for blob in world.store.runs.list("reports/")]
    refused = [name for name in blobs if name.endswith("refused.json")]
    blob = await world.store.runs.read(refused[0], 2**20)
    assert blob is not None
    assert msgspec.json.decode(blob.data)[0]["key"] == "zz"
    assert b"xxxx" not in blob.data


@pytest.mark.parametrize("mode", ["create", "sync"])
async def test_documents_that_were_refused_are_not_waited_for(world: World, mode: str) -> None:
    plain = hotels.with_field("name", filterable=False, sortable=False, facetable=False) | {"name": "long"}
    await world.fill(plain, [*hotels.hotels(3), {"id": "zz", "name": "x" * 40_000}])
    long = await world.back_up("long")
    asked = {"mode": mode, "patch": '{"fields":{"name":{"filterable":true}}}'}
    if mode == "sync":
        del asked["patch"]
        await world.fill(hotels.with_field("name", filterable=True) | {"name": "restored"}, [], service=WEST)
    report = await world.restore(long, skip_refused=True, **asked)
    assert (report.refused, report.identical + report.equal) == (1, 3)
    assert world.slept.count(FIRST_PAUSE) == 0
