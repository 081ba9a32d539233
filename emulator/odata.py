"""A parser of the OData expressions of Azure AI Search: `$filter`, `$orderby`.

Own code because `odata-query` 0.10, the maintained parser, does not fit: it refuses field names that begin with
`null`, fails on lambdas below two levels of fields (`x/a/b/any(...)`) and takes time quadratic in a long `search.in`.
Source: OData expression syntax reference for Azure AI Search, 2026-09.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

type Node = "Literal | Path | Call | Compare | And | Or | Not | Lambda"


class Literal(msgspec.Struct, frozen=True):
    """A constant; `kind` is string, integer, number, boolean, null, date or geography."""

    kind: str
    value: object


class Path(msgspec.Struct, frozen=True):
    """A field path, or a lambda's variable and a path below it."""

    segments: tuple[str, ...]


class Call(msgspec.Struct, frozen=True):
    """A function call."""

    name: str
    arguments: tuple[Node, ...]


class Compare(msgspec.Struct, frozen=True):
    """Two operands and one of eq, ne, gt, ge, lt, le."""

    operator: str
    left: Node
    right: Node


class And(msgspec.Struct, frozen=True):
    """Conjunction of items."""

    items: tuple[Node, ...]


class Or(msgspec.Struct, frozen=True):
    """Disjunction of items."""

    items: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True):
    """Negation."""

    item: Node


class Lambda(msgspec.Struct, frozen=True):
    """`path/any(variable: body)` or `path/all(...)`; body None is `any()`."""

    path: Path
    quantifier: str
    variable: str
    body: Node | None


class Order(msgspec.Struct, frozen=True):
    """One term of `$orderby`."""

    by: Node
    descending: bool


class SyntaxProblemError(Exception):
    """A syntax error; the text says where."""


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d))
  | (?P<number>-?(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+)|-?INF\b|NaN\b)
  | (?P<geography>geography'[^']*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)
  | (?P<symbol>[/(),:])
  )""",
    re.VERBOSE,
)
_COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_MAX_DEPTH = 100
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LONGEST_INTEGER = 100
"""Characters of a number at most, leading zeros aside: Python refuses to parse very long integers."""


def parse_filter(text: str) -> Node:
    """Parse a `$filter`. Raises SyntaxProblemError."""
    parser = _Parser(text)
    node = parser.disjunction()
    parser.end()
    return node


def parse_order(text: str) -> tuple[Order, ...]:
    """Parse an `$orderby`."""
    parser = _Parser(text)
    orders = [parser.order()]
    while parser.take("symbol", ","):
        orders.append(parser.order())
    parser.end()
    return tuple(orders)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.position = 0
        self.depth = 0
        at = 0
        end = len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise SyntaxProblemError(f"Syntax error at position {at} in '{text}'.")
            self.tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            at = match.end()

    def peek(self) -> tuple[str, str, int]:
        """Return the next token without taking it."""
        return self.tokens[self.position] if self.position < len(self.tokens) else ("end", "", len(self.text))

    def take(self, kind: str, text: str) -> bool:
        """Take the next token if it is this one."""
        if self.peek()[:2] != (kind, text):
            return False
        self.position += 1
        return True

    def expect(self, symbol: str) -> None:
        """Take the required symbol; refuse any other token."""
        if not self.take("symbol", symbol):
            raise self.problem()

    def end(self) -> None:
        """Refuse anything left over."""
        if self.peek()[0] != "end":
            raise self.problem()

    def problem(self) -> SyntaxProblemError:
        """Return the error for the current position."""
        return SyntaxProblemError(f"Syntax error at position {self.peek()[2]} in '{self.text}'.")

    def order(self) -> Order:
        """Parse one term of an order."""
        by = self.operand()
        descending = self.take("name", "desc")
        if not descending:
            self.take("name", "asc")
        return Order(by, descending)

    def disjunction(self) -> Node:
        """Parse terms joined by or."""
        return self._joined("or", self.conjunction, Or)

    def conjunction(self) -> Node:
        """Parse terms joined by and."""
        return self._joined("and", self.negation, And)

    def _joined(self, word: str, part: Callable[[], Node], join: type[And] | type[Or]) -> Node:
        items = [part()]
        while self.take("name", word):
            items.append(part())
        return items[0] if len(items) == 1 else join(tuple(items))

    def negation(self) -> Node:
        """Parse `not`, a parenthesis or a comparison."""
        if self.peek()[:2] == ("name", "not") and not self._compared():
            self.position += 1
            with self._deeper():
                return Not(self.negation())
        if self.take("symbol", "("):
            with self._deeper():
                node = self.disjunction()
            self.expect(")")
            return node
        return self.comparison()

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise SyntaxProblemError("The filter expression is nested too deeply.")
        yield
        self.depth -= 1

    def _compared(self) -> bool:
        """Return whether the next token is a field that happens to be called `not`."""
        following = self.tokens[self.position + 1 : self.position + 2]
        return bool(following) and following[0][1] in _COMPARISONS

    def comparison(self) -> Node:
        """Parse an operand, or two with an operator between them."""
        left = self.operand()
        kind, text, _ = self.peek()
        if kind != "name" or text not in _COMPARISONS:
            return left
        self.position += 1
        return Compare(text, left, self.operand())

    def operand(self) -> Node:
        """Parse a constant, a call, a path or a lambda."""
        kind, text, _ = self.peek()
        self.position += 1
        match kind:
            case "string":
                return Literal("string", text[1:-1].replace("''", "'"))
            case "date":
                return Literal("date", text)
            case "geography":
                return Literal("geography", text[len("geography'") : -1])
            case "number":
                return _number(text)
            case "name":
                return self._named(text)
            case _:
                self.position -= 1
                raise self.problem()

    def _named(self, text: str) -> Node:
        if self.take("symbol", "("):
            return Call(text, self._arguments())
        if text in {"true", "false"}:
            return Literal("boolean", text == "true")
        if text == "null":
            return Literal("null", None)
        segments = [text]
        while self.take("symbol", "/"):
            kind, segment, _ = self.peek()
            if kind != "name":
                raise self.problem()
            self.position += 1
            if segment in {"any", "all"} and self.take("symbol", "("):
                return self._lambda(Path(tuple(segments)), segment)
            segments.append(segment)
        return Path(tuple(segments))

    def _arguments(self) -> tuple[Node, ...]:
        if self.take("symbol", ")"):
            return ()
        arguments = [self.operand()]
        while self.take("symbol", ","):
            arguments.append(self.operand())
        self.expect(")")
        return tuple(arguments)

    def _lambda(self, path: Path, quantifier: str) -> Lambda:
        if self.take("symbol", ")"):
            if quantifier == "all":
                raise self.problem()
            return Lambda(path, quantifier, "", None)
        kind, variable, _ = self.peek()
        if kind != "name":
            raise self.problem()
        self.position += 1
        self.expect(":")
        with self._deeper():
            body = self.disjunction()
        self.expect(")")
        return Lambda(path, quantifier, variable, body)


def _number(text: str) -> Literal:
    """Parse a number; an integer beyond Int64 counts as a Double."""
    if re.fullmatch(r"-?\d+", text) and len(text) <= _LONGEST_INTEGER and _LOWEST <= int(text) <= _HIGHEST:
        return Literal("integer", int(text))
    return Literal("number", float(text.replace("INF", "inf")))
