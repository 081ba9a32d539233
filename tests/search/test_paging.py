import json
import random
from collections.abc import Callable

import pytest
from aiohttp import web

from indexvault.search.page import PageReader
from indexvault.search.paging import STEPS_BACK, read_by_skipping
from indexvault.search.query import DocumentQuery
from tests.scripted import Scripted

type Change = Callable[[list[str], int], None]


def index_of(scripted: Scripted, keys: list[str], change: Change, *, most: int = 1000) -> None:
    """Let the service hold an ordered index. `change` is called after each answer, with the number of answers."""

    def answer(_request: web.Request) -> web.Response:
        asked = json.loads(scripted.requests[-1][3])
        skip = asked.get("skip", 0)
        found = keys[skip : skip + min(asked["top"], most)]
        change(keys, len(scripted.requests))
        return web.json_response({"value": [{"id": key} for key in found]})

    scripted.replies = [answer]


async def read(scripted: Scripted) -> list[str]:
    pages = read_by_skipping(scripted.service, "hotels", DocumentQuery(), PageReader("id"), average_document_bytes=10)
    return [document.key async for page in pages for document in page.documents]


def numbered(count: int) -> list[str]:
    return [f"{number:06}" for number in range(count)]


async def test_a_quiet_index_is_read_once_with_a_document_a_page_to_join_them(scripted: Scripted) -> None:
    index_of(scripted, numbered(2500), lambda _keys, _answers: None)
    found = await read(scripted)
    assert sorted(set(found)) == numbered(2500)
    assert [json.loads(body).get("skip", 0) for *_rest, body in scripted.requests] == [0, 999, 1998, 2499, 2500]


@pytest.mark.parametrize("most", [1, 2, 7, 300])
async def test_short_pages_are_no_end(scripted: Scripted, most: int) -> None:
    index_of(scripted, numbered(60), lambda _keys, _answers: None, most=most)
    assert sorted(set(await read(scripted))) == numbered(60)


@pytest.mark.parametrize("gone", [1, 5, 40, 900])
async def test_what_is_deleted_from_before_a_page_makes_none_of_the_others_missed(
    scripted: Scripted, gone: int
) -> None:
    def delete(keys: list[str], answers: int) -> None:
        if answers == 1:
            del keys[5 : 5 + gone]

    index_of(scripted, numbered(2500), delete)
    assert sorted(set(await read(scripted))) == numbered(2500), "those deleted were read before"


@pytest.mark.parametrize("seed", range(5))
async def test_documents_that_are_there_throughout_are_read_while_others_come_and_go(
    scripted: Scripted, seed: int
) -> None:
    rng = random.Random(seed)
    throughout = set(numbered(3000))

    def write(keys: list[str], _answers: int) -> None:
        for _ in range(3):
            throughout.discard(keys.pop(rng.randrange(len(keys))))
        position = rng.randrange(len(keys))
        keys.insert(position, f"{keys[position]}-{rng.random()}")

    index_of(scripted, numbered(3000), write, most=200)
    assert throughout <= set(await read(scripted))


async def test_an_order_that_never_holds_still_ends(scripted: Scripted) -> None:
    rng = random.Random(1)
    index_of(scripted, numbered(20_000), lambda keys, _answers: rng.shuffle(keys))
    await read(scripted)
    assert len(scripted.requests) <= 25 + 3 * STEPS_BACK
