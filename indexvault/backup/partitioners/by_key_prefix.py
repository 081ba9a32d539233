"""Parts by how the key begins.

A key that can be filtered is cut into ranges at prefixes, exactly. One that can only be searched is looked up by
prefix queries in full Lucene syntax. What these find depends on how the key's analyzer splits and folds keys: a key may
be in several parts, or in none; unique keys are counted in the end, and decide. Keys never change, so no document moves
between parts while they are read.

Source: full Lucene query syntax and the rules for keys, 2026-09.
"""

import re

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.partition import Between, Partition
from indexvault.backup.partitioners.partitioner import COMFORTABLE, REACH
from indexvault.search.query import literal
from indexvault.search.schema import Field

CHARACTERS = "-0123456789=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
"""What keys are made of, in ordinal order."""
LONGEST = 1024
_FOLDED = "".join(character for character in CHARACTERS if not character.isupper())
_UPPER = "".join(character for character in CHARACTERS if character.isupper())
_SPECIAL = re.compile(r"([-=])")


class ByKeyRange:
    """Cuts a key that can be filtered, though not sorted, into ranges at prefixes."""

    exact = True

    def __init__(self, key: Field, *, comfortable: int = COMFORTABLE) -> None:
        self.name = f"prefixes of the key {key.name}"
        self._field = key.name
        self._comfortable = comfortable

    async def split(self, probe: IndexProbe, part: Partition) -> list[Partition]:
        """See `Partitioner.split`."""
        parts: list[Partition] = []
        pending = [("", Between(self._field), part.documents)] if part.documents else []
        while pending:
            prefix, between, documents = pending.pop()
            if documents <= self._comfortable or len(prefix) >= LONGEST:
                parts.append(part.narrowed(between, documents=documents))
                continue
            borders = [between.low, *(literal(prefix + each) for each in CHARACTERS), between.high]
            for position, character in enumerate(["", *CHARACTERS]):
                piece = Between(self._field, borders[position], borders[position + 1])
                count = await probe.count(part.narrowed(piece))
                if not count:
                    continue
                if character:
                    pending.append((prefix + character, piece, count))
                else:
                    parts.append(part.narrowed(piece, documents=count))
        return parts


class ByKeySearch:
    """Cuts by prefix queries on a key that can only be searched."""

    exact = False

    def __init__(self, key: Field, *, comfortable: int = COMFORTABLE) -> None:
        self.name = f"prefix queries on the key {key.name}"
        self._comfortable = comfortable

    async def split(self, probe: IndexProbe, part: Partition) -> list[Partition]:
        """See `Partitioner.split`. Leaves out what no longer prefix makes smaller: other prefixes may find it."""
        if part.lucene is not None:
            return [part]
        parts: list[Partition] = []
        pending = [("", part.documents)]
        while pending:
            prefix, documents = pending.pop()
            if prefix and documents <= self._comfortable:
                parts.append(_matching(part, f"{_escaped(prefix)}*", documents))
                continue
            if len(prefix) >= LONGEST:
                continue
            exactly = await self._count(probe, part, _escaped(prefix)) if prefix else 0
            if 0 < exactly <= REACH:
                parts.append(_matching(part, _escaped(prefix), exactly))
            pending += await self._longer(probe, part, prefix, documents - exactly)
        return parts

    async def _longer(self, probe: IndexProbe, part: Partition, prefix: str, wanted: int) -> list[tuple[str, int]]:
        """Return the prefixes that are one character longer. Capitals are asked for if small letters don't cover."""
        found: list[tuple[str, int]] = []
        for characters in (_FOLDED, _UPPER):
            if sum(count for _prefix, count in found) >= wanted:
                break
            for character in characters:
                if not prefix and character in "-=":
                    continue
                count = await self._count(probe, part, f"{_escaped(prefix + character)}*")
                if count:
                    found.append((prefix + character, count))
        return found

    async def _count(self, probe: IndexProbe, part: Partition, lucene: str) -> int:
        return await probe.count(_matching(part, lucene, 0))


def _matching(part: Partition, lucene: str, documents: int) -> Partition:
    return Partition(conditions=part.conditions, lucene=lucene, documents=documents)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
