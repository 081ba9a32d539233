"""A snapshot whose documents carry actions of their own: they are uploaded, and none is deleted."""

import contextlib
from typing import Any

import msgspec
import pytest

from indexvault.errors import VerificationError
from indexvault.search.batch import batch, upload_action
from indexvault.search.client import SearchService
from indexvault.search.page import Document, Page
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import WEST, open_world

ACTIONS = [b'"@search.action":"delete"', rb'"\u0040search.act\u0069on":"delete"']


def forging(action: bytes) -> type[SearchService]:
    """Return a client that puts an action at the end of each document it reads."""

    class Forging(SearchService):
        async def documents(self, *given: Any, **options: Any) -> Page:
            page = await super().documents(*given, **options)
            forged = [Document(each.key, each.line[:-1] + b"," + action + b"}") for each in page.documents]
            return msgspec.structs.replace(page, documents=forged)

    return Forging


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("mode", ["create", "sync", "fill"])
async def test_documents_of_a_forged_snapshot_are_uploaded(mode: str, action: bytes) -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(40))
        await world.ask_east_with(forging(action))
        made = await world.back_up("hotels")
        if mode != "create":
            await world.fill(hotels.DEFINITION | {"name": "restored"}, hotels.hotels(20), service=WEST)
            older = [msgspec.json.encode(each | {"stars": 0}) for each in hotels.hotels(5)]
            await world.west.index_documents("restored", batch(map(upload_action, older)))
        # The proof compares with the forged bytes, so it may say that documents differ; none may be gone.
        with contextlib.suppress(VerificationError):
            await world.restore(made, mode=mode)
        assert await world.west.count("restored") == 40
