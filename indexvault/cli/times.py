"""Times on the command line: as in references of snapshots, where they mean a beginning."""

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

TIMES = "2026-11-20, 2026-11-20T02:30Z, yesterday, or as long ago as 90min, 2h, 1d or 3w"

_BACK = re.compile(r"-?(?P<number>[0-9]{1,4})(?P<unit>min|h|d|w)")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_YESTERDAY = "yesterday"


@dataclass(frozen=True, slots=True)
class TimeBound:
    """A time, or how long before now. One without an offset is in UTC; a day begins at its midnight."""

    at: datetime | None = None
    back: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a time. Raises ArgumentTypeError when it is none."""
        if text == _YESTERDAY:
            return cls()
        found = _BACK.fullmatch(text)
        if found is not None:
            return cls(back=int(found["number"]) * _UNITS[found["unit"]])
        try:
            time = datetime.fromisoformat(text)
            return cls(at=time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC))
        except (ValueError, OverflowError):
            raise ArgumentTypeError(f"{text!r} is no time; write it as {TIMES}") from None

    def first_moment(self, now: datetime) -> datetime:
        """Return the time that is meant. `yesterday` is its first moment in UTC."""
        if self.at is not None:
            return self.at
        if self.back is not None:
            return now.astimezone(UTC) - self.back
        return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
