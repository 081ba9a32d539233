"""Two emulated services, two stores and a clock, on which commands of `indexvault` are run one after the other.

Commands are the real ones, from the command line to the exit code. What stands in for the outside: the services and
stores (in this process), the engine (see `engine`), and time, which passes without waiting.
"""

import argparse
import asyncio
import contextlib
import functools
import io
import random
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec

import emulator.document_operations
import emulator.service
import indexvault.restore.stretches
import indexvault.snapshots.repack
import indexvault.workflow.local
from emulator.service import Service
from indexvault.backup.limits import Limits
from indexvault.backup.workflow import activities_within
from indexvault.cli.output import Output
from indexvault.cli.session import Session
from indexvault.cli.verbs import load_command
from indexvault.clients import Clients
from indexvault.errors import IndexvaultError
from indexvault.search.client import SearchService
from indexvault.search.retry import RetryPolicy
from indexvault.search.throttle import Timer
from indexvault.settings.model import (
    EnvironmentSecret,
    PairSettings,
    PolicySettings,
    ServiceSettings,
    Settings,
    StoreSettings,
)
from indexvault.snapshots.retention import Retention
from indexvault.workflow.activity import Activity, Resources
from tests.memory_store import MemoryStore
from tests.soak.engine import InlineEngine
from tests.soak.invariants import ViolationError
from tests.soak.process import KilledError, Process, RunawayError
from tests.soak.search_wire import DirectService, Emulated
from tests.soak.stores import SeenStore
from tests.soak.truth import Dump, Truth, dump

EAST, WEST = "contoso-east", "contoso-west"
KEYS = {EAST: "east-admin-key", WEST: "west-admin-key"}
LOCAL, REPLICA, WESTERN = "local", "replica", "western"
SMALL = Limits(
    most_skipped=60,
    largest_partition=60,
    comfortable_partition=25,
    smallest_range=15,
    sorted_run_bytes=8 * 1024,
    segment_bytes=2 * 1024,
    merged_at_once=3,
    merged_page=7,
)
PAIR = "contoso"
_PAIR = PairSettings(
    primary=EAST,
    standby=WEST,
    recovery_point=timedelta(days=1),
    recovery_time=timedelta(minutes=30),
    allow_cross_region=True,
)
STRETCH_BYTES = 16 * 1024
BEGAN = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
EXIT_CODES = frozenset({0, 1, 2, 3, 4, 5, 6, 130})

