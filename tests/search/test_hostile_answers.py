"""Answers that no service documents: each is an UnexpectedAnswerError, whatever its bytes."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from indexvault.errors import RefusedError, UnexpectedAnswerError
from indexvault.search.batch import read_batch_answer
from indexvault.search.page import PageReader
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
