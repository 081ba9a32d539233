"""Search requests: select documents, order and render them."""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import msgspec
import orjson

from emulator import odata
from emulator.facets import facet_results
from emulator.failures import ServiceError, invalid_expression, invalid_parameter
from emulator.filters import EVERYTHING, ROOT, Condition, Filter
from emulator.index import Document, Index, project
from emulator.query_requests import Query
from emulator.schema import Field
from emulator.storage import Found, Selection, Test
from emulator.text_queries import only_field, scorer

_MAX_ORDER_TERMS = 32
_TIES = ("sequence", "sequence DESC", "crc, sequence", "crc, sequence DESC")
SHUFFLE = 2**31 - 1
"""A prime: what is multiplied by a number below it and divided by it leaves remainders in another order."""
_WHOLE = 100.0
_SHARD = "(sequence * 37) % 100"
"""Spreads documents over a hundred parts; an answer with less coverage misses the last ones."""


class Circumstances(msgspec.Struct, frozen=True):
    """The conditions of a request: the replica that answers, and the injected faults."""

    replica: int = 0
    elevated: bool = False
    coverage: float = 100.0
    page: int | None = None
    """Documents in the answer at most, whatever the request asks for."""
    shuffle: int | None = None
    """A number that orders ties in a way of its own; None orders them as the replica does."""


class Result(msgspec.Struct, frozen=True):
    """A page: its rows as JSON objects with their scores, and the answer's other members."""

    rows: list[bytes]
    count: int | None
    facets: dict[str, Any] | None
    coverage: float | None
    next_page: dict[str, Any] | None
    """The parameters of the request for the next page."""


def search(index: Index, query: Query, circumstances: Circumstances) -> Result:
    """Answer a query."""
    return _Search(index, query, circumstances).result()


class _Search:
    def __init__(self, index: Index, query: Query, circumstances: Circumstances) -> None:
        self.index = index
        self.query = query
        self.circumstances = circumstances
        self.schema = index.schema
        self.table = index.table
        self.compiler = Filter(self.schema, self.table, self._text_scorer)
        self.tests: list[Test] = []

    def result(self) -> Result:
        """Find, order and render the page."""
        chosen = selected(self.index, self.query.select)
        selection = self.selection()
        limit = self.query.page
        if self.circumstances.page is not None:
            limit = min(limit, self.circumstances.page)
        self.table.database.tests = self.tests
        page = msgspec.structs.replace(selection, limit=limit + 1, offset=self.query.skip)
        rows = self._rows(chosen, page) if limit else []
        more = len(rows) > limit
        rows = rows[:limit]
        count = self.table.count(selection) if self.query.count else None
        facets = facet_results(self.index, self.query.facets, selection) if self.query.facets else None
        coverage = self.circumstances.coverage if self.query.minimum_coverage is not None else None
        return Result(rows, count, facets, coverage, self._continuation(len(rows)) if more else None)

    def selection(self) -> Selection:
        """Return the selection as SQL, all pages of it."""
        condition, score = self._conditions()
        for name in condition.columns:
            self.table.ensure_index(name)
        parameters = tuple(self._parameter(parameter) for parameter in condition.parameters)
        self.table.database.tests = self.tests
        return Selection(condition.sql, parameters, score, self._order(score))

    def _continuation(self, returned: int) -> dict[str, Any] | None:
        """Return the parameters for the next page, or None after the last."""
        top = self.query.top
        following = {**self.query.raw, "skip": self.query.skip + returned}
        if top is None:
            return following
        return {**following, "top": top - returned} if top > returned else None

    def _rows(self, chosen: frozenset[str] | None, selection: Selection) -> list[bytes]:
        """Return the selected rows as JSON objects."""
        if chosen is None and selection.score == "1.0" and self.index.whole_rows:
            return [b'{"@search.score":1.0,' + row for row in self.table.page(selection)]
        return [self._rendered(row, chosen) for row in self.table.find(selection)]

    def _rendered(self, row: Found, chosen: frozenset[str] | None) -> bytes:
        if chosen is None and self.index.whole_rows:
            body = b"{" + row.visible
        else:
            body = orjson.dumps(project(self.index.full(row.visible, row.hidden), self.schema.fields, chosen))
        head = b'{"@search.score":%s' % orjson.dumps(row.score)
        return head + (b"," + body[1:] if len(body) > 2 else b"}")  # noqa: PLR2004  # an empty object

    def _conditions(self) -> tuple[Condition, str]:
        """Return the filter joined with search text and access lists, and the SQL of the score."""
        condition = self.compiler.condition(self.query.filter)
        fields = self._search_fields()
        score = "1.0"
        if self.index.protected and not self.circumstances.elevated:
            condition = _both(condition, _tested(self.index.shows))
        if self.circumstances.coverage < _WHOLE:
            condition = _both(condition, Condition(f"{_SHARD} < ?", (self.circumstances.coverage,), frozenset()))
        if not self.query.everything:
            text, sql = self._text_condition(fields)
            condition = _both(condition, text)
            score = sql
        return condition, score

    def _text_condition(self, fields: tuple[Field, ...] | None) -> tuple[Condition, str]:
        kind = "full" if self.query.query_type == "full" else "simple"
        score = scorer(self.query.search, fields, kind, self.query.search_mode, self.schema)
        single = only_field(self.query.search, fields, kind, self.schema)
        if single is not None and single.key:
            name = single.name
            slot = self._slot(lambda key, _: score({name: key}))
            call = f"on_document({slot}, key, NULL)"
        else:
            slot = self._slot(_remembering(lambda visible, hidden: score(self.index.full(visible, hidden))))
            call = f"on_document({slot}, visible, hidden)"
        return Condition(f"{call} > 0", (), frozenset()), call

    def _search_fields(self) -> tuple[Field, ...] | None:
        found = []
        for name in self.query.search_fields:
            field = self.schema.by_path.get(name)
            if field is None or not field.searchable:
                raise invalid_parameter(
                    f"The field '{name}' in the search field list is not searchable.", "searchFields"
                )
            found.append(field)
        return tuple(found) or None

    def _text_scorer(
        self, text: str, fields: tuple[Field, ...] | None, kind: str, mode: str
    ) -> Callable[[Document], float]:
        if text.strip() in {"", "*"}:
            return lambda _document: 1.0
        return scorer(text, fields, kind, mode, self.schema)

    def _slot(self, test: Test) -> int:
        """Register a function that SQL calls; return its number."""
        self.tests.append(test)
        return len(self.tests) - 1

    def _parameter(self, parameter: object) -> object:
        if not callable(parameter):
            return parameter
        return self._slot(lambda visible, hidden: parameter(self.index.full(visible, hidden)))

    def _order(self, score: str) -> str:
        """Return the SQL of the order, with ties ordered by replica."""
        ties = _TIES[self.circumstances.replica % len(_TIES)]
        if self.circumstances.shuffle is not None:
            ties = f"(sequence * {self.circumstances.shuffle}) % {SHUFFLE}"
        ties = ties.replace("crc", f"on_document({self._slot(_scrambled)}, visible, hidden)")
        if not self.query.order:
            return ties if score == "1.0" else f"{score} DESC, {ties}"
        try:
            orders = odata.parse_order(self.query.order)
        except odata.SyntaxProblemError as problem:
            raise invalid_expression(str(problem), "$orderby") from problem
        if len(orders) > _MAX_ORDER_TERMS:
            raise invalid_expression(f"At most {_MAX_ORDER_TERMS} terms are allowed.", "$orderby")
        terms = [self._order_term(order, score) for order in orders]
        unique = self.table.column(self.schema.key) == "key" and any(term.split()[0] == "key" for term in terms)
        return ", ".join(terms if unique else [*terms, ties])

    def _order_term(self, order: odata.Order, score: str) -> str:
        direction = " DESC" if order.descending else ""
        match order.by:
            case odata.Call("search.score", ()):
                return f"{score}{direction}"
            case odata.Call():
                measure = self.compiler.distance(order.by, {ROOT: None}, "$orderby")
                slot = self._slot(lambda visible, hidden: measure({ROOT: self.index.full(visible, hidden)}))
                return f"on_document({slot}, visible, hidden){direction}"
            case odata.Path(segments):
                return self._sorted_column("/".join(segments)) + direction
        raise invalid_expression("A field, geo.distance or search.score was expected.", "$orderby")

    def _sorted_column(self, path: str) -> str:
        field = self.schema.by_path.get(path)
        if field is None:
            raise invalid_expression(f"Could not find a property named '{path}' on type 'search.document'.", "$orderby")
        column = self.table.column(field)
        if not field.sortable or column is None:
            raise invalid_expression(
                f"'{path}' is not a sortable field. Only sortable fields can be used in $orderby expressions.",
                "$orderby",
            )
        self.table.ensure_index(column)
        return column


