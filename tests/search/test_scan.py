"""Pages of a scan that are not split yet are held to the order of keys as others are."""

import json
from collections.abc import Sequence

import pytest
from aiohttp import web

from indexvault.errors import AccountingError
from indexvault.search.page import Document, UnsplitDocuments
from indexvault.search.scan import KeyRange, scan_range
from tests.scripted import Scripted


async def scanned(scripted: Scripted, *pages: str, until: str | None = None) -> list[Sequence[Document]]:
    """Return the pages of a scan; each of the service's answers has documents with one-letter keys."""

    def answer(_request: web.Request) -> web.Response:
        keys = pages[len(scripted.requests) - 1]
        documents = ",".join(f'{{"@search.score":1.0,"id":"{key}"}}' for key in keys)
        return web.Response(text=f'{{"value":[{documents}]}}', content_type="application/json")

    scripted.replies = [answer]
    pages_read = scan_range(
        scripted.service, "hotels", "id", KeyRange("a", until), average_document_bytes=10, unsplit=True
    )
    return [page async for page in pages_read]


async def test_a_scan_goes_on_behind_the_last_key_of_a_page_that_is_not_split(scripted: Scripted) -> None:
    pages = await scanned(scripted, "bc", "de", "")
    assert all(isinstance(page, UnsplitDocuments) for page in pages)
    assert [json.loads(body)["filter"] for *_rest, body in scripted.requests] == ["id gt 'a'", "id gt 'c'", "id gt 'e'"]
    assert [document.key for page in pages for document in page] == list("bcde")


@pytest.mark.parametrize("last", ["a", "z"])
async def test_a_page_that_ends_outside_of_the_range_is_refused_at_once(scripted: Scripted, last: str) -> None:
    with pytest.raises(AccountingError):
        await scanned(scripted, f"b{last}", until="k")


@pytest.mark.parametrize("keys", ["cbd", "bbc", "ab", "acd"])
async def test_a_page_out_of_order_is_refused_when_it_is_split(scripted: Scripted, keys: str) -> None:
    (page,) = await scanned(scripted, keys, "")
    with pytest.raises(AccountingError):
        list(page)
