"""Figures, spans and times as pages show them."""

from datetime import UTC, datetime, timedelta

from indexvault.pages.html import Element, h
from indexvault.status.health import in_words

_UNITS = ("kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def size(number: int) -> str:
    """Return bytes in decimal units: `31.2 MB`."""
    if number < _THOUSAND:
        return f"{number} bytes" if number != 1 else "1 byte"
    amount, units = number / _THOUSAND, list(_UNITS)
    while amount >= _THOUSAND - 0.05 and len(units) > 1:
        amount /= _THOUSAND
        units.pop(0)
    return f"{amount:,.1f} {units[0]}"


def span(time: timedelta) -> str:
    """Return a span in its largest unit: `now`, `3 min`, `5 h`, `12 d`."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if time >= unit:
            return f"{time // unit} {name}"
    return "now"


def exact_span(time: timedelta) -> str:
    """Return a span that the settings give: `2 d`, `26 h`, `90 min`."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h")):
        if not time % unit:
            return f"{time // unit} {name}"
    return f"{time // _MINUTE} min"


def left(seconds: int) -> str:
    """Return a remaining time in words: `about 3 minutes left`."""
    return f"about {in_words(timedelta(seconds=seconds))} left" if seconds >= 60 else f"{seconds} s left"  # noqa: PLR2004 - a minute


def ago(then: datetime, now: datetime) -> Element:
    """Return how long ago a time was, or how long it is until then, with the time itself as its title."""
    passed = now - then
    if passed >= timedelta(0):
        said = "just now" if passed < _MINUTE else f"{span(passed)} ago"
    else:
        said = "in under a minute" if -passed < _MINUTE else f"in {span(-passed)}"
    return h("time", said, datetime=f"{then.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", title=instant(then))


def at(then: datetime) -> Element:
    """Return a time, to the second, in UTC."""
    return h("time", instant(then), datetime=f"{then.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")


def instant(then: datetime) -> str:
    """Return a time, to the second, in UTC."""
    return f"{then.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(then: datetime) -> str:
    """Return a time of day, to the minute, in UTC, with the date if it is not today's."""
    return f"{then.astimezone(UTC):%a %d %b %H:%M}"
