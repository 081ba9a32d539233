import json

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import TooLargeError
from indexvault.search.page_size import PAGE_BYTES, PageSize, page_size
from indexvault.search.query import MOST_PER_PAGE
from indexvault.search.scan import KeyRange, scan_range
from tests.scripted import Scripted


@given(st.floats(0, 1e9))
def test_a_page_is_at_most_what_the_service_gives_and_at_least_one(average: float) -> None:
    assert 1 <= page_size(average) <= MOST_PER_PAGE


def test_documents_of_a_megabyte_come_a_few_at_a_time() -> None:
    size = PageSize(200)
    assert size.current == MOST_PER_PAGE
    size.answered(1000, 1000 * 1024 * 1024)
    assert size.current == PAGE_BYTES // (1024 * 1024)


def test_it_shrinks_to_one_and_grows_back() -> None:
    size = PageSize(100)
    while size.shrink():
        pass
    assert size.current == 1
    sizes = []
    for _ in range(40):
        size.answered(size.current, size.current * 100)
        sizes.append(size.current)
    assert sizes == sorted(sizes)
    assert sizes[-1] == MOST_PER_PAGE


async def test_a_scan_asks_for_less_while_the_service_finds_it_too_much(scripted: Scripted) -> None:
    keys = [f"{number:04}" for number in range(30)]

    def answer(_request: web.Request) -> web.Response:
        asked = json.loads(scripted.requests[-1][3])
        if asked["top"] > 4:
            return web.Response(status=413)
        after = asked.get("filter", "id gt ''").split("'")[1]
        found = [key for key in keys if key > after][: asked["top"]]
        return web.json_response({"value": [{"id": key} for key in found]})

    scripted.replies = [answer]
    pages = scan_range(scripted.service, "hotels", "id", KeyRange(None, None), average_document_bytes=10, session="one")
    assert [document.key async for page in pages for document in page] == keys
    assert {json.loads(body)["sessionId"] for *_rest, body in scripted.requests} == {"one"}


async def test_one_document_that_is_too_much_is_an_error(scripted: Scripted) -> None:
    scripted.replies = [lambda _request: web.Response(status=413)]
    with pytest.raises(TooLargeError):
        async for _page in scan_range(
            scripted.service, "hotels", "id", KeyRange(None, None), average_document_bytes=10
        ):
            pass
