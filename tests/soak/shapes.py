"""Random index definitions over every type and kind of key, and documents for them."""

import random
import string
from dataclasses import dataclass
from typing import Any

type Document = dict[str, Any]

_PLAIN = {"filterable": False, "sortable": False, "facetable": False}
_KEY_KINDS = ("ordered", "filterable", "sortable", "searchable", "bare")
_SIMPLE = ("Edm.String", "Edm.Boolean", "Edm.Int32", "Edm.Int64", "Edm.Double", "Edm.DateTimeOffset")
_VECTORS = ("Collection(Edm.Single)", "Collection(Edm.Half)", "Collection(Edm.Int16)", "Collection(Edm.SByte)")
_DIMENSIONS = 3
_TEXTS = ("", "it's", "1 or 2", "Ärger", "𝄞 clef", "a|b", 'quo"te', "back\\slash", "line\nbreak", "NULL", "0")
_KEY_LETTERS = string.ascii_letters + string.digits + "_-="


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An index definition, and what a generator knows of it; the `hidden` fields are not returned by the service."""

    definition: dict[str, Any]
    key_kind: str
    hidden: tuple[str, ...]

    @property
    def name(self) -> str:
        name: str = self.definition["name"]
        return name

    @property
    def fields(self) -> list[dict[str, Any]]:
        fields: list[dict[str, Any]] = self.definition["fields"]
        return fields

    @property
    def is_ordered(self) -> bool:
        """Whether the key can be read in order."""
        return self.key_kind == "ordered"


def random_shape(rng: random.Random, name: str, *, hides: bool = False) -> Shape:
    """Return a definition whose key is of any kind, with up to seven other fields."""
    kind = rng.choice((*_KEY_KINDS, "ordered"))
    key = {
        "name": "id",
        "type": "Edm.String",
        "key": True,
        "searchable": kind == "searchable",
        "filterable": kind in {"ordered", "filterable"},
        "sortable": kind in {"ordered", "sortable"},
        "facetable": False,
        "retrievable": True,
    }
    if kind == "searchable":
        key["analyzer"] = "keyword"
    fields = [key, *(_field(rng, f"f{number}") for number in range(rng.randint(1, 7)))]
    rng.shuffle(fields)
    hidden: list[str] = []
    if hides:
        for field in rng.sample(fields, len(fields)):
            if not field.get("key") and "fields" not in field and len(hidden) < 2:
                field["retrievable"] = False
                hidden.append(field["name"])
    definition: dict[str, Any] = {"name": name, "fields": fields}
    if any("vectorSearchProfile" in field for field in fields):
        definition["vectorSearch"] = {
            "algorithms": [{"name": "h", "kind": "hnsw"}],
            "profiles": [{"name": "p", "algorithm": "h"}],
        }
    return Shape(definition=definition, key_kind=kind, hidden=tuple(hidden))


def random_key(rng: random.Random, number: int) -> str:
    """Return a key that no other number has."""
    start = rng.choice(("", "a", "A", "Z-", "0", "b_", "=", "x" * 40))
    return f"{start}{number:04}{''.join(rng.choices(_KEY_LETTERS, k=rng.choice((0, 0, 3))))}"


def random_document(rng: random.Random, shape: Shape, key: str) -> Document:
    """Return a document; some fields are null or left out."""
    document: Document = {"id": key}
    for field in shape.fields:
        if field.get("key") or rng.random() < 0.05:
            continue
        document[field["name"]] = _value(rng, field)
    return document


def _field(rng: random.Random, name: str, *, depth: int = 0) -> dict[str, Any]:
    drawn = rng.random()
    if depth == 0 and drawn < 0.12:
        return {
            "name": name,
            "type": rng.choice(_VECTORS),
            "searchable": True,
            "retrievable": True,
            "dimensions": _DIMENSIONS,
            "vectorSearchProfile": "p",
            "filterable": False,
            "sortable": False,
            "facetable": False,
        }
    if depth < 2 and drawn < 0.28:
        of = rng.choice(("Edm.ComplexType", "Collection(Edm.ComplexType)"))
        children = [_field(rng, f"{name}{letter}", depth=depth + 1) for letter in "abc"[: rng.randint(1, 3)]]
        if of.startswith("Collection"):
            _forbid_sorting(children)
        return {"name": name, "type": of, "fields": children}
    if drawn < 0.4:
        of = rng.choice(("Edm.String", "Edm.Int32", "Edm.Double", "Edm.Boolean", "Edm.DateTimeOffset"))
        return {
            "name": name,
            "type": f"Collection({of})",
            "searchable": False,
            **_PLAIN,
            "filterable": rng.random() < 0.6,
            "facetable": rng.random() < 0.5,
            "retrievable": True,
        }
    if drawn < 0.45:
        return {"name": name, "type": "Edm.GeographyPoint", **_PLAIN, "searchable": False, "retrievable": True}
    of = rng.choice(_SIMPLE)
    return {
        "name": name,
        "type": of,
        "searchable": of == "Edm.String" and rng.random() < 0.5,
        "filterable": rng.random() < 0.6,
        "sortable": rng.random() < 0.5,
        "facetable": rng.random() < 0.4,
        "retrievable": True,
    }


def _forbid_sorting(fields: list[dict[str, Any]]) -> None:
    for field in fields:
        if "fields" in field:
            _forbid_sorting(field["fields"])
        else:
            field["sortable"] = False


def _value(rng: random.Random, field: dict[str, Any]) -> Any:
    of = field["type"]
    if "dimensions" in field:
        return None if rng.random() < 0.1 else [_component(rng, of) for _ in range(field["dimensions"])]
    if of.startswith("Collection("):
        element = field | {"type": of[len("Collection(") : -1]}
        return [_whole(rng, element) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    return None if rng.random() < 0.15 else _whole(rng, field)


def _component(rng: random.Random, of: str) -> float | int:
    return rng.choice((0.5, -0.25, 1.0, 0.125)) if "Single" in of or "Half" in of else rng.randint(-100, 100)


def _whole(rng: random.Random, field: dict[str, Any]) -> Any:  # noqa: PLR0911 - a table of types
    few = rng.random() < 0.5
    match field["type"]:
        case "Edm.ComplexType":
            return {child["name"]: _value(rng, child) for child in field["fields"]}
        case "Edm.String":
            return rng.choice(_TEXTS) if few else "".join(rng.choices(string.ascii_letters + " ", k=rng.randint(1, 60)))
        case "Edm.Boolean":
            return few
        case "Edm.Int32":
            return rng.randint(0, 3) if few else rng.randint(-(2**31), 2**31 - 1)
        case "Edm.Int64":
            return rng.randint(0, 3) if few else rng.randint(-(2**63), 2**63 - 1)
        case "Edm.Double":
            return rng.choice((0.0, 1.5, -2.25)) if few else rng.uniform(-1e6, 1e6)
        case "Edm.DateTimeOffset":
            return (
                "2026-01-01T00:00:00Z"
                if few
                else f"20{rng.randint(10, 26)}-0{rng.randint(1, 9)}-11T10:00:00.{rng.randint(1, 999):03}Z"
            )
        case "Edm.GeographyPoint":
            return {"type": "Point", "coordinates": [rng.randint(-179, 179) + 0.5, rng.randint(-89, 89) + 0.25]}
    raise AssertionError(field)
