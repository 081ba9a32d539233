"""How long to wait for a service whose counts settle late: in pauses that grow, up to a limit."""

from collections.abc import Awaitable, Callable, Iterator

from indexvault.settings.load import service_settings
from indexvault.workflow.activity import Resources

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
GROWTH = 1.5
TOLD_AFTER = 60
"""Seconds of waiting that an operator is told of."""


def growing_pauses(
    seconds: float, *, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE, growth: float = GROWTH
) -> Iterator[float]:
    """Yield pauses in seconds that add up to `seconds`, each `growth` times as long as the one before."""
    left, pause = seconds, first
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(longest, pause * growth)


def settle_seconds(resources: Resources, service: str) -> int:
    """Return how long runs wait for the counts of a service, as its settings say."""
    return service_settings(resources.clients.settings, service).settle_seconds


class Patience:
    """Waits with growing pauses, up to `seconds` in all; `waited` is how long it has waited."""

    def __init__(self, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.waited = 0.0
        self._pauses = growing_pauses(seconds)
        self._sleep = sleep

    async def __call__(self) -> bool:
        """Wait for the next pause, and return True; return False at once if the time is up."""
        pause = next(self._pauses, None)
        if pause is None:
            return False
        await self._sleep(pause)
        self.waited += pause
        return True


def in_minutes(seconds: float) -> str:
    """Return a duration in words, such as `5 min`."""
    return f"{seconds / 60:.0f} min" if seconds >= TOLD_AFTER else f"{seconds:.0f} s"
