"""Filters compiled: to SQL over the document table's columns where possible, to functions on a document elsewhere.

A null fails every comparison but `eq null` and `ne`. Source: OData filter reference for Azure AI Search, 2026-09.
"""

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import msgspec

from emulator import odata
from emulator.failures import ServiceError, invalid_expression
from emulator.geography import inside, kilometres, point_of, polygon_of
from emulator.schema import Field, Schema
from emulator.storage import DocumentTable
from emulator.tiers import MAX_FILTER_CLAUSES
from emulator.values import comparable, normalise, parse_date

type Scope = dict[str, Any]
type Predicate = Callable[[Scope], bool]
type TextSearch = Callable[[str, tuple[Field, ...] | None, str, str], Callable[[dict[str, Any]], float]]
"""Makes a scorer of documents from (text, fields or None for all, query type, search mode)."""

ROOT = ""
_PARAMETER = "$filter"
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_SQL = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}
_LITERALS = {
    "Edm.String": {"string"},
    "Edm.Boolean": {"boolean"},
    "Edm.Int32": {"integer", "number"},
    "Edm.Int64": {"integer", "number"},
    "Edm.Double": {"integer", "number"},
    "Edm.DateTimeOffset": {"date"},
    "Edm.GeographyPoint": {"geography"},
}
_KINDS = {
    "string": "Edm.String",
    "boolean": "Edm.Boolean",
    "integer": "Edm.Int32",
    "number": "Edm.Double",
    "date": "Edm.DateTimeOffset",
    "geography": "Edm.GeographyPoint",
}


class Condition(msgspec.Struct, frozen=True):
    """A filter as SQL; a parameter that is a function is a test on a whole document."""

    sql: str
    parameters: tuple[object, ...]
    columns: frozenset[str]
    """Columns that an SQL index would help."""


EVERYTHING = Condition("1", (), frozenset())


