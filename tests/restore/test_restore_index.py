from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from indexvault.errors import (
    ConflictError,
    IntegrityError,
    LossNotAcceptedError,
    NotFoundError,
    QuotaError,
    VerificationError,
)
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, World, open_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def wrote_nothing(world: World, service: str) -> bool:
    """Return whether a service was not written to; probes for roles are refused writes."""
    return not [
        name
        for name, tally in (await world.requests(service)).items()
        if name.startswith(("create", "put", "delete", "index_"))
        and any(status.startswith("2") for status in tally["statuses"])
    ]


async def test_a_restored_index_is_its_snapshot_byte_for_byte(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(2500))
    snapshot = await world.back_up("hotels")
    report = await world.restore(snapshot)
    assert (report.documents, report.identical, report.equal) == (2500, 2500, 0)
    assert await world.documents(WEST, "restored", "id") == await world.documents(EAST, "hotels", "id")
    again = await world.back_up("hotels")
    assert again.documents == 2500


async def test_the_definition_comes_back_under_the_new_name(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3))
    await world.restore(await world.back_up("hotels"))
    before = msgspec.json.decode((await world.east.index_definition("hotels")).body)
    after = msgspec.json.decode((await world.west.index_definition("restored")).body)
    for members in (before, after):
        for own in ("@odata.etag", "@odata.context", "name"):
            del members[own]
    assert before == after


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=hotels.documents)
async def test_any_documents_come_back(documents: list[dict[str, Any]]) -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.DEFINITION, documents)
        snapshot = await world.back_up("hotels")
        assert snapshot.documents == len(documents)
        report = await world.restore(snapshot)
        assert report.identical + report.equal == len(documents)


async def test_an_existing_target_is_a_conflict_and_untouched(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3))
    await world.fill(hotels.DEFINITION, hotels.hotels(2, seed=9), service=WEST)
    snapshot = await world.back_up("hotels")
    before = await world.documents(WEST, "hotels", "id")
    with pytest.raises(ConflictError, match="an index contoso-west/hotels exists"):
        await world.restore(snapshot, index="hotels")
    assert await world.documents(WEST, "hotels", "id") == before


async def test_synonym_maps_that_the_index_names_come_first(world: World) -> None:
    await world.east.create_synonym_map(
        "words", b'{"name":"words","format":"solr","synonyms":"hotel, inn\\nbar, pub"}', preview=False
    )
    await world.fill(hotels.with_field("name", synonymMaps=["words"]), hotels.hotels(3))
    report = await world.restore(await world.back_up("hotels"))
    assert report.synonym_maps == ["words"]
    restored = msgspec.json.decode((await world.west.synonym_map("words")).body)
    assert restored["synonyms"] == "hotel, inn\nbar, pub"


async def test_another_synonym_map_of_the_name_is_a_conflict_before_anything_is_made(world: World) -> None:
    for service, words in ((world.east, "hotel, inn"), (world.west, "something, else")):
        body = msgspec.json.encode({"name": "words", "format": "solr", "synonyms": words})
        await service.create_synonym_map("words", body, preview=False)
    await world.fill(hotels.with_field("name", synonymMaps=["words"]), hotels.hotels(3))
    with pytest.raises(ConflictError, match="synonym map"):
        await world.restore(await world.back_up("hotels"))
    assert await world.west.index_names() == []


async def test_a_lossy_snapshot_must_be_accepted(world: World) -> None:
    await world.fill(hotels.with_field("stars", retrievable=False), hotels.hotels(3))
    snapshot = await world.back_up("hotels")
    assert snapshot.state == "lossy"
    assert [loss.split(":")[0] for loss in snapshot.losses] == ["stars"]
    with pytest.raises(LossNotAcceptedError, match="stars"):
        await world.restore(snapshot)
    assert await world.west.index_names() == []
    report = await world.restore(snapshot, accept_loss=True)
    assert report.documents == 3
    assert report.losses[0].startswith("stars:")


