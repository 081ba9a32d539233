"""One store's trouble is never another's, and one damaged record never stops the rest of its store."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from indexvault.errors import UnreachableError
from indexvault.maintenance.forget_runs import forget_old_runs
from indexvault.maintenance.retention import MaintenanceJob, prune_stores
from indexvault.maintenance.schedule import tick
from indexvault.maintenance.scrub import IndexToVerify, list_indexes, verify_due
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.run_names import hold_name, open_name, pin_name, record_name, verified_name
from indexvault.snapshots.store import BlobProperties
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import RunOrder
from tests.memory_store import MemoryStore
from tests.snapshots.samples import documents, write_snapshot
from tests.world import EAST, WEST, World, open_world

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
POLICIES = {
    name: PolicySettings(service=service, schedule="0 0 2 * * *", indexes=("hotels",), replicate_to=())
    for name, service in (("a-broken", EAST), ("b-sound", WEST))
}
DEEP = b"[" * 9_000 + b"]" * 9_000


class Client:
    """What the engine was told to start; it knows nothing else. Starting what is in `refused` fails by a bug."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.refused: set[str] = set()

    async def get_orchestration_state(self, run: str, *, fetch_payloads: bool) -> None:
        assert run
        assert not fetch_payloads

    async def schedule_new_orchestration(self, workflow: str, *, input: Any, instance_id: str) -> str:  # noqa: A002
        assert workflow
        assert input
        if instance_id in self.refused:
            raise RecursionError(instance_id)
        self.started.append(instance_id)
        return instance_id

    async def purge_orchestrations_by(self, **_: object) -> None: ...


class Troubled(MemoryStore):
    """A store that fails in a way of its own wherever it is listed."""

    def __init__(self, name: str, error: Exception | None) -> None:
        super().__init__(name)
        self._error = error
        for half in (self.snapshots, self.runs):
            half.list = self._list  # type: ignore[method-assign]
        self.snapshots.folders = self._folders  # type: ignore[method-assign]

    async def _list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        assert prefix is not None
        if self._error is not None:
            raise self._error
        yield BlobProperties("", 0, NOW)

    async def _folders(self, prefix: str) -> AsyncIterator[str]:
        assert prefix is not None
        if self._error is not None:
            raise self._error
        yield ""


ERRORS = [
    UnreachableError("down", on="store local", do="Wait"),
    RecursionError("deep"),
    OverflowError("year"),
    KeyError("member"),
]


@pytest.fixture
def client() -> Client:
    return Client()


def engine_of(client: Client) -> DurableEngine:
    return DurableEngine(cast("Any", client))


def at_nine(world: World) -> Any:
    return dataclasses.replace(world.resources, clock=lambda: NOW)


@pytest.mark.parametrize("error", ERRORS)
async def test_the_policies_of_other_stores_start(client: Client, error: Exception) -> None:
    others = {"second": MemoryStore("second")}
    async with open_world(
        Troubled("local", error), replicas=others, store_of={WEST: "second"}, policies=POLICIES
    ) as world:
        started = await tick(at_nine(world), engine_of(client), backup_workflow="run_backup")
    assert started == client.started == ["20261121T020000Z-policy-b-sound"]


@pytest.mark.parametrize(
    "job", [*(b"[" * levels + b"]" * levels for levels in (100, 200, 900, 9_000, 200_000)), b"1e999", b'"\xff"']
)
async def test_a_hostile_record_of_a_run_stops_no_policy(client: Client, job: bytes) -> None:
    record = (
        b'{"run":"20261121T000000Z-backup-000000","kind":"backup","workflow":"run_backup","service":"contoso-east",'
        b'"asked":"x","owner":"x","created":"2026-11-21T00:00:00Z",'
        b'"items":[{"index":{"service":"contoso-east","index":"hotels"},"run":"r-0","job":%s}]}' % job
    )
    async with open_world(MemoryStore("local"), policies=POLICIES) as world:
        await world.store.runs.put(open_name("20261121T000000Z-backup-000000"), b"{}")
        await world.store.runs.put(record_name("20261121T000000Z-backup-000000"), record)
        started = await tick(at_nine(world), engine_of(client), backup_workflow="run_backup")
    assert started == ["20261121T020000Z-policy-a-broken", "20261121T020000Z-policy-b-sound"]


async def test_a_policy_that_can_not_be_started_stops_no_other(client: Client) -> None:
    client.refused = {"20261121T020000Z-policy-a-broken"}
    async with open_world(MemoryStore("local"), policies=POLICIES) as world:
        started = await tick(at_nine(world), engine_of(client), backup_workflow="run_backup")
    assert started == ["20261121T020000Z-policy-b-sound"]


@pytest.mark.parametrize("error", ERRORS)
async def test_old_runs_of_other_stores_are_forgotten(client: Client, error: Exception) -> None:
    second = MemoryStore("second")
    await second.runs.put(record_name("20260101T000000Z-backup-000000"), b"{")
    async with open_world(Troubled("local", error), replicas={"second": second}) as world:
        assert await forget_old_runs(at_nine(world), engine_of(client), keep=timedelta(days=30)) == 1


@pytest.mark.parametrize("error", ERRORS)
async def test_other_stores_are_verified(error: Exception) -> None:
    second = MemoryStore("second")
    await write_snapshot(second.snapshots, documents(range(3)))
    policies = {"p": msgspec.structs.replace(POLICIES["a-broken"], replicate_to=("second",))}
    async with open_world(Troubled("local", error), replicas={"second": second}, policies=policies) as world:
        found = await list_indexes(at_nine(world), RunOrder(service=EAST, run="r"))
    assert found.indexes == [IndexToVerify("second", EAST, "hotels")]


@pytest.mark.parametrize("data", [b"{", DEEP, b'{"turn":1e999}', b'{"turn":-99999999999999}'])
async def test_a_damaged_note_of_the_last_turn_stops_no_verification(data: bytes) -> None:
    store = MemoryStore("local")
    await write_snapshot(store.snapshots, documents(range(3)))
    await store.runs.put(verified_name(EAST, "hotels"), data)
    async with open_world(store) as world:
        assert (await verify_due(at_nine(world), IndexToVerify("local", EAST, "hotels"))).slices


@pytest.mark.parametrize("data", [b"{", DEEP, b"", b'{"since":"9999-12-31T23:59:59Z"}'])
async def test_a_damaged_pin_or_hold_keeps_its_snapshot_and_no_other(data: bytes) -> None:
    store = MemoryStore("local")
    made = [
        await write_snapshot(store.snapshots, documents(range(3)), created=NOW - timedelta(days=day), run=f"run-{day}")
        for day in (4, 3, 2, 1)
    ]
    pinned, held, gone, newest = (summary.id for _manifest, summary in made)
    await store.runs.put(pin_name(EAST, "hotels", pinned), data)
    await store.runs.put(hold_name(EAST, "hotels", held, "run"), data)
    policies = {"p": msgspec.structs.replace(POLICIES["a-broken"], keep=Retention(last=1))}
    async with open_world(store, policies=policies) as world:
        (plan,) = await prune_stores(at_nine(world), MaintenanceJob(service=EAST, index="hotels"), dry_run=False)
    assert plan.report.removed == (gone,)
    assert {each.snapshot.id for each in plan.decisions if each.keep} == {pinned, held, newest}
