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

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FLOATS = msgspec.json.Decoder(list[float])
_FORMS = {"Edm.Double": "d", "Edm.Single": "f", "Edm.Half": "e"}
"""How numbers of a type are packed, which rounds them to it."""


def same_document(stored: bytes, restored: bytes, schema: Schema) -> bool:
    """Return whether two documents of one schema hold the same values.

    Both are JSON objects without `@search.*` members. Every member counts, even one without a field. Members whose
    bytes are the same are not decoded; what can't be decoded is the same only if its bytes are.
    """
    if stored == restored:
        return True
    try:
        one, other = _MEMBERS.decode(stored), _MEMBERS.decode(restored)
        written_alike = {
            name
            for name, value in one.items()
            if (there := other.get(name)) is not None and bytes(there) == bytes(value)
        }
        if len(written_alike) == len(one) == len(other):
            return True
        fields = {field.name: field for field in schema.fields}
        others = (one.keys() | other.keys()) - written_alike
        return all(_same_member(one.get(name), other.get(name), fields.get(name)) for name in others)
    except UNDECODABLE:
        return False


def _same_member(one: msgspec.Raw | None, other: msgspec.Raw | None, field: Field | None) -> bool:
    if one is not None and other is not None and field is not None and field.is_collection:
        same = _same_numbers(one, other, _FORMS.get(field.item_type))
        if same is not None:
            return same
    if field is not None:
        first, second = (None if raw is None else msgspec.json.decode(raw) for raw in (one, other))
        return bool(_value(first, field) == _value(second, field))
    return one is not None and other is not None and bool(msgspec.json.decode(one) == msgspec.json.decode(other))


def _same_numbers(one: msgspec.Raw, other: msgspec.Raw, form: str | None) -> bool | None:
    """Return whether two collections hold the same numbers of a form; None if one holds something else."""
    if form is None:
        return None
    try:
        first, second = _FLOATS.decode(one), _FLOATS.decode(other)
        if len(first) != len(second):
            return False
        pack = struct.Struct(f"<{len(first)}{form}")
        return first == second or pack.unpack(pack.pack(*first)) == pack.unpack(pack.pack(*second))
    except (*UNDECODABLE, OverflowError):
        return None


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
