"""Search texts in simple and full Lucene syntax, parsed and matched against a document's searchable fields.

Source: simple query syntax and full Lucene query syntax for Azure AI Search, 2026-09. Scores only tell more
matches from fewer.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from emulator.failures import ServiceError
from emulator.schema import Field, Schema
from emulator.text_analysis import terms

type Scorer = Callable[[dict[str, Any]], float]


class Term(msgspec.Struct, frozen=True):
    """A leaf; `kind` is term, phrase, prefix, wildcard, regex or fuzzy, `field` None all searched fields."""

    kind: str
    text: str
    field: str | None = None


class Clause(msgspec.Struct, frozen=True):
    """A part of a group; `occurs` is `must`, `must_not` or `should`."""

    occurs: str
    node: "Term | Group"


class Group(msgspec.Struct, frozen=True):
    """Clauses that are matched together."""

    clauses: tuple[Clause, ...]


_FULL = re.compile(
    r"""\s*(?:
    (?P<field>[A-Za-z][\w/]*):(?=\S)
  | (?P<regex>/(?:[^/\\]|\\.)+/)
  | (?P<phrase>"(?:[^"\\]|\\.)*"(?:~\d+)?)
  | (?P<boolean>AND\b|OR\b|NOT\b|&&|\|\|)
  | (?P<symbol>[()+!-])
  | (?P<word>(?:[^\s()"\\:~^]|\\.)+(?:~\d*)?)
  | (?P<boost>\^[\d.]+)
  )""",
    re.VERBOSE,
)
_SIMPLE = re.compile(r"""\s*(?:(?P<phrase>"[^"]*")|(?P<symbol>[()|+-])|(?P<word>(?:[^\s()"|+\\]|\\.)+))""", re.VERBOSE)


def scorer(text: str, fields: tuple[Field, ...] | None, kind: str, mode: str, schema: Schema) -> Scorer:
    """Return the function that scores a document against a search text; 0 means no match."""
    searched = schema.searchable if fields is None else fields
    query = _Parser(text, full=kind == "full", every=mode == "all").query()
    for term in _leaves(query):
        named = schema.by_path.get(term.field) if term.field is not None else None
        if term.field is not None and (named is None or not named.searchable):
            raise ServiceError(400, f"Illegal arguments in query request: '{term.field}' is not a searchable field.")
    return lambda document: _score(query, _Document(document, schema, searched))


def only_field(text: str, fields: tuple[Field, ...] | None, kind: str, schema: Schema) -> Field | None:
    """Return the only field that a search text looks at, or None if it looks at several."""
    searched = schema.searchable if fields is None else fields
    named = {term.field for term in _leaves(_Parser(text, full=kind == "full", every=False).query())}
    paths = {field.path for field in searched} if None in named else set()
    paths |= {name for name in named if name is not None}
    return schema.by_path.get(paths.pop()) if len(paths) == 1 else None


class _Parser:
    def __init__(self, text: str, *, full: bool, every: bool) -> None:
        self.full = full
        self.default = "must" if every else "should"
        self.tokens = list(_lexed(text, full=full))
        self.position = 0

    def query(self) -> Group:
        """Parse the whole text."""
        group = self._group(None)
        if self.position < len(self.tokens):
            raise _bad_query()
        return group

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.position] if self.position < len(self.tokens) else ("end", "")

    def _group(self, field: str | None) -> Group:
        clauses: list[Clause] = []
        joined = ""
        while (token := self._peek())[0] != "end" and token != ("symbol", ")"):
            self.position += 1
            kind, text = token
            if kind == "boost":
                continue
            if self._joins(token):
                joined = "must" if text in {"AND", "&&", "+"} else "should"
                if joined == "must" and clauses and clauses[-1].occurs == "should":
                    clauses[-1] = Clause("must", clauses[-1].node)
                if joined == "should" and clauses and clauses[-1].occurs == "must" and not self.full:
                    clauses[-1] = Clause("should", clauses[-1].node)
                continue
            clauses.append(self._clause(kind, text, joined, field))
            joined = ""
        return Group(tuple(clauses))

    def _joins(self, token: tuple[str, str]) -> bool:
        """Return whether a token stands between two clauses; `+` does so in the simple syntax only."""
        kind, text = token
        if self.full:
            return kind == "boolean" and text != "NOT"
        return kind == "symbol" and text in {"|", "+"}

    def _clause(self, kind: str, text: str, joined: str, field: str | None) -> Clause:
        occurs = joined or self.default
        while (kind, text) in {("symbol", "+"), ("symbol", "-"), ("symbol", "!"), ("boolean", "NOT")}:
            occurs = "must" if text == "+" else "must_not"
            kind, text = self._peek()
            self.position += 1
        return Clause(occurs, self._primary(kind, text, field))

    def _primary(self, kind: str, text: str, field: str | None) -> Term | Group:
        match kind:
            case "field":
                inner_kind, inner = self._peek()
                self.position += 1
                return self._primary(inner_kind, inner, text)
            case "symbol" if text == "(":
                group = self._group(field)
                if self._peek() != ("symbol", ")"):
                    raise _bad_query()
                self.position += 1
                return group
            case "phrase":
                return Term("phrase", text[1 : text.rindex('"')], field)
            case "regex":
                return Term("regex", _regex(text[1:-1]), field)
            case "word":
                return self._word(text, field)
        raise _bad_query()

    def _word(self, text: str, field: str | None) -> Term:
        plain, fuzzy, _ = text.partition("~") if self.full else (text, "", "")
        if fuzzy:
            return Term("fuzzy", _unescaped(plain).lower(), field)
        if plain.endswith("*") and not re.search(r"(?<!\\)[*?]", plain[:-1]) and len(plain) > 1:
            return Term("prefix", _unescaped(plain[:-1]).lower(), field)
        if self.full and re.search(r"(?<!\\)[*?]", plain):
            pattern = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in plain.lower())
            return Term("wildcard", pattern, field)
        return Term("term", _unescaped(plain), field)


class _Document:
    """A document's fields as tokens, computed on first use."""

    def __init__(self, document: dict[str, Any], schema: Schema, searched: tuple[Field, ...]) -> None:
        self.document = document
        self.schema = schema
        self.searched = searched
        self._tokens: dict[str, list[str]] = {}

    def fields(self, name: str | None) -> Iterator[tuple[Field, list[str]]]:
        """Return the fields a term is looked up in, with their tokens."""
        for field in self.searched if name is None else (self.schema.by_path[name],):
            if field.path not in self._tokens:
                texts = texts_of(self.document, field)
                self._tokens[field.path] = [token for text in texts for token in terms(text, field.analyzer)]
            yield field, self._tokens[field.path]


