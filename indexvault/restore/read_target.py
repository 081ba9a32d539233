"""Read an index in the order of its keys, and count it."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from indexvault.restore.windows import UnsplitBatch
from indexvault.search.client import SearchService
from indexvault.search.lookup import KeyLookup
from indexvault.search.page import PageReader, UnsplitDocuments
from indexvault.search.query import DocumentQuery
from indexvault.search.scan import KeyRange, scan_range
from indexvault.search.schema import Schema
from indexvault.snapshots.chunk_documents import KeyedLine


async def scanned(
    service: SearchService, index: str, schema: Schema, keys: KeyRange, *, average_document_bytes: float
) -> AsyncGenerator[list[KeyedLine]]:
    """Yield an index's documents over a range of keys, a page at a time, with those that access lists protect."""
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
            yield [(document.key, document.line) for document in page]


async def scanned_unsplit(
    service: SearchService, index: str, schema: Schema, keys: KeyRange, *, average_document_bytes: float
) -> AsyncGenerator[Sequence[KeyedLine]]:
    """Yield an index's documents as `scanned` does, most pages as UnsplitBatches.

    That pays where most documents are compared by the hashes of the chunks that they make.
    """
    pages = scan_range(
        service,
        index,
        schema.key.name,
        keys,
        average_document_bytes=average_document_bytes,
        elevated=schema.is_protected,
        unsplit=True,
    )
    async with aclosing(pages):
        async for page in pages:
            if isinstance(page, UnsplitDocuments):
                yield UnsplitBatch(page)
            else:
                yield [(document.key, document.line) for document in page]


async def looked_up(lookup: KeyLookup, keys: Iterable[str]) -> AsyncGenerator[list[KeyedLine]]:
    """Yield the documents that an index has of these keys, in their order. Raises as `KeyLookup.find` does."""
    async with aclosing(lookup.find(keys)) as documents:
        async for document in documents:
            yield [document]


async def count_all(service: SearchService, index: str, schema: Schema) -> int:
    """Return the number of an index's documents, with those that document-level permissions protect.

    Whether the service's own count has those is not documented, so a search counts where there are any.
    """
    if not schema.is_protected:
        return await service.count(index)
    return await service.count_found(index, DocumentQuery(), PageReader(schema.key.name), elevated=True)
