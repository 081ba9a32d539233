"""Read an index in the order of its keys, or look documents up by key if keys have no order."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from itertools import batched

from indexvault.restore.compare import Documents
from indexvault.search.client import SearchService
from indexvault.search.scan import KeyRange, scan_range
from indexvault.search.schema import Schema

LOOKED_UP_AT_ONCE = 16


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
        elevated=(schema.permission_filter_option or "").lower() == "enabled",
    )
    async with aclosing(pages):
        async for page in pages:
            for document in page:
                yield document.key, document.line


async def looked_up(service: SearchService, index: str, keys: Iterable[str]) -> Documents:
    """Yield the documents with the given keys that the index has, by one request each.

    This says nothing about documents with other keys; only the index's count does.
    """
    for some in batched(keys, LOOKED_UP_AT_ONCE, strict=False):
        lines = await asyncio.gather(*(service.document(index, key) for key in some))
        for key, line in zip(some, lines, strict=True):
            if line is not None:
                yield key, line