def texts_of(document: dict[str, Any], field: Field) -> list[str]:
    """Return every string a document has in a field, through collections."""
    if isinstance(plain := document.get(field.path), str):
        return [plain]
    values: list[Any] = [document]
    for name in field.path.split("/"):
        found = [value.get(name) for value in values if value is not None]
        values = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return [value for value in values if isinstance(value, str)]


def _score(node: Term | Group, document: _Document) -> float:
    if isinstance(node, Term):
        score = 0.0
        for field, tokens in document.fields(node.field):
            matches = _matches(node, field, tokens)
            score += matches / (1 + len(tokens) ** 0.5) if matches else 0.0
        return score
    total = 0.0
    wanted = [clause for clause in node.clauses if clause.occurs != "must_not"]
    required = any(clause.occurs == "must" for clause in wanted)
    for clause in node.clauses:
        score = _score(clause.node, document)
        if (clause.occurs == "must" and score <= 0) or (clause.occurs == "must_not" and score > 0):
            return 0.0
        total += score if clause.occurs != "must_not" else 0.0
    if not wanted:
        return 1.0
    return total if total > 0 or required else 0.0


def _matches(term: Term, field: Field, tokens: list[str]) -> int:
    match term.kind:
        case "prefix":
            return sum(token.lower().startswith(term.text) for token in tokens)
        case "wildcard" | "regex":
            pattern = re.compile(term.text)
            return sum(pattern.fullmatch(token) is not None for token in tokens)
        case "fuzzy":
            return sum(_near(token, term.text) for token in tokens)
    wanted = terms(term.text, field.analyzer)
    if not wanted:
        return 0
    if len(wanted) == 1:
        return tokens.count(wanted[0])
    return sum(tokens[at : at + len(wanted)] == wanted for at in range(len(tokens) - len(wanted) + 1))


def _near(token: str, wanted: str, allowed: int = 2) -> bool:
    """Return whether at most two edits lie between two words."""
    if abs(len(token) - len(wanted)) > allowed:
        return False
    row = list(range(len(wanted) + 1))
    for at, letter in enumerate(token, 1):
        previous, row[0] = row[0], at
        for index, other in enumerate(wanted, 1):
            previous, row[index] = row[index], min(row[index] + 1, row[index - 1] + 1, previous + (letter != other))
    return row[-1] <= allowed


def _lexed(text: str, *, full: bool) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    pattern = _FULL if full else _SIMPLE
    while at < end:
        match = pattern.match(text, at)
        if match is None or match.lastgroup is None:
            if full:
                raise _bad_query()
            at += 1
            continue
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


def _leaves(group: Group) -> Iterator[Term]:
    for clause in group.clauses:
        if isinstance(clause.node, Term):
            yield clause.node
        else:
            yield from _leaves(clause.node)


def _regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as problem:
        raise _bad_query() from problem
    return pattern


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _bad_query() -> ServiceError:
    return ServiceError(400, "Failed to parse query string. See https://aka.ms/azure-search-full-query for the syntax.")
