"""`GET /readiness`: the checks of pairs over HTTP, as the command line reads them."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from indexvault.api.endpoint import Call, Nothing
from indexvault.api.readiness import ReadinessQuery, readiness
from indexvault.errors import NotFoundError
from indexvault.readiness.report import Readiness
from tests.readiness.test_gather import check, opened
from tests.world import EAST, KEYS, WEST, World


async def asked(world: World, pair: str | None = None) -> Readiness:
    host = cast("Any", SimpleNamespace(resources=world.resources, environment=KEYS))
    query = ReadinessQuery(pair=pair)
    reply = await readiness(Call(body=None, query=query, path=Nothing(), host=host, engine=cast("Any", None)))
    assert reply.status == 200
    return msgspec.json.decode(msgspec.json.encode(reply.content), type=Readiness)


async def test_what_does_not_answer_is_in_the_answer() -> None:
    """Both stores of the request's own clients refuse connections: nobody listens there."""
    async with opened() as world:
        nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a"
        stores = {
            name: replace(store, connection_string=nowhere) for name, store in world.clients.settings.stores.items()
        }
        world.clients.settings = replace(world.clients.settings, stores=stores)
        [found] = (await asked(world, "contoso")).pairs
    assert (found.pair, found.level) == ("contoso", "bad")
    assert check(found, "store").level == "bad"
    assert check(found, "role").level == "bad"
    assert check(found, "reach it", EAST).level == check(found, "reach it", WEST).level == "good"


async def test_another_pair_and_none_at_all() -> None:
    async with opened() as world:
        with pytest.raises(NotFoundError):
            await asked(world, "contosso")
        world.clients.settings = replace(world.clients.settings, pairs={})
        assert (await asked(world)).pairs == ()
