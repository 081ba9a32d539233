"""The fields of an index's definition, those inside complex fields included."""

from collections.abc import Iterator

import msgspec

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, UnexpectedAnswerError


class Field(msgspec.Struct, frozen=True, rename="camel"):
    """A field of a definition: the attributes that decide how documents are read and written.

    None means that the definition leaves an attribute to the service's default.
    """

    name: str
    type: str
    key: bool = False
    retrievable: bool | None = None
    stored: bool | None = None
    filterable: bool | None = None
    sortable: bool | None = None
    searchable: bool | None = None
    facetable: bool | None = None
    normalizer: str | None = None
    dimensions: int | None = None
    vector_encoding: str | None = None
    synonym_maps: tuple[str, ...] = ()
    fields: tuple["Field", ...] = ()

    @property
    def is_collection(self) -> bool:
        """Whether the field holds a list."""
        return self.type.startswith("Collection(")

    @property
    def item_type(self) -> str:
        """The type of the field, or of one item of its collection."""
        return self.type.removeprefix("Collection(").removesuffix(")")

    @property
    def is_complex(self) -> bool:
        """Whether the field, or each of its items, has fields of its own."""
        return self.item_type == "Edm.ComplexType"

    @property
    def is_vector(self) -> bool:
        """Whether the field holds a vector."""
        return self.dimensions is not None

    @property
    def is_readable(self) -> bool:
        """Whether queries return documents with this field.

        A simple field is retrievable unless the definition says otherwise, a vector only if it says so. Source: Indexes
        - Create (REST API), SearchField, 2026-09.
        """
        if self.is_complex:
            return True
        return self.stored is not False and (
            self.retrievable is True if self.is_vector else self.retrievable is not False
        )


class Schema(msgspec.Struct, frozen=True, rename="camel"):
    """The part of an index's definition that reading and writing its documents depends on."""

    name: str
    fields: tuple[Field, ...]
    permission_filter_option: str | None = None
    purview_enabled: bool | None = None

    def walk(self) -> Iterator[tuple[str, Field]]:
        """Yield every field with its path (`Rooms/BaseRate`), a complex field before the fields inside it."""
        yield from _walk("", self.fields)

    @property
    def is_protected(self) -> bool:
        """Whether queries leave documents out by access lists or sensitivity labels, unless they read elevated.

        Both are answered without a word. Source: Query-time ACL and RBAC enforcement, 2025-12, and Query-time Microsoft
        Purview sensitivity label enforcement in Azure AI Search, 2026-06.
        """
        return (self.permission_filter_option or "").lower() == "enabled" or self.purview_enabled is True

    @property
    def key(self) -> Field:
        """The key field. Raises UnexpectedAnswerError if the definition has none."""
        for field in self.fields:
            if field.key:
                return field
        raise UnexpectedAnswerError("the definition has no key field", on=f"index {self.name}", do="Report this")

    @property
    def no_key_order_reason(self) -> str | None:
        """Why documents can't be read in the order of their keys, such as `not sortable`; None if they can.

        A normalizer changes how keys sort and compare, so a key with one gives no order to rely on.
        """
        key = self.key
        attributes = (("filterable", key.filterable), ("sortable", key.sortable))
        missing = [name for name, value in attributes if value is False]
        if missing:
            return f"not {' and not '.join(missing)}"
        return "ordered by a normalizer" if key.normalizer else None

    @property
    def has_key_order(self) -> bool:
        """Whether documents can be read in the order of their keys."""
        return self.no_key_order_reason is None

    def synonym_map_names(self) -> list[str]:
        """Return the names of the synonym maps that any field uses, sorted."""
        return sorted({name for _path, field in self.walk() for name in field.synonym_maps})


def read_schema(definition: bytes | msgspec.Raw, *, on: str) -> Schema:
    """Read the schema of a raw definition. Raises UnexpectedAnswerError naming `on` if it is not one."""
    try:
        return decode(definition, Schema)
    except UNDECODABLE as error:
        raise UnexpectedAnswerError(
            f"not an index definition ({error})", on=on, do="Check that the endpoint is an Azure AI Search service"
        ) from None


def _walk(parent: str, fields: tuple[Field, ...]) -> Iterator[tuple[str, Field]]:
    for field in fields:
        path = f"{parent}/{field.name}" if parent else field.name
        yield path, field
        yield from _walk(path, field.fields)
