"""What a comparison leaves out is said: fields that the target lacks or hides, documents that nobody asked for."""

from collections.abc import AsyncIterator

import pytest

from indexvault.restore.not_compared import NotCompared, fields_not_compared
from indexvault.search.schema import Field, Schema
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import WEST, World, open_world

DROPPING = '{"fields":{"visits":null,"rooms":{"fields":{"beds":null}}}}'


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def test_a_restore_of_everything_leaves_nothing_out(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(20))
    report = await world.restore(await world.back_up("hotels"))
    assert report.not_compared == NotCompared()


async def test_fields_that_a_patch_drops_are_named(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(20))
    report = await world.restore(await world.back_up("hotels"), patch=DROPPING)
    assert report.identical == 20
    assert report.not_compared == NotCompared(dropped=["visits", "rooms/beds"])


async def test_fields_that_a_patch_hides_were_compared_before(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(5))
    report = await world.restore(await world.back_up("hotels"), patch='{"fields":{"stars":{"retrievable":false}}}')
    assert report.not_compared == NotCompared()


@pytest.mark.parametrize("mode", ["sync", "fill"])
async def test_fields_that_the_target_hides_are_named(world: World, mode: str) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(20))
    made = await world.back_up("hotels")
    await world.fill(hotels.with_field("stars", retrievable=False), hotels.hotels(10), service=WEST)
    report = await world.restore(made, index="hotels", mode=mode)
    assert report.not_compared == NotCompared(hidden=["stars"])


async def test_documents_that_were_not_asked_for_are_said(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(20))
    made = await world.back_up("hotels")
    report = await world.restore(made, index="few", keys=("h000001", "h000002"))
    assert (report.documents, report.not_compared) == (2, NotCompared(selected=True))
    report = await world.restore(made, index="stars", filter="stars == `5`")
    assert report.not_compared == NotCompared(selected=True)


def test_it_is_told_in_a_few_words() -> None:
    assert NotCompared().of("snapshot") == "the snapshot"
    assert NotCompared(dropped=["Category"]).of("snapshot") == "the snapshot less Category"
    assert NotCompared(dropped=["a", "b"]).of("source") == "the source less a and b"
    assert NotCompared(dropped=["a", "b"], hidden=["c"]).of("source") == (
        "the source less a and b, and less c, which can't be read back"
    )
    assert NotCompared(hidden=["c"], selected=True).of("snapshot") == (
        "the selected documents of the snapshot less c, which can't be read back"
    )


def test_many_fields_are_counted_rather_than_listed() -> None:
    fields = tuple(Field(name=f"f{number}", type="Edm.String") for number in range(150))
    source, target = Schema("notes", fields), Schema("notes", fields[:1])
    left_out = fields_not_compared(source, target, compared={"f0"}, assumed=set())
    assert (len(left_out.dropped), left_out.more) == (100, 49)
    assert left_out.of("snapshot").endswith("f6, f7 and 142 more fields")
    assert left_out.of("snapshot").startswith("the snapshot less f1, f2, ")
