"""Split a page of documents without parsing the documents.

Documents are kept as the service sent them (bytes in, bytes out), without their annotations (see `annotations`).
"""

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import msgspec

from indexvault.bounds import MEBIBYTE, MOST_LEVELS_READ, MOST_NESTED, brackets, check_levels
from indexvault.errors import UNDECODABLE, OversizedAnswerError, UnexpectedAnswerError
from indexvault.search.annotations import has_escaped_mark, without_annotations, without_raw_annotations

_SCORE_FIRST = re.compile(rb'\{"@search\.score":-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?,')


_LARGE = 8 * MEBIBYTE
"""Bytes of a page that takes little memory whatever is in it."""

_FAR_APART = 8 * 1024
"""Bytes of an average document above which finding a key that leads it pays: most of the page need not be parsed."""

_FEW_QUOTES = 64

_SHORT = 1024
"""Bytes of an average document below which brackets are counted in all documents at once before each is looked at."""

_SPARSE = 512
"""Bytes to an `@` on average above which looking at each is the fastest way to find the scores of a page."""

_VALUE, _END = b'"value":[', b"]}"
_LAST, _BRACE = operator.itemgetter(-1), {b"}"[0]}


class Document(msgspec.Struct, frozen=True, gc=False):
    """A document: its key, and its JSON on one line."""

    key: str
    line: bytes


class Facet(msgspec.Struct, frozen=True):
    """A value, and how many of the found documents have it."""

    value: str | int | float | bool
    count: int


class _Page(msgspec.Struct, frozen=True):
    coverage: float | None = msgspec.field(default=None, name="@search.coverage")
    count: int | None = msgspec.field(default=None, name="@odata.count")
    facets: dict[str, list[Facet]] = msgspec.field(default_factory=dict, name="@search.facets")
    next_parameters: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"null"), name="@search.nextPageParameters")


class _PageOfLines(_Page, frozen=True, kw_only=True):
    value: list[msgspec.Raw]


class UnsplitDocuments(Sequence[Document]):
    """The documents of a page, which is split when one of them is looked at.

    `text` has a line for each, ended by a line feed, and is what they are only if every line is a document: a caller
    knows that where it finds the bytes of documents that it knows. There are `number` lines; `last` is the key of the
    last one.
    """

    def __init__(self, text: bytes, number: int, last: str, split: Callable[[], Sequence[Document]]) -> None:
        self.text = text
        self.number = number
        self.last = last
        self._split = split

    @cached_property
    def documents(self) -> Sequence[Document]:
        """The documents. Raises as `PageReader.read` does."""
        return self._split()

    def __len__(self) -> int:
        return self.number

    @overload
    def __getitem__(self, index: int) -> Document: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...
    def __getitem__(self, index: int | slice) -> Document | Sequence[Document]:
        return self.documents[index]

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


class Page(msgspec.Struct, frozen=True):
    """An answer to a query: documents in the order asked for.

    `size` is the answer's size in bytes, `coverage` the percentage of the index that was searched, `count` the number
    of matches if it was asked for. `cut_short` says that the service has more than it sent. `facets` are by field.
    """

    documents: Sequence[Document]
    size: int
    coverage: float | None
    count: int | None
    cut_short: bool
    facets: dict[str, list[Facet]] = {}


