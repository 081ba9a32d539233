"""Generated indexes of every shape that a backup must read."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

_OFF = {"filterable": False, "sortable": False, "facetable": False}
_TEXT = {"name": "text", "type": "Edm.String", "searchable": True, "retrievable": True} | _OFF


class Shape(msgspec.Struct, frozen=True):
    """An index: its definition, its number of documents, and the function that makes one from its number and an rng."""

    name: str
    documents: int
    definition: dict[str, Any]
    document: Callable[[int, random.Random], dict[str, Any]]


def _definition(name: str, *fields: dict[str, Any], key: Mapping[str, Any] | None = None) -> dict[str, Any]:
    plain = {"name": "id", "type": "Edm.String", "key": True, "retrievable": True, "searchable": False} | _OFF
    return {"name": name, "fields": [plain | dict(key or {}), *fields, _TEXT]}


def _field(name: str, edm_type: str, **attributes: bool) -> dict[str, Any]:
    return {"name": name, "type": edm_type, "retrievable": True, "searchable": False} | _OFF | attributes


def _key(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}-{number}"


def _text(rng: random.Random, size: int) -> str:
    return f"{rng.getrandbits(4 * size):x}"


def _ordered(number: int, rng: random.Random) -> dict[str, Any]:
    return {"id": _key(number), "rating": rng.random() * 5, "text": _text(rng, 500)}


def _dated(number: int, rng: random.Random) -> dict[str, Any]:
    """Return a document; every other one has the same date, every three-hundredth none."""
    changed = f"20{rng.randrange(10, 26)}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}T10:00:{number % 60:02}Z"
    if number % 2:
        changed = "2026-01-01T00:00:00Z"
    return {
        "id": _key(number),
        "changed": None if number % 300 == 0 else changed,
        "rating": rng.random() * 5,
        "text": _text(rng, 500),
    }


def _categorised(number: int, rng: random.Random) -> dict[str, Any]:
    return {"id": _key(number), "category": f"c{number % 40}", "text": _text(rng, 500)}


def _keyed(number: int, rng: random.Random) -> dict[str, Any]:
    return {"id": _key(number), "text": _text(rng, 500)}


def _large(number: int, rng: random.Random) -> dict[str, Any]:
    return {"id": _key(number), "rating": rng.random(), "text": _text(rng, 1_000_000)}


_BOTH = {"filterable": True, "sortable": True}
SHAPES: Mapping[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape(
            "key-order",
            1_000_000,
            _definition("key-order", _field("rating", "Edm.Double", **_BOTH), key=_BOTH),
            _ordered,
        ),
        Shape(
            "dates",
            300_000,
            _definition(
                "dates", _field("changed", "Edm.DateTimeOffset", **_BOTH), _field("rating", "Edm.Double", **_BOTH)
            ),
            _dated,
        ),
        Shape(
            "facets",
            300_000,
            _definition("facets", _field("category", "Edm.String", filterable=True, facetable=True)),
            _categorised,
        ),
        Shape(
            "searchable-key",
            300_000,
            _definition("searchable-key", key={"searchable": True, "analyzer": "keyword"}),
            _keyed,
        ),
        Shape("filterable-key", 300_000, _definition("filterable-key", key={"filterable": True}), _keyed),
        Shape("two-ends", 180_000, _definition("two-ends", _field("rating", "Edm.Double", sortable=True)), _ordered),
        Shape("plain", 90_000, _definition("plain"), _keyed),
        Shape("megabytes", 1_000, _definition("megabytes", _field("rating", "Edm.Double", **_BOTH), key=_BOTH), _large),
    )
}
