"""A writer and a reader for each pair. They know the router, and what it says at the moment."""

import contextlib
import random
import threading
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.disaster.dumps import ask
from tests.disaster.ledger import Ledger, Write

INDEX = "products"
ALIAS = "catalogue"
_SECONDS = 5.0
_LARGEST = 5
_TICK_REST = 3.0


@dataclass(frozen=True, slots=True)
class Read:
    """One query: when it was sent, how long it took, and where it went; `error` is empty if it was answered."""

    at: float
    seconds: float
    service: str | None
    error: str


@dataclass
class Reads:
    """What a reader saw."""

    found: list[Read] = field(default_factory=list)

    def failed(self, since: float = 0.0, until: float = float("inf")) -> list[Read]:
        """Return the queries of a time that were not answered."""
        return [each for each in list(self.found) if each.error and since <= each.at < until]

    def longest_gap(self, since: float) -> float:
        """Return the longest time from one answered query to the next, in seconds."""
        answered = [each.at for each in list(self.found) if not each.error and each.at >= since]
        return max((later - earlier for earlier, later in zip([since, *answered], answered, strict=False)), default=0.0)


class Loop(ABC):
    """A thread that does something again and again. It can be paused: then it does nothing until it goes on."""

    def __init__(self, name: str, rest: float) -> None:
        self.name = name
        self.rest = rest
        self._stopped = threading.Event()
        self._may_run = threading.Event()
        self._resting = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._may_run.set()
        self._thread.start()

    def pause(self) -> bool:
        """Do nothing more, and return once what was under way has ended, with whether it was running."""
        was_running = self._may_run.is_set()
        self._may_run.clear()
        self._resting.wait(_SECONDS * 3)
        return was_running

    def resume(self) -> None:
        """Go on."""
        self._resting.clear()
        self._may_run.set()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._may_run.set()
        if self._thread.is_alive():
            self._thread.join(_SECONDS * 3)

    @abstractmethod
    def turn(self) -> None:
        """Do it once."""

    def _run(self) -> None:
        while not self._stopped.wait(self.rest):
            if not self._may_run.is_set():
                self._resting.set()
                self._may_run.wait()
                continue
            self.turn()


class Writer(Loop):
    """Writes batches to whatever `targets` says, and notes what it was told.

    A batch is stored only if every target says so; to which it was sent stands in its writes.
    """

    def __init__(
        self,
        ledger: Ledger,
        targets: Callable[[], Sequence[str]],
        endpoints: dict[str, str],
        key: str,
        *,
        rng: random.Random,
        rest: float,
        keys: Sequence[str],
    ) -> None:
        super().__init__("writer", rest)
        self._ledger = ledger
        self._targets = targets
        self._endpoints = endpoints
        self._key = key
        self._rng = rng
        self._seq = len(ledger.known())
        self._keys = list(keys)
        self.refused = 0

    def turn(self) -> None:
        """Write a batch of changes, additions and deletions, each of another document."""
        targets = self._targets()
        if not targets:
            self.refused += 1
            return
        chosen = self._rng.sample(self._keys, k=min(len(self._keys), self._rng.randint(1, _LARGEST)))
        added = [f"new-{self._seq + number:08}" for number in range(self._rng.randint(0, 2))]
        self._keys += added
        actions: list[dict[str, Any]] = []
        for key in [*chosen, *added]:
            self._seq += 1
            if key in chosen and self._rng.random() < 0.15:
                actions.append({"@search.action": "delete", "id": key})
            else:
                actions.append({"@search.action": "upload", **document(key, self._seq, self._rng)})
        self._send(targets, actions, self._seq - len(actions) + 1)

    def _send(self, targets: Sequence[str], actions: list[dict[str, Any]], first: int) -> None:
        for service in targets:
            sent = time.time()
            acknowledged: float | None = None
            try:
                path = f"/indexes('{INDEX}')/docs/search.index"
                said = ask(self._endpoints[service], self._key, "POST", path, {"value": actions}, seconds=_SECONDS)
                if all(each["status"] for each in said["value"]):
                    acknowledged = time.time()
            except OSError:
                self.refused += 1
            self._ledger.add(
                Write(first + at, action["id"], _stored(action), service, sent, acknowledged)
                for at, action in enumerate(actions)
            )


class Reader(Loop):
    """Asks the service that the router names for some documents, by the alias."""

    def __init__(self, route: Callable[[], str | None], endpoints: dict[str, str], key: str, *, rest: float) -> None:
        super().__init__("reader", rest)
        self.reads = Reads()
        self._route = route
        self._endpoints = endpoints
        self._key = key

    def turn(self) -> None:
        """Ask one query."""
        service, began = self._route(), time.time()
        error = "" if service else "no side is up"
        if service is not None:
            try:
                query = {"search": "*", "top": 3}
                path = f"/indexes('{ALIAS}')/docs/search.post.search"
                if not ask(self._endpoints[service], self._key, "POST", path, query, seconds=_SECONDS)["value"]:
                    error = "nothing was found"
            except OSError as failure:
                error = str(failure)
        self.reads.found.append(Read(began, time.time() - began, service, error))


class Timers(Loop):
    """Fires the timer that starts due policies of an app, as often as its ticks end: one after the other."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        super().__init__("timers", _TICK_REST)
        self._url = f"{url}/admin/functions/start_due_policies"
        self._key = environment["HOST_MASTER_KEY"]

    def start(self) -> None:
        """Begin, or begin again: an app that was killed comes back with its timers."""
        if not self._thread.is_alive():
            super().start()

    def turn(self) -> None:
        """Fire once. An app that is gone hears nothing."""
        request = urllib.request.Request(  # noqa: S310 - an app on loopback
            self._url, data=b"{}", method="POST", headers={"x-functions-key": self._key}
        )
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=60):  # noqa: S310 - the same
            pass


def document(key: str, seq: int, rng: random.Random) -> dict[str, Any]:
    """Return a version of a document."""
    words = " ".join(rng.choice(_WORDS) for _ in range(20))
    return {"id": key, "seq": seq, "title": f"Product {key}, version {seq}", "text": words}


def _stored(action: dict[str, Any]) -> dict[str, Any] | None:
    if action["@search.action"] == "delete":
        return None
    return {name: value for name, value in action.items() if not name.startswith("@")}


_WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heath",
    "inlet",
    "juniper",
    "kelp",
    "larch",
    "maple",
    "north",
    "ocean",
    "pine",
]
