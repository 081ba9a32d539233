"""Times on the command line: as in references of snapshots, where they mean a beginning."""

from argparse import ArgumentTypeError
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from indexvault.errors import SettingsError
from indexvault.snapshots.names import SnapshotReference

TIMES = "2026-11-20, 2026-11-20T02:30Z, yesterday, or as long ago as 90min, 2h, 1d or 3w"


@dataclass(frozen=True, slots=True)
class TimeBound:
    """A time, or one relative to now. One without an offset is in UTC; a day begins at its midnight."""

    at: datetime | None = None
    back: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a time. Raises ArgumentTypeError when it is none."""
        for point in (text, f"-{text}"):
            try:
                back = SnapshotReference.parse(f"service/index@{point}").back
            except SettingsError:
                continue
            if back is not None:
                return cls(back=back)
        try:
            time = datetime.fromisoformat(text)
            return cls(at=time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC))
        except (ValueError, OverflowError):
            raise ArgumentTypeError(f"{text!r} is no time; write it as {TIMES}") from None

    def first_moment(self, now: datetime) -> datetime:
        """Return the time that is meant. `yesterday` is its first moment in UTC."""
        if self.at is not None:
            return self.at
        until = SnapshotReference(service="", index="", back=self.back).until(now)
        assert until is not None  # noqa: S101 - a relative time is one
        is_day = not (self.back or "").startswith("-")
        return until.replace(hour=0, minute=0, second=0, microsecond=0) if is_day else until
