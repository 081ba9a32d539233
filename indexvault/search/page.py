"""Split a page of documents without parsing the documents.

Documents are kept as the service sent them (bytes in, bytes out), without their annotations (see `annotations`).
"""

import operator
import re
from collections.abc import Callable
from typing import Any

import msgspec

from indexvault.bounds import MEBIBYTE, MOST_NESTED, brackets, check_levels
from indexvault.errors import UNDECODABLE, OversizedAnswerError, UnexpectedAnswerError
from indexvault.search.annotations import without_annotations

_SCORE_FIRST = re.compile(rb'\{"@search\.score":[-+0-9.eE]+,')


_LARGE = 8 * MEBIBYTE
"""Bytes of a page that takes little memory whatever is in it."""


class Document(msgspec.Struct, frozen=True):
    """A document: its key, and its JSON on one line."""

    key: str
    line: bytes


class Facet(msgspec.Struct, frozen=True):
    """A value, and how many of the found documents have it."""

    value: str | int | float | bool
    count: int


class _Lines(msgspec.Struct, frozen=True):
    value: list[msgspec.Raw]


class _Page(msgspec.Struct, frozen=True):
    coverage: float | None = msgspec.field(default=None, name="@search.coverage")
    count: int | None = msgspec.field(default=None, name="@odata.count")
    facets: dict[str, list[Facet]] = msgspec.field(default_factory=dict, name="@search.facets")
    next_parameters: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"null"), name="@search.nextPageParameters")


class Page(msgspec.Struct, frozen=True):
    """An answer to a query: documents in the order asked for.

    `size` is the answer's size in bytes, `coverage` the percentage of the index that was searched, `count` the number
    of matches if it was asked for. `cut_short` says that the service has more than it sent. `facets` are by field.
    """

    documents: list[Document]
    size: int
    coverage: float | None
    count: int | None
    cut_short: bool
    facets: dict[str, list[Facet]] = {}


class PageReader:
    """Splits the pages of one index, whose key field it knows."""

    def __init__(self, key_field: str) -> None:
        key_only: Any = msgspec.defstruct("KeyOnly", [("key", str, msgspec.field(name=key_field))])
        # Typed, so that anything but documents with keys is refused where it begins, and takes no memory.
        page_of_keys = msgspec.defstruct(
            "PageOfKeys", [("value", list[key_only])], bases=(_Page,), frozen=True, kw_only=True
        )
        self._pages = msgspec.json.Decoder(page_of_keys)
        self._lines = msgspec.json.Decoder(_Lines)
        self._key: Callable[[Any], str] = operator.attrgetter("key")

    def read(self, body: bytes, *, on: str) -> Page:
        """Split an answer.

        Raises UnexpectedAnswerError naming `on` if it is not a page of documents with keys, OversizedAnswerError if it
        has more than MOST_NESTED arrays and objects.
        """
        if len(body) > _LARGE and brackets(body) > MOST_NESTED:
            raise OversizedAnswerError(
                f"its page has more than {MOST_NESTED:,} arrays and objects",
                on=on,
                do="Ask for fewer documents at once",
            )
        try:
            page: Any = self._pages.decode(body)
            lines = [bytes(raw) for raw in self._lines.decode(body).value]
            for line in lines:
                check_levels(line)
            documents = [
                Document(self._key(head), document_line(line)) for head, line in zip(page.value, lines, strict=True)
            ]
        except UNDECODABLE as error:
            raise UnexpectedAnswerError(
                f"not a page of documents ({type(error).__name__})", on=on, do="Repeat; if it persists, report it"
            ) from None
        return Page(
            documents=documents,
            size=len(body),
            coverage=page.coverage,
            count=page.count,
            cut_short=bytes(page.next_parameters) != b"null",
            facets=page.facets,
        )


def document_line(raw: bytes) -> bytes:
    """Return a document's bytes without its annotations and on one line.

    JSON allows line breaks only between its tokens, so that replacing them by spaces changes no value.
    """
    match = _SCORE_FIRST.match(raw)
    raw = without_annotations(b"{" + raw[match.end() :] if match else raw)
    if b"\n" in raw or b"\r" in raw:
        raw = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    return raw
