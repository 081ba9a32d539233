"""Two emulated services over HTTP, a store, and the embedded engine between them."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from azure.core.credentials import AzureKeyCredential

import indexvault.workflow.calls
from emulator.server import running
from emulator.service import EmulatedService
from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.workflow import BACK_UP_INDEX
from indexvault.backup.workflow import activities_within as backup_activities_within
from indexvault.clients import Clients
from indexvault.restore.job import RestoreJob
from indexvault.restore.report import PreflightReport, RestoreReport
from indexvault.restore.workflow import ACTIVITIES as RESTORE_ACTIVITIES
from indexvault.restore.workflow import PREFLIGHT_RESTORE, RESTORE_INDEX
from indexvault.search.batch import batch, upload_action
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.retry import RetryPolicy
from indexvault.settings.model import EnvironmentSecret, PolicySettings, ServiceSettings, Settings, StoreSettings, Tier
from indexvault.snapshots.store import Store
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.local import LocalEngine

EAST, WEST = "contoso-east", "contoso-west"
LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""A time after every snapshot of a test."""

KEYS = {EAST: "east-admin-key", WEST: "west-admin-key"}

type Documents = Sequence[dict[str, Any]]
type Run = Callable[[Resources, Any], Awaitable[Any]]
type Around = Callable[[Run, Resources, Any], Awaitable[Any]]


def upload_batch(lines: Iterable[bytes]) -> bytes:
    """Return the body of a batch that uploads documents."""
    return batch(upload_action(line) for line in lines)


