"""Document values: checked against their field's type, and rendered as the service returns them.

A rendered value is plain JSON data: dates in UTC, points with `crs`, complex values complete and in schema order.
Source: recorded traffic of the official SDKs' tests (boundary values), and the supported data types, 2026-09.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.failures import MalformedDocumentError, UnfitDocumentError
from emulator.schema import Field
from emulator.tiers import MAX_TERM_BYTES

type Render = Callable[[Any], Any]

_NON_FINITE = {"NaN", "INF", "-INF"}
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_INTEGERS = {
    "Edm.Int32": (-(2**31), 2**31 - 1),
    "Edm.Int64": (-(2**63), 2**63 - 1),
    "Edm.Int16": (-(2**15), 2**15 - 1),
    "Edm.SByte": (-128, 127),
    "Edm.Byte": (0, 255),
}


def renderer(field: Field) -> Render:
    """Return the function that checks and renders values of a field; it raises MalformedDocumentError."""
    one = _complex(field) if field.complex else _simple(field)
    if field.vector:
        return _vector(field, one)
    return _collection(field, one) if field.collection else _nullable(one)


def empty(field: Field) -> object:
    """Return the rendered value of a field that a document lacks."""
    return [] if field.collection and not field.vector else None


def parse_date(text: str) -> int | None:
    """Return a DateTimeOffset as milliseconds since 1970 in UTC, finer digits cut; None if it isn't one."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    day, minutes, seconds, fraction, offset = match.groups()
    zone = "+00:00" if offset in "Zz" else offset
    try:
        moment = datetime.fromisoformat(f"{day}T{minutes}:{seconds or '00'}{zone}")
        whole = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    milliseconds = whole * 1000 + int(((fraction or "") + "000")[:3])
    return milliseconds if _FIRST <= milliseconds <= _LAST else None


def render_date(milliseconds: int) -> str:
    """Write milliseconds since 1970 as the service does: in UTC, without trailing zeros."""
    seconds, rest = divmod(milliseconds, 1000)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    text = text.rjust(19, "0")
    return f"{text}.{rest:03d}".rstrip("0") + "Z" if rest else text + "Z"


def comparable(field: Field, value: Any) -> Any:
    """Return a rendered value as filters and orders compare it: dates as numbers, strings normalised."""
    if value is None:
        return None
    if field.type == "Edm.String":
        return normalise(field, value)
    if field.type == "Edm.DateTimeOffset":
        return parse_date(value)
    if field.type == "Edm.Double":
        return float(value) if value != "NaN" else "NaN"
    return value


def normalise(field: Field, text: str) -> str:
    """Apply a field's normalizer."""
    match field.normalizer:
        case "lowercase" | "standard":
            return text.lower()
        case "uppercase":
            return text.upper()
        case _:
            return text


def _cannot_convert(value: object, expected: str) -> MalformedDocumentError:
    if isinstance(value, dict | list):
        node = "StartObject" if isinstance(value, dict) else "StartArray"
        return MalformedDocumentError(
            f"An unexpected '{node}' node was found when reading from the JSON reader. "
            "A 'PrimitiveValue' node was expected."
        )
    return MalformedDocumentError(
        f"Cannot convert a value to target type '{expected}' because of conversion error. "
        "See the inner exception for more details."
    )


def _nullable(one: Render) -> Render:
    return lambda value: None if value is None else one(value)


def _collection(field: Field, one: Render) -> Render:
    def render(value: Any) -> list[Any]:
        if value is None:
            raise MalformedDocumentError(
                f"A null value was found for the property named '{field.name}', which has the expected type "
                f"'Collection({field.type})[Nullable=False]'. The expected type "
                f"'Collection({field.type})[Nullable=False]' does not allow null values."
            )
        if not isinstance(value, list):
            raise MalformedDocumentError(
                "An unexpected 'PrimitiveValue' node was found when reading from the JSON reader. "
                "A 'StartArray' node was expected."
            )
        if None in value:
            raise MalformedDocumentError(
                "A null value was detected in the items of a collection property value; non-nullable instances of "
                "collection types do not support null values as items."
            )
        return [one(item) for item in value]

    return render


