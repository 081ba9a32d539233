"""One run of the command line as the outside sees it: a process that sends requests and may be killed at any of them.

A killed process does nothing any more: whatever its handlers still try on their way out fails before its effect, as if
they had never run. Only what the services and stores had done by then remains.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from indexvault.errors import UnreachableError

type When = Literal["before", "after"]


class KilledError(BaseException):
    """The process is gone. No handler of the product may swallow it."""


class RunawayError(BaseException):
    """One command has sent more requests than anything of this size can need."""


@dataclass(frozen=True, kw_only=True)
class StoreFaults:
    """How often a call to a store fails: before its effect, after it, or answered late as if it had been repeated."""

    before: float = 0.0
    after: float = 0.0
    repeated: float = 0.0


@dataclass(kw_only=True)
class Process:
    """A process.

    `kill_at` is the position of the request to die at, among all or, with `only_changes`, those that change something.

    `watch` is called before each request, for whatever else happens in the world meanwhile.
    """

    rng: random.Random
    kill_at: int | None = None
    kill_when: When = "before"
    only_changes: bool = False
    faults: StoreFaults = StoreFaults()
    latency: float = 0.02
    most_requests: int = 20_000
    watch: Callable[[str], None] = lambda _label: None
    dead: bool = False
    requests: int = 0
    changes: list[str] = field(default_factory=list)

    async def call[Result](
        self, label: str, effect: Callable[[], Awaitable[Result]], *, changes: bool, store: bool = False
    ) -> Result:
        """Send one request, unless the process is dead or dies at it."""
        if self.latency:
            await asyncio.sleep(self.rng.uniform(0, self.latency))
        self.require_alive()
        self.requests += 1
        if self.requests > self.most_requests:
            self.dead = True
            raise RunawayError(f"{self.requests} requests, the last was {label}")
        self.watch(label)
        if changes:
            self.changes.append(label)
        counted = len(self.changes) if self.only_changes else self.requests
        dies = self.kill_at == counted and (changes or not self.only_changes)
        if dies and self.kill_when == "before":
            self._die(label)
        drawn = self.rng.random() if store and self.faults != _NONE else 1.0
        if drawn < self.faults.before:
            raise _unreachable(label)
        result = await effect()
        if dies:
            self._die(label)
        if self.faults.before <= drawn < self.faults.before + self.faults.after:
            raise _unreachable(label)
        return result

    def repeats(self) -> bool:
        """Draw whether a store's call is repeated after its answer was lost."""
        return self.faults.repeated > 0 and self.rng.random() < self.faults.repeated

    def require_alive(self) -> None:
        """Raise KilledError if the process is dead."""
        if self.dead:
            raise KilledError("dead")

    def _die(self, label: str) -> None:
        self.dead = True
        raise KilledError(label)


_NONE = StoreFaults()


def _unreachable(label: str) -> UnreachableError:
    return UnreachableError("the store does not answer", on=label, do="Try again")
