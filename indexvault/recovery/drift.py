"""What differs between two indexes, in types that reports and records hold."""

from typing import Literal

import msgspec

from indexvault.restore.not_compared import NotCompared
from indexvault.snapshots.field_diff import DefinitionDifference

type Kind = Literal["different", "missing", "extra"]
"""How a document deviates: it is not the same in both, the second lacks it, only the second has it."""


class Deviating(msgspec.Struct, frozen=True):
    """A document that is not the same on both sides, by its key. `moving` if it kept changing while it was read."""

    key: str
    kind: Kind
    moving: bool = False


class RangeCounted(msgspec.Struct, frozen=True):
    """How many documents both sides have between two keys: None where a side can't tell."""

    after: str | None
    until: str | None
    one: int | None
    other: int | None

    @property
    def differs(self) -> bool:
        """Whether the two are known to have different numbers of documents."""
        return self.one is not None and self.other is not None and self.one != self.other


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between `one` and `other`.

    `identical` documents have the same bytes, `equal` ones the same values in other bytes. `different`, `missing` and
    `extra` count what two readings some seconds apart agree on; `moving` ones were changed while they were read.
    `found` names the deviating documents, without `left_out` further ones. `uncounted` documents are in one of the two
    by its count only, since keys there have no order. `by_counts` says that only numbers were compared, and documents
    were not read.
    """

    one: str
    other: str
    definition: list[DefinitionDifference] = []
    identical: int = 0
    equal: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    moving: int = 0
    uncounted: int = 0
    found: list[Deviating] = []
    left_out: int = 0
    ranges: list[RangeCounted] = []
    by_counts: bool = False
    not_compared: NotCompared = NotCompared()
    requests: int = 0

    @property
    def deviating(self) -> int:
        """How many documents are known to deviate, whatever writers do."""
        return self.different + self.missing + self.extra + self.uncounted

    @property
    def is_alike(self) -> bool:
        """Whether nothing differs and nothing was left open."""
        counts_agree = not any(each.differs for each in self.ranges) if self.by_counts else True
        return not (self.definition or self.deviating or self.moving) and counts_agree


class Absent(msgspec.Struct, frozen=True):
    """An object that only one of two services has: an index, or something else of a kind such as `synonymmaps`."""

    kind: str
    name: str
    only_in: str


class ServiceDrift(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two services: their indexes, and the definitions of their other objects.

    `unreadable` indexes could not be compared, with the reason of each.
    """

    one: str
    other: str
    indexes: list[Drift] = []
    absent: list[Absent] = []
    objects: list[DefinitionDifference] = []
    unreadable: list[tuple[str, str]] = []

    @property
    def is_alike(self) -> bool:
        """Whether nothing differs and nothing was left open."""
        return not (self.absent or self.objects or self.unreadable) and all(each.is_alike for each in self.indexes)