def _vector(field: Field, one: Render) -> Render:
    expected = (field.dimensions or 0) // 8 if field.packed else field.dimensions
    elements = _collection(field, one)
    floating = field.type in {"Edm.Single", "Edm.Half"}

    def render(value: Any) -> list[Any] | None:
        if value is None:
            return None
        floats = (
            floating and isinstance(value, list) and all(type(item) is float and math.isfinite(item) for item in value)
        )
        vector: list[Any] = value if floats else elements(value)
        if len(vector) != expected:
            raise MalformedDocumentError(
                f"There's a mismatch in vector dimensions. The vector field '{field.name}', with dimension of "
                f"'{field.dimensions}', expects a length of '{expected}'. However, the provided vector has a length "
                f"of '{len(vector)}'. Please ensure that the vector length matches the expected length of the vector "
                "field."
            )
        return vector

    return render


def _complex(field: Field) -> Render:
    children = [(child.name, renderer(child), child) for child in field.fields]
    names = {child.name for child in field.fields}

    def render(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise MalformedDocumentError(
                "An unexpected 'PrimitiveValue' node was found when reading from the JSON reader. "
                "A 'StartObject' node was expected."
            )
        if not names.issuperset(value):
            unknown = next(name for name in value if name not in names)
            raise MalformedDocumentError(
                f"The property '{unknown}' does not exist on type 'search.complex.{field.path.replace('/', '.')}'. "
                "Make sure to only use property names that are defined by the type."
            )
        return {name: one(value[name]) if name in value else empty(child) for name, one, child in children}

    return render


def _simple(field: Field) -> Render:
    match field.type:
        case "Edm.String":
            return _string(field)
        case "Edm.Boolean":
            return _boolean
        case "Edm.Double" | "Edm.Single" | "Edm.Half":
            return _number(field.type)
        case "Edm.DateTimeOffset":
            return _date
        case "Edm.GeographyPoint":
            return _point
        case _:
            return _integer(field.type)


def _string(field: Field) -> Render:
    limited = field.filterable or field.sortable or field.facetable

    def render(value: Any) -> str:
        if not isinstance(value, str):
            raise _cannot_convert(value, "Edm.String")
        if limited and len(value) > MAX_TERM_BYTES // 4 and len(value.encode()) > MAX_TERM_BYTES:
            raise UnfitDocumentError(
                f"Field '{field.name}' contains a term that is too large to process. The max length for UTF-8 encoded "
                f"terms is {MAX_TERM_BYTES} bytes. The most likely cause of this error is that filtering, sorting, "
                "and/or faceting are enabled on this field, which causes the entire field value to be indexed as a "
                "single term. Please avoid the use of these options for large fields."
            )
        return value

    return render


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _cannot_convert(value, "Edm.Boolean")
    return value


def _integer(kind: str) -> Render:
    low, high = _INTEGERS[kind]

    def render(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _cannot_convert(value, kind)
        return value

    return render


def _number(kind: str) -> Render:
    def render(value: Any) -> float | str:
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
            if not math.isfinite(value):
                raise _cannot_convert(value, kind)
            return float(value)
        if isinstance(value, str) and value in _NON_FINITE and kind == "Edm.Double":
            return value
        raise _cannot_convert(value, kind)

    return render


def _date(value: Any) -> str:
    milliseconds = parse_date(value) if isinstance(value, str) else None
    if milliseconds is None:
        raise _cannot_convert(value, "Edm.DateTimeOffset")
    return render_date(milliseconds)


def _point(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("type") != "Point" or set(value) - {"type", "coordinates", "crs"}:
        raise _cannot_convert(value, "Edm.GeographyPoint")
    coordinates = value.get("coordinates")
    if not isinstance(coordinates, list) or len(coordinates) != 2:  # noqa: PLR2004  # a pair
        raise _cannot_convert(value, "Edm.GeographyPoint")
    numbers = [item for item in coordinates if isinstance(item, int | float) and not isinstance(item, bool)]
    if len(numbers) != len(coordinates):
        raise _cannot_convert(value, "Edm.GeographyPoint")
    longitude, latitude = float(numbers[0]), float(numbers[1])
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):  # noqa: PLR2004  # the globe
        raise _cannot_convert(value, "Edm.GeographyPoint")
    return {
        "type": "Point",
        "coordinates": [longitude, latitude],
        "crs": {"type": "name", "properties": {"name": "EPSG:4326"}},
    }
