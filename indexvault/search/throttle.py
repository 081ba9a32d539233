"""Limit how many requests a service gets at once, and how fast.

A service that is backed up also answers its users. So the number of requests at once grows by one while all goes well,
and is halved as soon as the service says that it is busy or takes markedly longer than before (additive increase,
multiplicative decrease). Each service has one `Throttle` in a process, which all of its workflows share.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

_SLOWER = 3.0
"""How many times longer than usual an answer may take on average before it counts as a sign of load."""
_NOTICEABLE_SECONDS = 0.25
"""Answers faster than this are never a sign of load: below it, the network's own variation shows."""
_RECENT = 0.2
_USUAL = 0.02


class ThrottleLimits(msgspec.Struct, frozen=True):
    """The most requests that a service is sent at once, and per second (None: no limit)."""

    most_at_once: int = 8
    requests_per_second: float | None = None


class Timer(msgspec.Struct, frozen=True):
    """Monotonic seconds, and how to wait for some. Replace both together: a fake `sleep` has to move a fake `now`."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Throttle:
    """Lets requests through to one service."""

    def __init__(self, limits: ThrottleLimits | None = None, timer: Timer | None = None) -> None:
        self._limits = limits or ThrottleLimits()
        self._timer = timer or Timer()
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
        """Wait until a request may be sent, and count it as under way. Yields the time at which it starts."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._under_way < self.allowed)
            self._under_way += 1
        try:
            await self._wait_for_turn()
            yield self._timer.now()
        finally:
            async with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def answered(self, started: float) -> None:
        """Note a good answer to a request that started then."""
        seconds = self._timer.now() - started
        self._recent = seconds if not self._recent else self._recent + _RECENT * (seconds - self._recent)
        self._usual = seconds if not self._usual else self._usual + _USUAL * (seconds - self._usual)
        if self._recent > max(_NOTICEABLE_SECONDS, _SLOWER * self._usual):
            self._halve(started)
        else:
            self._allowed = min(float(self._limits.most_at_once), self._allowed + 1 / self.allowed)

    def busy(self, started: float, retry_after: float | None) -> None:
        """Note that the service was too busy for a request that started then, and its Retry-After in seconds."""
        self._halve(started)
        if retry_after is not None:
            self._closed_until = max(self._closed_until, self._timer.now() + retry_after)

    def _halve(self, started: float) -> None:
        """Halve once for all requests that were under way together: they met the same busy moment."""
        if started >= self._halved_at:
            self._allowed = max(1.0, self._allowed / 2)
            self._halved_at = self._timer.now()
            self._recent = self._usual

    async def _wait_for_turn(self) -> None:
        """Wait until Retry-After is over, and keep to the limit of requests a second."""
        while True:
            start = max(self._timer.now(), self._closed_until, self._next_start)
            if self._limits.requests_per_second is not None:
                self._next_start = start + 1 / self._limits.requests_per_second
            while (wait := start - self._timer.now()) > 0:
                await self._timer.sleep(wait)
            if self._closed_until <= start:
                return
