"""A target that accepts documents and loses them: what the proof found missing is written again, once a command."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from indexvault.errors import RefusedError, VerificationError
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, World, open_world

LOST = {"fault": "lost", "operation": "index_documents"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def lost(world: World, key: str, **changes: Any) -> None:
    await world.faults(WEST, LOST | {"key": key} | changes)


async def test_a_document_that_was_lost_is_written_again_and_proved(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(300))
    snapshot = await world.back_up("hotels")
    await lost(world, "h00000[12]", times=2)
    report = await world.restore(snapshot)
    assert (report.identical, report.uploaded) == (300, 302)
    assert report.notes == ["2 documents that the target had accepted were missing: they were written again"]
    assert await world.documents(WEST, "restored", "id") == await world.documents(EAST, "hotels", "id")


async def test_what_is_lost_again_fails_and_the_same_command_repairs_it(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(300))
    snapshot = await world.back_up("hotels")
    await lost(world, "h000007")
    for _ in range(2):
        with pytest.raises(VerificationError, match=r"1 are missing.*'h000007' missing.*run the same restore again"):
            await world.restore(snapshot)
    await world.faults(WEST)
    report = await world.restore(snapshot)
    assert report.resumed is not None
    assert report.identical == 300


async def test_an_index_without_key_order_is_repaired_too(world: World) -> None:
    await world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(60))
    snapshot = await world.back_up("hotels")
    await lost(world, "h000007", times=1)
    assert (await world.restore(snapshot)).identical == 60


async def test_a_replacement_is_repaired_before_its_alias_is_swapped(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(60))
    await world.fill(hotels.DEFINITION, hotels.hotels(5), service=WEST)
    await world.west.point_alias("guests", "hotels", before=None)
    snapshot = await world.back_up("hotels")
    await lost(world, "h000007")
    with pytest.raises(VerificationError, match="1 are missing"):
        await world.restore(snapshot, index="guests", mode="replace")
    assert await world.west.alias_target("guests") == "hotels"
    await world.faults(WEST)
    report = await world.restore(snapshot, index="guests", mode="replace")
    assert report.identical == 60
    assert await world.west.alias_target("guests") == report.target_index != "hotels"


async def test_documents_that_differ_are_somebody_elses_and_stay(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(60))
    snapshot = await world.back_up("hotels")

    async def with_a_writer(run: Any, resources: Any, given: Any) -> Any:
        await world.west.index_documents(
            "restored",
            b'{"value":[{"@search.action":"merge","id":"h000003","stars":99},'
            b'{"@search.action":"delete","id":"h000004"}]}',
        )
        return await run(resources, given)

    world.around["settle_target"] = with_a_writer
    with pytest.raises(VerificationError, match="1 documents differ"):
        await world.restore(snapshot)
    documents = await world.documents(WEST, "restored", "id")
    assert documents[3]["stars"] == 99


async def test_a_refused_document_is_named_once_however_often_it_is_tried(world: World) -> None:
    """Refused documents after the last acknowledged batch are tried again, and lost ones bring a repair."""
    plain = hotels.with_field("name", filterable=False, sortable=False, facetable=False) | {"name": "long"}
    long = [{"id": f"z{number:03}", "name": "x" * 40_000} for number in range(120)]
    await world.fill(plain, [*hotels.hotels(30), *long])
    snapshot = await world.back_up("long")
    asked = {"patch": '{"fields":{"name":{"filterable":true}}}'}
    for _ in range(2):
        with pytest.raises(RefusedError, match="refuses 100 documents"):
            await world.restore(snapshot, **asked)
    await lost(world, "h000007", times=1)
    report = await world.restore(snapshot, skip_refused=True, **asked)
    assert (report.refused, report.documents, report.identical + report.equal) == (120, 150, 30)
    assert "120 documents were refused and skipped" in report.notes[-1]


async def test_a_sync_that_was_refused_twice_names_each_document_once(world: World) -> None:
    plain = hotels.with_field("name", filterable=False, sortable=False, facetable=False) | {"name": "long"}
    await world.fill(plain, [*hotels.hotels(3), {"id": "zz", "name": "x" * 40_000}])
    snapshot = await world.back_up("long")
    await world.fill(hotels.with_field("name", filterable=True) | {"name": "restored"}, [], service=WEST)
    with pytest.raises(RefusedError, match="refuses 1 documents"):
        await world.restore(snapshot, mode="sync")
    report = await world.restore(snapshot, mode="sync", skip_refused=True)
    assert (report.refused, report.uploaded) == (1, 3)


@pytest.mark.parametrize("key", [{"sortable": False}, {"filterable": False}, {"filterable": False, "sortable": False}])
@pytest.mark.parametrize("before", [{}, {"filterable": False, "sortable": False}])
async def test_a_patch_that_takes_the_key_its_order_is_proved_by_looking_documents_up(
    world: World, before: dict[str, bool], key: dict[str, bool]
) -> None:
    await world.fill(hotels.with_field("id", **before), hotels.hotels(60))
    snapshot = await world.back_up("hotels")
    patch = str({"fields": {"id": key}}).replace("'", '"').replace("False", "false")
    report = await world.restore(snapshot, patch=patch)
    assert (report.identical + report.equal, report.extra) == (60, 0)


async def test_a_patch_that_gives_the_key_an_order_is_proved(world: World) -> None:
    await world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(60))
    snapshot = await world.back_up("hotels")
    report = await world.restore(snapshot, patch='{"fields":{"id":{"filterable":true,"sortable":true}}}')
    assert (report.identical + report.equal, report.extra) == (60, 0)
