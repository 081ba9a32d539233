"""A GET changes nothing: not one request to a store or a service that writes, and no container is made anew."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Self, cast

import msgspec
import pytest

from indexvault.api.alerts import list_alerts
from indexvault.api.endpoint import Call, Nothing, Reply
from indexvault.api.health import HealthCheck, HealthQuery, health_endpoint
from indexvault.api.runs import RunPath, RunsQuery, list_runs, show_run
from indexvault.api.service_health import ServiceChecks, ServicePath, service_health_endpoint
from indexvault.api.snapshots import SnapshotPath, SnapshotQuery, SnapshotsQuery, list_all, show_snapshot
from indexvault.errors import NotFoundError, UnreachableError
from indexvault.settings.model import PairSettings
from indexvault.snapshots.azure_store import AzureStore
from indexvault.workflow.runs import RunRecord, Runs
from tests.azurite import Azurite
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, WEST, World, open_world

NOW = MORNING + timedelta(days=1)
READING = {"read", "list", "folders", "properties", "first_sound", "authority"}
RUN = "20261116T023000Z-backup-7f3a9c"

type Ask = Callable[[World], Awaitable[Reply]]


class Watched:
    """One half of a store whose calls are noted; its container can be absent."""

    def __init__(self, half: Any, calls: list[str], *, is_absent: bool) -> None:
        self._half, self._calls, self._is_absent = half, calls, is_absent

    def __getattr__(self, name: str) -> Any:
        self._calls.append(name)
        if not self._is_absent or name == "first_sound":
            return getattr(self._half, name)
        return self._refuse_listing if name in {"list", "folders"} else self._refuse

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NotFoundError("the container is not there", on="store local", do="Make it")

    async def _refuse_listing(self, *_: Any) -> AsyncIterator[Any]:
        await self._refuse()
        yield


class WatchedStore(MemoryStore):
    def __init__(self, *, is_absent: bool = False) -> None:
        super().__init__("local", lambda: NOW)
        self.kept = SimpleNamespace(snapshots=self.snapshots, runs=self.runs)
        self.calls: list[str] = []
        self.snapshots = cast("Any", Watched(self.snapshots, self.calls, is_absent=is_absent))
        self.runs = cast("Any", Watched(self.runs, self.calls, is_absent=is_absent))

    async def prepare(self) -> None:
        self.calls.append("prepare")

    async def __aenter__(self) -> Self:
        return self


def call(world: World, *, query: Any = None, path: Any = None) -> Call[None, Any, Any]:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    return Call(body=None, query=query or Nothing(), path=path or Nothing(), host=host, engine=cast("Any", None))


async def health(world: World) -> Reply:
    return await health_endpoint(HealthCheck()).handle(call(world, query=HealthQuery()))


async def dead_mans_switch(world: World) -> Reply:
    reply = await health_endpoint(HealthCheck()).handle(call(world, query=HealthQuery(within="PT26H")))
    return Reply(200 if reply.status == 503 else 500, reply.content)  # no tick has ever been


async def service_health(world: World) -> Reply:
    pair = PairSettings(
        primary=EAST, standby=WEST, mode="hot-hot", recovery_point=timedelta(hours=1), recovery_time=timedelta(hours=1)
    )
    world.clients.settings = msgspec.structs.replace(world.clients.settings, pairs={"contoso": pair})
    endpoint = service_health_endpoint(ServiceChecks())
    reply = await endpoint.handle(call(world, path=ServicePath(EAST)))
    return Reply(200 if reply.status == 503 else 500, reply.content)  # the service has no index


async def alerts(world: World) -> Reply:
    return await list_alerts(call(world))


async def runs(world: World) -> Reply:
    return await list_runs(call(world, query=RunsQuery()))


async def run(world: World) -> Reply:
    return await show_run(call(world, path=RunPath(RUN)))


async def snapshots(world: World) -> Reply:
    return await list_all(call(world, query=SnapshotsQuery()))


async def snapshot(world: World) -> Reply:
    path = SnapshotPath(service=EAST, index="hotels", id="latest")
    return await show_snapshot(call(world, query=SnapshotQuery(sharing=True), path=path))


@pytest.mark.parametrize("ask", [health, service_health, dead_mans_switch, alerts, runs, run, snapshots, snapshot])
async def test_a_get_writes_nothing(ask: Ask) -> None:
    store = WatchedStore()
    await write_snapshot(store.kept.snapshots, documents(range(9)))
    await Runs(store.kept.runs).create(
        RunRecord(run=RUN, kind="backup", workflow="w", service=EAST, asked="a", owner="o", created=NOW, items=[])
    )
    async with open_world(store, clock=lambda: NOW) as world:
        store.calls.clear()
        assert (await ask(world)).status == 200
        assert set(store.calls) <= READING
        assert set(await world.requests(EAST)) <= {"list_indexes"}


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (health, '"up"'),
        (service_health, "has no index"),
        (dead_mans_switch, '"unknown"'),
        (alerts, '"alerts":['),
        (runs, '"runs":[]'),
        (run, None),
        (snapshots, '"snapshots":[]'),
        (snapshot, None),
    ],
)
async def test_a_container_that_is_not_there_is_empty_and_not_made(ask: Ask, expected: str | None) -> None:
    store = WatchedStore(is_absent=True)
    async with open_world(store, clock=lambda: NOW) as world:
        if expected is None:
            with pytest.raises(NotFoundError):
                await ask(world)
        else:
            assert expected in msgspec.json.encode((await ask(world)).content).decode()
        assert set(store.calls) <= READING


@pytest.mark.parametrize("ask", [health, service_health, dead_mans_switch, alerts, runs, snapshots])
async def test_a_deleted_container_of_a_real_store_stays_deleted(azurite: Azurite, ask: Ask) -> None:
    async with AzureStore.from_connection_string("local", azurite.new_account()) as store:
        async with open_world(store, clock=lambda: NOW) as world:
            assert (await ask(world)).status == 200
        assert [each.name async for each in store._service.list_containers()] == []


async def test_health_is_down_if_a_store_does_not_answer() -> None:
    class Silent(WatchedStore):
        def __init__(self) -> None:
            super().__init__()
            self.runs = cast("Any", self)

        async def read(self, name: str, limit: int) -> None:
            raise UnreachableError("no answer", on=f"store local {name} {limit}", do="Wait")

    async with open_world(Silent(), clock=lambda: NOW) as world:
        assert (await health(world)).status == 503
