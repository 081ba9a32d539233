"""What a query finds, read with `$skip`: for orders that are not the key's.

Pages of one query may overlap or leave gaps, since each is a query of its own: documents that tie come in no certain
order, and an index that changes moves them. So this promises nothing, and whoever reads counts unique keys.
"""

from collections.abc import AsyncGenerator

import msgspec

from search.page import Document, PageReader
from search.page_size import PageSize
from search.query import MOST_SKIPPED, DocumentQuery
from search.scan import read_page
from search.service import SearchService


async def read_by_skipping(
    service: SearchService,
    index: str,
    query: DocumentQuery,
    reader: PageReader,
    *,
    average_document_bytes: float,
    elevated: bool = False,
) -> AsyncGenerator[list[Document]]:
    """Read page after page until an empty one, or until `$skip` can reach no further."""
    size = PageSize(average_document_bytes)
    skip = 0
    while skip <= MOST_SKIPPED:
        following = msgspec.structs.replace(query, skip=skip)
        page = await read_page(service, index, following, reader, size, elevated=elevated)
        if not page.documents:
            return
        skip += len(page.documents)
        yield page.documents
