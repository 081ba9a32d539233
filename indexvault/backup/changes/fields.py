"""Decide which field of an index can say what was changed.

It must give the time at which a document was written, since a run reads what lies after the start of the reading
before. Such a time is an `Edm.DateTimeOffset`, or a number that counts from 1970, as `_ts` of Cosmos DB does.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from indexvault.backup.partitioners.by_field import single_valued
from indexvault.search.schema import Field, Schema

type Unit = Literal["time", "seconds", "milliseconds", "microseconds"]
"""How a field counts: as a time of its own type, or in numbers since 1970."""

_NUMBERS = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Double"})
NUMBER_UNITS: tuple[Unit, ...] = ("seconds", "milliseconds", "microseconds")
"""The units of numbers, those with the smallest values first."""
_PER_SECOND: dict[Unit, int] = {"seconds": 1, "milliseconds": 1000, "microseconds": 1_000_000}
_EARLIEST, _LATEST = datetime(2001, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_FUTURE_SHARE = 0.01
"""Documents in the future, of all, above which the field is no time of writing. A few may have a wrong clock."""
_STANDING_SHARE = 0.5
"""Changed documents whose field stood still, of all changed ones, above which the field is of no use."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What readings have seen of a field.

    `documents` is how many the index has, `future` how many of them lie after the clock and the margin. `changed` are
    documents that two full readings found different, `stood_still` those of them with the same value as before.
    """

    documents: int = 0
    future: int = 0
    changed: int = 0
    stood_still: int = 0


class FieldVerdict(msgspec.Struct, frozen=True):
    """A field, by its path, and why it can't say what was changed; None if it can, as far as is known."""

    path: str
    fault: str | None


def key_fault(schema: Schema) -> str | None:
    """Return why an index can't be read by changes whatever its fields, or None.

    Deletions are found by counts of key ranges, which needs a key with an order.
    """
    why = schema.no_key_order_reason
    return None if why is None else f"the key field {schema.key.name} is {why}, so deletions can't be found"


def field_fault(schema: Schema, path: str) -> str | None:
    """Return why a field of an index can't say what was changed, or None if its definition allows it."""
    field = next((field for each, field in schema.walk() if each == path), None)
    if field is None:
        return "the index has no such field"
    return next(_faults(field, is_single=path in dict(single_valued(schema))), None)


def _faults(field: Field, *, is_single: bool) -> Iterator[str]:
    if field.is_complex:
        yield "it is a complex field"
    if not is_single:
        yield "it is a collection, or inside one, so a document has several values of it"
    if field.key:
        yield "it is the key, which never changes"
    if field.type != "Edm.DateTimeOffset" and field.type not in _NUMBERS:
        yield f"its type, {field.type}, is no time: use an Edm.DateTimeOffset, or a number that counts from 1970"
    if missing := [
        name for name, is_so in (("filterable", field.filterable), ("sortable", field.sortable)) if is_so is False
    ]:
        yield f"it is not {' and not '.join(missing)}"
    if not field.is_readable:
        yield "it is hidden (not retrievable)"


def seen_fault(seen: Seen) -> str | None:
    """Return why a field can't say what was changed, after what readings have seen of it, or None."""
    if seen.future > _FUTURE_SHARE * seen.documents:
        return f"it lies in the future in {seen.future:,} of {seen.documents:,} documents, so it is no time of writing"
    if seen.stood_still and seen.stood_still >= _STANDING_SHARE * seen.changed:
        return f"it stood still in {seen.stood_still:,} of {seen.changed:,} documents that were changed"
    return None


def verdicts(schema: Schema, seen: dict[str, Seen] | None = None) -> list[FieldVerdict]:
    """Return for each field that gives a time by its type whether it would do, those that would first."""
    found = [
        FieldVerdict(path, key_fault(schema) or field_fault(schema, path) or seen_fault((seen or {}).get(path, Seen())))
        for path, field in schema.walk()
        if field.type == "Edm.DateTimeOffset" or (field.type in _NUMBERS and not field.key)
    ]
    return sorted(found, key=lambda verdict: verdict.fault is not None)


def unit_of(field: Field, newest: float | None) -> Unit | None:
    """Return how a field counts, from its newest value; None for a number that is no time between 2001 and 2200."""
    if field.type not in _NUMBERS:
        return "time"
    if newest is None:
        return None
    for unit, per_second in _PER_SECOND.items():
        if _EARLIEST.timestamp() <= newest / per_second <= _LATEST.timestamp():
            return unit
    return None


def bounds_of(unit: Unit) -> tuple[str, str]:
    """Return as literals between which values a number counts in a unit. The units' bounds don't overlap."""
    return literal_at(unit, _EARLIEST), literal_at(unit, _LATEST)


def literal_at(unit: Unit, moment: datetime) -> str:
    """Return a time as a literal of a field; a fraction is rounded down."""
    moment = moment.astimezone(UTC)
    if unit == "time":
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return str(since_1970 // timedelta(microseconds=1) * _PER_SECOND[unit] // 1_000_000)


def in_words(faults: Sequence[FieldVerdict]) -> list[str]:
    """Return verdicts as lines."""
    return [f"{each.path}: {each.fault or 'would do'}" for each in faults]
