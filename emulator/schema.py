"""An index's fields, as the rest of the emulator uses them."""

from collections.abc import Iterator
from typing import Any

import msgspec

COMPLEX = "Edm.ComplexType"
SIMPLE_TYPES = frozenset(
    {
        "Edm.String",
        "Edm.Boolean",
        "Edm.Int32",
        "Edm.Int64",
        "Edm.Double",
        "Edm.DateTimeOffset",
        "Edm.GeographyPoint",
    }
)
VECTOR_TYPES = {"Edm.Single": 4, "Edm.Half": 2, "Edm.Int16": 2, "Edm.SByte": 1, "Edm.Byte": 1}
"""Element types that only vectors have, and the bytes of one element."""


class Field(msgspec.Struct, frozen=True):
    """A field at any level; `path` is its OData path (`Rooms/Tags`), `type` the type of its elements."""

    name: str
    path: str
    type: str
    collection: bool
    inside_collection: bool
    key: bool = False
    retrievable: bool = True
    stored: bool = True
    searchable: bool = False
    filterable: bool = False
    sortable: bool = False
    facetable: bool = False
    analyzer: str | None = None
    normalizer: str | None = None
    dimensions: int | None = None
    packed: bool = False
    permission_filter: str | None = None
    label: bool = False
    fields: tuple["Field", ...] = ()

    @property
    def complex(self) -> bool:
        """Whether it has sub-fields."""
        return self.type == COMPLEX

    @property
    def vector(self) -> bool:
        """Whether it holds a vector."""
        return self.type in VECTOR_TYPES

    @property
    def hides(self) -> bool:
        """Whether the field, or anything below it, is hidden from readers."""
        return not (self.retrievable and self.stored) or any(child.hides for child in self.fields)


class Schema:
    """The fields of one index."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self.by_name = {field.name: field for field in fields}
        self.by_path = {field.path: field for field in walk(fields)}
        self.key = next(field for field in fields if field.key)
        self.hides = any(field.hides for field in fields)
        self.permission_fields = tuple(field for field in fields if field.permission_filter)
        self.label_fields = tuple(field for field in fields if field.label)
        self.searchable = tuple(field for field in walk(fields) if field.searchable and not field.vector)
        self.columns = tuple(field for field in walk(fields) if _has_column(field))
        """Fields with one comparable value per document, which become columns of the document table."""

    @classmethod
    def of(cls, definition: dict[str, Any]) -> "Schema":
        """Read the fields of a normalised definition."""
        return cls(tuple(_field(raw, "", inside_collection=False) for raw in definition["fields"]))


def walk(fields: tuple[Field, ...]) -> Iterator[Field]:
    """Return every field, parents before children."""
    for field in fields:
        yield field
        yield from walk(field.fields)


def element_type(declared: str) -> tuple[str, bool]:
    """Split a declared type into its element type and whether it is a collection."""
    if declared.startswith("Collection(") and declared.endswith(")"):
        return declared[len("Collection(") : -1], True
    return declared, False


def _field(raw: dict[str, Any], parent: str, *, inside_collection: bool) -> Field:
    kind, collection = element_type(raw["type"])
    path = f"{parent}{raw['name']}"
    if kind == COMPLEX:
        inside = inside_collection or collection
        children = tuple(_field(child, f"{path}/", inside_collection=inside) for child in raw["fields"])
        return Field(raw["name"], path, kind, collection, inside_collection, fields=children)
    return Field(
        raw["name"],
        path,
        kind,
        collection,
        inside_collection,
        key=raw["key"],
        retrievable=raw["retrievable"],
        stored=raw["stored"],
        searchable=raw["searchable"],
        filterable=raw["filterable"],
        sortable=raw["sortable"],
        facetable=raw["facetable"],
        analyzer=raw["analyzer"] or raw["indexAnalyzer"],
        normalizer=raw["normalizer"],
        dimensions=raw["dimensions"],
        packed=raw["vectorEncoding"] == "packedBit",
        permission_filter=raw["permissionFilter"],
        label=bool(raw["sensitivityLabel"]),
    )


def _has_column(field: Field) -> bool:
    if field.complex or field.collection or field.inside_collection or field.type == "Edm.GeographyPoint":
        return False
    return field.filterable or field.sortable or field.facetable
