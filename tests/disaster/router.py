"""A small router: for each pair, the first side whose `/health/{service}` says 200."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

TOLERATED = 1
"""Failures in a row that don't take a side out yet."""


@dataclass(frozen=True, slots=True)
class Side:
    """A service, and the address that tells its health."""

    service: str
    health_url: str


@dataclass
class Route:
    """The sides of a pair, the preferred one first, and which of them are up."""

    pair: str
    sides: Sequence[Side]
    failures: dict[str, int] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    """Services that get no traffic whatever their probe says."""
    said: dict[str, str] = field(default_factory=dict)

    @property
    def up(self) -> list[str]:
        """The services that may be sent traffic, the preferred one first."""
        sides = [each.service for each in self.sides if each.service not in self.disabled]
        return [each for each in sides if self.failures.get(each, TOLERATED + 1) <= TOLERATED]

    @property
    def active(self) -> str | None:
        """The service that traffic goes to, None while no side is up."""
        return next(iter(self.up), None)


class Router:
    """Probes all sides of all pairs every `interval` seconds until it is stopped. `tell` hears of each change."""

    def __init__(
        self, routes: Sequence[Route], *, interval: float = 1.0, timeout: float = 9.0, tell: Callable[[str], None]
    ) -> None:
        self.routes = {each.pair: each for each in routes}
        self.probes = 0
        self._interval = interval
        self._timeout = timeout
        self._tell = tell
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(route, side), daemon=True)
            for route in routes
            for side in route.sides
        ]

    def start(self) -> None:
        """Begin to probe."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(self._timeout + self._interval)

    def until_active(self, pair: str, service: str | None, seconds: float) -> float:
        """Wait until traffic of a pair goes to a service, and return how long that took. Raises TimeoutError."""
        began = time.monotonic()
        while self.routes[pair].active != service:
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{pair} is routed to {self.routes[pair].active}, not {service}: {self.said()}")
            time.sleep(0.05)
        return time.monotonic() - began

    def said(self) -> dict[str, str]:
        """Return what each side said last."""
        return {service: said for route in self.routes.values() for service, said in route.said.items()}

    def _watch(self, route: Route, side: Side) -> None:
        while not self._stopped.wait(0 if side.service not in route.said else self._interval):
            before = route.active
            is_up, said = probe(side.health_url, self._timeout)
            self.probes += 1
            route.said[side.service] = said
            route.failures[side.service] = 0 if is_up else route.failures.get(side.service, TOLERATED) + 1
            if route.active != before:
                self._tell(f"router: {route.pair} goes to {route.active or 'nobody'}")


def probe(url: str, timeout: float) -> tuple[bool, str]:
    """Return whether a side is up, and what it said."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - an app on loopback
            return answer.status == 200, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return False, f"{refusal.code} {refusal.read().decode()}"
    except OSError as error:
        return False, str(error)
