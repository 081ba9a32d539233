"""Compare documents by value when their bytes differ.

A service may write a value differently from the one it was restored from: 1 for 1.0, a date with milliseconds, null for
a field that was left out. What counts is the value in the field's own type.
"""

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from indexvault.errors import UNDECODABLE
from indexvault.search.schema import Field, Schema


def same_document(stored: bytes, restored: bytes, schema: Schema) -> bool:
    """Return whether two documents of one schema hold the same values.

    Both are JSON objects without `@search.*` members. Every member counts, even one without a field. What can't be
    decoded is the same only if its bytes are.
    """
    if stored == restored:
        return True
    try:
        one, other = (msgspec.json.decode(line, type=dict[str, Any]) for line in (stored, restored))
        return _object(one, schema.fields) == _object(other, schema.fields)
    except UNDECODABLE:
        return False


def _object(members: dict[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    known = {field.name for field in fields}
    values = {field.name: _value(members.get(field.name), field) for field in fields}
    return values | {name: value for name, value in members.items() if name not in known}


def _value(value: Any, field: Field) -> Any:
    if field.is_collection and (value is None or isinstance(value, list)):
        return [_item(item, field) for item in value or []]
    return None if value is None else _item(value, field)


def _item(value: Any, field: Field) -> Any:
    if field.item_type == "Edm.ComplexType":
        return _object(value, field.fields) if isinstance(value, dict) else value
    reading = _READINGS.get(field.item_type)
    return reading(value) if reading else value


def _instant(text: Any) -> Any:
    """Read a date to the millisecond, which is what the service keeps. Source: data types, REST reference, 2026-09."""
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return text
    if instant.tzinfo is None:
        return text
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        return text
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _number(value: Any) -> Any:
    """Return a number as a double, so that 1 equals 1.0; NaN arrives as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ("text", value)
    try:
        return float(value)
    except OverflowError:
        return ("text", str(value))


def _rounded(form: str) -> Callable[[Any], Any]:
    """Return a function that rounds numbers to a narrower type: they may be written with more digits than it has."""

    def read(value: Any) -> Any:
        number = _number(value)
        if not isinstance(number, float) or not math.isfinite(number):
            return number
        try:
            return struct.unpack(form, struct.pack(form, number))[0]
        except OverflowError:
            return number

    return read


def _point(value: Any) -> Any:
    """Return a point by its coordinates: the service adds the reference system, of which it knows only one."""
    coordinates = value.get("coordinates") if isinstance(value, dict) else None
    if not isinstance(coordinates, list):
        return value
    return (value.get("type"), tuple(_number(number) for number in coordinates))


def _boolean(value: Any) -> Any:
    """Keep a boolean from equalling a number, as it does in Python."""
    return ("boolean", value)


_READINGS: dict[str, Callable[[Any], Any]] = {
    "Edm.DateTimeOffset": _instant,
    "Edm.Double": _number,
    "Edm.Single": _rounded("<f"),
    "Edm.Half": _rounded("<e"),
    "Edm.GeographyPoint": _point,
    "Edm.Boolean": _boolean,
}
