"""Parts between values of a filterable and sortable field, found by rank.

The field's own values are the borders, as the service returned them, so the cut is exact in the field's own precision.
Parts are half-open. Nulls, and NaN among doubles, compare with nothing and are parts of their own; so is a value that
more documents share than a part should have.
"""

from collections.abc import Iterator

import msgspec

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.partition import Between, Condition, Equals, NotANumber, Null, Number, Partition
from indexvault.backup.partitioners.partitioner import COMFORTABLE
from indexvault.search.schema import Field, Schema

_PREFERENCE = ("Edm.DateTimeOffset", "Edm.Double", "Edm.Int64", "Edm.String", "Edm.Int32")
"""Types by how many different values their fields tend to have."""


def ordered_fields(schema: Schema) -> list[tuple[str, Field]]:
    """Return the fields, with paths, that documents can be filtered and sorted by and that are returned with them."""
    found = [
        (path, field)
        for path, field in single_valued(schema)
        if field.type in _PREFERENCE and field.filterable is not False and field.sortable is not False
        if field.is_readable and not field.key
    ]
    return sorted(found, key=lambda entry: _PREFERENCE.index(entry[1].type))


def single_valued(schema: Schema) -> Iterator[tuple[str, Field]]:
    """Return the simple fields that have one value a document, those in complex fields too, with their paths."""
    collections = [f"{path}/" for path, field in schema.walk() if field.is_collection and field.is_complex]
    for path, field in schema.walk():
        inside = any(path.startswith(collection) for collection in collections)
        if not (inside or field.is_collection or field.is_complex):
            yield path, field


class _Piece(msgspec.Struct, frozen=True):
    between: Between
    documents: int


class ByField:
    """Cuts by the values of one field."""

    exact = True

    def __init__(self, path: str, field: Field, *, comfortable: int = COMFORTABLE) -> None:
        self.name = f"ranges of {path} ({field.type.removeprefix('Edm.')})"
        self._path = path
        self._field = field
        self._comfortable = comfortable

    async def split(self, probe: IndexProbe, part: Partition) -> list[Partition]:
        """See `Partitioner.split`."""
        parts = []
        for condition in self._apart():
            count = await probe.count(part.narrowed(condition))
            if count:
                parts.append(part.narrowed(condition, documents=count))
        values = Number(self._path) if self._field.type == "Edm.Double" else Between(self._path)
        count = await probe.count(part.narrowed(values))
        pending = [_Piece(Between(self._path), count)] if count else []
        while pending:
            piece = pending.pop()
            whole = piece.between == Between(self._path)
            narrowed = part.narrowed(values if whole else piece.between, documents=piece.documents)
            pivot = await self._pivot(probe, narrowed)
            if pivot is None:
                parts.append(narrowed)
                continue
            done, further = await self._cut(probe, part, piece.between, pivot)
            parts += done
            pending += further
        return parts

    def _apart(self) -> list[Condition]:
        nulls: list[Condition] = [Null(self._path)]
        return [*nulls, NotANumber(self._path)] if self._field.type == "Edm.Double" else nulls

    async def _pivot(self, probe: IndexProbe, part: Partition) -> str | None:
        """Return the value to cut a part at; None if the part is small enough, or can't be cut."""
        if part.documents <= self._comfortable:
            return None
        rank = self._comfortable if part.documents > 2 * self._comfortable else part.documents // 2
        return await probe.value_at(part, self._path, self._field, rank)

    async def _cut(
        self, probe: IndexProbe, part: Partition, between: Between, pivot: str
    ) -> tuple[list[Partition], list[_Piece]]:
        """Cut at a value. Where nothing lies below it, it is the lowest, and shared by many: it becomes a part."""
        below = msgspec.structs.replace(between, high=pivot)
        count = await probe.count(part.narrowed(below))
        done = []
        if count:
            pieces = [_Piece(below, count)]
            rest = msgspec.structs.replace(between, low=pivot, after=False)
        else:
            pieces = []
            value = part.narrowed(Equals(self._path, pivot))
            shared = await probe.count(value)
            done = [msgspec.structs.replace(value, documents=shared)] if shared else []
            rest = msgspec.structs.replace(between, low=pivot, after=True)
        above = await probe.count(part.narrowed(rest))
        return done, [*pieces, *([_Piece(rest, above)] if above else [])]
