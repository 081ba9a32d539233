from datetime import UTC, datetime, timedelta

import pytest

from indexvault.errors import SettingsError
from indexvault.settings.schedule import Schedule, longest_interval


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "now", "last"),
    [
        ("0 0 2 * * *", "2026-11-20T09:00:00", "2026-11-20T02:00:00"),
        ("0 0 2 * * *", "2026-11-20T02:00:00", "2026-11-20T02:00:00"),  # the moment itself counts
        ("0 0 2 * * *", "2026-11-20T01:59:59.999999", "2026-11-19T02:00:00"),
        ("30 */5 * * * *", "2026-11-20T00:00:10", "2026-11-19T23:55:30"),
        ("0 0 0 1 1 *", "2026-11-20T00:00:00", "2026-01-01T00:00:00"),
        ("0 30 4 * * Mon-Fri", "2026-11-22T12:00:00", "2026-11-20T04:30:00"),  # a Sunday
        ("0 0 12 13 * Fri", "2026-11-20T00:00:00", "2026-11-13T12:00:00"),  # both must agree
        ("0 0 0 29 feb *", "2027-03-01T00:00:00", "2024-02-29T00:00:00"),
        ("0 0 1 * * 0", "2026-11-20T00:00:00", "2026-11-15T01:00:00"),  # Sunday is 0
    ],
)
def test_last_scheduled_time(expression: str, now: str, last: str) -> None:
    assert Schedule(expression, on="x").last(at(now)) == at(last)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "0 2 * * *",  # five fields
        "0 0 2 * * * *",
        "0 0 25 * * *",
        "0 0 2 * * 7",
        "0 0 2 L * *",
        "0 0 2 * * 5#2",
        "H 0 2 * * *",
        "R 0 2 * * *",
        "0 0 2 ? * *",
        "@daily",
        "0 0 0 31 2 *",  # never comes
        "0 0 2 * * *; drop",
        "0 0 2 * * " + "1," * 200,
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(SettingsError, match="six fields") as raised:
        Schedule(expression, on="settings $.policies.nightly.schedule")
    assert raised.value.on == "settings $.policies.nightly.schedule"


def test_next_scheduled_time_is_after_now() -> None:
    nightly = Schedule("0 0 2 * * *", on="x")
    assert nightly.next(at("2026-11-20T01:59:59.999999")) == at("2026-11-20T02:00:00")
    assert nightly.next(at("2026-11-20T02:00:00")) == at("2026-11-21T02:00:00")


@pytest.mark.parametrize(
    ("expression", "interval"),
    [
        ("0 0 2 * * *", timedelta(days=1)),
        ("0 */5 * * * *", timedelta(minutes=5)),
        ("0 0 2 * * Mon-Fri", timedelta(days=3)),
        ("0 0 8-18 * * *", timedelta(hours=14)),
        ("* * 9-17 * * 1-5", timedelta(days=2, hours=15, seconds=1)),
        ("0 0 1,2,13 * * *", timedelta(hours=12)),
        ("0 0 3 1 * *", timedelta(days=31)),
        ("0 0 0 29 feb *", timedelta(days=4 * 365 + 1)),
    ],
)
def test_longest_interval_of_a_schedule(expression: str, interval: timedelta) -> None:
    assert longest_interval(expression) == interval