class PageReader:
    """Splits the pages of one index, whose key field it knows."""

    def __init__(self, key_field: str) -> None:
        key_only: Any = msgspec.defstruct("KeyOnly", [("key", str, msgspec.field(name=key_field))], gc=False)
        # Typed, so that anything but documents with keys is refused where it begins, and takes no memory.
        page_of_keys = msgspec.defstruct(
            "PageOfKeys", [("value", list[key_only])], bases=(_Page,), frozen=True, kw_only=True
        )
        self._pages: Any = msgspec.json.Decoder(page_of_keys)
        self._heads: Any = msgspec.json.Decoder(key_only)
        self._lines = msgspec.json.Decoder(_PageOfLines)
        self._key: Callable[[Any], str] = operator.attrgetter("key")
        self._name = msgspec.json.encode(key_field)
        self._leading = re.compile(rb'\{%s:"([^"\\\x00-\x1f]*)"' % re.escape(self._name))
        self._keys_lead = False

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
            page, documents = self._documents(body)
        except UNDECODABLE as error:
            raise UnexpectedAnswerError(
                f"not a page of documents ({type(error).__name__})", on=on, do="Repeat; if it persists, report it"
            ) from None
        self._keys_lead = bool(documents) and len(body) > _FAR_APART * len(documents)
        return Page(
            documents=documents,
            size=len(body),
            coverage=page.coverage,
            count=page.count,
            cut_short=bytes(page.next_parameters) != b"null",
            facets=page.facets,
        )

    def _documents(self, body: bytes) -> tuple[_Page, list[Document]]:
        if self._keys_lead and len(body) <= _LARGE:
            page = self._lines.decode(body)
            lines = _lines(page.value, body)
            keys = self._leading_keys(lines)
            if keys is not None:
                return page, list(map(Document, keys, lines))
        elif len(body) <= _LARGE and (split := self._split(body)) is not None:
            return split
        page = self._pages.decode(body)
        keys = list(map(self._key, page.value))
        lines = _lines(self._lines.decode(body).value, body)
        return page, [Document(key, line) for key, line in zip(keys, lines, strict=True)]

    def _split(self, body: bytes) -> tuple[_Page, list[Document]] | None:
        """Return what a page holds, found in two thirds of the time where each document begins with the same score.

        The page is cut where that score stands, without a look at the rest, and line feeds take the place of the commas
        there. If then every line is one document, and what is before them and after them is a page without documents,
        it was cut between documents and nowhere else. No document goes on after a line that ends with a brace, since
        the next one begins with a brace and the comma between them is gone. Returns None where that is not so, or where
        documents may have other annotations or line breaks.
        """
        start = body.find(_VALUE) + len(_VALUE)
        score = _SCORE_FIRST.match(body, start)
        if score is None or not body.endswith(b"}" + _END) or _has_breaks(body) or has_escaped_mark(body):
            return None
        parts = body.split(b"," + score[0])
        parts[0], parts[-1] = parts[0][score.end() :], parts[-1][: -len(_END)]
        if len(parts) == 1:
            parts = [body[score.end() : -len(_END)]]
        lines = [b"{" + part for part in parts]
        text = b"\n".join(lines)
        if set(map(_LAST, lines)) != _BRACE or (b"@" in text and any(b"@" in line and b'"@' in line for line in lines)):
            return None
        _check_levels(text, lines)
        try:
            page = self._lines.decode(body[:start] + _END)
            keys = list(map(self._key, self._heads.decode_lines(text)))
        except UNDECODABLE:
            return None
        return (page, list(map(Document, keys, lines))) if len(keys) == len(lines) else None

    def _leading_keys(self, lines: list[bytes]) -> list[str] | None:
        """Return the keys of documents that begin with them; None if one does not, or might have a second key.

        The last member of a name counts. Without escapes a name has one spelling, which must not occur again.
        """
        keys = []
        for line in lines:
            match = self._leading.match(line)
            if match is None or b"\\" in line or _holds_string(line, self._name, match.end()):
                return None
            keys.append(match[1].decode())
        return keys


