"""The disaster: what is set up, and each step of it with what it measures."""

import contextlib
import os
import random
import secrets
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.disaster import dumps
from tests.disaster.ledger import Ledger, Loss, judge
from tests.disaster.processes import Region
from tests.disaster.router import Route, Router, Side
from tests.disaster.settings import HOT, east, environment, fill, west
from tests.disaster.traffic import INDEX, Reader, Timers, Writer

_PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a disaster is: documents of each index, and seconds of writing before and after the failure."""

    pairs: tuple[str, ...]
    documents: int
    before: float
    after: float
    write_rest: float = 0.2
    read_rest: float = 0.1

    @property
    def is_patient(self) -> bool:
        """Whether there is time to wait for the next minute, at which policies are due."""
        return self.before >= 30


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold, and what was seen."""

    what: str
    holds: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the command line said, and how long it took."""

    code: int
    text: str
    seconds: float


@dataclass
class Disaster:
    """Two regions, their pairs, and those who write and read. `tell` gets each line of the timeline."""

    folder: Path
    size: Size
    tell: Callable[[str], None]
    began: float = field(default_factory=time.time)
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose keys and ports."""
        self.search_key = secrets.token_hex(18)
        self.blob_key = b64encode(secrets.token_bytes(64)).decode()
        pairs = self.size.pairs
        self.east = Region("east", "eastus", self.folder, [east(each) for each in pairs], self.search_key)
        self.west = Region("west", "westus2", self.folder, [west(each) for each in pairs], self.search_key)
        self.regions = {"east": self.east, "west": self.west}
        self.environment = environment(
            self.regions, pairs, search_key=self.search_key, blob_key=self.blob_key, record_key=secrets.token_hex(32)
        )
        self.endpoints = {name: each.endpoint(name) for each in self.regions.values() for name in each.services}
        self.ledgers = {each: Ledger() for each in pairs}
        self.lost: dict[str, frozenset[int]] = {each: frozenset() for each in pairs}
        sides = [(east, self.east), (west, self.west)]
        self.router = Router(
            [
                Route(pair, [Side(of(pair), f"{region.app_url}/api/health/{of(pair)}") for of, region in sides])
                for pair in pairs
            ],
            tell=self.say,
        )
        self.timers = {name: Timers(region.app_url, self.environment) for name, region in self.regions.items()}
        self.writers: dict[str, Writer] = {}
        self.readers: dict[str, Reader] = {}

    def say(self, text: str) -> None:
        """Add a line to the timeline."""
        for line in text.splitlines():
            self.tell(f"{time.time() - self.began:7.1f} s  {line}")

    def check(self, what: str, holds: bool, seen: str = "") -> None:  # noqa: FBT001 - what is checked
        """Note whether something holds."""
        self.checks.append(Check(what, holds, seen))
        self.say(f"{'ok  ' if holds else 'FAIL'} {what}{f': {seen}' if seen else ''}")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """End every process and thread at the end, whatever happened."""
        try:
            yield
        finally:
            for loop in [*self.writers.values(), *self.readers.values(), *self.timers.values()]:
                loop.stop()
            for region in self.regions.values():
                region.kill()
            self.router.stop()

    def start(self) -> None:
        """Start both regions, fill the primaries, and start the apps: timers in the primary region only."""
        for region in self.regions.values():
            region.start_services()
            region.start_store(self.blob_key)
        for region in self.regions.values():
            region.await_ports()
        keys: dict[str, list[str]] = {}
        for pair in self.size.pairs:
            for of in (east, west) if pair == HOT else (east,):
                service, ledger = of(pair), self.ledgers[pair]
                keys[pair] = fill(self.endpoints[service], self.search_key, service, self.size.documents, ledger)
        for name, region in self.regions.items():
            self.start_app(name)
            region.await_ports()
        self.timers["east"].start()
        self.router.start()
        for pair in self.size.pairs:
            self.writers[pair] = self._writer(pair, keys[pair])
            self.readers[pair] = self._reader(pair)
        self.say(f"two regions are up: {', '.join(self.endpoints)}; {self.size.documents} documents each")

    def start_app(self, region: str) -> None:
        """Start the app of a region."""
        self.regions[region].start_app(self.environment | {"WEBSITE_SITE_NAME": f"func-{region}"})

    def content(self, service: str) -> dict[str, dict[str, Any]]:
        """Return what a service holds, by a tool that is not ours."""
        return dumps.content(self.endpoints[service], self.search_key, INDEX)

    def loss(self, pair: str, service: str) -> Loss:
        """Return what a service lacks of what the writer was told is stored. Nothing is written meanwhile."""
        was_running = self.writers[pair].pause()
        writes = [each for each in self.ledgers[pair].known() if pair != HOT or each.service == service]
        found = judge(writes, self.content(service), forgiven=self.lost[pair])
        if was_running:
            self.writers[pair].resume()
        return found

    def cli(self, *arguments: str, seconds: float = 300.0) -> Said:
        """Run the command line as an operator would."""
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "indexvault", *arguments],
            check=False,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(_PROJECT), "COLUMNS": "110", **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        return Said(done.returncode, done.stdout, time.monotonic() - began)

    def all_at_once(self, pairs: Sequence[str], command: Callable[[str], Sequence[str]]) -> dict[str, Said]:
        """Run a command for some pairs at the same time."""
        with ThreadPoolExecutor(len(pairs)) as pool:
            return dict(zip(pairs, pool.map(lambda pair: self.cli(*command(pair)), pairs), strict=True))

    def cli_for_each(self, pairs: Sequence[str], command: Callable[[str], Sequence[str]]) -> dict[str, Said]:
        """Run a command for some pairs at the same time, and tell what each said."""
        said = self.all_at_once(pairs, command)
        for pair, each in said.items():
            self.say(f"$ indexvault {' '.join(command(pair))}   (exit {each.code}, {each.seconds:.1f} s)")
            self.say("\n".join(f"    {line}" for line in each.text.splitlines()))
        return said

    def dump(self, service: str, name: str) -> tuple[Path, str]:
        """Write down what a service holds, and return the file and its hash."""
        file = self.folder / f"{service}-{name}.jsonl"
        return file, dumps.dump(self.endpoints[service], self.search_key, INDEX, file)

    def until(self, what: str, reached: Callable[[], bool], seconds: float) -> float:
        """Wait for something, and return how long that took. Raises TimeoutError with the apps' logs."""
        began = time.monotonic()
        while not reached():
            if time.monotonic() - began > seconds:
                logs = "\n".join(f"-- app of {name}\n{each.log('app')}" for name, each in self.regions.items())
                raise TimeoutError(f"{what}: not within {seconds:g} s\n{logs}")
            time.sleep(0.2)
        return time.monotonic() - began

    def _reader(self, pair: str) -> Reader:
        route = self.router.routes[pair]
        return Reader(lambda: route.active, self.endpoints, self.search_key, rest=self.size.read_rest)

    def _writer(self, pair: str, keys: list[str]) -> Writer:
        route = self.router.routes[pair]
        # With hot-hot the application writes to every side that is up.
        targets = (lambda: route.up) if pair == HOT else (lambda: route.up[:1])
        return Writer(
            self.ledgers[pair],
            targets,
            self.endpoints,
            self.search_key,
            rng=random.Random(f"writer of {pair}"),
            rest=self.size.write_rest,
            keys=keys,
        )
