"""An index, or a range of it, read in key order.

Each page asks for the keys above the last one read, so a changing index neither repeats nor misses a document that is
there throughout. A short page is never taken for the end: only an empty one is.
"""

from collections.abc import AsyncGenerator

import msgspec

from errors import AccountingError
from search.page import Document, PageReader
from search.query import MOST_PER_PAGE, DocumentQuery, key_range
from search.service import SearchService

PAGE_BYTES = 4 * 1024 * 1024
"""The size of a page aimed for, so that one answer stays small in memory and quick on the wire."""


class KeyRange(msgspec.Struct, frozen=True):
    """The keys above `after` and up to `until`, in ordinal order; None stands for no bound."""

    after: str | None
    until: str | None


async def scan_range(
    service: SearchService, index: str, key_field: str, keys: KeyRange, *, average_document_bytes: float
) -> AsyncGenerator[list[Document]]:
    """Read the documents of a range, page by page, keys strictly rising.

    Raises AccountingError if the service answers outside the range or out of order: then nothing that was read can
    be relied on.
    """
    reader = PageReader(key_field)
    last = keys.after
    average = average_document_bytes
    while True:
        page = await service.documents(
            index,
            DocumentQuery(
                filter=key_range(key_field, last, keys.until), orderby=f"{key_field} asc", top=page_size(average)
            ),
            reader,
        )
        if not page.documents:
            return
        last = _require_progress(page.documents, last, keys.until, on=f"{service.name} index {index}")
        average = page.size / len(page.documents)
        yield page.documents


def _require_progress(documents: list[Document], last: str | None, until: str | None, *, on: str) -> str:
    for document in documents:
        if last is not None and document.key <= last:
            raise AccountingError(
                "the service answered keys out of order or outside what was asked",
                on=on,
                do="Run again; if it stays, report how the key field is defined",
            )
        last = document.key
    if until is not None and last is not None and last > until:
        raise AccountingError(
            "the service answered keys beyond the range asked for",
            on=on,
            do="Run again; if it stays, report how the key field is defined",
        )
    return last or ""


def page_size(average_document_bytes: float) -> int:
    """Give how many documents to ask for at once."""
    return max(1, min(MOST_PER_PAGE, int(PAGE_BYTES / max(1.0, average_document_bytes))))
