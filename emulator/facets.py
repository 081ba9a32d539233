"""Facets: how many of the matching documents have each value.

Source: `facets` of Search Documents in the REST reference, 2026-09.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from emulator.failures import invalid_parameter
from emulator.index import Index
from emulator.schema import Field
from emulator.storage import Selection
from emulator.values import comparable, parse_date, render_date

_DEFAULT_COUNT = 10
_ORDERS = frozenset({"count", "-count", "value", "-value"})
_DATE_INTERVALS = frozenset({"minute", "hour", "day", "week", "month", "quarter", "year"})
_NUMBERS = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Double"})
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Facet(msgspec.Struct, frozen=True):
    """One parsed facet expression."""

    field: Field
    count: int
    sort: str
    interval: str | None
    values: tuple[Any, ...] | None
    offset: timedelta
    """How far the time zone of the request's days is ahead of UTC."""


def facet_results(index: Index, expressions: Sequence[str], selection: Selection) -> dict[str, list[dict[str, Any]]]:
    """Return the answers to all facet expressions for the selected documents, whatever the page."""
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
    values = tuple(_bound(field, value) for value in given["values"].split("|")) if "values" in given else None
    interval = given.get("interval")
    offset = _offset(given.get("timeoffset", "+00:00"))
    if (
        unknown
        or not (count.isdecimal() and int(count) > 0)
        or sort not in _ORDERS
        or {"interval", "values"} <= given.keys()
        or (values is not None and None in values)
        or (interval is not None and not _has_interval(field, interval))
        or offset is None
    ):
        raise invalid_parameter(f"The facet expression '{expression}' is not valid.", "facet")
    return Facet(field, int(count), sort, interval, values, offset)


def _has_interval(field: Field, interval: str) -> bool:
    if field.type == "Edm.DateTimeOffset":
        return interval in _DATE_INTERVALS
    return field.type in _NUMBERS and bool(_NUMBER.fullmatch(interval)) and float(interval) > 0


def _bound(field: Field, text: str) -> Any:
    """Parse a boundary between ranges; None if the field has no ranges or the text is not a value of it."""
    if field.type == "Edm.DateTimeOffset":
        return parse_date(text)
    if field.type not in _NUMBERS or not _NUMBER.fullmatch(text):
        return None
    return float(text)


def _offset(text: str) -> timedelta | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return -ahead if match[1] == "-" else ahead


def _values(document: dict[str, Any], field: Field) -> set[Any]:
    """Return a document's distinct values of a field, through collections."""
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
        for value in _finite(counted):
            grouped[_floor(facet, facet.interval, value)] += counted[value]
        items = sorted(grouped.items())
    else:
        items = sorted(counted.items(), key=lambda item: _rank(facet.field, item[0]), reverse=facet.sort == "-value")
        if facet.sort in {"count", "-count"}:
            items.sort(key=lambda item: item[1], reverse=facet.sort == "count")
    return [{"count": count, "value": _shown(facet.field, value)} for value, count in items[: facet.count]]


def _rank(field: Field, value: Any) -> tuple[bool, Any]:
    """Return the sort key of a value: NaN, which compares with nothing, last."""
    lost = field.type == "Edm.Double" and value == "NaN"
    return lost, 0.0 if lost else value


def _finite(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value != "NaN" and math.isfinite(value)]


def _ranges(facet: Facet, counted: Counter[Any]) -> list[dict[str, Any]]:
    bounds = [None, *sorted(facet.values or ()), None]
    buckets = []
    for low, high in itertools.pairwise(bounds):
        bucket: dict[str, Any] = {
            "count": sum(
                count
                for value, count in counted.items()
                if value != "NaN" and (low is None or value >= low) and (high is None or value < high)
            )
        }
        if low is not None:
            bucket["from"] = _shown(facet.field, low)
        if high is not None:
            bucket["to"] = _shown(facet.field, high)
        buckets.append(bucket)
    return buckets


def _floor(facet: Facet, interval: str, value: Any) -> Any:
    if interval not in _DATE_INTERVALS:
        return value // float(interval) * float(interval)
    try:
        start = _start(interval, _EPOCH + timedelta(milliseconds=value) + facet.offset) - facet.offset
    except OverflowError:  # the first or last year of the calendar
        return value
    return (start - _EPOCH) // timedelta(milliseconds=1)


def _start(interval: str, moment: datetime) -> datetime:
    """Return the start of the minute, ... or year that contains a moment."""
    moment = moment.replace(second=0, microsecond=0)
    if interval == "minute":
        return moment
    moment = moment.replace(minute=0)
    return moment if interval == "hour" else _first_day(interval, moment.replace(hour=0))


def _first_day(interval: str, day: datetime) -> datetime:
    """Return the first day of the week, ... or year that contains a day. Weeks begin on Mondays, by assumption."""
    match interval:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
    return day


def _shown(field: Field, value: Any) -> Any:
    if field.type == "Edm.DateTimeOffset":
        return render_date(int(value))
    if field.type == "Edm.Boolean":
        return bool(value)
    if field.type == "Edm.Double" and value in {math.inf, -math.inf}:
        return "INF" if value > 0 else "-INF"
    return int(value) if field.type in {"Edm.Int32", "Edm.Int64"} and value == int(value) else value
