"""Partitions between values of a filterable and sortable field, found by rank.

The field's own values are the bounds, as the service returned them, so the split is exact in the field's own precision.
Partitions are half-open intervals. Nulls, and NaN in a field of doubles, compare with nothing and get partitions of
their own; so does a value that more documents share than a partition should have.
"""

from collections.abc import Iterator

import msgspec

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Between, Condition, Equals, NotANumber, Null, Number, Partition
from indexvault.search.schema import Field, Schema

_PREFERENCE = ("Edm.DateTimeOffset", "Edm.Double", "Edm.Int64", "Edm.String", "Edm.Int32")
"""Types in the order of how many different values their fields tend to have, the most first."""


def ordered_fields(schema: Schema) -> list[tuple[str, Field]]:
    """Return the fields, with paths, that are filterable, sortable and retrievable, other than the key."""
    found = [
        (path, field)
        for path, field in single_valued(schema)
        if field.type in _PREFERENCE and field.filterable is not False and field.sortable is not False
        if field.is_readable and not field.key
    ]
    return sorted(found, key=lambda entry: _PREFERENCE.index(entry[1].type))


def single_valued(schema: Schema) -> Iterator[tuple[str, Field]]:
    """Yield the simple fields that have one value per document, with paths, including those inside complex fields."""
    collections = [f"{path}/" for path, field in schema.walk() if field.is_collection and field.is_complex]
    for path, field in schema.walk():
        inside = any(path.startswith(collection) for collection in collections)
        if not (inside or field.is_collection or field.is_complex):
            yield path, field


class _Interval(msgspec.Struct, frozen=True):
    between: Between
    documents: int


class ByField:
    """Splits by the values of one field."""

    exact = True

    def __init__(self, path: str, field: Field, limits: Limits = LIMITS) -> None:
        self.name = f"ranges of {path} ({field.type.removeprefix('Edm.')})"
        self._path = path
        self._field = field
        self._comfortable = limits.comfortable_partition

    async def split(self, probe: IndexProbe, partition: Partition) -> list[Partition]:
        """See `Partitioner.split`."""
        partitions = []
        for condition in self._valueless():
            count = await probe.count(partition.narrowed(condition))
            partitions.append(partition.narrowed(condition, documents=count))
        values = Number(self._path) if self._field.type == "Edm.Double" else Between(self._path)
        count = await probe.count(partition.narrowed(values))
        pending = [_Interval(Between(self._path), count)]
        while pending:
            interval = pending.pop()
            whole = interval.between == Between(self._path)
            narrowed = partition.narrowed(values if whole else interval.between, documents=interval.documents)
            pivot = await self._pivot(probe, narrowed)
            if pivot is None:
                partitions.append(narrowed)
                continue
            done, further = await self._split_at(probe, partition, interval.between, pivot)
            partitions += done
            pending += further
        return partitions

    def _valueless(self) -> list[Condition]:
        """Return the conditions for documents whose value is in no interval."""
        nulls: list[Condition] = [Null(self._path)]
        return [*nulls, NotANumber(self._path)] if self._field.type == "Edm.Double" else nulls

    async def _pivot(self, probe: IndexProbe, partition: Partition) -> str | None:
        """Return the value to split a partition at; None if it is small enough or can't be split."""
        if partition.documents <= self._comfortable:
            return None
        rank = self._comfortable if partition.documents > 2 * self._comfortable else partition.documents // 2
        return await probe.value_at(partition, self._path, self._field, rank)

    async def _split_at(
        self, probe: IndexProbe, partition: Partition, between: Between, pivot: str
    ) -> tuple[list[Partition], list[_Interval]]:
        """Split at a value. If nothing lies below it, many documents share it: it becomes a partition of its own."""
        below = msgspec.structs.replace(between, high=pivot)
        count = await probe.count(partition.narrowed(below))
        done = []
        intervals = [_Interval(below, count)]
        if count:
            rest = msgspec.structs.replace(between, low=pivot, after=False)
        else:
            value = partition.narrowed(Equals(self._path, pivot))
            shared = await probe.count(value)
            done = [msgspec.structs.replace(value, documents=shared)]
            rest = msgspec.structs.replace(between, low=pivot, after=True)
        above = await probe.count(partition.narrowed(rest))
        return done, [*intervals, _Interval(rest, above)]
