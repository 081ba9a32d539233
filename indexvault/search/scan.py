"""Read an index, or a range of it, in key order.

Each page asks for the keys above the last one read. So even if the index changes, a document that is there throughout
is neither repeated nor missed. A short page is never taken for the end; only an empty page is, or the last key of the
range.
"""

from collections.abc import AsyncGenerator, Sequence

import msgspec

from indexvault.errors import AccountingError, TooLargeError, TooSlowError
from indexvault.search.client import SearchService
from indexvault.search.page import Document, Page, PageReader, UnsplitDocuments, UnsplitReader
from indexvault.search.page_size import PageSize
from indexvault.search.query import DocumentQuery, key_range


class KeyRange(msgspec.Struct, frozen=True):
    """The keys above `after` and up to `until`, in ordinal order. None means no bound."""

    after: str | None
    until: str | None


async def scan_range(
    service: SearchService,
    index: str,
    key_field: str,
    keys: KeyRange,
    *,
    average_document_bytes: float,
    session: str | None = None,
    elevated: bool = False,
    unsplit: bool = False,
) -> AsyncGenerator[Sequence[Document]]:
    """Yield the documents of a range page by page, keys strictly rising.

    `session` makes it likely that one replica answers all pages; it can't begin with an underscore. With `unsplit`,
    most pages are UnsplitDocuments, which are split and checked when one of them is looked at. Raises AccountingError
    if the service answers keys outside the range or out of order: then nothing that was read can be relied on.
    """
    reader = UnsplitReader(key_field) if unsplit else PageReader(key_field)
    size = PageSize(average_document_bytes)
    last = keys.after
    while True:
        query = DocumentQuery(
            filter=key_range(key_field, last, keys.until), orderby=f"{key_field} asc", session_id=session
        )
        page = await read_page(service, index, query, reader, size, elevated=elevated)
        if not page.documents:
            return
        documents, on = page.documents, f"{service.name} index {index}"
        if isinstance(documents, UnsplitDocuments):
            documents = _checked(documents, last, keys.until, on)
            last = require_progress([Document(documents.last, b"")], last, keys.until, on=on)
        else:
            last = require_progress(documents, last, keys.until, on=on)
        yield documents
        if last == keys.until:
            return


def _checked(documents: UnsplitDocuments, after: str | None, until: str | None, on: str) -> UnsplitDocuments:
    """Return documents that are checked as `require_progress` does once they are split."""

    def split() -> Sequence[Document]:
        found = documents.documents
        require_progress(found, after, until, on=on)
        return found

    return UnsplitDocuments(documents.text, documents.number, documents.last, split)


async def read_page(
    service: SearchService,
    index: str,
    query: DocumentQuery,
    reader: PageReader,
    size: PageSize,
    *,
    elevated: bool = False,
) -> Page:
    """Read the first page of a query, halving the page size while the page is too large or too slow."""
    while True:
        asked = msgspec.structs.replace(query, top=size.current)
        try:
            page = await service.documents(index, asked, reader, elevated=elevated, may_shrink=size.current > 1)
        except (TooLargeError, TooSlowError):
            if not size.shrink():
                raise
            continue
        size.answered(len(page.documents), page.size)
        return page


def require_progress(documents: Sequence[Document], last: str | None, until: str | None, *, on: str) -> str:
    """Return the last key of a page. Raises AccountingError unless keys rise, above `last` and up to `until`."""
    for document in documents:
        if last is not None and document.key <= last:
            raise AccountingError(
                "the service answered keys out of order or outside what was asked",
                on=on,
                do="Run again; if it persists, report how the key field is defined",
            )
        last = document.key
    if until is not None and last is not None and last > until:
        raise AccountingError(
            "the service answered keys beyond the range asked for",
            on=on,
            do="Run again; if it persists, report how the key field is defined",
        )
    return last or ""
