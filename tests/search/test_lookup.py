"""Documents by their keys, many a request."""

import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from azure.core.credentials import AzureKeyCredential

from emulator.server import Running, running
from emulator.service import EmulatedService
from indexvault.search.batch import batch, upload_action
from indexvault.search.client import SearchService
from indexvault.search.lookup import KeyLookup
from indexvault.search.query import literal, one_of
from indexvault.search.request_count import counted_requests
from indexvault.search.retry import RetryPolicy
from indexvault.search.schema import read_schema

KEYS = [f"k{number:04}" for number in range(2500)]


@pytest.fixture
async def emulator() -> AsyncIterator[Running]:
    async with running([EmulatedService(name="east")]) as up:
        yield up


@pytest.fixture
async def service(emulator: Running) -> AsyncIterator[SearchService]:
    retry = RetryPolicy(first_wait=0.001, longest_wait=0.01)
    credential = AzureKeyCredential("admin-key")
    async with SearchService("east", emulator.endpoint("east"), credential, rng=Random(1), retry=retry) as opened:
        yield opened


async def fill(service: SearchService, keys: list[str], size: int = 10, **key: Any) -> KeyLookup:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "sortable": False} | key,
        {"name": "text", "type": "Edm.String", "filterable": False, "sortable": False, "facetable": False},
    ]
    definition = json.dumps({"name": "things", "fields": fields}).encode()
    await service.create_index("things", definition, preview=True)
    for start in range(0, len(keys), 200):
        lines = (json.dumps({"id": each, "text": "x" * size}).encode() for each in keys[start : start + 200])
        await service.index_documents("things", batch(map(upload_action, lines)))
    schema = read_schema(definition, on="things")
    return KeyLookup(service, "things", schema, average_document_bytes=size + 30, elevated=False)


async def found(lookup: KeyLookup, keys: list[str]) -> list[str]:
    return sorted([key async for key, _line in lookup.find(keys)])


async def test_many_keys_take_one_request(service: SearchService) -> None:
    lookup = await fill(service, KEYS, filterable=True)
    with counted_requests() as counter:
        assert await found(lookup, [*KEYS, "missing"]) == KEYS
    assert counter.requests == 3


async def test_documents_come_in_the_order_of_the_keys_and_as_a_look_up_returns_them(service: SearchService) -> None:
    lookup = await fill(service, ["b", "a", "c"], filterable=True)
    lines = [line async for _key, line in lookup.find(["a", "missing", "c"])]
    assert lines == [await service.document("things", "a"), await service.document("things", "c")]


async def test_an_answer_that_is_cut_short_is_asked_for_again(service: SearchService) -> None:
    lookup = await fill(service, KEYS[:300], size=20_000, filterable=True)
    assert await found(lookup, KEYS[:300]) == KEYS[:300]


async def test_keys_differ_in_case(service: SearchService) -> None:
    lookup = await fill(service, ["a", "A"], filterable=True)
    assert await found(lookup, ["A"]) == ["A"]


async def test_a_key_that_can_t_be_filtered_is_looked_up_by_itself(service: SearchService) -> None:
    lookup = await fill(service, ["a", "b"], filterable=False)
    with counted_requests() as counter:
        assert await found(lookup, ["a", "b", "c"]) == ["a", "b"]
    assert counter.requests == 3


async def test_a_key_with_a_normalizer_is_looked_up_by_itself(service: SearchService) -> None:
    lookup = await fill(service, ["a", "A"], filterable=True, normalizer="lowercase")
    assert await found(lookup, ["A"]) == ["A"]


@pytest.mark.parametrize("key", ["it's", "a,b", "a b", "a|b", "ü", "a\nb", "', '|"])
async def test_keys_that_the_service_calls_unsafe(service: SearchService, key: str) -> None:
    lookup = await fill(service, ["a", "b"], filterable=True)
    await service._transport.send(
        "POST",
        "indexes('things')/docs/search.index",
        on="things",
        query="allowUnsafeKeys=true",
        body=batch([upload_action(json.dumps({"id": key}).encode())]),
    )
    assert await found(lookup, ["a", key, "c"]) == sorted(["a", key])


def test_a_filter_of_many_keys_escapes_and_delimits() -> None:
    assert one_of("id", ["a", "b"]) == "search.in(id, 'a,b', ',')"
    assert one_of("id", ["it's", "a,b"]) == "search.in(id, 'it''s|a,b', '|')"
    assert one_of("id", ["a"]) == "id eq 'a'"
    every = "".join(map(chr, [9, *range(32, 127)]))
    assert one_of("id", [every, "a"]) == f"id eq {literal(every)} or id eq 'a'"
