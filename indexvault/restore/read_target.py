"""Read an index in the order of its keys, and count it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.scan import KeyRange, scan_range
from indexvault.search.schema import Schema


async def scanned(
    service: SearchService, index: str, schema: Schema, keys: KeyRange, *, average_document_bytes: float
) -> AsyncGenerator[tuple[str, bytes]]:
    """Yield an index's documents over a range of keys, with those that document-level permissions protect."""
    pages = scan_range(
        service,
        index,
        schema.key.name,
        keys,
        average_document_bytes=average_document_bytes,
        elevated=schema.is_protected,
    )
    async with aclosing(pages):
        async for page in pages:
            for document in page:
                yield document.key, document.line


async def count_all(service: SearchService, index: str, schema: Schema) -> int:
    """Return the number of an index's documents, with those that document-level permissions protect.

    Whether the service's own count has those is not documented, so a search counts where there are any.
    """
    if not schema.is_protected:
        return await service.count(index)
    return await service.count_found(index, DocumentQuery(), PageReader(schema.key.name), elevated=True)
