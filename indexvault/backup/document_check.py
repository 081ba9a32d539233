"""Check documents against a definition: what no service would take is found before it becomes a snapshot.

Values are not converted, only looked at. Sources: Supported data types and Naming rules (Azure AI Search), Add, Update
or Delete Documents (REST API), 2026-09.
"""

import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE
from indexvault.search.schema import Field, Schema

LONGEST_KEY = 1024
"""Characters of a key at most."""
LONGEST_PATH = 300
"""Characters of a member's path that are shown: names that no definition has may be of any length."""
LONGEST_TERM = 32_766
"""Bytes in UTF-8 of a text at most if its field is filterable, sortable or facetable."""
_KEY = re.compile(r"[A-Za-z0-9=-][A-Za-z0-9_=-]*")
_FIELD_NAME = re.compile(r"(?!azureSearch)[A-Za-z][A-Za-z0-9_]{0,127}")
_MEMBER = re.compile(rb'"\s*:')
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)
_FRACTION = re.compile(r"\.\d+")
_NON_FINITE = frozenset({"NaN", "INF", "-INF"})
_INTEGERS = {
    "Edm.Int64": (-(2**63), 2**63 - 1),
    "Edm.Int32": (-(2**31), 2**31 - 1),
    "Edm.Int16": (-(2**15), 2**15 - 1),
    "Edm.SByte": (-128, 127),
    "Edm.Byte": (0, 255),
}
_FLOATS = {"Edm.Single": "<f", "Edm.Half": "<e"}
_COMPLEX = "Edm.ComplexType"
_PACKED_DIMENSIONS = 8

type _Findings = Iterator[tuple[str, str]]
type _Check = Callable[[Any, str], _Findings]


class Finding(msgspec.Struct, frozen=True):
    """What no service would take: the path of a member such as `/Rooms/0/BaseRate`, and why in words, no value."""

    member: str
    why: str

    def __str__(self) -> str:
        """Return both in words."""
        return f"{self.member[:LONGEST_PATH]}: {self.why}" if self.member else self.why


def definition_findings(schema: Schema) -> list[Finding]:
    """Return what no service would take in the fields of a definition: names, names given twice, types."""
    return list(_definition_findings(schema.fields, ""))


class DocumentCheck:
    """Checks the documents of one definition."""

    def __init__(self, schema: Schema) -> None:
        self._check = _members(schema.fields)
        self._key = schema.key.name

    def findings(self, line: bytes) -> Iterator[Finding]:
        """Yield what no service would take in a document: JSON without its `@search.*` members."""
        try:
            document = decode(line)
        except UNDECODABLE as error:
            yield Finding("", _undecodable(error))
            return
        if isinstance(document, dict) and len(_MEMBER.findall(line)) != _count(document):
            yield from (Finding(f"/{name}", "it is given twice in one object") for name in _given_twice(line))
        for member, why in self._check(document, ""):
            yield Finding(member, why)
        key = document.get(self._key) if isinstance(document, dict) else None
        fault = _key_fault(key) if isinstance(key, str) else None
        if fault is not None:
            yield Finding(f"/{self._key}", fault)


