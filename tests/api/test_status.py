"""`GET /status`: the facts over HTTP, for one who asks and for many at once."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.endpoint import Call, Nothing
from indexvault.api.status import StatusQuery, status_endpoint
from indexvault.errors import NotFoundError, RequestError
from indexvault.status.facts import Fleet
from indexvault.status.watch import Watch
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, World, open_world


async def asked(world: World, watch: Watch, query: StatusQuery | None = None) -> Fleet:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    call = Call(body=None, query=query or StatusQuery(), path=Nothing(), host=host, engine=cast("Any", None))
    reply = await status_endpoint(watch).handle(call)
    assert reply.status == 200
    # As the command line reads it.
    return msgspec.json.decode(msgspec.json.encode(reply.content), type=Fleet)


async def test_many_who_ask_at_once_make_one_reading() -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        await world.back_up("hotels")
        watch = Watch()
        await world.control("DELETE", EAST, "/requests")
        fleets = await asyncio.gather(*(asked(world, watch) for _ in range(20)))
        requests = await world.requests(EAST)
    assert {fleet.checked_at for fleet in fleets} == {fleets[0].checked_at}
    assert requests["list_indexes"]["requests"] == 1
    assert [index.index for index in fleets[0].indexes] == ["hotels"]


async def test_the_facts_are_read_again_after_a_while() -> None:
    async with open_world(MemoryStore("local")) as world:
        watch = Watch(kept_seconds=0)
        assert not list((await asked(world, watch)).indexes)
        await world.fill(hotels.definition(), hotels.hotels(3))
        assert [index.index for index in (await asked(world, watch)).indexes] == ["hotels"]


async def test_one_service_or_index() -> None:
    async with open_world(MemoryStore("local")) as world:
        for name in ("hotels", "guests"):
            await world.fill(hotels.definition(name=name), hotels.hotels(3))
        found = await asked(world, Watch(), StatusQuery(service=EAST, index="guests"))
        assert [index.index for index in found.indexes] == ["guests"]
        with pytest.raises(NotFoundError):
            await asked(world, Watch(), StatusQuery(service="contoso-south"))
        with pytest.raises(RequestError):
            await asked(world, Watch(), StatusQuery(index="guests"))
