"""Partitions between values of a field that can be filtered but not sorted, found by bisection and counting.

Each type's values are numbered in their order, so that bisection ends: dates by the millisecond, integers as they are,
doubles by their bits, which for numbers of one sign sort as the numbers do.
"""

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Between, Condition, Equals, NotANumber, Null, Number, Partition
from indexvault.backup.partitioners.by_field import single_valued
from indexvault.search.literals import double_literal
from indexvault.search.schema import Field, Schema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_INFINITE = 0x7FF0_0000_0000_0000


class Scale(msgspec.Struct, frozen=True):
    """A type's values, numbered from `first` to `last` inclusive, and the literal of each number."""

    first: int
    last: int
    literal: Callable[[int], str]


def date_literal(milliseconds: int) -> str:
    """Return the literal of a time in milliseconds since 1970."""
    time = _EPOCH + milliseconds * _MILLISECOND
    return f"{time.year:04}-{time:%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"


def double_at(number: int) -> float:
    """Return the double that has a number: 0 is zero, 1 the smallest double above it, -1 the largest below it."""
    bits = abs(number)
    (magnitude,) = struct.unpack(">d", bits.to_bytes(8))
    return float(-magnitude if number < 0 else magnitude)


SCALES: Mapping[str, Scale] = {
    "Edm.Int32": Scale(-(2**31), 2**31 - 1, str),
    "Edm.Int64": Scale(-(2**63), 2**63 - 1, str),
    "Edm.DateTimeOffset": Scale(
        (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND,
        (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND,
        date_literal,
    ),
    "Edm.Double": Scale(-_INFINITE, _INFINITE, lambda number: double_literal(double_at(number))),
}


def bisectable_fields(schema: Schema) -> list[tuple[str, Field]]:
    """Return the fields, with paths, that can be filtered and whose values can be numbered."""
    return [
        (path, field)
        for path, field in single_valued(schema)
        if field.filterable is not False and (field.type in SCALES or field.type == "Edm.Boolean")
    ]


class ByBisection:
    """Bisects the values that a field can have."""

    exact = True

    def __init__(self, path: str, field: Field, limits: Limits = LIMITS) -> None:
        self.name = f"halves of {path} ({field.type.removeprefix('Edm.')})"
        self._path = path
        self._type = field.type
        self._comfortable = limits.comfortable_partition

    async def split(self, probe: IndexProbe, partition: Partition) -> list[Partition]:
        """See `Partitioner.split`."""
        conditions: list[Condition] = [Null(self._path)]
        if self._type == "Edm.Boolean":
            conditions += [Equals(self._path, "true"), Equals(self._path, "false")]
        if self._type == "Edm.Double":
            conditions.append(NotANumber(self._path))
        partitions = [await self._counted(probe, partition, condition) for condition in conditions]
        if self._type != "Edm.Boolean":
            partitions += await self._bisected(probe, partition, SCALES[self._type])
        return partitions

    async def _bisected(self, probe: IndexProbe, partition: Partition, scale: Scale) -> list[Partition]:
        """Bisect the values between two numbers, the upper one excluded, until few documents or one value are left."""
        partitions = []
        pending = [(scale.first, scale.last + 1)]
        while pending:
            low, high = pending.pop()
            counted = await self._counted(probe, partition, self._condition(scale, low, high))
            if counted.documents <= self._comfortable or high - low == 1:
                partitions.append(counted)
                continue
            middle = (low + high) // 2
            pending += [(middle, high), (low, middle)]
        return partitions

    def _condition(self, scale: Scale, low: int, high: int) -> Condition:
        """Return the condition for the values between two numbers.

        The first and the last number are no bounds: values that a service may hold beyond them must not be lost.
        """
        if (low, high) == (scale.first, scale.last + 1):
            return Number(self._path) if self._type == "Edm.Double" else Between(self._path)
        return Between(
            self._path,
            low=scale.literal(low) if low > scale.first else None,
            high=scale.literal(high) if high <= scale.last else None,
        )

    async def _counted(self, probe: IndexProbe, partition: Partition, condition: Condition) -> Partition:
        return partition.narrowed(condition, documents=await probe.count(partition.narrowed(condition)))
