"""Numbers, times and texts as a person reads them."""

from datetime import datetime, timedelta

from rich.filesize import decimal

from indexvault.printable import count

__all__ = ["age", "count", "duration", "instant", "one_line", "size"]

_DAY = timedelta(days=1)


def size(number: int) -> str:
    """Return bytes in decimal units: `31.2 MB`."""
    return decimal(number)


def duration(time: timedelta) -> str:
    """Return a length of time in its two largest units: `4.1 s`, `3 min 20 s`, `2 h 5 min`, `12 d`."""
    seconds = max(0.0, time.total_seconds())
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if time < _DAY else f"{time // _DAY} d"


def age(then: datetime, now: datetime) -> str:
    """Return how long ago something was, in its largest unit: `now`, `3 min`, `5 h`, `12 d`."""
    passed = now - then
    for unit, name in ((_DAY, "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if passed >= unit:
            return f"{passed // unit} {name}"
    return "now"


def instant(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def one_line(text: str) -> str:
    """Return a text on one line, without the control characters that could make a terminal do something."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def short_value(value: str | None) -> str:
    """Return the JSON of a definition's member on one line, cut at 60 characters; None is a member that is absent."""
    if value is None:
        return "absent"
    return one_line(value if len(value) <= 60 else f"{value[:57]}...")  # noqa: PLR2004 - a line's worth
