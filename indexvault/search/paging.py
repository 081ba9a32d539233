"""Read what a query finds with `$skip`, for orders other than the key's.

Each page is a query of its own. If a document before the current position is deleted, all that follow move one place
forward, and one of them could fall between two pages. So each page has to begin with the last document of the page
before; if it does not, reading steps back until it meets a known document. In a stable order, nothing after that
document has been missed.

Documents that tie have no stable order, and a document whose values change moves. So each page says whether it joins
the one before, and holds the count of its moment if the query asks for it: callers account for unique keys with both.
"""

import collections
from collections.abc import AsyncGenerator, Sequence

import msgspec

from indexvault.search.client import SearchService
from indexvault.search.page import Document, PageReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import MOST_SKIPPED, DocumentQuery
from indexvault.search.scan import read_page

BACKWARD = 32
"""Factor by which each step goes further back than the one before: 32 documents, then 1,024."""
FURTHEST_BACK = BACKWARD**2
STEPS_BACK = 24
"""Steps back per query at most: if tied documents keep changing places, no page joins the last."""


class SkippedPage(msgspec.Struct, frozen=True):
    """Some documents, and the query's count if it was asked for. `joins` says that they follow those before them."""

    documents: Sequence[Document]
    count: int | None
    joins: bool


async def read_by_skipping(
    service: SearchService,
    index: str,
    query: DocumentQuery,
    reader: PageReader,
    *,
    average_document_bytes: float,
    elevated: bool = False,
    most_skipped: int = MOST_SKIPPED,
) -> AsyncGenerator[SkippedPage]:
    """Yield page after page until an empty one, or until `$skip` can reach no further. Pages overlap.

    An empty page is yielded too, for its count.
    """
    size = PageSize(average_document_bytes)
    recent: collections.deque[str] = collections.deque(maxlen=4 * FURTHEST_BACK)
    place = overlap = steps = 0
    while (skip := max(0, place - overlap)) <= most_skipped:
        following = msgspec.structs.replace(query, skip=skip)
        page = await read_page(service, index, following, reader, size, elevated=elevated)
        joins = not skip or not overlap or (page.documents != [] and page.documents[0].key in recent)
        if not joins and overlap < FURTHEST_BACK and steps < STEPS_BACK:
            overlap, steps = overlap * BACKWARD, steps + 1
            continue
        if not page.documents:
            yield SkippedPage([], page.count, joins)
            return
        recent.extend(document.key for document in page.documents)
        yield SkippedPage(page.documents, page.count, joins)
        reached = skip + len(page.documents)
        if overlap == 1 and reached <= place:
            overlap = 0  # only the known document came: the page after it shows whether it is the last
        else:
            place, overlap = reached, 1
