import json
from collections.abc import Callable

import pytest
from aiohttp import web

from indexvault.errors import (
    ConflictError,
    IndexvaultError,
    NotFoundError,
    OverloadedError,
    QuotaError,
    RefusedError,
    TooLargeError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from tests.scripted import KEY, Scripted


def refused(status: int, message: str = "", **headers: str) -> Callable[[web.Request], web.Response]:
    body = json.dumps({"error": {"code": "", "message": message}})
    return lambda _request: web.Response(status=status, text=body, content_type="application/json", headers=headers)


def answer(body: str | bytes, content_type: str = "application/json") -> Callable[[web.Request], web.Response]:
    raw = body.encode() if isinstance(body, str) else body
    return lambda _request: web.Response(body=raw, content_type=content_type)


async def test_a_request_names_its_api_version_and_carries_the_key(scripted: Scripted) -> None:
    scripted.replies = [answer(b"\xef\xbb\xbf42", "text/plain")]
    assert await scripted.service.count("hotels") == 42
    method, url, headers, _body = scripted.requests[0]
    assert (method, url) == ("GET", "/indexes('hotels')/docs/$count?api-version=2026-04-01")
    assert headers["api-key"] == KEY


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "Invalid expression", RefusedError),
        (401, "", UnauthorizedError),
        (403, "", UnauthorizedError),
        (404, "", NotFoundError),
        (409, "", ConflictError),
        (412, "", ConflictError),
        (413, "", TooLargeError),
        (429, "You have exceeded your quota of documents", QuotaError),
        (400, "Cannot create more than 3 indexes: quota exceeded", QuotaError),
        (418, "", RefusedError),
        (302, "", UnexpectedAnswerError),
    ],
)
async def test_a_refusal_is_typed_and_not_repeated(
    scripted: Scripted, status: int, message: str, expected: type[IndexvaultError]
) -> None:
    scripted.replies = [refused(status, message)]
    with pytest.raises(expected) as raised:
        await scripted.service.count("hotels")
    assert type(raised.value) is expected
    assert len(scripted.requests) == 1
    assert raised.value.on == "contoso index hotels"
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_load_is_waited_out(scripted: Scripted, status: int) -> None:
    scripted.replies = [refused(status), refused(status), answer("7")]
    assert await scripted.service.count("hotels") == 7
    assert len(scripted.slept) == 2


async def test_waiting_has_an_end(scripted: Scripted) -> None:
    scripted.replies = [refused(503)]
    with pytest.raises(OverloadedError):
        await scripted.service.count("hotels")
    assert len(scripted.requests) == 4
    assert len(scripted.slept) == 3


async def test_retry_after_is_the_least_that_is_waited(scripted: Scripted) -> None:
    scripted.replies = [refused(503, **{"Retry-After": "5"}), answer("7")]
    await scripted.service.count("hotels")
    assert 5 <= scripted.slept[0] <= 5.25


async def test_a_connection_that_breaks_is_tried_again_and_then_named(scripted: Scripted) -> None:
    scripted.replies = [ConnectionResetError(), answer("7")]
    assert await scripted.service.count("hotels") == 7
    scripted.replies = [ConnectionResetError()]
    with pytest.raises(UnreachableError):
        await scripted.service.count("hotels")


async def test_a_body_that_breaks_off_is_no_answer(scripted: Scripted) -> None:
    def short(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: text/plain\r\n\r\n12")
        request.transport.close()
        return web.Response()

    scripted.replies = [short, answer("7")]
    assert await scripted.service.count("hotels") == 7
    assert len(scripted.requests) == 2


async def test_what_the_service_quotes_of_documents_is_not_repeated(scripted: Scripted) -> None:
    scripted.replies = [refused(400, "Cannot convert 'ada@example.org' in field \"mail\"")]
    with pytest.raises(RefusedError) as raised:
        await scripted.service.index_documents("hotels", b'{"value":[]}')
    assert "ada" not in str(raised.value)
    assert "Cannot convert" in str(raised.value)


async def test_a_partial_answer_is_refused(scripted: Scripted) -> None:
    scripted.replies = [answer('{"@search.coverage":80.5,"value":[]}')]
    with pytest.raises(UnexpectedAnswerError, match=r"80\.5 %"):
        await scripted.service.documents("hotels", DocumentQuery(), PageReader("id"))
    assert json.loads(scripted.requests[0][3]) == {"search": "*", "minimumCoverage": 100}


@pytest.mark.parametrize("body", ["", "<html>", "{}", '{"value":[{"no":"key"}]}', '{"value":[{"id":1}]}', "[]"])
async def test_what_is_no_page_is_not_taken_for_an_empty_one(scripted: Scripted, body: str) -> None:
    scripted.replies = [answer(body)]
    with pytest.raises(UnexpectedAnswerError):
        await scripted.service.documents("hotels", DocumentQuery(), PageReader("id"))


async def test_names_are_escaped_in_paths(scripted: Scripted) -> None:
    scripted.replies = [answer("1")]
    await scripted.service.count("a'b/../c")
    assert scripted.requests[0][1].startswith("/indexes('a''b%2F..%2Fc')/docs/$count")


async def test_the_definition_is_kept_byte_for_byte(scripted: Scripted) -> None:
    body = '{ "@odata.etag":"\\"0x1\\"", "name":"hotels", "number": 1.50 , "later": {"x":[ ]}}'
    scripted.replies = [answer(body)]
    definition = await scripted.service.index_definition("hotels", preview=True)
    assert bytes(definition.body) == body.encode()
    assert definition.etag == '"0x1"'
    assert "api-version=2026-08-01-preview" in scripted.requests[0][1]
    assert scripted.requests[0][2]["Accept"] == "application/json;odata.metadata=minimal"


async def test_no_other_encoding_than_gzip_is_offered(scripted: Scripted) -> None:
    """azure-core decodes no brotli, no zstd and not every deflate, which aiohttp offers where it can decode them."""
    scripted.replies = [web.Response(body=b'{"value":[]}')]
    await scripted.service.index_names()
    assert scripted.requests[0][2]["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("Index quota has been exceeded for this service.", QuotaError),
        ("The property 'quotaMegabytes' does not exist on type 'SearchField'.", RefusedError),
        ('Field "quota" can\'t be a key.', RefusedError),
    ],
)
async def test_a_definition_that_mentions_a_quota_is_no_full_service(
    scripted: Scripted, says: str, kind: type[Exception]
) -> None:
    body = json.dumps({"error": {"code": "", "message": says}}).encode()
    scripted.replies = [lambda _request: web.Response(status=400, body=body)]
    with pytest.raises(kind):
        await scripted.service.create_index("hotels", b"{}", preview=False)
