"""Locks and runs in a store whose attacker has no record key: each attack works without keys, and not with one."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import msgspec
import pytest

from indexvault.clients import Clients
from indexvault.errors import ConflictError
from indexvault.maintenance.schedule import Due, last_runs, policy_run, tick
from indexvault.model import IndexName
from indexvault.settings.model import EnvironmentSecret, PolicySettings, ServiceSettings, Settings, StoreSettings
from indexvault.snapshots.run_names import lock_name, open_name, record_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.activity import Resources
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.lock import Lock, unlock
from indexvault.workflow.lock_holder import Holder, read_holder
from indexvault.workflow.runs import RunRecord, Runs
from tests.keyed import KEY, keyed
from tests.memory_store import MemoryStore

HOTELS = IndexName("contoso-east", "hotels")
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MOVE = RunRecord(
    run="20261120T080000Z-move-0a0b0c",
    kind="move",
    workflow="run_move",
    service="contoso-east",
    asked="forged",
    owner="forged",
    created=NOW,
)


class Engine:
    """An engine that knows no run, and notes what it is told to carry out."""

    def __init__(self) -> None:
        self.started: list[str] = []

    async def state(self, run: str) -> str:
        assert run
        return "unknown"

    async def start(self, workflow: str, order: RunOrder) -> None:
        assert workflow
        self.started.append(order.run)


def lock(blobs: RunBlobs, run: str) -> Lock:
    return Lock(blobs, HOTELS, run=run, owner="a test", clock=lambda: NOW)


async def forge_run(bare: RunBlobs, record: RunRecord) -> None:
    await bare.put(record_name(record.run), msgspec.json.encode(record))
    await bare.put(open_name(record.run), b"{}")


async def ticked(store: MemoryStore, key: str | None) -> list[str]:
    """Let the timer tick and return the runs that the engine was told to carry out."""
    settings = Settings(
        stores={"local": StoreSettings(region="local", connection_string="UseDevelopmentStorage=true")},
        services={
            "contoso-east": ServiceSettings(
                endpoint="http://127.0.0.1:1", region="eastus", tier="standard", store="local"
            )
        },
        policies={"nightly": PolicySettings(service="contoso-east", schedule="0 0 2 * * *")},
        record_key=None if key is None else EnvironmentSecret(env="RECORD_KEY"),
    )
    engine, rng = Engine(), random.Random(1)
    environment = {"RECORD_KEY": key or ""}
    async with Clients(settings, environment=environment, rng=rng, stores={"local": store}) as clients:
        resources = Resources(clients=clients, clock=lambda: NOW, rng=rng, report=lambda _update: None)
        await tick(resources, cast("DurableEngine", engine), backup_workflow="run_backup")
    return engine.started


async def test_a_forged_run_is_not_carried_out() -> None:
    store = MemoryStore()
    await forge_run(store.runs, MOVE)
    assert MOVE.run in await ticked(store, None)
    store = MemoryStore()
    await forge_run(store.runs, MOVE)
    assert await ticked(store, KEY) == ["20261120T020000Z-policy-nightly"]


async def test_a_genuine_run_is_carried_out() -> None:
    store = MemoryStore()
    await Runs(keyed(store, account="local").runs).create(MOVE)
    assert MOVE.run in await ticked(store, KEY)


@pytest.mark.parametrize("is_finished", [True, False])
async def test_a_run_under_another_run_s_name_is_none(is_finished: bool) -> None:  # noqa: FBT001
    """A genuine record, copied to the name of another run."""
    store = MemoryStore()
    runs = keyed(store).runs
    state = "done" if is_finished else "waiting"
    await Runs(runs).create(msgspec.structs.replace(MOVE, state=state))
    for name in (record_name, open_name):
        genuine = await store.runs.read(name(MOVE.run), 10_000)
        assert genuine is not None
        await store.runs.put(name("20261120T080000Z-move-ffffff"), genuine.data, metadata=genuine.metadata)
    assert [record.run for record in await Runs(runs).unfinished()] == ([] if is_finished else [MOVE.run])
    assert await Runs(runs).names() == [MOVE.run]


async def test_a_finished_run_that_is_changed_to_unfinished_is_none() -> None:
    store = MemoryStore()
    runs = keyed(store).runs
    await Runs(runs).create(msgspec.structs.replace(MOVE, state="done"))
    genuine = await store.runs.read(record_name(MOVE.run), 10_000)
    assert genuine is not None
    changed = genuine.data.replace(b'"state":"done"', b'"state":"open"')
    await store.runs.put(record_name(MOVE.run), changed, metadata=genuine.metadata)
    assert await Runs(runs).read(MOVE.run) is None


async def test_a_forged_name_of_a_run_keeps_no_policy_from_being_due() -> None:
    """Whether a policy is due is told from the names alone."""
    store = MemoryStore()
    name = policy_run(Due("nightly", NOW))
    await store.runs.put(record_name(name), b"{}")
    assert last_runs(await Runs(store.runs).names(), NOW) == {"nightly": NOW}
    assert last_runs(await Runs(keyed(store).runs).names(), NOW) == {}
    assert await Runs(keyed(store).runs).create(msgspec.structs.replace(MOVE, run=name))


@pytest.mark.parametrize("expires", [datetime(9999, 1, 1, tzinfo=UTC), NOW + timedelta(minutes=9)])
async def test_a_forged_lock_keeps_nobody_out(expires: datetime) -> None:
    store = MemoryStore(clock=lambda: NOW)
    forged = Holder(run="forged", owner="nobody", expires=expires)
    for runs, is_locked in ((store.runs, expires.year < 9999), (keyed(store, clock=lambda: NOW).runs, False)):
        await store.runs.put(lock_name("contoso-east", "hotels"), msgspec.json.encode(forged))
        if is_locked:
            with pytest.raises(ConflictError):
                await lock(runs, "mine").take()
        else:
            await lock(runs, "mine").take()
            await lock(runs, "mine").release()


async def test_a_forged_lock_with_a_forged_lease_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexvault.workflow.lock._POLL_SECONDS", 0.001)
    store = MemoryStore(clock=lambda: NOW)
    runs = keyed(store, clock=lambda: NOW).runs
    forged = Holder(run="forged", owner="nobody", expires=datetime(9999, 1, 1, tzinfo=UTC))
    await store.runs.put(lock_name("contoso-east", "hotels"), msgspec.json.encode(forged))
    await store.runs.acquire(lock_name("contoso-east", "hotels"), str(uuid4()), 60)
    with pytest.raises(ConflictError):
        await lock(store.runs, "mine").take()
    await lock(runs, "mine").take()
    holder = await read_holder(runs, HOTELS)
    assert holder is not None
    assert holder.run == "mine"
    with pytest.raises(ConflictError, match="run mine"):
        await lock(runs, "second").take()


async def test_a_run_whose_lock_is_forged_away_stops() -> None:
    store = MemoryStore(clock=lambda: NOW)
    runs = keyed(store, clock=lambda: NOW).runs
    mine = lock(runs, "mine")
    await mine.take()
    await mine.release()
    await store.runs.put(lock_name("contoso-east", "hotels"), b'{"run":"mine"}')
    with pytest.raises(ConflictError, match="has lost its lock"):
        await mine.hold()


async def test_unlock_clears_a_forged_lock() -> None:
    store = MemoryStore()
    runs = keyed(store).runs
    await store.runs.put(lock_name("contoso-east", "hotels"), b"forged")
    await store.runs.acquire(lock_name("contoso-east", "hotels"), str(uuid4()), 60)
    assert await unlock(runs, HOTELS, clock=lambda: NOW) == "free"
    assert [found.blob async for found in runs.tampering()] == []


async def test_only_one_run_gets_a_lock_that_was_forged() -> None:
    store = MemoryStore()
    runs = keyed(store).runs
    await store.runs.put(lock_name("contoso-east", "hotels"), b"forged")
    taken = await asyncio.gather(*(lock(runs, f"run-{number}").take() for number in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in taken) == ["ConflictError", "ConflictError", "NoneType"]
