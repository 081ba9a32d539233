"""Counts that are off for minutes: several partitions and one replica, while partitions restart."""

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from indexvault.errors import AccountingError
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import World, open_world

SETTLED_AFTER = 300
"""Seconds that counts are off."""


class Late(SearchService):
    """Counts too few documents for a while, in the service's own count and in queries."""

    slept: ClassVar[list[float]] = []
    off = 3

    async def count(self, index: str) -> int:
        return await super().count(index) + self._off

    async def count_found(self, index: str, query: DocumentQuery, reader: PageReader, *, elevated: bool = False) -> int:
        found = await super().count_found(index, query, reader, elevated=elevated)
        return max(0, found - abs(self._off)) if query.filter is not None else found

    @property
    def _off(self) -> int:
        return 0 if sum(self.slept) >= SETTLED_AFTER else self.off


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        await opened.fill(hotels.DEFINITION, hotels.hotels(200))
        monkeypatch.setattr(Late, "slept", opened.slept)
        await opened.ask_east_with(Late)
        yield opened


async def test_they_are_waited_for_in_growing_pauses_and_the_wait_is_told(world: World) -> None:
    report = await world.back_up("hotels")
    assert (report.state, report.documents) == ("complete", 200)
    assert SETTLED_AFTER <= sum(world.slept) <= 600
    assert len(world.slept) < 40
    assert any("settle" in note and "min" in note for note in report.notes)


async def test_the_wait_has_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Late, "slept", [])
    with pytest.raises(AccountingError, match="10 min"):
        await world.back_up("hotels")
    assert sum(world.slept) == pytest.approx(600)


async def test_it_is_as_long_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_world(MemoryStore("local"), settle_seconds=90) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(20))
        await world.ask_east_with(Late)
        monkeypatch.setattr(Late, "slept", [])
        with pytest.raises(AccountingError):
            await world.back_up("hotels")
    assert sum(world.slept) == pytest.approx(90)


class LateTotal(Late):
    """Counts too few documents in the index as a whole, for a while."""

    async def count_found(self, index: str, query: DocumentQuery, reader: PageReader, *, elevated: bool = False) -> int:
        found = await SearchService.count_found(self, index, query, reader, elevated=elevated)
        return found - abs(self._off) if query.filter is None and query.search == "*" else found


@pytest.mark.parametrize("off", [3, -3])
async def test_an_index_without_key_order_is_not_read_again_while_only_counts_are_off(
    world: World, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    unordered = hotels.with_field("id", filterable=False, sortable=False, facetable=False) | {"name": "unordered"}
    documents = [hotel | {"stars": number % 7} for number, hotel in enumerate(hotels.hotels(2200))]
    await world.fill(unordered, documents)
    monkeypatch.setattr(Late, "off", off)
    await world.ask_east_with(LateTotal)
    report = await world.back_up("unordered")
    assert (report.state, report.documents) == ("complete", 2200)
    assert SETTLED_AFTER <= sum(world.slept) <= 1200
    assert len(world.slept) < 60
