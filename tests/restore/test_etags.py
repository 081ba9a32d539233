"""Restores where the service treats ETags one way or another, and loses answers: neither is another writer."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from emulator.service import EmulatedService
from indexvault.errors import ConflictError
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, WEST, World, open_world

HIDDEN = hotels.with_field("rating", retrievable=False)
MODES: list[Any] = [
    pytest.param({}, id="create"),
    pytest.param({"index": "guests", "mode": "replace", "delete_old": True}, id="replace"),
    pytest.param({"index": "hotels", "mode": "replace", "in_place": True}, id="in_place"),
    pytest.param({"index": "hotels", "mode": "sync", "update_definition": True}, id="sync"),
]


@pytest.fixture(params=["usual", "keeps_etags", "renews_etags"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    services = [
        EmulatedService(
            name=name,
            api_key=KEYS[name],
            keeps_etags=request.param == "keeps_etags",
            renews_etags=request.param == "renews_etags",
        )
        for name in (EAST, WEST)
    ]
    async with open_world(MemoryStore("local"), services=services) as opened:
        await opened.fill(HIDDEN, hotels.hotels(30))
        await opened.fill(hotels.DEFINITION, hotels.hotels(10), service=WEST)
        await opened.fill(hotels.DEFINITION | {"name": "older"}, hotels.hotels(5), service=WEST)
        await opened.west.point_alias("guests", "older", before=None)
        yield opened


@pytest.mark.parametrize("changes", MODES)
async def test_a_restore_does_not_depend_on_what_becomes_of_etags(world: World, changes: dict[str, Any]) -> None:
    report = await world.restore(await world.back_up("hotels", hidden_fields="reveal"), **changes)
    assert report.identical == 30


@pytest.mark.parametrize("changes", MODES)
async def test_a_first_restore_does_not_fail_for_lost_answers(world: World, changes: dict[str, Any]) -> None:
    made = await world.back_up("hotels", hidden_fields="reveal")
    lost = [
        {"fault": "reset", "after": True, "method": method, "path": f"^/{kind}", "skip": skip, "times": 1}
        for kind in ("indexes", "aliases")
        for method in ("PUT", "DELETE")
        for skip in (0, 2)
    ]
    await world.faults(WEST, *lost)
    assert (await world.restore(made, **changes)).identical == 30


async def point(world: World, index: str) -> None:
    await world.west.point_alias("guests", index, before=await world.west.alias("guests"))


def renewing_before(world: World, activity: str, index: str, definition: dict[str, Any]) -> None:
    """Give an index another ETag and the same definition, as a service may do by itself, before an activity."""

    async def run_after(run: Any, resources: Any, given: Any) -> Any:
        await world.west.update_index(
            index,
            msgspec.json.encode(definition | {"name": index}),
            before=await world.west.index_definition(index),
            preview=False,
        )
        return await run(resources, given)

    world.around[activity] = run_after


@pytest.mark.parametrize(("mode", "index"), [("replace", "older"), ("in_place", "hotels")])
async def test_an_old_index_whose_etag_alone_is_another_is_deleted(world: World, mode: str, index: str) -> None:
    made = await world.back_up("hotels", hidden_fields="reveal")
    renewing_before(world, "prove_packs", index, hotels.DEFINITION)
    changes = {each.id: each.values[0] for each in MODES}[mode]
    report = await world.restore(made, **changes)
    assert report.identical == 30
    assert "older" not in await world.west.index_names() or mode == "in_place"


@pytest.mark.parametrize(("mode", "index"), [("replace", "older"), ("in_place", "hotels")])
async def test_an_old_index_that_was_made_anew_stays(world: World, mode: str, index: str) -> None:
    made = await world.back_up("hotels", hidden_fields="reveal")
    old = await world.west.count(index)

    async def make_anew(run: Any, resources: Any, given: Any) -> Any:
        if index == "older":
            await point(world, "hotels")
        await world.west.delete_index(index, before=await world.west.index_definition(index))
        await world.fill(hotels.DEFINITION | {"name": index}, hotels.hotels(old, seed=5), service=WEST)
        if index == "older":
            await point(world, "older")
        del world.around["prove_packs"]
        return await run(resources, given)

    world.around["prove_packs"] = make_anew
    changes = {each.id: each.values[0] for each in MODES}[mode]
    with pytest.raises(ConflictError, match="made anew"):
        await world.restore(made, **changes)
    assert await world.west.count(index) == old
