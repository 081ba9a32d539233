"""Another ETag proves neither another index nor the same: what it stands for is compared before a source is deleted."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from emulator.service import EmulatedService
from indexvault.errors import VerificationError
from indexvault.move.cut_over import SWITCH
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX
from indexvault.workflow.local import LocalEngine
from tests import hotels
from tests.memory_store import MemoryStore
from tests.move.test_move_index import Mover
from tests.world import EAST, KEYS, WEST, World, open_world

type Event = Callable[[World], Awaitable[None]]


@asynccontextmanager
async def mover(before_switch: Event, **behaviour: bool) -> AsyncIterator[Mover]:
    """Return a mover for which something happens once before the cut-over, after the comparison."""
    waiting = [before_switch]

    async def run(resources: Any, given: Any) -> Any:
        if waiting:
            await waiting.pop()(world)
        return await SWITCH.run(resources, given)

    activities = [replace(each, run=run) if each is SWITCH else each for each in ACTIVITIES]
    services = [
        EmulatedService(
            name=name,
            api_key=KEYS[name],
            keeps_etags=behaviour.get("keeps_etags", False),
            renews_etags=behaviour.get("renews_etags", False),
        )
        for name in (EAST, WEST)
    ]
    async with (
        open_world(MemoryStore("local"), services=services) as world,
        LocalEngine(world.resources, activities, [MOVE_INDEX]) as engine,
    ):
        await world.fill(hotels.DEFINITION, hotels.hotels(30))
        yield Mover(world, engine)


async def nothing(_world: World) -> None:
    pass


def renewed(service: str) -> Event:
    async def happen(world: World) -> None:
        client = world.clients.service(service)
        before = await client.index_definition("hotels")
        await client.update_index("hotels", msgspec.json.encode(hotels.DEFINITION), before=before, preview=False)

    return happen


def made_anew(service: str) -> Event:
    async def happen(world: World) -> None:
        client = world.clients.service(service)
        await client.delete_index("hotels", before=await client.index_definition("hotels"))
        await world.fill(hotels.DEFINITION, hotels.hotels(30, seed=7), service=service)

    return happen


@pytest.mark.parametrize("behaviour", [{}, {"keeps_etags": True}, {"renews_etags": True}])
@pytest.mark.parametrize("event", [nothing, renewed(EAST), renewed(WEST)], ids=["nothing", "source", "target"])
async def test_a_new_etag_alone_does_not_keep_the_source(behaviour: dict[str, bool], event: Event) -> None:
    async with mover(event, **behaviour) as one:
        report = await one.move(delete_source=True)
        assert (report.source_deleted, report.compared) == (True, 30)
        assert await one.world.east.index_names() == []
        assert await one.world.west.count("hotels") == 30


@pytest.mark.parametrize("service", [EAST, WEST])
async def test_an_index_made_anew_with_as_many_documents_keeps_the_source(service: str) -> None:
    async with mover(made_anew(service)) as one:
        with pytest.raises(VerificationError):
            await one.move(delete_source=True, alias="guests")
        assert await one.world.east.count("hotels") == 30
        assert await one.world.west.count("hotels") == 30
