"""What a plan asks an index before a document is read: small queries, answered with numbers and single values."""

import functools
from typing import Any, Protocol

import msgspec

from indexvault.backup.partition import Partition
from indexvault.search.client import SearchService
from indexvault.search.literals import literal_of
from indexvault.search.page import Facet, Page, PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import Field


class IndexProbe(Protocol):
    """What a partitioner may ask."""

    async def count(self, part: Partition) -> int:
        """Return how many documents a part has."""
        ...

    async def value_at(self, part: Partition, path: str, field: Field, rank: int) -> str | None:
        """Give, as a literal, the value that a sortable field has in the document `rank` places from the part's first.

        None where there is no such document, or where its value compares with nothing.
        """
        ...

    async def facets(self, part: Partition, path: str, most: int) -> list[Facet]:
        """Return a field's values with the number of documents, the commonest `most` of them."""
        ...


class ServiceIndexProbe:
    """Asks a real index."""

    def __init__(self, service: SearchService, index: str, key_field: str, *, elevated: bool = False) -> None:
        self._service = service
        self._index = index
        self._key_field = key_field
        self._elevated = elevated
        self._reader = PageReader(key_field)

    async def count(self, part: Partition) -> int:
        """See `IndexProbe.count`."""
        return await self._service.count_found(
            self._index, part.query(self._key_field), self._reader, elevated=self._elevated
        )

    async def value_at(self, part: Partition, path: str, field: Field, rank: int) -> str | None:
        """See `IndexProbe.value_at`."""
        query = msgspec.structs.replace(
            part.query(self._key_field), orderby=f"{path} asc", select=f"{self._key_field},{path}", top=1, skip=rank
        )
        page = await self._documents(query)
        if not page.documents:
            return None
        value: Any = msgspec.json.decode(page.documents[0].line)
        value = functools.reduce(lambda inner, name: None if inner is None else inner.get(name), path.split("/"), value)
        return literal_of(value, field.type)

    async def facets(self, part: Partition, path: str, most: int) -> list[Facet]:
        """See `IndexProbe.facets`."""
        query = msgspec.structs.replace(
            part.query(self._key_field), orderby=None, facets=(f"{path},count:{most}",), top=0
        )
        return (await self._documents(query)).facets.get(path, [])

    async def _documents(self, query: DocumentQuery) -> Page:
        return await self._service.documents(self._index, query, self._reader, elevated=self._elevated)
