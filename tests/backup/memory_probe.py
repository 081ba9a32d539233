"""IndexProbe answered from a list of documents, by the rules of the service's filters."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from indexvault.backup.partition import (
    Between,
    Condition,
    Empty,
    Equals,
    NoneOf,
    NotANumber,
    Null,
    Number,
    OneOf,
    Partition,
)
from indexvault.search.literals import literal_of
from indexvault.search.page import Facet
from indexvault.search.schema import Field


def value_of(literal: str) -> Any:
    """Read a literal back."""
    if literal.startswith("'"):
        return literal[1:-1].replace("''", "'")
    if literal in {"true", "false"}:
        return literal == "true"
    if re.match(r"\d{4}-", literal):
        return datetime.fromisoformat(literal)
    return float(literal.replace("INF", "inf")) if re.search(r"[.eEF]", literal) else int(literal)


def _as(literal: str, value: Any) -> Any:
    """Return a document's value as what a literal compares with."""
    return value if literal.startswith("'") else _comparable(value)


def _comparable(value: Any) -> Any:
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value)
    if value in ("INF", "-INF"):
        return float(value.replace("INF", "inf"))
    return value


def meets(document: dict[str, Any], condition: Condition) -> bool:  # noqa: PLR0911 - a table of conditions
    value: Any = document.get(condition.field)
    match condition:
        case Null():
            return value is None
        case Empty():
            return not value
        case OneOf(values=values, collection=collection):
            return any(item in values for item in value or ()) if collection else value in values
        case NoneOf(values=values, collection=collection):
            return (
                bool(value) and not any(item in values for item in value)
                if collection
                else (value is not None and value not in values)
            )
        case Number():
            return value is not None and value != "NaN"
        case NotANumber():
            return bool(value == "NaN")
        case Equals(value=literal):
            return value is not None and bool(_as(literal, value) == value_of(literal))
        case Between(low=low, high=high, after=after):
            if value is None or (value == "NaN" and not any("'" in (bound or "") for bound in (low, high))):
                return value is not None and low is None and high is None
            return (low is None or _above(value, low, after=after)) and (
                high is None or bool(_as(high, value) < value_of(high))
            )


def _above(value: Any, low: str, *, after: bool) -> bool:
    own, bound = _as(low, value), value_of(low)
    return bool(own > bound if after else own >= bound)


class MemoryProbe:
    """Answers for documents whose key is `id`; keys are looked up by prefix as they are. Counts what it is asked."""

    def __init__(self, documents: Sequence[dict[str, Any]]) -> None:
        self._documents = documents
        self.asked = 0

    def find(self, partition: Partition) -> list[dict[str, Any]]:
        return [
            document
            for document in self._documents
            if all(meets(document, condition) for condition in partition.conditions)
            if partition.lucene is None or self._matches(document["id"], partition.lucene.replace("\\", ""))
        ]

    async def count(self, partition: Partition) -> int:
        self.asked += 1
        return len(self.find(partition))

    async def value_at(self, partition: Partition, path: str, field: Field, rank: int) -> str | None:
        self.asked += 1
        found = sorted(
            self.find(partition), key=lambda document: _order(document[path], text=field.type == "Edm.String")
        )
        return literal_of(found[rank][path], field.type) if rank < len(found) else None

    async def facets(self, partition: Partition, path: str, most: int) -> list[Facet]:
        self.asked += 1
        counted = Counter(
            item
            for document in self.find(partition)
            for item in (document[path] if isinstance(document[path], list) else [document[path]])
            if item is not None
        )
        return [Facet(value, count) for value, count in counted.most_common(most)]

    @staticmethod
    def _matches(key: str, lucene: str) -> bool:
        return key.startswith(lucene[:-1]) if lucene.endswith("*") else key == lucene


def _order(value: Any, *, text: bool) -> Any:
    if value is None or text:
        return (value is not None, value)
    return (1, float("-inf")) if value == "NaN" else (1, _comparable(value))
