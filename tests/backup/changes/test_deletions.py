"""Finding what was deleted: everything is found, and the requests grow with the deletions."""

import asyncio
import random
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexvault.backup.changes.base import Base
from indexvault.backup.changes.deletions import DeletionFinder, Ledger
from indexvault.backup.changes.listing import KeyLister
from indexvault.errors import AccountingError, RefusedError, UnexpectedAnswerError
from indexvault.search.client import SearchService
from indexvault.search.page import Document, Facet, Page
from indexvault.search.query import DocumentQuery, key_range
from indexvault.search.schema import Field, Schema
from indexvault.snapshots.manifest import Manifest
from tests.memory_store import MemoryStore
from tests.snapshots.samples import documents, write_snapshot

NUMBER = 6_000


class Keys:
    """A service that has nothing but keys, as far as a lister asks it. Each answer has `most` documents at most."""

    name = "contoso-east"

    def __init__(self, keys: Sequence[str], most: int) -> None:
        self.keys = sorted(keys)
        self.most = most
        self.requests = 0
        self.refuses_facets = False

    async def documents(self, _index: str, query: DocumentQuery, _reader: Any, *, elevated: bool) -> Page:  # noqa: ARG002
        self.requests += 1
        found = _within(self.keys, query.filter)
        if query.facets and self.refuses_facets:
            raise RefusedError("too many facets", on="index", do="Ask for fewer")
        facets = {"HotelId": [Facet(key, 1) for key in found]} if query.facets else {}
        shown = found[: min(query.top or 0, self.most)]
        return Page([Document(key, b"") for key in shown], 0, 100.0, len(found), cut_short=False, facets=facets)

    async def count_found(self, index: str, query: DocumentQuery, reader: Any, *, elevated: bool) -> int:
        counting = msgspec.structs.replace(query, top=0)
        return (await self.documents(index, counting, reader, elevated=elevated)).count or 0


def _within(keys: Sequence[str], condition: str | None) -> Sequence[str]:
    bounds = dict(part.split(" ")[1:] for part in (condition or "").split(" and ") if part)
    after, until = (bounds[word].strip("'") if word in bounds else None for word in ("gt", "le"))
    assert condition == key_range("HotelId", after, until)
    start = 0 if after is None else bisect_right(keys, after)
    return keys[start : len(keys) if until is None else bisect_right(keys, until)]


@pytest.fixture(scope="module")
def base() -> tuple[MemoryStore, Manifest]:
    store = MemoryStore()
    manifest, _ = asyncio.run(write_snapshot(store.snapshots, documents(range(0, 2 * NUMBER, 2)), bits=1))
    return store, manifest


async def find(
    base: tuple[MemoryStore, Manifest],
    there: Sequence[str],
    added: Sequence[str],
    *,
    facetable: bool,
    most: int = 200,
    kind: type[Keys] = Keys,
) -> tuple[Ledger, Keys]:
    store, manifest = base
    keys = kind(there, most)
    key = Field(name="HotelId", type="Edm.String", key=True, facetable=facetable)
    lister = KeyLister(
        cast("SearchService", keys), "hotels", Schema(name="hotels", fields=(key,)), elevated=False, key_bytes=12
    )

    async def look_up(wanted: Sequence[str]) -> list[str]:
        return [key for key in wanted if key in keys.keys]

    ledger = Ledger(sorted(added))
    await DeletionFinder(Base(store.snapshots, manifest), ledger, lister, look_up).find()
    return ledger, keys


changes = st.tuples(st.sets(st.integers(0, NUMBER - 1), max_size=80), st.sets(st.integers(0, NUMBER), max_size=40))
"""Documents deleted, by number, and added after those with a number."""


@pytest.mark.parametrize("facetable", [False, True])
@given(changes=changes)
@settings(max_examples=12, deadline=None)
async def test_all_that_is_gone_is_found_beside_what_was_added(
    base: tuple[MemoryStore, Manifest], *, facetable: bool, changes: tuple[set[int], set[int]]
) -> None:
    gone, new = documents(2 * number for number in changes[0]), documents(2 * number + 1 for number in changes[1])
    there = (documents(range(0, 2 * NUMBER, 2)).keys() - gone.keys()) | new.keys()
    ledger, _keys = await find(base, sorted(there), sorted(new), facetable=facetable)
    assert ledger.gone == sorted(gone)
    assert ledger.added == sorted(new)


@pytest.mark.parametrize("facetable", [False, True])
async def test_what_was_added_and_deleted_since_is_gone(base: tuple[MemoryStore, Manifest], *, facetable: bool) -> None:
    there = documents(range(0, 2 * NUMBER, 2))
    new = documents([501])
    ledger, _keys = await find(base, sorted(there), sorted(new), facetable=facetable)
    assert ledger.gone == sorted(new)