class UnsplitReader(PageReader):
    """Reads the pages of one index, and splits those in the usual form only when a document is looked at."""

    def read(self, body: bytes, *, on: str) -> Page:
        """See `PageReader.read`. What is wrong with a document is raised when one is looked at."""
        return self._unsplit(body, on) or super().read(body, on=on)

    def _unsplit(self, body: bytes, on: str) -> Page | None:
        start = body.find(_VALUE) + len(_VALUE)
        score = _SCORE_FIRST.match(body, start)
        if score is None or not body.endswith(b"}" + _END) or _has_breaks(body):
            return None
        separator = b"," + score[0]
        parts = _between(body, separator, score.end(), len(body) - len(_END))
        text = b"".join((b"{", b"\n{".join(parts), b"\n"))
        begin = body[:start]

        def split() -> Sequence[Document]:
            whole = b"".join((begin, score[0], text[1:-1].replace(b"\n{", separator), _END))
            return super(UnsplitReader, self).read(whole, on=on).documents

        last = text[text.rfind(b"\n", 0, -1) + 1 :]
        try:
            page = self._lines.decode(begin + _END)
            check_levels(last)
            key = self._key(self._heads.decode(last))
        except UNDECODABLE:
            return None
        return Page(
            documents=UnsplitDocuments(text, len(parts), key, split),
            size=len(body),
            coverage=page.coverage,
            count=page.count,
            cut_short=bytes(page.next_parameters) != b"null",
            facets=page.facets,
        )


def _between(page: bytes, separator: bytes, start: int, end: int) -> Sequence[bytes | memoryview]:
    """Return what stands between separators, which have an `@` in them, from `start` to `end`.

    A single byte is found many times as fast as several.
    """
    view = memoryview(page)
    before = separator.index(b"@")
    found: list[memoryview] = []
    at = search = start
    for _ in range(len(page) // _SPARSE):
        mark = page.find(b"@", search, end)
        if mark < 0:
            return [*found, view[at:end]]
        search = mark + 1
        if mark - before >= at and page.startswith(separator, mark - before, end):
            found.append(view[at : mark - before])
            at = search = mark - before + len(separator)
    return [*found, *page[at:end].split(separator)]


def _holds_string(line: bytes, text: bytes, start: int) -> bool:
    """Return whether a quoted text occurs from `start`. A large document mostly has few quotes, so these are found."""
    at = start
    for _ in range(_FEW_QUOTES):
        at = line.find(b'"', at)
        if at < 0 or line.startswith(text, at):
            return at >= 0
        at += 1
    return line.find(text, at) >= 0


def document_line(raw: bytes) -> bytes:
    """Return a document's bytes without its annotations and on one line.

    JSON allows line breaks only between its tokens, so that replacing them by spaces changes no value.
    """
    line = without_annotations(_without_score(raw))
    return _on_one_line(line) if _has_breaks(line) else line


def _lines(raws: list[msgspec.Raw], page: bytes) -> list[bytes]:
    """Return the documents of a page, each on one line. What the page as a whole lacks is not looked for in each."""
    cleaned = without_annotations if has_escaped_mark(page) else without_raw_annotations
    lines = [cleaned(_without_score(raw)) for raw in raws]
    for line in lines:
        check_levels(line)
    return list(map(_on_one_line, lines)) if _has_breaks(page) else lines


def _without_score(raw: bytes | msgspec.Raw) -> bytes:
    """Return a document's bytes without a score that comes first, as it does in every answer to a query."""
    match = _SCORE_FIRST.match(raw)
    return b"".join((b"{", memoryview(raw)[match.end() :])) if match else bytes(raw)


def _check_levels(text: bytes, lines: list[bytes]) -> None:
    """Raise msgspec.DecodeError if a document nests too deep. `text` are all of them."""
    # Each other document has a bracket of its own, so that none nests deeper than what is left of all.
    if len(text) < _SHORT * len(lines) and brackets(text) - len(lines) < MOST_LEVELS_READ:
        return
    for line in lines:
        if line.find(b"{", 1) >= 0 or line.find(b"[", line.find(b"[") + 1) >= 0:
            check_levels(line)


def _has_breaks(text: bytes) -> bool:
    return b"\n" in text or b"\r" in text


def _on_one_line(document: bytes) -> bytes:
    return document.replace(b"\r", b" ").replace(b"\n", b" ")
