"""The benchmarks' search service answers what it is asked, and refuses what it does not know."""

import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from azure.core.credentials import AzureKeyCredential

from benchmarks.corpora import CORPORA, documents
from benchmarks.http_server import CONTROL, serving
from benchmarks.search_service import SearchService as Served
from indexvault.errors import IndexvaultError, NotFoundError
from indexvault.search.batch import batch, delete_action, upload_action
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.query import DocumentQuery, key_range
from indexvault.search.retry import RetryPolicy
from indexvault.search.scan import KeyRange, scan_range

SIZE = 2_300_000
SMALL = CORPORA["small"]
LINES = dict(sorted(documents(SMALL, SIZE, 1)))
KEYS = list(LINES)


@pytest.fixture
async def endpoint() -> AsyncIterator[str]:
    async with serving(Served().handle) as port:
        endpoint = f"http://127.0.0.1:{port}"
        await control(endpoint, "/load", index="rows", corpus="small", bytes=SIZE, seed=1)
        yield endpoint


@pytest.fixture
async def service(endpoint: str) -> AsyncIterator[SearchService]:
    one_attempt = RetryPolicy(attempts=1)
    async with SearchService(
        "contoso", endpoint, AzureKeyCredential("key"), rng=random.Random(1), retry=one_attempt
    ) as service:
        yield service


async def control(endpoint: str, path: str, **given: Any) -> dict[str, Any]:
    body = msgspec.json.encode(given)
    async with aiohttp.ClientSession() as session, session.post(endpoint + CONTROL + path, data=body) as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = msgspec.json.decode(await answer.read())
        return found


async def page(service: SearchService, **query: Any) -> Page:
    return await service.documents("rows", DocumentQuery(**query), PageReader("id"))


async def test_gives_back_every_document_of_the_corpus_in_key_order(service: SearchService) -> None:
    pages = scan_range(service, "rows", "id", KeyRange(None, None), average_document_bytes=200)
    found = [(document.key, document.line) async for page in pages for document in page]
    assert found == list(LINES.items())


async def test_answers_ranges_counts_and_ranks(service: SearchService) -> None:
    after, until = KEYS[4000], KEYS[9000]
    whole = await page(service, filter=key_range("id", after, until), orderby="id asc", top=10, count=True)
    assert (whole.count, [document.key for document in whole.documents]) == (5000, KEYS[4001:4011])
    ranked = await page(service, filter=key_range("id", after, None), orderby="id asc", select="id", top=2, skip=3000)
    assert [document.line for document in ranked.documents] == [
        b'{"id":"%s"}' % key.encode() for key in KEYS[7001:7003]
    ]
    assert await service.count("rows") == len(KEYS)
    assert (await page(service, filter=key_range("id", "zzz", None), top=5)).documents == []


async def test_says_that_there_is_more_than_it_sends(service: SearchService) -> None:
    assert (await page(service)).cut_short
    assert len((await page(service)).documents) == 50


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("identity", None)])
async def test_compresses_pages_for_who_accepts_it(accepted: str, encoding: str | None) -> None:
    async with serving(Served(compresses=True).handle) as port, aiohttp.ClientSession() as session:
        endpoint = f"http://127.0.0.1:{port}"
        await control(endpoint, "/load", index="rows", corpus="small", bytes=10_000, seed=1)
        url, headers = f"{endpoint}/indexes('rows')/docs/search.post.search", {"Accept-Encoding": accepted}
        async with session.post(url, data=b'{"top":3}', headers=headers) as answer:
            assert len((await answer.json())["value"]) == 3
            assert answer.headers.get("Content-Encoding") == encoding


async def test_looks_a_document_up(service: SearchService) -> None:
    assert await service.document("rows", KEYS[7]) == LINES[KEYS[7]]
    assert await service.document("rows", "none") is None


async def test_stores_uploads_by_key_and_forgets_what_is_deleted(service: SearchService) -> None:
    new = b'{"id":"%s","name":"another"}' % KEYS[5].encode()
    actions = [upload_action(new), upload_action(b'{"name":"b","id":"0-new"}'), delete_action("id", KEYS[6])]
    results = (await service.index_documents("rows", batch(actions))).results
    assert [result.status_code for result in results.values()] == [200, 201, 200]
    assert await service.document("rows", KEYS[5]) == new
    assert await service.document("rows", "0-new") == b'{"name":"b","id":"0-new"}'
    assert await service.document("rows", KEYS[6]) is None
    assert await service.count("rows") == len(KEYS)


async def test_an_index_that_is_written_equals_the_one_that_was_read(service: SearchService, endpoint: str) -> None:
    await service.create_index("copy", msgspec.json.encode(SMALL.definition("copy")), preview=False)
    shuffled = random.Random(2).sample(KEYS, len(KEYS))
    for begin in range(0, len(KEYS), 1000):
        actions = [upload_action(LINES[key]) for key in shuffled[begin : begin + 1000]]
        await service.index_documents("copy", batch(actions))
        assert await service.count("copy") == min(begin + 1000, len(KEYS))
    copied = await control(endpoint, "/digest", index="copy")
    assert copied == await control(endpoint, "/digest", index="rows")
    assert copied["bytes"] == sum(len(line) + 1 for line in LINES.values())


async def test_changes_the_share_that_it_is_told_to(service: SearchService, endpoint: str) -> None:
    await control(endpoint, "/change", index="rows", corpus="small", share=0.005, seed=3)
    pages = scan_range(service, "rows", "id", KeyRange(None, None), average_document_bytes=200)
    found = {document.key: document.line async for page in pages for document in page}
    assert found.keys() == LINES.keys()
    assert sum(found[key] != LINES[key] for key in KEYS) == round(len(KEYS) * 0.005)


async def test_holds_definitions_and_aliases_under_conditions(service: SearchService) -> None:
    before = await service.index_definition("rows")
    assert msgspec.json.decode(before.body)["fields"][0]["key"] is True
    assert await service.index_names() == ["rows"]
    await service.point_alias("front", "rows", before=None)
    assert await service.alias_target("front") == "rows"
    await service.may_write_definitions()
    assert (await service.service_statistics()).counters.aliases_count is not None
    await service.delete_index("rows", before=before)
    with pytest.raises(NotFoundError):
        await service.index_definition("rows")


@pytest.mark.parametrize("query", [{"filter": "rating gt 3"}, {"orderby": "name asc"}, {"facets": ("name",)}])
async def test_refuses_a_query_that_it_does_not_know(service: SearchService, query: dict[str, Any]) -> None:
    with pytest.raises(IndexvaultError, match="501"):
        await page(service, **query)