@pytest.mark.parametrize("facetable", [False, True])
async def test_what_nobody_declared_is_found_in_what_differs(
    base: tuple[MemoryStore, Manifest], *, facetable: bool
) -> None:
    there = documents(range(0, 2 * NUMBER, 2)).keys() | documents([11, 4_001, 99_999]).keys()
    ledger, _keys = await find(base, sorted(there), [], facetable=facetable)
    assert ledger.added == sorted(documents([11, 4_001, 99_999]))
    assert ledger.gone == []


async def test_an_index_that_agrees_takes_one_request(base: tuple[MemoryStore, Manifest]) -> None:
    for facetable in (False, True):
        _ledger, keys = await find(base, sorted(documents(range(0, 2 * NUMBER, 2))), [], facetable=facetable)
        assert keys.requests == 1


async def test_requests_grow_with_the_deletions(base: tuple[MemoryStore, Manifest]) -> None:
    """With facets, six thousand keys fit one answer; with pages of 200, there are thirty of them."""
    there = sorted(documents(range(0, 2 * NUMBER, 2)))
    rng = random.Random(3)
    taken = {}
    for number in (1, 10):
        left = sorted(set(there) - set(rng.sample(there, number)))
        _ledger, keys = await find(base, left, [], facetable=True)
        assert keys.requests == 3  # a count, a list, a count
        _ledger, keys = await find(base, left, [], facetable=False)
        taken[number] = keys.requests
    assert taken[1] <= 16
    assert taken[10] <= 60


class OutOfOrder(Keys):
    """A replica that sorts by something else than the bytes of the keys."""

    async def documents(self, _index: str, query: DocumentQuery, _reader: Any, *, elevated: bool) -> Page:
        page = await super().documents(_index, query, _reader, elevated=elevated)
        return msgspec.structs.replace(page, documents=page.documents[::-1])


class OutOfRange(Keys):
    """A replica that leaves the lower bound of a list out."""

    async def documents(self, _index: str, query: DocumentQuery, _reader: Any, *, elevated: bool) -> Page:
        page = await super().documents(_index, query, _reader, elevated=elevated)
        if not query.facets and not page.documents:
            return page
        more = [self.keys[0]]
        return msgspec.structs.replace(
            page,
            documents=[*(Document(key, b"") for key in more), *page.documents][: query.top or 0],
            facets={"HotelId": [*(Facet(key, 1) for key in more), *page.facets["HotelId"]]} if page.facets else {},
            count=(page.count or 0) + 1,
        )


class WithoutCount(Keys):
    """A replica whose lists come without a count, as an empty answer might."""

    async def documents(self, _index: str, query: DocumentQuery, _reader: Any, *, elevated: bool) -> Page:
        page = await super().documents(_index, query, _reader, elevated=elevated)
        if not query.top and not query.facets:
            return page
        return msgspec.structs.replace(page, documents=[], facets={}, count=None)


@pytest.mark.parametrize("facetable", [False, True])
@pytest.mark.parametrize("kind", [OutOfOrder, OutOfRange, WithoutCount])
async def test_a_list_that_is_not_what_was_asked_for_deletes_nothing(
    base: tuple[MemoryStore, Manifest], kind: type[Keys], *, facetable: bool
) -> None:
    there = sorted(documents(range(0, 2 * NUMBER, 2)))
    gone = there.pop(4_000)
    try:
        ledger, _keys = await find(base, there, [], facetable=facetable, kind=kind)
    except (AccountingError, UnexpectedAnswerError):
        return
    assert ledger.gone == [gone]


async def test_facets_that_the_service_refuses_are_replaced_by_pages(base: tuple[MemoryStore, Manifest]) -> None:
    there = sorted(documents(range(0, 2 * NUMBER, 2)))[1:]

    class Refusing(Keys):
        def __init__(self, keys: Sequence[str], most: int) -> None:
            super().__init__(keys, most)
            self.refuses_facets = True

    store, manifest = base
    keys = Refusing(there, 1000)
    key = Field(name="HotelId", type="Edm.String", key=True, facetable=True)
    lister = KeyLister(
        cast("SearchService", keys), "hotels", Schema(name="hotels", fields=(key,)), elevated=False, key_bytes=12
    )

    async def none(_keys: Sequence[str]) -> list[str]:
        return []

    ledger = Ledger([])
    await DeletionFinder(Base(store.snapshots, manifest), ledger, lister, none).find()
    assert ledger.gone == sorted(documents([0]))
    assert not lister.by_facets
