"""How many requests a service gets at once, and how fast.

A service that backs up is also a service that answers its users. So requests are let through one more at a time while
all goes well, and half as many as soon as the service says that it is busy or takes markedly longer than it did
(additive increase, multiplicative decrease). One `Throttle` belongs to one service in one process: all ranges, all
indexes and all workflows of the process share it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

_SLOWER = 3.0
"""How many times longer than usual an answer may take on average before it counts as a sign of load."""
_NOTICEABLE_SECONDS = 0.25
"""Answers faster than this are never a sign of load: below it, the network's own variation shows."""
_RECENT = 0.2
_USUAL = 0.02


class ThrottleLimits(msgspec.Struct, frozen=True):
    """The most that a service is asked: requests at once, and a second (None: no limit)."""

    most_at_once: int = 8
    requests_per_second: float | None = None


class Throttle:
    """Lets requests through to one service.

    `now` gives monotonic seconds and `sleep` waits; both are passed in so that tests need not wait.
    """

    def __init__(
        self,
        limits: ThrottleLimits | None = None,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits = limits or ThrottleLimits()
        self._now = now
        self._sleep = sleep
        self._allowed = float(min(2, self._limits.most_at_once))
        self._under_way = 0
        self._changed = asyncio.Condition()
        self._closed_until = 0.0
        self._next_start = 0.0
        self._halved_at = float("-inf")
        self._recent = 0.0
        self._usual = 0.0

    @property
    def allowed(self) -> int:
        """Requests that may be under way at once now."""
        return max(1, int(self._allowed))

    @contextlib.asynccontextmanager
    async def request(self) -> AsyncIterator[float]:
        """Wait until a request may be sent, and count it as under way; gives the time at which it starts."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._under_way < self.allowed)
            self._under_way += 1
        try:
            await self._wait_for_turn()
            yield self._now()
        finally:
            async with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def answered(self, started: float) -> None:
        """Note a good answer to a request that started then."""
        seconds = self._now() - started
        self._recent = seconds if not self._recent else self._recent + _RECENT * (seconds - self._recent)
        self._usual = seconds if not self._usual else self._usual + _USUAL * (seconds - self._usual)
        if self._recent > max(_NOTICEABLE_SECONDS, _SLOWER * self._usual):
            self._halve(started)
        else:
            self._allowed = min(float(self._limits.most_at_once), self._allowed + 1 / self.allowed)

    def busy(self, started: float, retry_after: float | None) -> None:
        """Note that the service was too busy for a request that started then, and how long it asks to be left alone."""
        self._halve(started)
        if retry_after is not None:
            self._closed_until = max(self._closed_until, self._now() + retry_after)

    def _halve(self, started: float) -> None:
        """Halve once for all requests that were under way together: they met the same moment of the service."""
        if started >= self._halved_at:
            self._allowed = max(1.0, self._allowed / 2)
            self._halved_at = self._now()
            self._recent = self._usual

    async def _wait_for_turn(self) -> None:
        """Wait while the service has asked to be left alone, and keep the distance of the requests-a-second cap."""
        while True:
            start = max(self._now(), self._closed_until, self._next_start)
            if self._limits.requests_per_second is not None:
                self._next_start = start + 1 / self._limits.requests_per_second
            while (wait := start - self._now()) > 0:
                await self._sleep(wait)
            if self._closed_until <= start:
                return
