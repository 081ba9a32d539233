"""Counts of requests, for tests to check."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec


class Tally(msgspec.Struct, frozen=True):
    """The requests of one operation: how many, with which statuses, and the most at once."""

    requests: int
    statuses: dict[int, int]
    most_at_once: int


class Requests:
    """Counts the requests of one service by operation."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Reset the counts."""
        self._counts: Counter[str] = Counter()
        self._statuses: dict[str, Counter[int]] = {}
        self._now: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    @contextmanager
    def under_way(self, operation: str) -> Iterator[Callable[[int], None]]:
        """Count a request; the yielded function takes its status. A request that is cut off has none."""
        statuses = self._statuses.setdefault(operation, Counter())
        now = self._now
        self._counts[operation] += 1
        now[operation] += 1
        self._most[operation] = max(self._most[operation], now[operation])

        def note(status: int) -> None:
            statuses[status] += 1

        try:
            yield note
        finally:
            now[operation] -= 1

    def now(self, operation: str) -> int:
        """Return how many requests of an operation are under way."""
        return self._now[operation]

    def tallies(self) -> dict[str, Tally]:
        """Return the counts."""
        return {
            name: Tally(count, dict(self._statuses[name]), self._most[name]) for name, count in self._counts.items()
        }
