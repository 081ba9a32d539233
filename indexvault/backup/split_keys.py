"""Finding keys to split an index at when no earlier snapshot tells any.

A key at a given rank is found with `$skip` hops, each one small query; from there the next key that ends a chunk is
sought among keys alone.
"""

from indexvault.backup.key_ranges import range_count, ranges_between
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import MOST_PER_PAGE, MOST_SKIPPED, DocumentQuery, key_range
from indexvault.search.scan import KeyRange, read_page
from indexvault.snapshots.chunks import ends_chunk

_CAUTIOUS_BYTES = 40 * 1024
"""A document's size, for want of anything known of it: so that about a hundred are asked for."""
MOST_KEY_PAGES = 32
"""Pages of keys searched for one that ends a chunk: at 2**14 documents a chunk, two chunks' worth."""


async def ranges_by_rank(
    service: SearchService,
    index: str,
    key_field: str,
    *,
    documents: int,
    parallel: int,
    bits: int,
    elevated: bool = False,
) -> list[KeyRange]:
    """Return ranges of about equal size that cover every key."""
    parts = range_count(documents, parallel)
    seeker = _Seeker(service, index, key_field, elevated=elevated)
    edges: list[str] = []
    for _ in range(parts - 1):
        start = await seeker.key_at(edges[-1] if edges else None, documents // parts)
        edge = await seeker.next_boundary(start, bits) if start is not None else None
        if edge is None:
            break
        edges.append(edge)
    return ranges_between(edges)


async def average_size(service: SearchService, index: str, key_field: str, *, elevated: bool = False) -> float:
    """Return the average bytes of a document, from the first hundred that come."""
    page = await read_page(
        service, index, DocumentQuery(), PageReader(key_field), PageSize(_CAUTIOUS_BYTES), elevated=elevated
    )
    return sum(len(document.line) for document in page.documents) / max(1, len(page.documents))


class _Seeker:
    """Asks one index for keys only."""

    def __init__(self, service: SearchService, index: str, key_field: str, *, elevated: bool) -> None:
        self._elevated = elevated
        self._service = service
        self._index = index
        self._key_field = key_field
        self._reader = PageReader(key_field)

    async def key_at(self, after: str | None, rank: int) -> str | None:
        """Return the key that is `rank` places above `after`, or None if there are fewer."""
        while rank > 0:
            hop = min(rank, MOST_SKIPPED)
            page = await self._keys(after, top=1, skip=hop - 1)
            if not page.documents:
                return None
            after = page.documents[0].key
            rank -= hop
        return after

    async def next_boundary(self, start: str, bits: int) -> str | None:
        """Return the first key from `start` on that ends a chunk, or None if none is near."""
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
