"""List the keys of a range of an index, as many in one answer as the service gives.

A page holds 1,000 documents at most. Facets have no such limit: where the key is facetable, an answer lists tens of
thousands of keys. It proves itself: it holds as many values as it counts documents, since no two have the same key.
Source: Faceted navigation examples in Azure AI Search, `count`, 2026-06.
"""

from itertools import islice
from operator import lt
from typing import NamedTuple

import msgspec

from indexvault.errors import RefusedError, UnexpectedAnswerError
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.page_size import PAGE_BYTES
from indexvault.search.query import MOST_PER_PAGE, DocumentQuery, key_range
from indexvault.search.scan import KeyRange, require_progress
from indexvault.search.schema import Schema

MOST_FACETS = 50_000
"""Keys that are asked for as facets in one answer."""
_FACET_BYTES = 24
"""Bytes of a facet beside its value, about."""
_ROOM = 1.1
"""How many times as many keys as expected an answer has room for: some may have been added."""


class Listed(NamedTuple):
    """The first keys of a range, in order, and how many documents the same answer counts in all of it."""

    keys: list[str]
    counted: int

    @property
    def is_whole(self) -> bool:
        """Whether these are all."""
        return len(self.keys) == self.counted


class KeyLister:
    """Lists and counts the keys of one index. `open` is how many documents were counted and never listed."""

    def __init__(self, service: SearchService, index: str, schema: Schema, *, elevated: bool, key_bytes: float) -> None:
        key = schema.key
        self._service = service
        self._index = index
        self._on = f"{service.name} index {index}"
        self._key_field = key.name
        self._elevated = elevated
        self._reader = PageReader(key.name)
        self._by_facets = key.facetable is True
        self._facets = max(MOST_PER_PAGE, min(MOST_FACETS, int(PAGE_BYTES / (_FACET_BYTES + key_bytes))))
        self.open = 0

    @property
    def by_facets(self) -> bool:
        """Whether facets list the keys."""
        return self._by_facets

    @property
    def most(self) -> int:
        """Keys that are worth expecting in one answer."""
        return int((self._facets if self._by_facets else MOST_PER_PAGE) / _ROOM)

    async def count(self, keys: KeyRange) -> int:
        """Return how many documents a range has."""
        query = DocumentQuery(filter=key_range(self._key_field, keys.after, keys.until))
        return await self._service.count_found(self._index, query, self._reader, elevated=self._elevated)

    async def first(self, keys: KeyRange) -> Listed:
        """Return a page of the first keys of a range.

        Raises AccountingError for keys out of order or range, UnexpectedAnswerError without a count: what is not listed
        would count as deleted.
        """
        page = await self._answer(
            keys, DocumentQuery(orderby=f"{self._key_field} asc", select=self._key_field, top=MOST_PER_PAGE)
        )
        if page.count is None:
            raise UnexpectedAnswerError("no count in an answer that was to have one", on=self._on, do="Repeat")
        if page.documents:
            require_progress(page.documents, keys.after, keys.until, on=self._on)
        return Listed([document.key for document in page.documents], page.count)

    async def keys(self, keys: KeyRange) -> list[str]:
        """Return all keys of a range in order, of each stretch as one answer holds them."""
        if self._by_facets and (found := await self._faceted(keys)) is not None:
            return found
        listed: list[str] = []
        after = keys.after
        while True:
            page = await self.first(KeyRange(after, keys.until))
            listed += page.keys
            if page.is_whole:
                return listed
            if not page.keys:
                self.open += page.counted
                return listed
            after = page.keys[-1]

    async def _faceted(self, keys: KeyRange) -> list[str] | None:
        """Return the keys of a range from one answer; None if it does not prove that they are all."""
        facet = f"{self._key_field},count:{self._facets},sort:value"
        try:
            page = await self._answer(keys, DocumentQuery(facets=(facet,), top=0))
        except RefusedError:  # what the documentation allows is refused: pages do as well
            self._by_facets = False
            return None
        values = [each.value for each in page.facets.get(self._key_field, []) if isinstance(each.value, str)]
        values.sort()  # they come sorted, by some order: ours is that of the tree
        are_distinct = all(map(lt, values, islice(values, 1, None)))
        are_asked = all(_is_within(value, keys) for value in (*values[:1], *values[-1:]))
        return values if are_distinct and are_asked and len(values) == page.count else None

    async def _answer(self, keys: KeyRange, query: DocumentQuery) -> Page:
        asked = msgspec.structs.replace(query, filter=key_range(self._key_field, keys.after, keys.until), count=True)
        return await self._service.documents(self._index, asked, self._reader, elevated=self._elevated)


def _is_within(key: str, keys: KeyRange) -> bool:
    return (keys.after is None or key > keys.after) and (keys.until is None or key <= keys.until)
