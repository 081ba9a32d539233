"""Six-field NCRONTAB schedules, as in timer triggers of Azure Functions, always in UTC.

    second minute hour day month day-of-week        "0 0 2 * * *" is two o'clock every night

A field is `*`, a number, a range `1-5`, a step `*/5` or a list of these. Months and days of the week also have their
English short names; Sunday is 0. A time matches if every field does: of a day and a day of the week, if both are given,
both have to match. Source: Timer trigger for Azure Functions, NCRONTAB expressions, 2026-09.
"""

import functools
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from indexvault.errors import SettingsError

_DAYS_LOOKED_AT = 394
_TIMES_LOOKED_AT = 1500
_FIELD = re.compile(r"[0-9A-Za-z*,/-]{1,100}")
_NAMES = re.compile(r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat", re.IGNORECASE)
_FIELDS = 6
_LONGEST_YEARS = 12
"""Years between two times of a schedule at most. 29 February on a given day of the week can take longer."""


SHORTEST = timedelta(minutes=1)
"""The shortest time between two runs of a policy: the app looks for due policies once a minute at most."""
_TIMES_COMPARED = 100


class Schedule:
    """When something is due. Raises SettingsError for a wrong expression, or one without any time."""

    def __init__(self, expression: str, *, on: str) -> None:
        from croniter import croniter  # noqa: PLC0415 - slow to load, and only settings with policies need it

        fields = expression.split()
        if len(fields) != _FIELDS or not all(_is_field(field) for field in fields) or fields[5] == "7":
            raise _wrong(on)
        try:
            self._cron = croniter(
                expression, day_or=False, second_at_beginning=True, max_years_between_matches=_LONGEST_YEARS
            )
            self.last(datetime(2026, 1, 1, tzinfo=UTC))
        except (ValueError, KeyError):
            raise _wrong(on) from None

    def last(self, now: datetime) -> datetime:
        """Return the latest scheduled time that is not after `now`."""
        # The library looks for times strictly before a moment, and `now` itself may be one.
        self._cron.set_current(now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1), force=True)
        found: datetime = self._cron.get_prev(datetime)
        return found

    def next(self, now: datetime) -> datetime:
        """Return the first scheduled time after `now`."""
        self._cron.set_current(now.astimezone(UTC).replace(microsecond=0), force=True)
        found: datetime = self._cron.get_next(datetime)
        return found


@functools.lru_cache(maxsize=256)
def longest_interval(expression: str) -> timedelta:
    """Return the longest time between two neighbouring times of a schedule. Raises SettingsError as `Schedule` does.

    Looks at every midnight of a year and four weeks, and at the first times of one day, since the time of day does not
    depend on the day: no longer pause goes unseen but those of schedules that skip years.
    """
    schedule = Schedule(expression, on="schedule")
    start = datetime(2027, 1, 1, tzinfo=UTC)
    midnights = (start + timedelta(days=day) for day in range(_DAYS_LOOKED_AT))
    longest = max(schedule.next(midnight) - schedule.last(midnight) for midnight in midnights)
    time = schedule.next(start)
    for _ in range(_TIMES_LOOKED_AT):
        after = schedule.next(time)
        longest = max(longest, after - time)
        if after.date() != time.date():
            break
        time = after
    return longest


@functools.lru_cache(maxsize=256)
def shortest_interval(expression: str) -> timedelta:
    """Return the shortest time between neighbouring times of a schedule, of the first hundred of a year.

    Raises SettingsError as `Schedule` does.
    """
    schedule = Schedule(expression, on="schedule")
    times = [schedule.next(datetime(2027, 1, 1, tzinfo=UTC))]
    while len(times) < _TIMES_COMPARED:
        times.append(schedule.next(times[-1]))
    return min(after - before for before, after in pairwise(times))


def _is_field(field: str) -> bool:
    """Return whether a field is NCRONTAB. The library accepts more, such as L, # and hashed fields."""
    return bool(_FIELD.fullmatch(field)) and not re.search("[A-Za-z]", _NAMES.sub("", field))


def _wrong(on: str) -> SettingsError:
    return SettingsError(
        "expected six fields (second minute hour day month day-of-week) that can match, in UTC",
        on=on,
        do='Write it as "0 0 2 * * *" for two o\'clock every night',
    )
