"""What a query finds, read with `$skip`: for orders that are not the key's.

Each page is a query of its own. A document that is deleted from before the place that was reached moves all that follow
one place forward, over the border between two pages, where they would be missed. So each page begins with the last
document of the one before: where it does not, the reading goes back until it meets a document that it knows. What comes
after that one in a certain order has not been passed over.

Documents that tie come in no certain order, and one whose values are changed takes another place. So whoever reads
counts unique keys all the same.
"""

import collections
from collections.abc import AsyncGenerator

import msgspec

from indexvault.search.client import SearchService
from indexvault.search.page import Document, PageReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import MOST_SKIPPED, DocumentQuery
from indexvault.search.scan import read_page

BACKWARD = 32
"""How many times further back each step goes than the one before: 32 documents, then 1,024."""
FURTHEST_BACK = BACKWARD**2
STEPS_BACK = 24
"""Steps back in one reading at most: where documents tie and change places all the time, no page joins the last."""


async def read_by_skipping(
    service: SearchService,
    index: str,
    query: DocumentQuery,
    reader: PageReader,
    *,
    average_document_bytes: float,
    elevated: bool = False,
) -> AsyncGenerator[list[Document]]:
    """Read page after page until an empty one, or until `$skip` can reach no further. Pages overlap."""
    size = PageSize(average_document_bytes)
    recent: collections.deque[str] = collections.deque(maxlen=4 * FURTHEST_BACK)
    place = overlap = steps = 0
    while (skip := max(0, place - overlap)) <= MOST_SKIPPED:
        following = msgspec.structs.replace(query, skip=skip)
        page = await read_page(service, index, following, reader, size, elevated=elevated)
        joins = not skip or not overlap or (page.documents != [] and page.documents[0].key in recent)
        if not joins and overlap < FURTHEST_BACK and steps < STEPS_BACK:
            overlap, steps = overlap * BACKWARD, steps + 1
            continue
        if not page.documents:
            return
        recent.extend(document.key for document in page.documents)
        yield page.documents
        reached = skip + len(page.documents)
        if overlap == 1 and reached <= place:
            overlap = 0  # nothing but the known document: whether it is the last, a page after it tells
        else:
            place, overlap = reached, 1