class Filter:
    """Compiles filters for one index."""

    def __init__(self, schema: Schema, table: DocumentTable, search: TextSearch) -> None:
        self.schema = schema
        self.table = table
        self.search = search
        self.clauses = 0

    def condition(self, text: str | None) -> Condition:
        """Compile a `$filter`. Raises ServiceError if it is invalid."""
        if text is None or not text.strip():
            return EVERYTHING
        try:
            node = odata.parse_filter(text)
        except odata.SyntaxProblemError as problem:
            raise invalid_expression(str(problem), _PARAMETER) from problem
        condition = self._sql(node)
        if self.clauses > MAX_FILTER_CLAUSES:
            raise invalid_expression(
                f"The filter expression has {self.clauses} clauses, more than the maximum of {MAX_FILTER_CLAUSES}.",
                _PARAMETER,
            )
        return condition

    def _sql(self, node: odata.Node) -> Condition:
        match node:
            case odata.And(items):
                return _joined(" AND ", [self._sql(item) for item in items])
            case odata.Or(items):
                return _joined(" OR ", [self._sql(item) for item in items])
            case odata.Not(item):
                inner = self._sql(item)
                return Condition(f"NOT ({inner.sql})", inner.parameters, inner.columns)
        columnar = self._columnar(node)
        if columnar is not None:
            self.clauses += 1
            return columnar
        test = self.predicate(node, {ROOT: None})
        return Condition("on_document(?, visible, hidden)", (lambda document: test({ROOT: document}),), frozenset())

    def _columnar(self, node: odata.Node) -> Condition | None:
        """Translate a clause about a single column."""
        match node:
            case odata.Compare(name, left, right):
                if isinstance(left, odata.Literal):
                    name, left, right = _MIRRORED[name], right, left
                if isinstance(left, odata.Path) and isinstance(right, odata.Literal):
                    return self._comparison(name, left, right)
            case odata.Path():
                return self._comparison("eq", node, odata.Literal("boolean", value=True))
            case odata.Call("search.in", arguments) if arguments and isinstance(arguments[0], odata.Path):
                field = self._field(arguments[0], {ROOT: None})
                column = self.table.column(field)
                if column is None or field.collection:
                    return None
                values = sorted(normalise(field, value) for value in _choices(field, arguments))
                listed = f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608  # a column of ours
                return Condition(
                    f"({column} IS NOT NULL AND {listed})",
                    (msgspec.json.encode(values).decode(),),
                    frozenset({column}),
                )
        return None

    def _comparison(self, name: str, path: odata.Path, literal: odata.Literal) -> Condition | None:
        field = self._field(path, {ROOT: None})
        column = self.table.column(field)
        value = _constant(field, name, literal)
        if column is None:
            return None
        columns = frozenset({column})
        if name == "eq":
            return Condition(f"{column} IS ?", (value,), columns)
        if name == "ne":
            return Condition(f"{column} IS NOT ?", (value,), columns)
        if value is None or value == "NaN":
            return Condition("0", (), frozenset())
        finite = " AND typeof({0}) <> 'text'" if field.type == "Edm.Double" else ""
        return Condition(
            f"({column} IS NOT NULL AND {column} {_SQL[name]} ?{finite.format(column)})", (value,), columns
        )

    def predicate(self, node: odata.Node, variables: dict[str, Field | None]) -> Predicate:
        """Compile to a function on a scope; `variables` are the lambda variables in reach and their collections."""
        self.clauses += not isinstance(node, odata.And | odata.Or | odata.Not | odata.Lambda)
        match node:
            case odata.And(items):
                parts = [self.predicate(item, variables) for item in items]
                return lambda scope: all(part(scope) for part in parts)
            case odata.Or(items):
                parts = [self.predicate(item, variables) for item in items]
                return lambda scope: any(part(scope) for part in parts)
            case odata.Not(item):
                inner = self.predicate(item, variables)
                return lambda scope: not inner(scope)
        return self._clause(node, variables)

    def _clause(self, node: odata.Node, variables: dict[str, Field | None]) -> Predicate:
        match node:
            case odata.Compare():
                return self._compared(node, variables)
            case odata.Lambda():
                return self._quantified(node, variables)
            case odata.Call():
                return self._called(node, variables)
            case odata.Path():
                return self._compared(odata.Compare("eq", node, odata.Literal("boolean", value=True)), variables)
        raise invalid_expression("A boolean expression was expected.", _PARAMETER)

    def _compared(self, node: odata.Compare, variables: dict[str, Field | None]) -> Predicate:
        name, left, right = node.operator, node.left, node.right
        if isinstance(left, odata.Literal):
            name, left, right = _MIRRORED[name], right, left
        if not isinstance(right, odata.Literal):
            raise invalid_expression("Comparison of two fields or functions is not supported.", _PARAMETER)
        compare = _OPERATORS[name]
        if isinstance(left, odata.Call):
            measure, limit = self.distance(left, variables), right.value
            if name not in {"lt", "le", "gt", "ge"} or not isinstance(limit, int | float):
                raise invalid_expression("geo.distance must be compared with lt, le, gt or ge to a number.", _PARAMETER)
            return lambda scope: (far := measure(scope)) is not None and compare(far, limit)
        if not isinstance(left, odata.Path):
            raise invalid_expression("A field was expected in the comparison.", _PARAMETER)
        field = self._field(left, variables)
        read = self._reader(left, variables)
        value = _constant(field, name, right)
        if name in {"eq", "ne"}:
            return lambda scope: compare(comparable(field, read(scope)), value)
        if value is None or value == "NaN":
            return lambda _scope: False
        if field.type == "Edm.Double":
            return lambda scope: (
                (own := comparable(field, read(scope))) is not None and own != "NaN" and compare(own, value)
            )
        return lambda scope: (own := comparable(field, read(scope))) is not None and compare(own, value)

    def _quantified(self, node: odata.Lambda, variables: dict[str, Field | None]) -> Predicate:
        field = self._field(node.path, variables, collection=True)
        read = self._reader(node.path, variables)
        if node.body is None:
            return lambda scope: bool(read(scope))
        body = self.predicate(node.body, {**variables, node.variable: field})
        fold = any if node.quantifier == "any" else all
        variable = node.variable
        return lambda scope: fold(body({**scope, variable: item}) for item in read(scope) or ())

    def _called(self, node: odata.Call, variables: dict[str, Field | None]) -> Predicate:
        arguments = node.arguments
        match node.name:
            case "search.in" if arguments and isinstance(arguments[0], odata.Path):
                field = self._field(arguments[0], variables)
                read = self._reader(arguments[0], variables)
                choices = {normalise(field, value) for value in _choices(field, arguments)}
                return lambda scope: comparable(field, read(scope)) in choices
            case "search.ismatch" | "search.ismatchscoring" if len(variables) == 1:
                return self._searched(arguments)
            case "geo.intersects" if len(arguments) == 2 and isinstance(arguments[0], odata.Path):  # noqa: PLR2004  # a point and a polygon
                return self._intersecting(arguments[0], arguments[1], variables)
        raise invalid_expression(f"The function '{node.name}' is not supported here.", _PARAMETER)

    def _searched(self, arguments: tuple[odata.Node, ...]) -> Predicate:
        texts = [argument.value for argument in arguments if isinstance(argument, odata.Literal)]
        if not texts or len(texts) != len(arguments) or not all(isinstance(text, str) for text in texts):
            raise invalid_expression("search.ismatch takes string constants.", _PARAMETER)
        text, names, kind, mode = ([str(one) for one in texts] + ["", "", ""])[:4]
        fields = tuple(self._searchable(name.strip()) for name in names.split(",") if name.strip()) or None
        if kind not in {"", "simple", "full"} or mode not in {"", "any", "all"}:
            raise invalid_expression(f"search.ismatch has no query type '{kind}' or search mode '{mode}'.", _PARAMETER)
        score = self.search(text, fields, kind or "simple", mode or "any")
        return lambda scope: score(scope[ROOT]) > 0

    def _searchable(self, name: str) -> Field:
        field = self.schema.by_path.get(name)
        if field is None or not field.searchable:
            raise invalid_expression(f"The field '{name}' in the search field list is not searchable.", _PARAMETER)
        return field

    def _point(self, path: odata.Path, variables: dict[str, Field | None], parameter: str = _PARAMETER) -> None:
        """Refuse a path that is not a point."""
        field = self._field(path, variables, parameter=parameter)
        if field.type != "Edm.GeographyPoint":
            raise invalid_expression(f"'{field.path}' is not of type Edm.GeographyPoint.", parameter)
        if parameter != _PARAMETER and not field.sortable:
            raise invalid_expression(
                f"'{field.path}' is not a sortable field. Only sortable fields can be used in $orderby expressions.",
                parameter,
            )

    def distance(
        self, node: odata.Call, variables: dict[str, Field | None], parameter: str = _PARAMETER
    ) -> Callable[[Scope], float | None]:
        """Compile `geo.distance` to a function that returns kilometres, or None where there is no point."""
        paths = [argument for argument in node.arguments if isinstance(argument, odata.Path)]
        points = [argument for argument in node.arguments if isinstance(argument, odata.Literal)]
        if node.name != "geo.distance" or len(paths) != 1 or len(points) != 1 or points[0].kind != "geography":
            raise invalid_expression(f"The function '{node.name}' is not supported here.", parameter)
        self._point(paths[0], variables, parameter)
        read = self._reader(paths[0], variables)
        other = point_of(str(points[0].value))
        if other is None:
            raise invalid_expression("A point was expected: geography'POINT(longitude latitude)'.", parameter)

        def measure(scope: Scope) -> float | None:
            point = read(scope)
            return None if point is None else kilometres(point["coordinates"], other)

        return measure

    def _intersecting(self, path: odata.Path, area: odata.Node, variables: dict[str, Field | None]) -> Predicate:
        self._point(path, variables)
        read = self._reader(path, variables)
        text = str(area.value) if isinstance(area, odata.Literal) and area.kind == "geography" else ""
        corners = polygon_of(text)
        if corners is None:
            raise invalid_expression("A polygon was expected: geography'POLYGON((...))'.", _PARAMETER)
        return lambda scope: (point := read(scope)) is not None and inside(point["coordinates"], corners)

    def _field(
        self,
        path: odata.Path,
        variables: dict[str, Field | None],
        *,
        collection: bool = False,
        parameter: str = _PARAMETER,
    ) -> Field:
        """Resolve a path, and refuse one that can't be filtered this way."""
        owner = variables.get(path.segments[0]) if path.segments[0] in variables else None
        segments = path.segments
        if owner is not None:
            if len(segments) == 1 and not owner.complex:
                return msgspec.structs.replace(owner, collection=False)
            name = "/".join((owner.path, *segments[1:]))
        elif any(variables.values()):
            raise invalid_expression(
                f"The field '{'/'.join(segments)}' is not bound to a range variable. Only bound field references are "
                "supported inside lambda expressions ('any' or 'all').",
                parameter,
            )
        else:
            name = "/".join(segments)
        field = self.schema.by_path.get(name)
        if field is None:
            raise invalid_expression(
                f"Could not find a property named '{segments[-1]}' on type 'search.document'.", parameter
            )
        self._check_reach(field, owner, segments, parameter)
        if field.collection != collection:
            wanted = "any or all is needed" if field.collection else "any or all can't be used"
            raise invalid_expression(f"The field '{name}': {wanted} on it.", parameter)
        if not field.complex and not field.filterable and parameter == _PARAMETER:
            raise invalid_expression(
                f"'{name}' is not a filterable field. Only filterable fields can be used in filter expressions.",
                parameter,
            )
        return field

    def _check_reach(self, field: Field, owner: Field | None, segments: tuple[str, ...], parameter: str) -> None:
        """Refuse a path that passes through a collection without a lambda."""
        start = owner.path if owner is not None else ""
        for part in segments[1:-1] if owner is not None else segments[:-1]:
            start = f"{start}/{part}" if start else part
            if self.schema.by_path[start].collection:
                raise invalid_expression(
                    f"The path '{field.path}' goes through the collection '{start}', which needs any or all.", parameter
                )

    def _reader(self, path: odata.Path, variables: dict[str, Field | None]) -> Callable[[Scope], Any]:
        first, *rest = path.segments
        variable, names = (first, rest) if variables.get(first) is not None else (ROOT, [first, *rest])

        def read(scope: Scope) -> Any:
            value = scope[variable]
            for name in names:
                value = None if value is None else value.get(name)
            return value

        return read


