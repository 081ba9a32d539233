"""Ask for a partition in one answer, with its count.

If an answer holds as many documents as it counts, it holds the whole partition as it was at one moment: nothing has to
join, no document can fall between two pages, and none can be counted that was not seen.
"""

import functools
from collections.abc import Callable
from typing import Any

import msgspec

from indexvault.backup.partition import Partition
from indexvault.errors import UnexpectedAnswerError
from indexvault.search.client import SearchService
from indexvault.search.literals import literal_of
from indexvault.search.page import Page, PageReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import DocumentQuery
from indexvault.search.scan import read_page

_KEY_BYTES = 64
"""Bytes of a document of which only the key is asked for, about."""
_AGAIN = 3
"""How often a partition is asked for while an answer holds more documents than it counts."""


class Answers:
    """Asks one index. `session` makes it likely that one replica answers."""

    def __init__(
        self,
        service: SearchService,
        index: str,
        key_field: str,
        *,
        average_document_bytes: float,
        elevated: bool,
        session: str,
    ) -> None:
        self.service = service
        self.index = index
        self.key_field = key_field
        self.elevated = elevated
        self._session = session
        self._reader = PageReader(key_field)
        self._size = PageSize(average_document_bytes)
        self._keys_size = PageSize(_KEY_BYTES)

    @property
    def size(self) -> int:
        """Documents that one answer can hold at present."""
        return self._size.current

    async def ask(self, partition: Partition, *, orderby: str | None = None) -> Page:
        """Return the first documents of a partition, all of them if they fit."""
        return await self._answer(self._query(partition, orderby), self._size)

    async def ask_keys(self, partition: Partition, *paths: str) -> Page:
        """Return the first documents of a partition with nothing but the key, and the values at these paths."""
        select = ",".join(dict.fromkeys([self.key_field, *paths]))
        return await self._answer(msgspec.structs.replace(self._query(partition, None), select=select), self._keys_size)

    def _query(self, partition: Partition, orderby: str | None) -> DocumentQuery:
        query = partition.query(self.key_field)
        return msgspec.structs.replace(query, orderby=orderby, count=True, session_id=self._session)

    async def _answer(self, query: DocumentQuery, size: PageSize) -> Page:
        for attempt in range(_AGAIN):
            page = await read_page(self.service, self.index, query, self._reader, size, elevated=self.elevated)
            if page.count is None:
                raise UnexpectedAnswerError(
                    "the answer lacks the count that was requested",
                    on=f"{self.service.name} index {self.index}",
                    do="Repeat",
                )
            if page.count >= len(page.documents) or attempt == _AGAIN - 1:
                return page
        raise AssertionError("unreachable")


def is_whole(page: Page) -> bool:
    """Return whether an answer holds everything that it counts."""
    return page.count == len(page.documents)


def value_reader(path: str) -> Callable[[bytes], Any]:
    """Return a function that reads the value at a path from a document's line, without decoding the rest."""
    kind: Any = Any
    for name in reversed(path.split("/")):
        kind = msgspec.defstruct("Part", [("part", kind | None, msgspec.field(name=name, default=None))])
    decoder = msgspec.json.Decoder(kind)
    depth = path.count("/") + 1

    def read(line: bytes) -> Any:
        return functools.reduce(
            lambda inner, _: None if inner is None else inner.part, range(depth), decoder.decode(line)
        )

    return read


def literal_reader(path: str, edm_type: str) -> Callable[[bytes], str | None]:
    """Return a function that reads a value as a literal; None if it compares with nothing. Zero has one literal."""
    read = value_reader(path)

    def literal(line: bytes) -> str | None:
        found = literal_of(read(line), edm_type)
        return "0.0" if found == "-0.0" and edm_type == "Edm.Double" else found

    return literal