async def damage(world: World, part: str) -> str:
    """Change one byte of a blob of the snapshot and return the blob's name."""
    blobs = world.store.snapshots
    names = [blob.name async for blob in blobs.list(f"{EAST}/hotels/{part}/")]
    properties = await blobs.properties(names[0])
    assert properties is not None
    data = bytearray(await blobs.read(names[0], 2**26))
    data[len(data) // 2] ^= 1
    await blobs.delete(names[0])
    assert await blobs.create(names[0], bytes(data), metadata=properties.metadata)
    return names[0]


@pytest.mark.parametrize("part", ["packs", "segments", "manifests"])
async def test_one_changed_byte_stops_a_restore_before_the_target_is_touched(world: World, part: str) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(1500))
    snapshot = await world.back_up("hotels")
    blob = await damage(world, part)
    with pytest.raises(IntegrityError, match=blob) as caught:
        await world.restore(snapshot)
    assert "`indexvault repair contoso-east/hotels`" in caught.value.do
    assert await wrote_nothing(world, WEST)


@pytest.mark.parametrize("part", ["packs", "segments"])
async def test_a_pack_that_is_gone_stops_a_restore_before_the_target_is_touched(world: World, part: str) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(1500))
    snapshot = await world.back_up("hotels")
    names = [blob.name async for blob in world.store.snapshots.list(f"{EAST}/hotels/{part}/")]
    await world.store.snapshots.delete(names[0])
    with pytest.raises(IntegrityError, match=rf"{names[0]}: the pack is gone.*`indexvault repair contoso-east/hotels`"):
        await world.restore(snapshot)
    assert await wrote_nothing(world, WEST)


async def test_an_unknown_snapshot_is_not_found(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3))
    snapshot = await world.back_up("hotels")
    with pytest.raises(NotFoundError):
        await world.restore(snapshot, snapshot="20200101T000000Z-000000")


async def test_an_empty_index_comes_back_empty(world: World) -> None:
    await world.fill(hotels.DEFINITION, [])
    report = await world.restore(await world.back_up("hotels"))
    assert report.documents == 0
    assert await world.west.count("restored") == 0


async def test_load_faults_of_every_kind_do_not_change_the_result(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3000))
    snapshot = await world.back_up("hotels")
    await world.faults(
        WEST,
        {"fault": "item", "probability": 0.05, "status": 503},
        {"fault": "item", "probability": 0.05, "status": 409},
        {"fault": "unavailable", "probability": 0.1, "after": True},
        {"fault": "reset", "probability": 0.05},
        {"fault": "truncated", "probability": 0.05},
        {"fault": "throttled", "probability": 0.05},
    )
    report = await world.restore(snapshot)
    assert (report.identical, report.equal) == (3000, 0)


async def test_a_target_that_answers_wrongly_is_not_called_restored(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(200))
    snapshot = await world.back_up("hotels")
    await world.faults(WEST, {"fault": "lagging_visibility", "seconds": 3600})
    with pytest.raises(VerificationError, match="200 are missing"):
        await world.restore(snapshot)


async def test_a_definition_the_target_refuses_is_told_before_it_is_asked(world: World) -> None:
    many = [{"name": f"f{number}", "type": "Edm.String"} for number in range(120)]
    await world.fill(hotels.definition(fields=[*hotels.DEFINITION["fields"], *many]), hotels.hotels(1))
    with pytest.raises(QuotaError, match=r"138 fields.*basic.*at most 100; nothing was touched"):
        await world.restore(await world.back_up("hotels"))
    assert await wrote_nothing(world, WEST)


async def test_an_index_whose_key_gives_no_order_is_proved_by_looking_documents_up(world: World) -> None:
    plain = hotels.with_field("id", filterable=False, sortable=False)
    await world.fill(plain, hotels.hotels(120))
    snapshot = await world.back_up("hotels")
    report = await world.restore(snapshot)
    assert (report.identical + report.equal, report.extra) == (120, 0)
    with pytest.raises(ConflictError, match="key_order"):
        await world.restore(snapshot, index="restored", mode="sync")
