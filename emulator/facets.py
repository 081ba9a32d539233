"""Facets: how many of the found documents have which value.

Source: `facets` of Search Documents in the REST reference, 2026-09.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from emulator.failures import invalid_parameter
from emulator.index import Index
from emulator.schema import Field
from emulator.storage import Selection
from emulator.values import comparable, parse_date, render_date

_DEFAULT_COUNT = 10
_ORDERS = frozenset({"count", "-count", "value", "-value"})
_DATE_INTERVALS = {"minute": 16, "hour": 13, "day": 10, "month": 7, "year": 4}
_REST_OF_DATE = "0001-01-01T00:00:00Z"


class Facet(msgspec.Struct, frozen=True):
    """One facet expression, read."""

    field: Field
    count: int
    sort: str
    interval: str | None
    values: tuple[Any, ...] | None


def facet_results(index: Index, expressions: Sequence[str], selection: Selection) -> dict[str, list[dict[str, Any]]]:
    """Answer every facet expression for the documents that are selected, whatever the page."""
    facets = [_facet(index, expression) for expression in expressions]
    documents: list[dict[str, Any]] | None = None
    results = {}
    for facet in facets:
        column = index.table.column(facet.field)
        if column is not None:
            index.table.ensure_index(column)
            counted = Counter(dict(index.table.grouped(column, selection)))
        else:
            if documents is None:
                found = index.table.find(Selection(selection.where, selection.parameters))
                documents = [index.full(row.visible, row.hidden) for row in found]
            counted = Counter(value for document in documents for value in _values(document, facet.field))
        results[facet.field.path] = _buckets(facet, counted)
    return results


def _facet(index: Index, expression: str) -> Facet:
    path, *options = [part.strip() for part in expression.split(",")]
    field = index.schema.by_path.get(path)
    if field is None or not field.facetable:
        raise invalid_parameter(f"The field '{path}' in the facet expression is not facetable.", "facet")
    given = dict(option.partition(":")[::2] for option in options)
    unknown = given.keys() - {"count", "sort", "interval", "values", "timeoffset"}
    count, sort = given.get("count", str(_DEFAULT_COUNT)), given.get("sort", "count")
    if unknown or not count.isdecimal() or sort not in _ORDERS or {"interval", "values"} <= given.keys():
        raise invalid_parameter(f"The facet expression '{expression}' is not valid.", "facet")
    values = tuple(_bound(field, value) for value in given["values"].split("|")) if "values" in given else None
    interval = given.get("interval")
    if interval is not None and not (interval in _DATE_INTERVALS or re.fullmatch(r"\d+(?:\.\d+)?", interval)):
        raise invalid_parameter(f"The facet expression '{expression}' has an invalid interval.", "facet")
    return Facet(field, int(count), sort, interval, values)


def _bound(field: Field, text: str) -> Any:
    if field.type == "Edm.DateTimeOffset":
        return parse_date(text)
    return float(text) if field.type == "Edm.Double" else int(text)


def _values(document: dict[str, Any], field: Field) -> set[Any]:
    """Give a document's distinct values of a field, through collections."""
    values: list[Any] = [document]
    for name in field.path.split("/"):
        found = [value.get(name) for value in values if value is not None]
        values = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return {comparable(field, value) for value in values if value is not None}


def _buckets(facet: Facet, counted: Counter[Any]) -> list[dict[str, Any]]:
    if facet.values is not None:
        return _ranges(facet, counted)
    if facet.interval is not None:
        grouped: Counter[Any] = Counter()
        for value, count in counted.items():
            grouped[_floor(facet.interval, value)] += count
        items = sorted(grouped.items())
    else:
        items = sorted(counted.items(), key=lambda item: item[0], reverse=facet.sort == "-value")
        if facet.sort in {"count", "-count"}:
            items.sort(key=lambda item: item[1], reverse=facet.sort == "count")
    return [{"count": count, "value": _shown(facet.field, value)} for value, count in items[: facet.count]]


def _ranges(facet: Facet, counted: Counter[Any]) -> list[dict[str, Any]]:
    bounds = [None, *sorted(facet.values or ()), None]
    buckets = []
    for low, high in itertools.pairwise(bounds):
        bucket: dict[str, Any] = {
            "count": sum(
                count
                for value, count in counted.items()
                if (low is None or value >= low) and (high is None or value < high)
            )
        }
        if low is not None:
            bucket["from"] = _shown(facet.field, low)
        if high is not None:
            bucket["to"] = _shown(facet.field, high)
        buckets.append(bucket)
    return buckets


def _floor(interval: str, value: Any) -> Any:
    if interval in _DATE_INTERVALS:
        length = _DATE_INTERVALS[interval]
        text = datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return parse_date(text[:length] + _REST_OF_DATE[length:])
    return value // float(interval) * float(interval)


def _shown(field: Field, value: Any) -> Any:
    if field.type == "Edm.DateTimeOffset":
        return render_date(int(value))
    if field.type == "Edm.Boolean":
        return bool(value)
    return int(value) if field.type in {"Edm.Int32", "Edm.Int64"} and value == int(value) else value
