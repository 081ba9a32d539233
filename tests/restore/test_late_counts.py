"""Targets that show what was written after minutes."""

import random
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from azure.core.credentials import AzureKeyCredential

from indexvault.errors import VerificationError
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.query import DocumentQuery
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import KEYS, WEST, World, open_world

SHOWN_AFTER = 300
"""Seconds after which the last document is found."""


class Late(SearchService):
    """Neither counts nor finds the last document for a while."""

    slept: ClassVar[list[float]] = []

    async def count(self, index: str) -> int:
        return await super().count(index) - self._late

    async def documents(
        self, index: str, query: DocumentQuery, reader: PageReader, *, elevated: bool = False, may_shrink: bool = False
    ) -> Page:
        page = await super().documents(index, query, reader, elevated=elevated, may_shrink=may_shrink)
        kept = [each for each in page.documents if not (self._late and each.key == "h000019")]
        return Page(kept, page.size, page.coverage, page.count, page.cut_short, page.facets)

    @property
    def _late(self) -> bool:
        return sum(self.slept) < SHOWN_AFTER


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        await opened.fill(hotels.DEFINITION, hotels.hotels(20))
        monkeypatch.setattr(Late, "slept", opened.slept)
        await opened.west.close()
        credential = AzureKeyCredential(KEYS[WEST])
        opened.clients._services[WEST] = Late(WEST, opened.endpoints[WEST], credential, rng=random.Random(1))
        yield opened


async def test_they_are_waited_for(world: World) -> None:
    made = await world.back_up("hotels")
    report = await world.restore(made)
    assert report.documents == 20
    assert SHOWN_AFTER <= sum(world.slept) <= 650
    assert len(world.slept) < 40


async def test_the_wait_has_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Late, "slept", [])
    made = await world.back_up("hotels")
    with pytest.raises(VerificationError, match="1 are missing"):
        await world.restore(made)
    assert sum(world.slept) < 2 * 600 + 100, "what was written again is waited for again"
