"""Find keys to split an index at when there is no earlier snapshot to take them from.

The key at a given rank is found with `$skip`, one small query for each 100,000 documents. From there, a query for keys
alone finds the next one that ends a chunk.
"""

from indexvault.backup.key_ranges import range_count, ranges_between
from indexvault.backup.limits import LIMITS, Limits
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import MOST_PER_PAGE, DocumentQuery, key_range
from indexvault.search.scan import KeyRange, read_page
from indexvault.snapshots.chunks import ends_chunk

_CAUTIOUS_BYTES = 40 * 1024
"""The assumed size of a document while nothing is known of it: about a hundred are asked for."""
MOST_KEY_PAGES = 32
"""Pages of keys to search for one that ends a chunk: at 2**14 documents a chunk, about two chunks."""


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
