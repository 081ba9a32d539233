"""Parts of an index: what one of several queries finds, and the conditions that tell parts apart.

Conditions are data and not text, so that a plan can be kept, shown and tested; `clause` gives the text for `$filter`.
Values in them are OData literals, as `search.literals` writes them. A null fails every comparison, so every cut by
values leaves a part of its own for nulls, and one by doubles another for NaN. Source: OData filter reference, 2026-09.
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
    """The field's value is at least `low` (above it, if `after`) and below `high`; without bounds, any value at all."""

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
    """The double is a number, infinite ones among them."""

    field: str

    @property
    def clause(self) -> str:
        """The text for `$filter`."""
        return f"({self.field} ge 0 or {self.field} lt 0)"


class NotANumber(msgspec.Struct, frozen=True, tag=True):
    """The double has a value that compares with no number."""

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
    """There is a string, or a collection with items, and none of these is in it."""

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

    `documents` is how many were counted when the part was planned. `orderby` is the order to read it in; with `partial`
    only its beginning is asked for, as far as `$skip` reaches, because another part begins at the other end.
    """

    conditions: tuple[Condition, ...] = ()
    lucene: str | None = None
    orderby: str | None = None
    partial: bool = False
    documents: int = 0

    def narrowed(self, *conditions: Condition, documents: int = 0) -> "Partition":
        """Return the part of this part that also meets these conditions."""
        return msgspec.structs.replace(self, conditions=self.conditions + conditions, documents=documents)

    def query(self, key_field: str) -> DocumentQuery:
        """Return the query that finds the part."""
        query = DocumentQuery(
            filter=" and ".join(condition.clause for condition in self.conditions) or None, orderby=self.orderby
        )
        if self.lucene is None:
            return query
        return msgspec.structs.replace(query, search=self.lucene, query_type="full", search_fields=key_field)

    def __str__(self) -> str:
        said = [condition.clause for condition in self.conditions]
        said += [f"key matches {self.lucene}"] if self.lucene is not None else []
        return " and ".join(said) or "everything"


def _in(field: str, values: Sequence[str]) -> str:
    """Return `search.in`, which counts as one clause however many values it lists.

    A value that is empty, or holds whatever could part values, is compared on its own.
    """
    delimiter = min(_DELIMITERS, key=lambda each: sum(each in value for value in values))
    listed = [value for value in values if value and delimiter not in value and value == value.strip()]
    alone = [f"{field} eq {literal(value)}" for value in values if value not in set(listed)]
    together = [f"search.in({field}, {literal(delimiter.join(listed))}, {literal(delimiter)})"] if listed else []
    clauses = together + alone
    return clauses[0] if len(clauses) == 1 else f"({' or '.join(clauses)})"
