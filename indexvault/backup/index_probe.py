"""Small queries that a plan sends before a document is read, answered with numbers and single values."""

from typing import Any, Protocol

import msgspec

from indexvault.backup.partition import Partition
from indexvault.errors import UNDECODABLE, UnexpectedAnswerError
from indexvault.search.client import SearchService
from indexvault.search.literals import literal_of
from indexvault.search.page import Facet, Page, PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import Field


class IndexProbe(Protocol):
    """The queries that a partitioner may send."""

    async def count(self, partition: Partition) -> int:
        """Return the number of documents in a partition."""
        ...

    async def value_at(self, partition: Partition, path: str, field: Field, rank: int) -> str | None:
        """Return a sortable field's value, as a literal, in the document `rank` places after the partition's first.

        None if there is no such document, or if its value compares with nothing.
        """
        ...

    async def facets(self, partition: Partition, path: str, most: int) -> list[Facet]:
        """Return the `most` most common values of a field, with their numbers of documents."""
        ...


class ServiceIndexProbe:
    """Sends the queries to an index of a service."""

    def __init__(self, service: SearchService, index: str, key_field: str, *, elevated: bool = False) -> None:
        self._service = service
        self._index = index
        self._key_field = key_field
        self._elevated = elevated
        self._reader = PageReader(key_field)

    async def count(self, partition: Partition) -> int:
        """See `IndexProbe.count`."""
        return await self._service.count_found(
            self._index, partition.query(self._key_field), self._reader, elevated=self._elevated
        )

    async def value_at(self, partition: Partition, path: str, field: Field, rank: int) -> str | None:
        """See `IndexProbe.value_at`."""
        query = msgspec.structs.replace(
            partition.query(self._key_field),
            orderby=f"{path} asc",
            select=f"{self._key_field},{path}",
            top=1,
            skip=rank,
        )
        page = await self._documents(query)
        if not page.documents:
            return None
        try:
            value: Any = msgspec.json.decode(page.documents[0].line)
            for name in path.split("/"):
                value = None if value is None else value.get(name)
            return literal_of(value, field.type)
        except (*UNDECODABLE, AttributeError, ValueError, TypeError, OverflowError):
            raise UnexpectedAnswerError(
                f"a value of {path} is not of the field's type",
                on=f"{self._service.name} index {self._index}",
                do="Run again; if it persists, report how the field is defined",
            ) from None

    async def facets(self, partition: Partition, path: str, most: int) -> list[Facet]:
        """See `IndexProbe.facets`."""
        query = msgspec.structs.replace(
            partition.query(self._key_field), orderby=None, facets=(f"{path},count:{most}",), top=0
        )
        return (await self._documents(query)).facets.get(path, [])

    async def _documents(self, query: DocumentQuery) -> Page:
        return await self._service.documents(self._index, query, self._reader, elevated=self._elevated)
