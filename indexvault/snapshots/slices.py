"""Slices of an index's packs, to verify one at a time so that every pack is read back once in a period.

A pack's slice depends on its name alone. So slices are even, a pack never changes its slice, and new packs spread over
all of them.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec

from indexvault.errors import SettingsError

_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)
_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday, so that weekly turns begin on Mondays."""


class Slice(msgspec.Struct, frozen=True):
    """The slice with this number, counted from 1, of `total`."""

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `n/t`. Raises SettingsError if the text is no slice."""
        found = _FORM.fullmatch(text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise SettingsError(
                "this is not a slice such as 3/12", on=f"sample {text[:40]!r}", do="Write 1/12 to 12/12"
            )
        return cls(number=int(found[1]), total=int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    def has(self, sha256: str) -> bool:
        """Return whether a pack with this name is in this slice."""
        return int(sha256[:16], 16) % self.total == self.number - 1


WHOLE = Slice(number=1, total=1)


def turn_of(now: datetime, every: timedelta) -> int:
    """Return the number of the turn that this moment is in, counted from a Monday in 1970."""
    return (now - _EPOCH) // every


def due_slices(last_turn: int | None, now: datetime, *, every: timedelta, period: timedelta) -> list[Slice]:
    """Return the slices to verify now, so that each is verified once in a `period` even if turns were missed.

    `last_turn` is the last turn that was completed, `every` the time from turn to turn. Missed turns are made up for,
    up to all slices of one period. A completed turn is not due again. A last turn in the future, by a clock that was
    wrong, counts as none: until then nothing would be due.
    """
    total = max(period // every, 1)
    turn = turn_of(now, every)
    first = turn if last_turn is None or last_turn > turn else max(last_turn + 1, turn - total + 1)
    return [Slice(number=due % total + 1, total=total) for due in range(first, turn + 1)]
