"""Lists of definitions over several pages."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from indexvault.errors import UnexpectedAnswerError
from indexvault.search.client import SearchService
from indexvault.search.lists import following
from tests.scripted import KEY, Scripted

ASKS: list[Callable[[SearchService], Any]] = [
    lambda service: service.index_names(),
    lambda service: service.definitions("synonymmaps", preview=True),
    lambda service: service.aliases(),
]


def page(name: str, link: str | None = None) -> Callable[[web.Request], web.Response]:
    def answer(request: web.Request) -> web.Response:
        body: dict[str, Any] = {"value": [{"name": name, "indexes": []}]}
        if link is not None:
            body["@odata.nextLink"] = link.replace("HERE", f"http://{request.host}")
        return web.Response(body=json.dumps(body), content_type="application/json")

    return answer


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    "link",
    [
        "HERE/synonymmaps?api-version=2026-08-01-preview&$skip=1",
        "/synonymmaps?$skip=1",
        "synonymmaps?$skiptoken='a''b'&$skip=1",
    ],
)
async def test_a_link_is_followed_to_the_configured_host(
    scripted: Scripted, ask: Callable[[SearchService], Any], link: str
) -> None:
    scripted.replies = [page("a", link), page("b")]
    found = await ask(scripted.service)
    assert [getattr(each, "name", each) for each in found] == ["a", "b"]
    [_first, (method, path, headers, _body)] = scripted.requests
    assert (method, headers["api-key"]) == ("GET", KEY)
    assert path.startswith("/synonymmaps?api-version=20")
    assert path.endswith("skip=1")
    assert path.count("api-version") == 1


async def test_a_link_of_a_query_alone_belongs_to_the_list(scripted: Scripted) -> None:
    scripted.replies = [page("a", "?$skip=1"), page("b", "?$skip=2"), page("c")]
    assert await scripted.service.index_names() == ["a", "b", "c"]
    assert [path.partition("?")[0] for _method, path, _headers, _body in scripted.requests] == ["/indexes"] * 3


@pytest.mark.parametrize(
    ("link", "endpoint"),
    [
        ("https://east.search.windows.net:443/indexes?$skip=1", "https://east.search.windows.net"),
        ("https://East.search.windows.net/indexes?$skip=1", "https://east.search.windows.net:443/"),
    ],
)
def test_a_port_that_goes_without_saying_is_no_other_host(link: str, endpoint: str) -> None:
    assert following(link, endpoint, "indexes", on="indexes").path == "/indexes"


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:1/synonymmaps?$skip=1",
        "https://elsewhere.search.windows.net/synonymmaps",
        "//elsewhere.search.windows.net/synonymmaps",
        "http://user@elsewhere.example/",
        "http://[",
        "file:///etc/hostname",
    ],
)
async def test_a_link_elsewhere_is_an_error_and_is_not_asked(
    scripted: Scripted, ask: Callable[[SearchService], Any], link: str
) -> None:
    scripted.replies = [page("a", link)]
    with pytest.raises(UnexpectedAnswerError, match="another host") as raised:
        await ask(scripted.service)
    assert link not in str(raised.value)
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("ask", ASKS)
async def test_links_in_a_circle_end(scripted: Scripted, ask: Callable[[SearchService], Any]) -> None:
    scripted.replies = [page("a", "HERE/synonymmaps?$skip=1"), page("b", "HERE/synonymmaps?$skip=1")]
    with pytest.raises(UnexpectedAnswerError, match="circle"):
        await ask(scripted.service)
    assert len(scripted.requests) == 2


async def test_an_object_that_two_pages_hold_is_listed_once(scripted: Scripted) -> None:
    scripted.replies = [page("a", "HERE/indexes?$skip=1"), page("a")]
    assert await scripted.service.index_names() == ["a"]


async def test_links_without_end_are_an_error(scripted: Scripted) -> None:
    def endless(request: web.Request) -> web.Response:
        return page("a", f"HERE/indexes?$skip={len(scripted.requests)}")(request)

    scripted.replies = [endless]
    with pytest.raises(UnexpectedAnswerError, match="pages"):
        await scripted.service.index_names()
