"""Look documents up by their keys, many a request where the index allows it.

A search with a filter on the key finds many documents in one request, and those that access lists protect, if it is
elevated: a look-up by `GET docs('key')` is not. Source: Query-time ACL and RBAC enforcement in Azure AI Search,
2025-12.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from itertools import batched

import msgspec

from indexvault.errors import UnexpectedAnswerError, UnreadableIndexError
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import DocumentQuery, one_of
from indexvault.search.scan import read_page
from indexvault.search.schema import Schema

SINGLE_AT_ONCE = 16
"""Look-ups of one key that are under way at once."""
_MOST_CLAUSES = 100
"""Keys in a filter at most if no delimiter separates them: the service takes some hundreds of clauses."""
_LUCENE = str.maketrans({character: f"\\{character}" for character in '\\"'})


class KeyLookup:
    """Looks up documents of one index by their keys.

    A key that is filterable is looked up by a filter. One that is not (or that a normalizer changes) is looked up by
    itself: if reading is elevated, by a search for it.
    """

    def __init__(
        self, service: SearchService, index: str, schema: Schema, *, average_document_bytes: float, elevated: bool
    ) -> None:
        key = schema.key
        self._service = service
        self._index = index
        self._key_field = key.name
        self._elevated = elevated
        self._by_filter = key.filterable is not False and not key.normalizer
        self._searchable = key.searchable is not False
        self._reader = PageReader(key.name)
        self._size = PageSize(average_document_bytes)

    @property
    def is_certain(self) -> bool:
        """Whether a document that is not found does not exist: a search for a key may miss it."""
        return self._by_filter or not self._elevated

    @property
    def at_once(self) -> int:
        """Keys that are worth looking up together at present."""
        return self._size.current if self._by_filter else SINGLE_AT_ONCE

    async def find(self, keys: Iterable[str]) -> AsyncGenerator[tuple[str, bytes]]:
        """Yield the documents that the index has of these keys, in their order.

        This says nothing about documents with other keys; only the index's count does. Raises UnreadableIndexError if
        reading is elevated and no way finds protected documents.
        """
        waiting = iter(keys)
        while some := [key for _, key in zip(range(self.at_once), waiting, strict=False)]:
            lines = await self._filtered(some) if self._by_filter else await self._one_by_one(some)
            for key in some:
                if key in lines:
                    yield key, lines[key]

    async def _filtered(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the documents that a filter finds. What an answer has no room for is asked for again."""
        found: dict[str, bytes] = {}
        missing = list(keys)
        while missing:
            query = DocumentQuery(filter=one_of(self._key_field, missing), count=True)
            if " or " in (query.filter or "") and len(missing) > _MOST_CLAUSES:
                for some in batched(missing, _MOST_CLAUSES, strict=False):
                    found |= await self._filtered(some)
                return found
            page = await self._page(query)
            asked = set(missing)
            new = {each.key: each.line for each in page.documents if each.key in asked}
            found |= new
            if page.count is not None and page.count <= len(page.documents):
                return found
            if not new:
                raise UnexpectedAnswerError(
                    f"{page.count} documents are counted by a filter on keys, and none of them came",
                    on=f"{self._service.name} index {self._index}",
                    do="Repeat",
                )
            missing = [key for key in missing if key not in new]
        return found

    async def _one_by_one(self, keys: Sequence[str]) -> dict[str, bytes]:
        if self._elevated and not self._searchable:
            raise UnreadableIndexError(
                "access lists protect its documents, and its key can be neither filtered nor searched by: they can't be"
                " looked up",
                on=f"{self._service.name} index {self._index}",
                do="Make the key filterable or searchable with a patch; it is fixed when an index is created",
            )
        one = self._searched if self._elevated else self._got
        lines = await asyncio.gather(*(one(key) for key in keys))
        return {key: line for key, line in zip(keys, lines, strict=True) if line is not None}

    async def _got(self, key: str) -> bytes | None:
        return await self._service.document(self._index, key)

    async def _searched(self, key: str) -> bytes | None:
        """Return the document that a search for its key finds, among others whose keys have the same words."""
        query = DocumentQuery(
            search=f'{self._key_field}:"{key.translate(_LUCENE)}"', query_type="full", count=True, skip=0
        )
        reached = 0
        while True:
            page = await self._page(msgspec.structs.replace(query, skip=reached))
            for document in page.documents:
                if document.key == key:
                    return document.line
            reached += len(page.documents)
            if not page.documents or reached >= (page.count or 0):
                return None

    async def _page(self, query: DocumentQuery) -> Page:
        return await read_page(self._service, self._index, query, self._reader, self._size, elevated=self._elevated)