def selected(index: Index, names: Sequence[str]) -> frozenset[str] | None:
    """Check the paths of a `$select`; None selects every field."""
    if not names or "*" in names:
        return None
    for name in names:
        field = index.schema.by_path.get(name)
        if field is None:
            raise invalid_expression(f"Could not find a property named '{name}' on type 'search.document'.", "$select")
        if not field.complex and not (field.retrievable and field.stored):
            raise invalid_expression(
                f"'{name}' is not a retrievable field. Only retrievable fields can be used in $select expressions.",
                "$select",
            )
    return frozenset(names)


def look_up(index: Index, key: str, names: Sequence[str]) -> bytes:
    """Return one document. Raises ServiceError 404, without a body, if it does not exist or is kept from everybody."""
    chosen = selected(index, names)
    halves = index.table.bodies([key]).get(key)
    if halves is None:
        raise ServiceError(404, None)
    document = index.full(*halves)
    if not index.shows(document):
        raise ServiceError(404, None)
    if chosen is None and index.whole_rows:
        return b"{" + halves[0]
    return orjson.dumps(project(document, index.schema.fields, chosen))


def _remembering(test: Test) -> Test:
    """Cache the last result: SQL asks for a row's score in its condition, its order and its result."""
    last: tuple[bytes, float | int | None] = (b"", 0)

    def remembered(visible: bytes, hidden: bytes | None) -> float | int | None:
        nonlocal last
        if last[0] != visible:
            last = (visible, test(visible, hidden))
        return last[1]

    return remembered


def _scrambled(visible: bytes, _hidden: bytes | None) -> int:
    return crc32(visible)


def _tested(test: Callable[[Document], bool]) -> Condition:
    return Condition("on_document(?, visible, hidden)", (test,), frozenset())


def _both(one: Condition, other: Condition) -> Condition:
    if one is EVERYTHING:
        return other
    return Condition(f"({one.sql}) AND ({other.sql})", one.parameters + other.parameters, one.columns | other.columns)


def bound_filter(index: Index, text: str | None, *, elevated: bool) -> Selection:
    """Compile a filter on its own, as suggestions need it."""
    query = msgspec.structs.replace(_PLAIN, filter=text)
    return _Search(index, query, Circumstances(elevated=elevated)).selection()


_PLAIN = Query(
    raw={},
    search="",
    query_type="simple",
    search_mode="any",
    search_fields=(),
    filter=None,
    order="",
    select=(),
    facets=(),
    count=False,
    top=None,
    skip=0,
    minimum_coverage=None,
    session=None,
)
