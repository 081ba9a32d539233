"""Partitions of an index, each with a query of its own, and the conditions that tell them apart.

Conditions are data rather than text, so that a plan can be stored, shown and tested; `clause` is their text for
`$filter`. Their values are OData literals, as `search.literals` writes them. A null fails every comparison, so a split
by values leaves a partition for nulls, and a split by doubles another one for NaN. Source: OData filter reference,
2026-09.
"""

from collections.abc import Sequence

import msgspec

from indexvault.search.query import DocumentQuery, literal

_DELIMITERS = "|,;~\t\x1f"


class Null(msgspec.Struct, frozen=True, tag=True):
    """The field has no value."""

    field: str

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        return f"{self.field} eq null"


class Between(msgspec.Struct, frozen=True, tag=True):
    """The field's value is at least `low` (above it, with `after`) and below `high`; without bounds, any value."""

    field: str
    low: str | None = None
    high: str | None = None
    after: bool = False

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        bounds = []
        if self.low is not None:
            bounds.append(f"{self.field} {'gt' if self.after else 'ge'} {self.low}")
        if self.high is not None:
            bounds.append(f"{self.field} lt {self.high}")
        return " and ".join(bounds) or f"{self.field} ne null"


class Equals(msgspec.Struct, frozen=True, tag=True):
    """The field has this value."""

    field: str
    value: str

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        return f"{self.field} eq {self.value}"


class Number(msgspec.Struct, frozen=True, tag=True):
    """The double is a number, or infinite."""

    field: str

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        return f"({self.field} ge 0 or {self.field} lt 0)"


class NotANumber(msgspec.Struct, frozen=True, tag=True):
    """The double is NaN, which compares with no number."""

    field: str

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        return f"{self.field} ne null and not ({self.field} ge 0 or {self.field} lt 0)"


class OneOf(msgspec.Struct, frozen=True, tag=True):
    """The string, or an item of the collection of strings, is one of these (plain text, not literals)."""

    field: str
    values: tuple[str, ...]
    collection: bool = False

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        if self.collection:
            return f"{self.field}/any(item: {_in('item', self.values)})"
        return _in(self.field, self.values)


class NoneOf(msgspec.Struct, frozen=True, tag=True):
    """The field has a value, or its collection has items, and none of these is among them."""

    field: str
    values: tuple[str, ...]
    collection: bool = False

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        some = f"{self.field}/any()" if self.collection else f"{self.field} ne null"
        return f"{some} and not {OneOf(self.field, self.values, self.collection).clause}" if self.values else some


class Empty(msgspec.Struct, frozen=True, tag=True):
    """The collection has no items."""

    field: str

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        return f"not {self.field}/any()"


type Condition = Null | Between | Equals | Number | NotANumber | OneOf | NoneOf | Empty


class Partition(msgspec.Struct, frozen=True):
    """The documents that meet all conditions and, if there is one, match a Lucene query on the key field.

    `documents` is the count when the partition was planned. `orderby` is the order to read it in. With `partial`, only
    its beginning is read, as far as `$skip` reaches, because another partition begins at the other end.
    """

    conditions: tuple[Condition, ...] = ()
    lucene: str | None = None
    orderby: str | None = None
    partial: bool = False
    documents: int = 0

    def narrowed(self, *conditions: Condition, documents: int = 0) -> "Partition":
        """Return the documents of this partition that also meet these conditions, as a partition."""
        return msgspec.structs.replace(self, conditions=self.conditions + conditions, documents=documents)

    def query(self, key_field: str) -> DocumentQuery:
        """Return the query that finds the documents."""
        query = DocumentQuery(
            filter=" and ".join(condition.clause for condition in self.conditions) or None, orderby=self.orderby
        )
        if self.lucene is None:
            return query
        return msgspec.structs.replace(query, search=self.lucene, query_type="full", search_fields=key_field)

    def __str__(self) -> str:
        clauses = [condition.clause for condition in self.conditions]
        clauses += [f"key matches {self.lucene}"] if self.lucene is not None else []
        return " and ".join(clauses) or "everything"


def _in(field: str, values: Sequence[str]) -> str:
    """Return a `search.in` clause, which counts as one however many values it lists.

    A value that is empty, contains the delimiter, or begins or ends with a space is compared on its own.
    """
    delimiter = min(_DELIMITERS, key=lambda each: sum(each in value for value in values))
    listed = [value for value in values if value and delimiter not in value and value == value.strip()]
    alone = [f"{field} eq {literal(value)}" for value in values if value not in set(listed)]
    together = [f"search.in({field}, {literal(delimiter.join(listed))}, {literal(delimiter)})"] if listed else []
    clauses = together + alone
    return clauses[0] if len(clauses) == 1 else f"({' or '.join(clauses)})"