def _joined(word: str, parts: list[Condition]) -> Condition:
    return Condition(
        word.join(f"({part.sql})" for part in parts),
        tuple(parameter for part in parts for parameter in part.parameters),
        frozenset().union(*(part.columns for part in parts)),
    )


def _constant(field: Field, name: str, literal: odata.Literal) -> Any:
    """Return a literal in the form that the field's values compare with; refuse another type."""
    if literal.kind == "null":
        return None
    if literal.kind not in _LITERALS.get(field.type, set()) or field.type == "Edm.GeographyPoint":
        raise invalid_expression(
            "A binary operator with incompatible types was detected. Found operand types "
            f"'{field.type}' and '{_KINDS[literal.kind]}' for operator kind '{name}'.",
            _PARAMETER,
        )
    if field.type == "Edm.Boolean" and name not in {"eq", "ne"}:
        raise invalid_expression(f"The operator '{name}' can't be used with 'Edm.Boolean'.", _PARAMETER)
    if literal.kind == "string":
        return normalise(field, str(literal.value))
    if literal.kind == "date":
        milliseconds = parse_date(str(literal.value))
        if milliseconds is None:
            raise invalid_expression(f"Syntax error: '{literal.value}' is not a date.", _PARAMETER)
        return milliseconds
    if isinstance(literal.value, float) and math.isnan(literal.value):
        return "NaN"
    return float(literal.value) if field.type == "Edm.Double" and isinstance(literal.value, int) else literal.value


def _choices(field: Field, arguments: tuple[odata.Node, ...]) -> set[str]:
    """Return the values that a `search.in` lists."""
    texts = [argument.value for argument in arguments[1:] if isinstance(argument, odata.Literal)]
    if field.type != "Edm.String" or len(texts) not in {1, 2} or not all(isinstance(text, str) for text in texts):
        raise ServiceError(400, "Invalid expression: search.in takes a field and strings.\r\nParameter name: $filter")
    listed = str(texts[0])
    delimiters = str(texts[1]) if len(texts) > 1 else " ,"
    if not delimiters:
        return {listed}
    return {part for part in re.split("[" + re.escape(delimiters) + "]", listed) if part}