_LIMITED = {each.name: each for each in activities_within(SMALL)}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: its exit code, or None if it was killed; its records, and what went wrong beyond errors."""

    argv: tuple[str, ...]
    code: int | None
    records: list[dict[str, Any]]
    error: str = ""
    kind: str = ""
    crashes: list[str] = field(default_factory=list)
    requests: int = 0
    changes: list[str] = field(default_factory=list)
    killed_at: str = ""
    began: int = 0
    ended: int = 0

    def record(self, event: str) -> dict[str, Any]:
        """Return the last record of an event."""
        return next(each for each in reversed(self.records) if each["event"] == event)


class Stage:
    """The world of one sequence.

    `shared_store` lets both services keep their snapshots in one store; `paired` gives each a store in a region of its
    own, and makes them the pair PAIR.
    """

    def __init__(
        self,
        *,
        shared_store: bool = True,
        replicated: bool = False,
        paired: bool = False,
        keep: Retention | None = None,
        seed: int = 0,
    ) -> None:
        self.rng = random.Random(seed)
        self.skew = timedelta()
        self.truth = Truth()
        self.emulated = {name: Emulated(name, KEYS[name], self.truth) for name in (EAST, WEST)}
        self.stores = {name: MemoryStore(name, clock=self.clock) for name in (LOCAL, REPLICA, WESTERN)}
        others = (WESTERN,) if paired else (REPLICA,) if replicated else ()
        self.settings = Settings(
            stores={
                name: StoreSettings(
                    region="westus" if paired and name == WESTERN else "eastus",
                    connection_string="UseDevelopmentStorage=true",
                )
                for name in self.stores
            },
            policies={"nightly": PolicySettings(service=EAST, schedule="0 0 2 * * *", keep=keep, replicate_to=others)},
            services={
                name: ServiceSettings(
                    endpoint=f"http://127.0.0.1/{name}",
                    region="westus" if paired and name == WEST else "eastus",
                    tier="standard",
                    store=LOCAL if name == EAST or (shared_store and not paired) else WESTERN,
                    api_key=EnvironmentSecret(env=name),
                )
                for name in self.emulated
            },
            pairs={PAIR: _PAIR} if paired else {},
        )

    def close(self) -> None:
        """Close the databases of the services, which nothing else would free."""
        for emulated in self.emulated.values():
            emulated.service.close()

    def clock(self) -> datetime:
        """Return the time that processes and stores see."""
        return BEGAN + timedelta(seconds=asyncio.get_running_loop().time()) + self.skew

    def service(self, name: str) -> Service:
        """Return an emulated service's own state."""
        return self.emulated[name].service

    def dump(self, service: str, index: str) -> Dump | None:
        """Return every document of an index as the emulator stores it, or None if there is no such index."""
        return dump(self.service(service), index)

    def process(self, **how: Any) -> Process:
        """Return a process that can run one command."""
        return Process(rng=random.Random(self.rng.random()), **how)

    def tell(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """Send a request as somebody else, which no fault hits, and return the answer."""
        emulated = self.emulated[service]
        data = b"" if body is None else msgspec.json.encode(body)
        with _without_faults(emulated):
            reply = emulated.answer(method, f"{path}?api-version=2026-04-01", {"api-key": emulated.key}, data)
        if reply.status >= 300:
            raise AssertionError(f"{method} {path}: {reply.status} {reply.body!r}")
        return msgspec.json.decode(reply.body) if reply.body and reply.content_type == "application/json" else None

    async def run(self, *argv: str, process: Process | None = None) -> Ended:
        """Run a command in a process of its own."""
        process = process or self.process()
        stdout = io.StringIO()
        session = _Session(
            settings=self.settings,
            environment=KEYS,
            output=Output(as_json=True, stdout=stdout, stderr=io.StringIO()),
            clock=self.clock,
            rng=random.Random(self.rng.random()),
            stage=self,
            process=process,
        )
        began = self.truth.now
        how = _How()
        with self._small_pieces(process, how.crashes):
            await _attempt(session, argv, how)
        if process.dead:
            how.code = None
            how.crashes = [each for each in how.crashes if each.startswith("runaway")]
        records = [msgspec.json.decode(line) for line in stdout.getvalue().splitlines()]
        if not how.error:
            printed = [each for each in records if each["event"] == "error"]
            how.error = "; ".join(f"{each['on']}: {each['what']}" for each in printed)
            how.kind = next((each["kind"] for each in printed), "")
        return Ended(
            argv=argv,
            code=how.code,
            records=records,
            error=how.error,
            kind=how.kind,
            crashes=how.crashes,
            requests=process.requests,
            changes=list(process.changes),
            killed_at=how.killed_at,
            began=began,
            ended=self.truth.now,
        )

    @contextlib.contextmanager
    def _small_pieces(self, process: Process, crashes: list[str]) -> Iterator[None]:
        """Run workflows by our engine, with limits that small indexes meet, and the emulator on the loop's time."""

        def engine(resources: Resources, activities: Any, workflows: Any) -> InlineEngine:
            return InlineEngine(resources, activities, workflows, process=process, instead=_limited, crashes=crashes)

        loop = asyncio.get_running_loop()
        time = SimpleNamespace(monotonic=loop.time, time_ns=lambda: 0)
        with (
            patch.object(indexvault.workflow.local, "LocalEngine", engine),
            patch.object(indexvault.restore.stretches, "SMALLEST_STRETCH", STRETCH_BYTES),
            # Packs are small here: they are rewritten and joined all the same.
            patch.object(indexvault.snapshots.repack, "MANY", 2),
            patch.object(indexvault.snapshots.repack, "_NEGLIGIBLE", 1 << 20),
            patch.object(emulator.service, "time", time),
            patch.object(emulator.document_operations, "time", time),
        ):
            yield


@dataclass
class _How:
    """How a command ends, as far as it is known."""

    code: int | None = None
    error: str = ""
    kind: str = ""
    killed_at: str = ""
    crashes: list[str] = field(default_factory=list)


async def _attempt(session: "_Session", argv: Sequence[str], how: _How) -> None:
    """Run a command and note how it ends. Raises ViolationError only."""
    try:
        command = load_command(argv[0])
        assert command.run is not None
        how.code = await command.run(session, command.read_request(_parser(argv[0]).parse_args(argv[1:])))
    except IndexvaultError as error:
        how.code, how.error, how.kind = error.exit_code, str(error), type(error).__name__
    except KilledError as killed:
        how.killed_at = str(killed)
    except RunawayError as runaway:
        how.crashes.append(f"runaway: {runaway}")
    except BaseExceptionGroup as group:
        violations = group.subgroup(ViolationError)
        if violations is not None:
            raise _first(violations) from None
        how.killed_at = str(_first(group))
        how.crashes.append("".join(traceback.format_exception(group)))
    except SystemExit as exit_:
        how.crashes.append(f"arguments: {exit_}")
    except Exception:  # noqa: BLE001 - no other exception may reach the operator
        how.crashes.append(traceback.format_exc())


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """Return an error of a group, however deep."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


@functools.cache
def _parser(verb: str) -> argparse.ArgumentParser:
    """Return a parser of one verb's own arguments; the whole command line's takes longer to make than many commands."""
    parser = argparse.ArgumentParser(verb, allow_abbrev=False)
    load_command(verb).add_arguments(parser)
    return parser


def _limited(activity: Activity[Any, Any]) -> Activity[Any, Any]:
    return _LIMITED.get(activity.name, activity)


@contextlib.contextmanager
def _without_faults(emulated: Emulated) -> Iterator[None]:
    faults = emulated.service.faults
    rules, refuses, loses = faults.rules, emulated.refuses, emulated.loses
    faults.rules, emulated.refuses, emulated.loses = [], None, None
    try:
        yield
    finally:
        faults.rules, emulated.refuses, emulated.loses = rules, refuses, loses


class _Clients(Clients):
    """Clients whose services are reached without a network."""

    def __init__(self, settings: Settings, *, stage: Stage, process: Process, **others: Any) -> None:
        super().__init__(settings, **others)
        self._stage = stage
        self._process = process
        self._random = random.Random(stage.rng.random())

    def health_service(self, name: str) -> SearchService:
        return self.service(name)

    def service(self, name: str) -> SearchService:
        if name not in self._services:
            if name not in self._stage.emulated:
                return super().service(name)
            timer = Timer(now=asyncio.get_running_loop().time, sleep=asyncio.sleep)
            self._services[name] = DirectService(
                self._stage.emulated[name], self._process, rng=self._random, timer=timer
            )
        return self._services[name]


@dataclass(frozen=True, kw_only=True)
class _Session(Session):
    stage: Stage
    process: Process

    def clients(self, *, retry: RetryPolicy | None = None) -> Clients:
        stores: Mapping[str, Any] = {name: SeenStore(store, self.process) for name, store in self.stage.stores.items()}
        return _Clients(
            self.settings,
            stage=self.stage,
            process=self.process,
            environment=self.environment,
            rng=self.rng,
            retry=retry,
            stores=stores,
        )
