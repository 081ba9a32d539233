"""Read a partition that no field divides page by page, in as many readings as it takes.

Documents that tie change places from page to page, and what is deleted moves all that follow. So one reading proves
little by itself. Every page holds the count of its moment; the documents of several readings are put together as long
as all of their counts are the same, and begun anew when one differs. The partition is settled

- by one reading, if its pages joined and it saw as many unique keys as every page counted; or
- by several that together saw exactly as many, once two more have brought no other key: had documents been replaced by
  as many others, the union would have grown beyond the count.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime, timedelta

import msgspec

from indexvault.backup.answers import Answers
from indexvault.backup.key_marks import mark_of, pack
from indexvault.backup.limits import Limits
from indexvault.backup.partition import Partition
from indexvault.backup.pieces import Piece, Take
from indexvault.search.page import Document, PageReader
from indexvault.search.paging import SkippedPage, read_by_skipping

_CONFIRMING = 2
"""Readings in a row that must bring nothing new to a union that agrees with its count."""
_FRUITLESS = 8
"""Readings in a row that may bring nothing new to a union that does not: the rest is out of reach."""


class _Union:
    """What was seen while the count was the same throughout."""

    def __init__(self) -> None:
        self.count: int | None = None
        self.marks: set[int] = set()
        self.unchanged = 0

    def note(self, seen: set[int], counts: set[int]) -> None:
        """Add a reading: its keys, and the counts of its pages."""
        if len(counts) != 1:
            self.count, self.marks, self.unchanged = None, set(), 0
            return
        (count,) = counts
        if count != self.count or len(self.marks | seen) > count:
            self.count, self.marks, self.unchanged = count, set(seen), 0
            return
        self.unchanged = 0 if seen - self.marks else self.unchanged + 1
        self.marks |= seen


class PagedReader:
    """Reads partitions of one index. `orderby` is the order to read in, `session` begins the names of the sessions."""

    def __init__(
        self,
        answers: Answers,
        take: Take,
        limits: Limits,
        clock: Callable[[], datetime],
        *,
        orderby: str | None,
        session: str,
        average_document_bytes: float,
    ) -> None:
        self._answers = answers
        self._take = take
        self._limits = limits
        self._clock = clock
        self._orderby = orderby
        self._session = session
        self._average = average_document_bytes
        self.readings = 0

    async def read(self, partition: Partition) -> Piece:
        """Read a partition until it is settled, or until the budget is used up."""
        until = self._clock() + timedelta(seconds=self._limits.paged_seconds)
        union, taken, requests, largest = _Union(), set[int](), 0, 0
        seen: set[int] = set()
        for number in range(self._limits.paged_readings):
            counts, joined = set[int](), True
            seen = set()
            async with aclosing(self.pages(partition, number)) as pages:
                async for page in pages:
                    requests += 1
                    counts |= {page.count} if page.count is not None else set()
                    joined = joined and page.joins
                    marks = {mark_of(document.key): document for document in page.documents}
                    await self._take([document for mark, document in marks.items() if mark not in taken])
                    taken |= marks.keys()
                    seen |= marks.keys()
            self.readings += 1
            largest = max(counts, default=0)
            union.note(seen, counts)
            if counts == {len(seen)} and joined:
                return self._settled(partition, seen)
            if union.count == len(union.marks) and union.unchanged >= _CONFIRMING:
                return self._settled(partition, union.marks)
            if union.unchanged >= _FRUITLESS or requests >= self._limits.paged_requests or self._clock() >= until:
                break
        lacking = max(1, largest - len(union.marks or seen))
        return Piece(partition, len(taken), paged=True, open=lacking, marks=pack(taken))

    def _settled(self, partition: Partition, marks: set[int]) -> Piece:
        return Piece(partition, len(marks), paged=True, marks=pack(marks))

    def pages(self, partition: Partition, number: int, *, keys_only: bool = False) -> AsyncGenerator[SkippedPage]:
        """Yield the pages of one reading; every other one is in the opposite order, each in a session of its own."""
        orderby = partition.orderby or self._orderby
        if number % 2 and not partition.partial:
            orderby = opposite(orderby)
        query = msgspec.structs.replace(
            partition.query(self._answers.key_field),
            orderby=orderby,
            count=True,
            select=self._answers.key_field if keys_only else None,
            session_id=f"{self._session}-{number}",
        )
        return read_by_skipping(
            self._answers.service,
            self._answers.index,
            query,
            PageReader(self._answers.key_field),
            average_document_bytes=1.0 if keys_only else self._average,
            elevated=self._answers.elevated,
            most_skipped=self._limits.most_skipped,
        )


def opposite(orderby: str | None) -> str | None:
    """Return the opposite of an order."""
    if orderby is None:
        return None
    turned = [
        f"{term.removesuffix(' asc')} desc" if term.endswith(" asc") else f"{term.removesuffix(' desc')} asc"
        for term in orderby.split(",")
    ]
    return ",".join(turned)


def keys_of(documents: list[Document]) -> set[int]:
    """Return the marks of documents' keys."""
    return {mark_of(document.key) for document in documents}
