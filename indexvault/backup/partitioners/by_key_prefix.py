"""Partitions by the beginning of the key.

A filterable key is split into exact ranges at prefixes. One that can only be searched is looked up by prefix queries in
full Lucene syntax. Their results depend on how the key's analyzer splits and folds keys: a key may be in several
partitions, or in none; the count of unique keys decides in the end. Keys never change, so no document moves between
partitions while they are read.

Source: full Lucene query syntax; naming rules of keys, REST reference, 2026-09.
"""

import re

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Between, Partition
from indexvault.search.query import literal
from indexvault.search.schema import Field

CHARACTERS = "-0123456789=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
"""The characters of keys, in ordinal order."""
LONGEST = 1024
"""Characters of the longest key. Source: naming rules, REST reference, 2026-09."""
_FOLDED = "".join(character for character in CHARACTERS if not character.isupper())
_UPPER = "".join(character for character in CHARACTERS if character.isupper())
_SPECIAL = re.compile(r"([-=])")


class ByKeyRange:
    """Splits a key that is filterable but not sortable into ranges at prefixes."""

    exact = True

    def __init__(self, key: Field, limits: Limits = LIMITS) -> None:
        self.name = f"prefixes of the key {key.name}"
        self._field = key.name
        self._comfortable = limits.comfortable_partition

    async def split(self, probe: IndexProbe, partition: Partition) -> list[Partition]:
        """See `Partitioner.split`."""
        partitions: list[Partition] = []
        pending = [("", Between(self._field), partition.documents)] if partition.documents else []
        while pending:
            prefix, between, documents = pending.pop()
            if documents <= self._comfortable or len(prefix) >= LONGEST:
                partitions.append(partition.narrowed(between, documents=documents))
                continue
            borders = [between.low, *(literal(prefix + each) for each in CHARACTERS), between.high]
            for position, character in enumerate(["", *CHARACTERS]):
                narrower = Between(self._field, borders[position], borders[position + 1])
                count = await probe.count(partition.narrowed(narrower))
                if not count:
                    continue
                if character:
                    pending.append((prefix + character, narrower, count))
                else:
                    partitions.append(partition.narrowed(narrower, documents=count))
        return partitions


class ByKeySearch:
    """Splits by prefix queries on a key that can only be searched."""

    exact = False

    def __init__(self, key: Field, limits: Limits = LIMITS) -> None:
        self.name = f"prefix queries on the key {key.name}"
        self._comfortable = limits.comfortable_partition
        self._largest = limits.largest_partition

    async def split(self, probe: IndexProbe, partition: Partition) -> list[Partition]:
        """See `Partitioner.split`. Leaves out documents that no longer prefix finds: another prefix may find them."""
        if partition.lucene is not None:
            return [partition]
        partitions: list[Partition] = []
        pending = [("", partition.documents)]
        while pending:
            prefix, documents = pending.pop()
            if prefix and documents <= self._comfortable:
                partitions.append(_matching(partition, f"{_escaped(prefix)}*", documents))
                continue
            if len(prefix) >= LONGEST:
                continue
            exactly = await self._count(probe, partition, _escaped(prefix)) if prefix else 0
            if 0 < exactly <= self._largest:
                partitions.append(_matching(partition, _escaped(prefix), exactly))
            pending += await self._longer(probe, partition, prefix, documents - exactly)
        return partitions

    async def _longer(self, probe: IndexProbe, partition: Partition, prefix: str, wanted: int) -> list[tuple[str, int]]:
        """Return the prefixes that are one character longer. Capitals are only tried if small letters find too few."""
        found: list[tuple[str, int]] = []
        for characters in (_FOLDED, _UPPER):
            if sum(count for _prefix, count in found) >= wanted:
                break
            for character in characters:
                if not prefix and character in "-=":
                    continue
                count = await self._count(probe, partition, f"{_escaped(prefix + character)}*")
                if count:
                    found.append((prefix + character, count))
        return found

    async def _count(self, probe: IndexProbe, partition: Partition, lucene: str) -> int:
        return await probe.count(_matching(partition, lucene, 0))


def _matching(partition: Partition, lucene: str, documents: int) -> Partition:
    return Partition(conditions=partition.conditions, lucene=lucene, documents=documents)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