@dataclass
class Calendar:
    """A clock that a test sets."""

    now: datetime = datetime(2026, 11, 16, 2, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """What a test of a workflow stands on.

    What is put in `around` under an activity's name is run in its place, and may run it.
    """

    clients: Clients
    engine: LocalEngine
    resources: Resources
    store: Store
    endpoints: dict[str, str]
    progress: list[ProgressUpdate]
    slept: list[float]
    around: dict[str, Around]
    runs: int = field(default=0)

    @property
    def east(self) -> SearchService:
        return self.clients.service(EAST)

    @property
    def west(self) -> SearchService:
        return self.clients.service(WEST)

    async def ask_east_with(self, kind: type[SearchService] = SearchService, *, key: str = KEYS[EAST]) -> None:
        """Ask the east service through another client from now on, made of a subclass or with another key."""
        await self.east.close()
        service = kind(EAST, self.endpoints[EAST], AzureKeyCredential(key), rng=self.clients._rng)
        self.clients._services[EAST] = service

    async def fill(self, definition: dict[str, Any], documents: Iterable[dict[str, Any]], service: str = EAST) -> None:
        """Create an index on a service and upload documents to it."""
        target = self.clients.service(service)
        name = definition["name"]
        await target.create_index(name, msgspec.json.encode(definition), preview=False)
        lines = [msgspec.json.encode(document) for document in documents]
        for start in range(0, len(lines), 1000):
            answer = await target.index_documents(name, upload_batch(lines[start : start + 1000]))
            assert all(result.status for result in answer.results.values()), answer.results

    async def back_up(self, index: str, *, run: str | None = None, **changes: Any) -> BackupReport:
        self.runs += 1
        job = BackupJob(service=EAST, index=index, run=run or f"backup-{self.runs}", **changes)
        return await self.engine.run(BACK_UP_INDEX, job)

    async def restore(self, made: BackupReport, /, **changes: Any) -> RestoreReport:
        return await self.engine.run(RESTORE_INDEX, self.restore_job(made, **changes))

    def restore_job(self, made: BackupReport, /, *, index: str = "restored", **changes: Any) -> RestoreJob:
        """Return the job that restores a snapshot to the west, with changes."""
        self.runs += 1
        members: dict[str, Any] = {
            "service": EAST,
            "index": made.index,
            "snapshot": made.snapshot,
            "target_service": WEST,
            "target_index": index,
            "run": f"restore-{self.runs}",
        }
        return RestoreJob(**(members | changes))

    async def preflight(self, made: BackupReport, /, **changes: Any) -> PreflightReport:
        return await self.engine.run(PREFLIGHT_RESTORE, self.restore_job(made, **changes))

    async def documents(self, service: str, index: str, key_field: str) -> list[dict[str, Any]]:
        """Return an index's first thousand documents by key."""
        page = await self.clients.service(service).documents(
            index, DocumentQuery(orderby=key_field, top=1000), PageReader(key_field)
        )
        return [msgspec.json.decode(document.line) for document in page.documents]

    async def faults(self, service: str, *rules: dict[str, Any], seed: int = 7) -> None:
        """Replace a service's fault rules."""
        await self.control("POST", service, "/faults", {"seed": seed, "rules": list(rules)})

    async def requests(self, service: str) -> dict[str, Any]:
        """Return the requests that a service got, by operation."""
        overview = await self.control("GET", service, "")
        requests: dict[str, Any] = overview["requests"]
        return requests

    async def control(self, method: str, service: str, path: str, body: Any = None) -> Any:
        url = f"{self.endpoints[service]}/$emulator{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status == 200 else None


@pytest.fixture(autouse=True)
def quick_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the rests between a workflow's attempts."""
    monkeypatch.setattr(indexvault.workflow.calls, "FIRST_REST", timedelta(milliseconds=1))


def with_around(activity: Activity[Any, Any], around: Mapping[str, Around]) -> Activity[Any, Any]:
    """Return an activity in whose place runs what stands under its name, at the time it is called."""

    async def run(resources: Resources, given: Any) -> Any:
        if activity.name in around:
            return await around[activity.name](activity.run, resources, given)
        return await activity.run(resources, given)

    return replace(activity, run=run)


@asynccontextmanager
async def open_world(
    store: Store,
    *,
    clock: Callable[[], datetime] | None = None,
    services: Sequence[EmulatedService] | None = None,
    replicas: Mapping[str, Store] | None = None,
    store_of: Mapping[str, str] | None = None,
    policies: Mapping[str, PolicySettings] | None = None,
    limits: Limits = LIMITS,
    settle_seconds: int = 600,
    record_key: str | None = None,
) -> AsyncIterator[World]:
    """Open a world around a store. Waits between retries are recorded, not slept. Each replica is its own region.

    With a record key, `store` is as somebody without the key sees it.
    """
    emulated = services or (
        EmulatedService(name=EAST, tier="standard", region="eastus", api_key=KEYS[EAST]),
        EmulatedService(name=WEST, tier="basic", region="westus2", api_key=KEYS[WEST]),
    )
    slept: list[float] = []
    progress: list[ProgressUpdate] = []
    around: dict[str, Around] = {}

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with running(list(emulated)) as emulator:
        settings = Settings(
            stores={
                name: StoreSettings(region=name, connection_string="UseDevelopmentStorage=true")
                for name in ("local", *(replicas or {}))
            },
            policies=dict(policies or {}),
            services={
                each.name: ServiceSettings(
                    endpoint=emulator.endpoint(each.name),
                    region=each.region,
                    tier=cast("Tier", each.tier),
                    store=(store_of or {}).get(each.name, "local"),
                    api_key=EnvironmentSecret(env=each.name),
                    settle_seconds=settle_seconds,
                )
                for each in emulated
            },
            allow_cross_region=True,
            record_key=None if record_key is None else EnvironmentSecret(env="RECORD_KEY"),
        )
        async with Clients(
            settings,
            environment={each.name: each.api_key for each in emulated} | {"RECORD_KEY": record_key or ""},
            rng=random.Random(1),
            retry=RetryPolicy(first_wait=0.001, longest_wait=0.01, longest_retry_after=0.01),
            stores={"local": store, **(replicas or {})},
        ) as clients:
            resources = Resources(
                clients=clients,
                clock=clock or (lambda: datetime.now(UTC)),
                rng=random.Random(2),
                report=progress.append,
                sleep=sleep,
            )
            activities = dict.fromkeys([*backup_activities_within(limits), *RESTORE_ACTIVITIES])
            async with LocalEngine(
                resources,
                [with_around(each, around) for each in activities],
                [BACK_UP_INDEX, RESTORE_INDEX, PREFLIGHT_RESTORE],
            ) as opened:
                yield World(
                    clients=clients,
                    engine=opened,
                    resources=resources,
                    store=store,
                    endpoints={each.name: emulator.endpoint(each.name) for each in emulated},
                    progress=progress,
                    slept=slept,
                    around=around,
                )
