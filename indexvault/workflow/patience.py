"""How long to wait for a service whose counts settle late: in pauses that grow, up to a limit."""

from collections.abc import Iterator

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
_GROWTH = 1.5


def growing_pauses(seconds: float, *, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> Iterator[float]:
    """Yield pauses in seconds, each half as long again as the one before, that add up to `seconds`."""
    left, pause = seconds, first
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(longest, pause * _GROWTH)
