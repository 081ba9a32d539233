"""Compare two schemas for what happens to documents that go from one to the other."""

from collections.abc import Iterator

import msgspec

from indexvault.search.schema import Field, Schema

_FITS: dict[str, frozenset[str]] = {
    "Edm.Int32": frozenset({"Edm.Int64", "Edm.Double"}),
    "Edm.Single": frozenset({"Edm.Half"}),
    "Edm.Half": frozenset({"Edm.Single"}),
    "Edm.SByte": frozenset({"Edm.Int16", "Edm.Half", "Edm.Single"}),
    "Edm.Int16": frozenset({"Edm.Single"}),
}
"""Types whose values another type takes. Edm.Single into Edm.Half rounds, as vector compression does."""


class SchemaChanges(msgspec.Struct, frozen=True):
    """Field paths by what happens to them.

    `added` will be empty, `dropped` are left out of the documents, `rounded` keep fewer digits. `impossible` fields
    can't take the values; each has a reason.
    """

    added: list[str] = []
    dropped: list[str] = []
    rounded: list[str] = []
    impossible: list[tuple[str, str]] = []

    @property
    def none(self) -> bool:
        """Whether documents go in unchanged."""
        return not (self.added or self.dropped or self.rounded or self.impossible)


def schema_changes(source: Schema, target: Schema) -> SchemaChanges:
    """Return what happens to documents of one schema in an index of another."""
    found = SchemaChanges(added=[], dropped=[], rounded=[], impossible=[])
    _compare(found, "", source.fields, target.fields)
    for path, reason in _key_changes(source, target):
        found.impossible.append((path, reason))
    return found


def _compare(found: SchemaChanges, parent: str, source: tuple[Field, ...], target: tuple[Field, ...]) -> None:
    before = {field.name: field for field in source}
    after = {field.name: field for field in target}
    for name, field in before.items():
        path = f"{parent}{name}"
        other = after.get(name)
        if other is None:
            found.dropped.append(path)
        elif reason := _misfit(field, other):
            found.impossible.append((path, reason))
        else:
            if (field.item_type, other.item_type) == ("Edm.Single", "Edm.Half"):
                found.rounded.append(path)
            _compare(found, f"{path}/", field.fields, other.fields)
    found.added.extend(f"{parent}{name}" for name in after if name not in before)


def _misfit(field: Field, other: Field) -> str | None:
    """Return why the values of one field can't go into another, or None if they can."""
    if field.is_collection != other.is_collection or not _fits(field.item_type, other.item_type):
        return f"values of {field.type} don't fit {other.type}"
    if field.dimensions != other.dimensions:
        return f"a vector of {field.dimensions} dimensions does not fit {other.dimensions}"
    return None


def _fits(source: str, target: str) -> bool:
    return source == target or target in _FITS.get(source, frozenset())


def _key_changes(source: Schema, target: Schema) -> Iterator[tuple[str, str]]:
    keys = [field.name for field in target.fields if field.key]
    if keys != [source.key.name]:
        yield source.key.name, f"the key would be {' and '.join(keys) or 'missing'} instead of {source.key.name}"
