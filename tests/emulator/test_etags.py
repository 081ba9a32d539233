"""What a service does to ETags is in part not documented: both ways can be tried."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from emulator.server import running
from emulator.service import EmulatedService
from tests.emulator.calls import Caller, plain

MAP = {"name": "stars", "format": "solr", "synonyms": "star, sun"}
CLASSIC = {"similarity": {"@odata.type": "#Microsoft.Azure.Search.ClassicSimilarity"}}


@pytest.fixture
async def callers(session: aiohttp.ClientSession) -> AsyncIterator[dict[str, Caller]]:
    services = [
        EmulatedService(name="usual"),
        EmulatedService(name="keeping", keeps_etags=True),
        EmulatedService(name="renewing", renews_etags=True),
        EmulatedService(name="old", makes_classic_indexes=True),
    ]
    async with running(services) as up:
        yield {name: Caller(session, up.endpoint(name)) for name in up.names}


async def put(caller: Caller, path: str, body: object, **headers: str) -> tuple[int, str | None]:
    answer = await caller.call("PUT", path, body, headers={"Prefer": "return=representation"} | headers)
    return answer.status, answer.headers.get("ETag")


@pytest.mark.parametrize(("path", "body"), [("/indexes/things", plain()), ("/synonymmaps/stars", MAP)])
@pytest.mark.parametrize(("service", "kept"), [("usual", False), ("keeping", True)])
async def test_an_identical_put_may_keep_the_etag(
    callers: dict[str, Caller],
    path: str,
    body: object,
    service: str,
    kept: bool,  # noqa: FBT001  # a table's column
) -> None:
    _, first = await put(callers[service], path, body)
    status, second = await put(callers[service], path, body)
    assert status == 200
    assert (first == second) is kept


@pytest.mark.parametrize(("path", "body"), [("/indexes/things", plain()), ("/synonymmaps/stars", MAP)])
async def test_a_service_may_renew_an_etag_after_the_creation(
    callers: dict[str, Caller], path: str, body: object
) -> None:
    caller = callers["renewing"]
    _, made = await put(caller, path, body)
    read = [(await caller.call("GET", path)).headers["ETag"] for _ in range(3)]
    assert read[0] == made
    assert read[1] != made
    assert read[1] == read[2]
    assert (await put(caller, path, body, **{"If-Match": str(made)}))[0] == 412


async def test_a_classic_index_can_be_read_and_not_made(callers: dict[str, Caller]) -> None:
    assert (await callers["usual"].create(plain() | CLASSIC)).status == 400
    assert (await callers["old"].create(plain() | CLASSIC)).status == 201
    shown = (await callers["old"].call("GET", "/indexes/things", headers={"Accept": "application/json"})).body
    assert shown["similarity"] == CLASSIC["similarity"]
