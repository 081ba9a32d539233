"""Answers that no service documents: each is an UnexpectedAnswerError, whatever its bytes."""

import gzip
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from indexvault.bounds import ANSWER_LIMIT, DEFINITION_LIMIT, MEBIBYTE
from indexvault.errors import (
    OversizedAnswerError,
    RefusedError,
    TooLargeError,
    UnexpectedAnswerError,
    UnreachableError,
)
from indexvault.search.batch import read_batch_answer
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import read_schema
from indexvault.search.secret_scan import holds_secret
from tests.scripted import Scripted

DEEP = b"[" * 200_000 + b"]" * 200_000
OUTSIDE_UTF_8 = b'"\xff"'


def page(body: bytes) -> object:
    return PageReader("id").read(body, on="x")


def batch(body: bytes) -> object:
    return read_batch_answer(body, on="x")


def schema(body: bytes) -> object:
    return read_schema(body, on="x")


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (page, b'{"value":%s}' % DEEP),
        (page, b'{"value":[{"id":%s}]}' % OUTSIDE_UTF_8),
        (page, b'{"value":[{"@search.score":1,"@search.x":1,%s:1,"id":"1"}]}' % OUTSIDE_UTF_8),
        (page, b'{"value":[],"@search.facets":{"f":[{"count":1,"value":%s}]}}' % OUTSIDE_UTF_8),
        (batch, b'{"value":[],"x":%s}' % DEEP),
        (batch, b'{"value":[{"key":%s,"status":true,"statusCode":200}]}' % OUTSIDE_UTF_8),
        (schema, b'{"name":%s,"fields":[]}' % OUTSIDE_UTF_8),
        (schema, b'{"name":"a","fields":[],"x":%s}' % DEEP),
    ],
)
def test_text_outside_utf_8_and_deep_nesting(read: Callable[[bytes], object], body: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        read(body)


@pytest.mark.parametrize(
    ("body", "ask"),
    [
        (b'{"name":"a","x":%s}' % DEEP, lambda service: service.index_definition("a")),
        (b'{"name":"a","x":%s}' % OUTSIDE_UTF_8, lambda service: service.index_definition("a")),
        (b'{"name":"a","x":%s}' % (b"[" * 900 + b"]" * 900), lambda service: service.index_definition("a")),
        (b'{"value":[{}]}', lambda service: service.definitions("skillsets")),
        (b'{"value":[{"name":"a","x":%s}]}' % OUTSIDE_UTF_8, lambda service: service.definitions("skillsets")),
        (b"9" * 5_000, lambda service: service.count("a")),
        (b'{"x":1,"@search.score":1', lambda service: service.document("a", "1")),
    ],
)
async def test_over_the_wire(scripted: Scripted, body: bytes, ask: Callable[[Any], Any]) -> None:
    scripted.replies = [lambda _request: web.Response(body=body, content_type="application/json")]
    with pytest.raises(UnexpectedAnswerError):
        await ask(scripted.service)


async def test_the_message_of_a_refusal(scripted: Scripted) -> None:
    scripted.replies = [lambda _request: web.Response(status=400, body=b'{"error":%s}' % DEEP)]
    with pytest.raises(RefusedError):
        await scripted.service.index_names()


@pytest.mark.parametrize(
    "value",
    ["-eyJ" * 50_000, "eyJ" * 50_000, "ResourceId=" + "a" * 200_000 + ";;", "ResourceId=" + "User=a;" * 30_000 + "="],
)
def test_long_values_are_scanned_in_linear_time(value: str) -> None:
    begun = time.process_time()
    holds_secret(msgspec.json.encode({"connectionString": value}))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("before", ["", " ", "-", "x-", '"'])
def test_a_web_token_is_found_after_a_dash_too(before: str) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0xx.c2lnbmF0dXJl"
    assert holds_secret(msgspec.json.encode({"note": f"{before}{token}"}))


BOMB = gzip.compress(b"[" + b" " * (ANSWER_LIMIT + MEBIBYTE))


def bomb(request: web.Request, status: int = 200) -> web.Response:
    assert "gzip" in request.headers["Accept-Encoding"]
    headers = {"Content-Encoding": "gzip"}
    return web.Response(body=BOMB, status=status, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    "ask",
    [
        lambda service: service.index_definition("a"),
        lambda service: service.definitions("skillsets"),
        lambda service: service.index_names(),
        lambda service: service.count("a"),
        lambda service: service.document("a", "1"),
        lambda service: service.documents("a", DocumentQuery(), PageReader("id")),
        lambda service: service.index_documents("a", b"{}"),
        lambda service: service.index_statistics("a"),
    ],
)
async def test_an_answer_that_grows_when_it_is_decompressed(scripted: Scripted, ask: Callable[[Any], Any]) -> None:
    scripted.replies = [bomb]
    with pytest.raises(OversizedAnswerError, match="64 MiB") as raised:
        await ask(scripted.service)
    assert raised.value.on.startswith("contoso")
    assert len(scripted.requests) == 1


async def test_a_page_that_is_too_large_can_be_asked_for_in_parts(scripted: Scripted) -> None:
    scripted.replies = [bomb]
    with pytest.raises(TooLargeError):
        await scripted.service.documents("a", DocumentQuery(), PageReader("id"), may_shrink=True)


async def test_a_refusal_that_grows_is_a_refusal(scripted: Scripted) -> None:
    scripted.replies = [lambda request: bomb(request, 400)]
    with pytest.raises(RefusedError):
        await scripted.service.index_names()


@pytest.mark.parametrize(
    "body", [gzip.compress(b"[1]")[:-9], b"[1]", gzip.compress(b"[1]") + b"x"], ids=["cut", "plain", "more"]
)
async def test_an_answer_whose_compression_is_broken(scripted: Scripted, body: bytes) -> None:
    scripted.replies = [lambda _request: web.Response(body=body, headers={"Content-Encoding": "gzip"})]
    with pytest.raises(UnreachableError):
        await scripted.service.index_names()


async def test_a_definition_that_is_too_large(scripted: Scripted) -> None:
    body = b'{"name":"a","x":"%s"}' % (b"x" * DEFINITION_LIMIT)
    scripted.replies = [lambda _request: web.Response(body=body, content_type="application/json")]
    with pytest.raises(UnexpectedAnswerError, match="16 MiB"):
        await scripted.service.index_definition("a")


def test_documents_that_nest_deeper_than_any_can() -> None:
    body = b'{"value":[{"id":"1","a":%s}]}' % (b"[" * 5000 + b"]" * 5000)
    with pytest.raises(UnexpectedAnswerError):
        page(body)