def _undecodable(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "its bytes are not UTF-8"
    if isinstance(error, msgspec.ValidationError):
        return "a number in it is larger than any double"
    return "it is not JSON, or nests too deep"


def _key_fault(key: str) -> str | None:
    if not key or len(key) > LONGEST_KEY:
        return f"a key has 1 to {LONGEST_KEY:,} characters"
    if _KEY.fullmatch(key) is None:
        return "a key has letters, digits, dashes, underscores and equal signs only, and no underscore in front"
    return None


def _count(value: Any) -> int:
    """Return the number of members of all objects in a value, or fewer where a list begins with something else."""
    if isinstance(value, dict):
        return len(value) + sum(_count(each) for each in value.values() if isinstance(each, dict | list))
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        return sum(_count(each) for each in value)
    return 0


def _given_twice(line: bytes) -> list[str]:
    """Return the names that an object of a document gives twice. Takes time: call it only if one may."""
    found: dict[str, None] = {}

    def note(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _value in pairs]
        if len(set(names)) != len(names):
            found.update((name, None) for name in names if names.count(name) > 1)

    json.loads(line, object_pairs_hook=note)
    return list(found)


def _definition_findings(fields: tuple[Field, ...], parent: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for field in fields:
        path = f"{parent}/{field.name}"
        if _FIELD_NAME.fullmatch(field.name) is None:
            yield Finding(path, "a field's name begins with a letter and has letters, digits and underscores only")
        if field.name in seen:
            yield Finding(path, "two fields have this name")
        seen.add(field.name)
        if field.item_type != _COMPLEX and field.item_type not in _CHECKS:
            yield Finding(path, "there is no such type")
        if field.key and (parent or field.type != "Edm.String"):
            yield Finding(path, "only a text at the top can be the key")
        yield from _definition_findings(field.fields, path)


def _members(fields: tuple[Field, ...]) -> _Check:
    checks = {field.name: _field(field) for field in fields}

    def check(value: Any, at: str) -> _Findings:
        if not isinstance(value, dict):
            yield at, "it has to be an object"
            return
        for name, member in value.items():
            if name in checks:
                yield from checks[name](member, f"{at}/{name}")
            else:
                yield f"{at}/{name}", "the definition has no such field"

    return check


def _field(field: Field) -> _Check:
    one = _members(field.fields) if field.is_complex else _CHECKS.get(field.item_type, _anything)
    if field.item_type == "Edm.String" and (field.filterable or field.sortable or field.facetable):
        one = _term
    if field.is_vector and field.is_collection:
        return _vector(field, one)
    if field.is_collection:
        return _collection(one)
    return lambda value, at: iter(()) if value is None else one(value, at)


def _collection(one: _Check) -> _Check:
    def check(value: Any, at: str) -> _Findings:
        if not isinstance(value, list):
            yield at, "it has to be a list; an empty one stands for none"
            return
        for number, item in enumerate(value):
            if item is None:
                yield f"{at}/{number}", "null can't be in a list"
            else:
                yield from one(item, f"{at}/{number}")

    return check


def _vector(field: Field, one: _Check) -> _Check:
    dimensions = field.dimensions or 0
    length = -(-dimensions // _PACKED_DIMENSIONS) if field.vector_encoding == "packedBit" else dimensions
    elements = _collection(one)

    def check(value: Any, at: str) -> _Findings:
        if value is None:
            return
        if not isinstance(value, list) or not _fit(value, field.item_type):
            yield from elements(value, at)
        if isinstance(value, list) and len(value) != length:
            yield at, f"it has {len(value):,} elements, and the definition asks for {length:,}"

    return check


def _fit(elements: list[Any], kind: str) -> bool:
    """Return whether all elements of a vector fit its type, or False where each has to be looked at."""
    kinds = set(map(type, elements))
    if kind in _INTEGERS and kinds == {int}:
        low, high = _INTEGERS[kind]
        return all(low <= element <= high for element in elements)
    if kind not in _FLOATS or not kinds <= {int, float}:
        return False
    try:
        struct.pack(f"<{len(elements)}{_FLOATS[kind][-1]}", *elements)
    except OverflowError:
        return False
    return True


def _text(value: Any, at: str) -> _Findings:
    if not isinstance(value, str):
        yield at, "it has to be a text"


def _term(value: Any, at: str) -> _Findings:
    yield from _text(value, at)
    if isinstance(value, str) and len(value) > LONGEST_TERM // 4 and len(value.encode()) > LONGEST_TERM:
        yield at, f"a text that is filterable, sortable or facetable has at most {LONGEST_TERM:,} bytes"


def _boolean(value: Any, at: str) -> _Findings:
    if not isinstance(value, bool):
        yield at, "it has to be true or false"


def _integer(kind: str) -> _Check:
    low, high = _INTEGERS[kind]

    def check(value: Any, at: str) -> _Findings:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            yield at, f"it has to be a whole number from {low:,} to {high:,} ({kind})"

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _double(value: Any, at: str) -> _Findings:
    try:
        fits = math.isfinite(value) if _is_number(value) else isinstance(value, str) and value in _NON_FINITE
    except OverflowError:
        fits = False
    if not fits:
        yield at, 'it has to be a number within a double, or "NaN", "INF", "-INF" (Edm.Double)'


def _narrow(kind: str) -> _Check:
    form = _FLOATS[kind]

    def check(value: Any, at: str) -> _Findings:
        try:
            fits = _is_number(value) and bool(struct.pack(form, value))
        except OverflowError:
            fits = False
        if not fits:
            yield at, f"it has to be a number in the range of {kind}"

    return check


def _date(value: Any, at: str) -> _Findings:
    if not isinstance(value, str) or not _DATE.fullmatch(value) or not _is_moment(value):
        yield at, "it has to be a date with an offset, such as 2026-11-21T08:30:00Z (Edm.DateTimeOffset)"


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(_FRACTION.sub("", text).upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def _point(value: Any, at: str) -> _Findings:
    if not isinstance(value, dict) or value.get("type") != "Point" or value.keys() - {"type", "coordinates", "crs"}:
        yield at, 'it has to be a point such as {"type":"Point","coordinates":[-122.1,47.6]} (Edm.GeographyPoint)'
        return
    match value.get("coordinates"):
        case [longitude, latitude] if _is_number(longitude) and _is_number(latitude):
            if not (abs(longitude) <= 180 and abs(latitude) <= 90):  # noqa: PLR2004  # the globe
                yield f"{at}/coordinates", "longitude is within 180, latitude within 90 degrees"
        case _:
            yield f"{at}/coordinates", "they have to be two numbers, longitude and latitude"


def _anything(_value: Any, _at: str) -> _Findings:
    return iter(())


_CHECKS: dict[str, _Check] = {
    "Edm.String": _text,
    "Edm.Boolean": _boolean,
    "Edm.Double": _double,
    "Edm.DateTimeOffset": _date,
    "Edm.GeographyPoint": _point,
    **{kind: _integer(kind) for kind in _INTEGERS},
    **{kind: _narrow(kind) for kind in _FLOATS},
}
