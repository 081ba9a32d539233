"""Split an index into key ranges that are read in parallel.

Ranges end only at keys that end chunks (see docs/format.md), so that reading in parallel gives the same chunks as
reading in one go. The keys come from the chunks of an earlier snapshot. If there is none, `$skip` finds the key at a
given rank, with one small query for each 100,000 documents, and a query for keys alone finds the next one that ends a
chunk.
"""

import itertools
from collections.abc import Sequence

from indexvault.backup.limits import LIMITS, Limits
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import MOST_PER_PAGE, DocumentQuery, key_range
from indexvault.search.scan import KeyRange, read_page
from indexvault.snapshots.chunks import Chunk, ends_chunk

RANGES_A_READER = 8
"""Ranges for each that is read at once: an interrupted run reads only unfinished ranges again."""
_CAUTIOUS_BYTES = 40 * 1024
"""The assumed size of a document while nothing is known of it: about a hundred are asked for."""
MOST_KEY_PAGES = 32
"""Pages of keys to search for one that ends a chunk: at 2**14 documents a chunk, about two chunks."""


def range_count(documents: int, parallel: int, limits: Limits = LIMITS) -> int:
    """Return how many ranges an index of that many documents is worth reading in."""
    return max(1, min(parallel * RANGES_A_READER, documents // limits.smallest_range))


def ranges_between(edges: Sequence[str]) -> list[KeyRange]:
    """Return the ranges that cover all keys and end at the given ones, which are in ascending order."""
    bounds: list[str | None] = [None, *edges, None]
    return [KeyRange(after=after, until=until) for after, until in itertools.pairwise(bounds)]


def covers_all_keys(ranges: Sequence[KeyRange]) -> bool:
    """Return whether ranges follow each other without a gap or an overlap, from the first key to the last."""
    edges = [each.until for each in ranges[:-1]]
    return ranges == ranges_between([edge for edge in edges if edge is not None]) and all(
        one < other for one, other in itertools.pairwise(edge or "" for edge in edges)
    )


def edges_of_chunks(chunks: Sequence[Chunk], bits: int, ranges: int) -> list[str]:
    """Choose at most `ranges` - 1 range edges among the last keys of an earlier snapshot's chunks.

    They split the documents as evenly as the chunks allow. Chunks that were cut by the size cap are skipped: whether
    their last key ends a chunk depends on the documents before it.
    """
    total = sum(chunk.documents for chunk in chunks)
    edges: list[str] = []
    seen = 0
    for chunk in chunks[:-1]:
        seen += chunk.documents
        due = (len(edges) + 1) * total / ranges
        if len(edges) < ranges - 1 and seen >= due and ends_chunk(chunk.last, bits):
            edges.append(chunk.last)
    return edges


async def ranges_by_rank(
    service: SearchService,
    index: str,
    key_field: str,
    *,
    documents: int,
    parallel: int,
    bits: int,
    elevated: bool = False,
    limits: Limits = LIMITS,
) -> list[KeyRange]:
    """Return ranges of about equal size that cover every key."""
    ranges = range_count(documents, parallel, limits)
    finder = _KeyFinder(service, index, key_field, elevated=elevated, most_skipped=limits.most_skipped)
    edges: list[str] = []
    for _ in range(ranges - 1):
        start = await finder.key_at(edges[-1] if edges else None, documents // ranges)
        edge = await finder.next_boundary(start, bits) if start is not None else None
        if edge is None:
            break
        edges.append(edge)
    return ranges_between(edges)


async def average_size(service: SearchService, index: str, key_field: str, *, elevated: bool = False) -> float:
    """Return the average size of a document in bytes, from about the first hundred."""
    page = await read_page(
        service, index, DocumentQuery(), PageReader(key_field), PageSize(_CAUTIOUS_BYTES), elevated=elevated
    )
    return sum(len(document.line) for document in page.documents) / max(1, len(page.documents))


class _KeyFinder:
    """Queries an index for keys only."""

    def __init__(
        self, service: SearchService, index: str, key_field: str, *, elevated: bool, most_skipped: int
    ) -> None:
        self._elevated = elevated
        self._most_skipped = most_skipped
        self._service = service
        self._index = index
        self._key_field = key_field
        self._reader = PageReader(key_field)

    async def key_at(self, after: str | None, rank: int) -> str | None:
        """Return the key `rank` places above `after`, or None if there are fewer."""
        while rank > 0:
            hop = min(rank, self._most_skipped)
            page = await self._keys(after, top=1, skip=hop - 1)
            if not page.documents:
                return None
            after = page.documents[0].key
            rank -= hop
        return after

    async def next_boundary(self, start: str, bits: int) -> str | None:
        """Return the first key from `start` on that ends a chunk, or None if there is none within MOST_KEY_PAGES."""
        if ends_chunk(start, bits):
            return start
        last = start
        for _ in range(MOST_KEY_PAGES):
            page = await self._keys(last, top=MOST_PER_PAGE, skip=None)
            for document in page.documents:
                if ends_chunk(document.key, bits):
                    return document.key
            if not page.documents:
                return None
            last = page.documents[-1].key
        return None

    async def _keys(self, after: str | None, *, top: int, skip: int | None) -> Page:
        query = DocumentQuery(
            filter=key_range(self._key_field, after, None),
            orderby=f"{self._key_field} asc",
            select=self._key_field,
            top=top,
            skip=skip,
        )
        return await self._service.documents(self._index, query, self._reader, elevated=self._elevated)
