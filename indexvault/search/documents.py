"""The requests for documents: count, search, look up, write."""

import contextlib

import msgspec

from indexvault.bounds import check_levels
from indexvault.errors import (
    UNDECODABLE,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    OversizedAnswerError,
    RefusedError,
    TooLargeError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from indexvault.search.batch import BatchAnswer, read_batch_answer
from indexvault.search.page import Page, PageReader, document_line
from indexvault.search.query import DocumentQuery, encode_query
from indexvault.search.transport import PREVIEW, STABLE, Transport, segment, without_mark

ELEVATED = {"x-ms-enable-elevated-read": "true"}
"""Asks for documents whatever their access lists say, in searches by POST only. Source: Query-time ACL and RBAC
enforcement in Azure AI Search, 2025-12."""

ELEVATED_ROLE = (
    "a custom role with the data action Microsoft.Search/searchServices/indexes/contentSecurity/elevatedOperations/read"
)
"""Lets an identity read elevated, beside Search Index Data Reader. Some versions of the documentation let Search Index
Data Contributor do so too, which a backup should not need. Source: as for ELEVATED."""

_MOST_DIGITS = 18
"""Digits of a count at most."""


class DocumentRequests:
    """What can be asked about the documents of one service's indexes. `name` is the service's name in the settings."""

    def __init__(self, name: str, transport: Transport) -> None:
        self.name = name
        self._transport = transport

    async def count(self, index: str) -> int:
        """Return an index's count of documents. It lags behind writes by seconds."""
        on = f"index {index}"
        answer = await self._transport.send("GET", f"indexes('{segment(index)}')/docs/$count", on=on)
        text = answer.body.decode("utf-8-sig", errors="replace").strip()
        if not text.isdecimal() or len(text) > _MOST_DIGITS:
            raise UnexpectedAnswerError("the count is no number", on=f"{self.name} {on}", do="Repeat")
        return int(text)

    async def count_found(self, index: str, query: DocumentQuery, reader: PageReader, *, elevated: bool = False) -> int:
        """Return how many documents a query finds. Unlike `count`, it does not lag behind what queries can see."""
        counting = msgspec.structs.replace(query, top=0, skip=None, orderby=None, select=None, count=True)
        found = (await self.documents(index, counting, reader, elevated=elevated)).count
        if found is None:
            raise UnexpectedAnswerError(
                "the answer lacks the count that was requested", on=f"{self.name} index {index}", do="Repeat"
            )
        return found

    async def document(self, index: str, key: str) -> bytes | None:
        """Look up a document by its key. Return it on one line, or None if there is none."""
        path = f"indexes('{segment(index)}')/docs('{segment(key)}')"
        try:
            answer = await self._transport.send("GET", path, on=f"index {index}", holds_documents=True)
        except NotFoundError:
            return None
        try:
            check_levels(answer.body)
            return document_line(without_mark(answer.body).strip())
        except UNDECODABLE:
            on = f"{self.name} index {index}"
            raise UnexpectedAnswerError("the answer is no document", on=on, do="Repeat") from None

    async def documents(
        self, index: str, query: DocumentQuery, reader: PageReader, *, elevated: bool = False, may_shrink: bool = False
    ) -> Page:
        """Return one page of documents.

        With `elevated`, documents with access lists of their own are read too; that takes a role and the preview
        api-version. With `may_shrink`, a page that does not come in time is TooSlowError at once, so that the caller
        can ask for a smaller one. Raises TooLargeError likewise, and UnexpectedAnswerError if the page does not cover
        the whole index, since nobody could tell what is missing from it.
        """
        on = f"index {index}"
        try:
            answer = await self._transport.send(
                "POST",
                f"indexes('{segment(index)}')/docs/search.post.search",
                on=on,
                body=encode_query(query),
                headers=ELEVATED if elevated else None,
                api_version=PREVIEW if elevated else STABLE,
                holds_documents=True,
                can_ask_for_less=may_shrink,
            )
            page = reader.read(answer.body, on=f"{self.name} {on}")
        except (ForbiddenError, UnauthorizedError) as error:
            if not elevated:
                raise
            raise type(error)(
                f"documents are protected by access lists, and this caller may not read them all: {error.what}",
                on=error.on,
                do=f"Give the identity {ELEVATED_ROLE}",
            ) from None
        except OversizedAnswerError as error:
            if not may_shrink:
                raise
            raise TooLargeError(error.what, on=error.on, do=error.do) from None
        if page.coverage is not None and page.coverage < 100:  # noqa: PLR2004 - per cent
            raise UnexpectedAnswerError(
                f"the answer covers {page.coverage:g} % of the index only",
                on=f"{self.name} {on}",
                do="Wait until all partitions of the service answer, then repeat",
            )
        return page

    async def index_documents(self, index: str, body: bytes) -> BatchAnswer:
        """Send one batch of actions and return its results by key.

        Raises TooLargeError for a batch to be split, RefusedError for one that holds a malformed document, QuotaError
        if the service is full.
        """
        on = f"index {index}"
        answer = await self._transport.send(
            "POST", f"indexes('{segment(index)}')/docs/search.index", on=on, body=body, holds_documents=True
        )
        return read_batch_answer(answer.body, on=f"{self.name} {on}")

    async def may_write_documents(self, index: str) -> None:
        """Send a batch without actions, to learn whether this caller may write documents. The index may be absent.

        Raises UnauthorizedError or ForbiddenError.
        """
        with contextlib.suppress(ConflictError, RefusedError, NotFoundError):
            await self._transport.send(
                "POST", f"indexes('{segment(index)}')/docs/search.index", on="documents", body=b'{"value":[]}'
            )
