"""A pair of two emulated services with a store each, an engine that fails it over, and a region that can be killed."""

import dataclasses
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from indexvault.backup.service_objects import ServiceJob, back_up_objects
from indexvault.maintenance.retention import MaintenanceJob, replicate
from indexvault.recovery import failover
from indexvault.recovery.failover_job import FailoverJob, FailoverReport
from indexvault.recovery.failover_state import FailoverState, read_failover
from indexvault.recovery.pair_role import pair_role
from indexvault.settings.model import PairSettings, PolicySettings
from indexvault.snapshots.roles import PairRole, read_role
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.local import LocalEngine
from tests.memory_store import MemoryStore
from tests.recovery.conftest import NOTES, note
from tests.recovery.dead import DeadStore
from tests.world import EAST, WEST, Calendar, World, open_world, with_around

START = datetime(2026, 11, 22, 3, tzinfo=UTC)
PAIR = PairSettings(
    primary=EAST,
    standby=WEST,
    recovery_point=timedelta(hours=1),
    recovery_time=timedelta(minutes=30),
    allow_cross_region=True,
)
SOURCE: dict[str, Any] = {
    "name": "blobs",
    "type": "azureblob",
    "credentials": {"connectionString": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=aGVsbG8=;"},
    "container": {"name": "notes"},
}
INDEXER: dict[str, Any] = {"name": "read-blobs", "dataSourceName": "blobs", "targetIndexName": "notes"}
IDLE: dict[str, Any] = {**INDEXER, "name": "idle", "disabled": True}
SYNONYMS: dict[str, Any] = {"name": "words", "format": "solr", "synonyms": "usa, united states"}
ALIAS: dict[str, Any] = {"name": "current", "indexes": ["notes"]}


@dataclasses.dataclass
class FailoverWorld:
    """A pair `contoso`: east is the primary. `fail_over` runs a failover to its end."""

    world: World
    east_store: DeadStore
    west_store: MemoryStore
    engine: LocalEngine
    clock: Calendar
    runs: int = 0
    sockets: list[socket.socket] = dataclasses.field(default_factory=list)

    @property
    def resources(self) -> Resources:
        return self.world.resources

    def settle(self, **changes: Any) -> None:
        """Change the pair's settings."""
        settings = self.world.clients.settings
        self.world.clients.settings = replace(
            settings, pairs={"contoso": replace(settings.pairs["contoso"], **changes)}
        )

    async def back_up(self, index: str = "notes", *, copied: bool = True, **options: Any) -> str:
        """Back an index of the east up, and copy the snapshot to the west."""
        self.clock.now += timedelta(minutes=1)
        snapshot = (await self.world.back_up(index, **options)).snapshot
        if copied:
            await replicate(self.resources, MaintenanceJob(service=EAST, index=index))
        return snapshot

    async def back_up_objects(self) -> str:
        self.clock.now += timedelta(minutes=1)
        self.world.runs += 1
        made = await back_up_objects(self.resources, ServiceJob(service=EAST, run=f"objects-{self.world.runs}"))
        await replicate(self.resources, MaintenanceJob(service=EAST, index="notes"))
        return made.snapshot

    async def put(self, service: str, kind: str, definition: dict[str, Any]) -> None:
        """Create an object of a service."""
        target = self.world.clients.service(service)
        await target.create_definition(kind, definition["name"], msgspec.json.encode(definition), preview=False)

    async def get(self, service: str, kind: str, name: str) -> dict[str, Any]:
        """Return the definition of an object of a service."""
        found = await self.world.clients.service(service).definition(kind, name)
        return msgspec.json.decode(found.body, type=dict[str, Any])

    async def kill_east(self, *, hangs: bool = False) -> None:
        """Let neither the service nor the store of the east answer: connections are refused, or hang."""
        self.east_store.kill(hangs=hangs)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        if hangs:
            listening.listen()
            self.sockets.append(listening)
        else:
            listening.close()
        await self._connect_east(f"http://127.0.0.1:{port}")

    async def revive_east(self) -> None:
        """Let both answer again, with all that was there."""
        self.east_store.revive()
        await self._connect_east(self.world.endpoints[EAST])

    async def _connect_east(self, endpoint: str) -> None:
        await self.world.east.close()
        del self.world.clients._services[EAST]
        probe = self.world.clients._health_services.pop(EAST, None)
        if probe is not None:
            await probe.close()
        settings = self.world.clients.settings
        east = replace(settings.services[EAST], endpoint=endpoint)
        self.world.clients.settings = replace(settings, services={**settings.services, EAST: east})

    def job(self, **options: Any) -> FailoverJob:
        self.runs += 1
        members: dict[str, Any] = {"pair": "contoso", "to": WEST, "run": f"failover-{self.runs}"}
        return FailoverJob(**(members | options))

    async def fail_over(self, *, after: timedelta = timedelta(minutes=1), **options: Any) -> FailoverReport:
        self.clock.now += after
        job = self.job(**options)
        return await self.engine.run(failover.FAIL_OVER, job, run=job.run)

    async def check(self, **options: Any) -> FailoverReport:
        job = self.job(**options)
        return await self.engine.run(failover.CHECK_FAILOVER, job, run=job.run)

    async def role(self) -> PairRole:
        return (await pair_role(self.world.clients, "contoso", seconds=0.3)).role

    async def role_in(self, service: str) -> PairRole | None:
        return await read_role(self.world.clients.store_of(service).runs, "contoso")

    async def state(self, service: str = WEST) -> FailoverState | None:
        return await read_failover(self.world.clients.store_of(service).runs, "contoso")

    async def documents(self, service: str, index: str = "notes") -> list[dict[str, Any]]:
        return await self.world.documents(service, index, "id")


@asynccontextmanager
async def open_failover(
    *,
    pair: PairSettings = PAIR,
    activities: Sequence[Activity[Any, Any]] = (),
    workflows: Sequence[Any] = (),
    east_store: DeadStore | None = None,
    west_store: MemoryStore | None = None,
    **options: Any,
) -> AsyncIterator[FailoverWorld]:
    """Open a world of two services with a store each, of which both hold the snapshots of the east."""
    clock = Calendar(START)
    east = east_store or DeadStore("east", alive=True)
    west = west_store or MemoryStore("west")
    for store in (east, west):
        store.runs._clock = clock
        store.snapshots._clock = clock
    policy = PolicySettings(service=EAST, schedule="0 0 * * * *", replicate_to=("westus2",))
    async with open_world(
        east,
        clock=clock,
        replicas={"westus2": west},
        store_of={WEST: "westus2"},
        policies={"hourly": policy},
        **options,
    ) as world:
        world.clients.settings = replace(world.clients.settings, pairs={"contoso": pair})

        chosen: dict[Activity[Any, Any], None] = dict.fromkeys([*failover.ACTIVITIES, *activities])
        flows = [*failover.WORKFLOWS, *workflows]
        async with LocalEngine(world.resources, [with_around(each, world.around) for each in chosen], flows) as engine:
            opened = FailoverWorld(world, east, west, engine, clock)
            try:
                yield opened
            finally:
                for each in opened.sockets:
                    each.close()


async def fill_notes(opened: FailoverWorld, count: int = 400, *, service: str = EAST) -> None:
    """Fill an index `notes` of a service."""
    await opened.world.fill(NOTES, (note(number) for number in range(count)), service)
