"""Split an index into key ranges that are read in parallel.

Ranges end only at keys that end chunks (see docs/format.md), so that reading in parallel gives the same chunks as
reading in one go. The keys come from the chunks of an earlier snapshot. If there is none, `$skip` finds the key at a
given rank, with one small query for each 100,000 documents, and a query for keys alone finds the next one that ends a
chunk.
"""

import itertools
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from indexvault.backup.limits import LIMITS, Limits
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import MOST_PER_PAGE, DocumentQuery, key_range
from indexvault.search.scan import KeyRange, read_page
from indexvault.snapshots.chunks import ends_chunk
from indexvault.snapshots.tree import SEGMENT_BITS, Tree
from indexvault.snapshots.tree_reader import TreeReader

RANGES_A_READER = 4
"""Ranges for each that is read at once: an interrupted run reads only unfinished ranges again.

Each costs four search requests and some ten blob operations of its own, whatever its size.
"""
MOST_SCANS = 500
"""Activities that read ranges at most: above that, each reads several ranges.

Engines hand a workflow its whole history at each step, so a workflow's cost grows with the square of its activities;
the embedded one ends it at 10,000 events, of which an activity makes up to three. Source: benchmarks/ranges.py.
"""
PIECES_A_RANGE = 8
"""Segments that a range has at least where its edges are chosen among those of segments: it is even to an eighth."""
_CAUTIOUS_BYTES = 40 * 1024
"""The assumed size of a document while nothing is known of it: about a hundred are asked for."""
_CHUNKS_OF_KEYS = 4
"""Chunks whose keys are asked for at once, to find one that ends a chunk: all but one page in fifty have one."""
MOST_KEY_PAGES = 32
"""Pages of keys to search for one that ends a chunk: at 2**14 documents a chunk, about two chunks."""


def range_count(documents: int, parallel: int, limits: Limits = LIMITS, *, average_bytes: float = 0) -> int:
    """Return how many ranges an index of that many documents, of so many bytes on average, is read in."""
    worth = min(parallel * RANGES_A_READER, documents // limits.smallest_range)
    needed = max(documents / limits.largest_range_documents, documents * average_bytes / limits.largest_range_bytes)
    return max(1, worth, math.ceil(needed))


def ranges_a_scan(ranges: int) -> int:
    """Return how many ranges each activity reads, of so many."""
    return math.ceil(ranges / MOST_SCANS)


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


async def edges_of_tree(reader: TreeReader, tree: Tree, bits: int, ranges: int) -> list[str]:
    """Choose at most `ranges` - 1 range edges among the last keys of an earlier snapshot's chunks.

    They split the documents as evenly as chunks allow, or as segments do if these are many enough: then the chunks are
    not read. Raises IntegrityError and NotFoundError if the tree is damaged.
    """
    level = 0
    while tree.count >= ranges * PIECES_A_RANGE * 2 ** (SEGMENT_BITS * (level + 1)) and level < tree.level:
        level += 1
    edges: list[str] = []
    seen = 0
    async with aclosing(_pieces(reader, tree, level)) as pieces:
        async for last, documents in pieces:
            seen += documents
            due = (len(edges) + 1) * tree.documents / ranges
            # Where a size cap ended a chunk, or a segment, depends on the documents before it.
            if len(edges) < ranges - 1 and due <= seen < tree.documents and ends_chunk(last, bits):
                edges.append(last)
    return edges


async def _pieces(reader: TreeReader, tree: Tree, level: int) -> AsyncGenerator[tuple[str, int]]:
    """Yield the last key and the documents of each chunk, or of each segment with entries below a level."""
    if level:
        async with aclosing(reader.nodes(tree, level)) as nodes:
            async for node in nodes:
                yield node.last, node.documents
        return
    async with aclosing(reader.chunks(tree)) as batches:
        async for batch in batches:
            for chunk in batch:
                yield chunk.last, chunk.documents


async def ranges_by_rank(
    service: SearchService,
    index: str,
    key_field: str,
    *,
    documents: int,
    ranges: int,
    bits: int,
    elevated: bool = False,
    limits: Limits = LIMITS,
) -> list[KeyRange]:
    """Return about so many ranges of about equal size that cover every key."""
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
            page = await self._keys(last, top=min(MOST_PER_PAGE, _CHUNKS_OF_KEYS << bits), skip=None)
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
