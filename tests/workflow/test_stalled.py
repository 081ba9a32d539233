"""Runs that are resumed again and again and get no further."""

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
from durabletask.client import AsyncTaskHubGrpcClient

from indexvault.backup.run import item_for
from indexvault.errors import ConflictError, IndexvaultError, UnreachableError
from indexvault.maintenance.schedule import tick
from indexvault.model import IndexName
from indexvault.snapshots.run_names import OPEN_PREFIX
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources, Work
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.lock import Lock
from indexvault.workflow.lock_activities import Claim, Done, take_lock
from indexvault.workflow.progress import read_progress, reported
from indexvault.workflow.runs import RunRecord, Runs
from indexvault.workflow.stalled import MOST_RESUMPTIONS
from tests.memory_store import MemoryStore
from tests.world import EAST, World, open_world

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
RUN = "20261120T020000Z-backup-7f3a9c"
HOTELS = IndexName(EAST, "hotels")


class Amnesiac(DurableEngine):
    """An engine that loses every run it is given."""

    def __init__(self, client: AsyncTaskHubGrpcClient) -> None:
        super().__init__(client)
        self.started: list[str] = []
        self.refuses = False

    async def start(self, workflow: str, order: RunOrder) -> bool:  # noqa: ARG002 - the engine has it
        if self.refuses:
            raise UnreachableError("no answer", on="the engine", do="Try again")
        self.started.append(order.run)
        return True


@contextlib.asynccontextmanager
async def unfinished_run() -> AsyncIterator[tuple[World, Amnesiac, Resources, Runs]]:
    """A run of one index that has its lock and a checkpoint, and whose engine forgets it."""
    async with (
        open_world(MemoryStore("local")) as world,
        AsyncTaskHubGrpcClient(host_address=world.engine.address) as client,
    ):
        await world.store.prepare()
        runs = Runs(world.store.runs)
        resources = dataclasses.replace(world.resources, clock=lambda: NOW)
        record = RunRecord(
            run=RUN, kind="backup", workflow="run_backup", service=EAST, asked="hotels", owner="a test", created=NOW
        )
        item = item_for(record, "hotels", 0)
        await take_lock(resources, Claim(Work(run=item.run, service=EAST, index=HOTELS), "a test"))
        await Checkpoints(world.store.runs, item.run).write("plan", Done())
        await runs.create(msgspec.structs.replace(record, items=[item]))
        yield world, Amnesiac(client), resources, runs


async def test_a_run_resumed_three_times_without_progress_is_closed_as_failed() -> None:
    async with unfinished_run() as (_world, engine, resources, runs):
        for _ in range(MOST_RESUMPTIONS + 3):
            await tick(resources, engine, backup_workflow="run_backup")
        record = await runs.read(RUN)
        assert engine.started == [RUN] * MOST_RESUMPTIONS
        assert record is not None
        assert record.state == "failed"
        assert record.failure is not None
        assert "3 times without progress" in record.failure.what
        assert [item.outcome.state for item in record.items] == ["failed"]
        assert record.finished == NOW


async def test_an_engine_that_takes_no_run_ends_none() -> None:
    async with unfinished_run() as (_world, engine, resources, runs):
        engine.refuses = True
        for _ in range(MOST_RESUMPTIONS + 3):
            await tick(resources, engine, backup_workflow="run_backup")
        record = await runs.read(RUN)
        assert record is not None
        assert record.state == "waiting"


async def test_its_lock_and_its_mark_end_with_it() -> None:
    async with unfinished_run() as (world, engine, resources, _runs):
        other = Lock(world.store.runs, HOTELS, run="another", owner="a test", clock=lambda: NOW)
        with pytest.raises(ConflictError):
            await other.take()
        for _ in range(MOST_RESUMPTIONS + 2):
            await tick(resources, engine, backup_workflow="run_backup")
        await other.take()
        assert [blob.name async for blob in world.store.runs.list(OPEN_PREFIX)] == []


async def test_a_run_that_gets_further_is_resumed_as_often_as_it_takes() -> None:
    async with unfinished_run() as (world, engine, resources, runs):
        for number in range(3 * MOST_RESUMPTIONS):
            await Checkpoints(world.store.runs, f"{RUN}-0").write("plan", [number])
            await tick(resources, engine, backup_workflow="run_backup")
        record = await runs.read(RUN)
        assert record is not None
        assert not record.is_finished
        assert len(engine.started) == 3 * MOST_RESUMPTIONS


class Given(msgspec.Struct, frozen=True):
    """What the activity under test works on."""

    run: str = f"{RUN}-0"


async def _none(_resources: Resources, _given: Given) -> Done:
    return Done()


SCAN = Activity("scan", Given, Done, _none, work=lambda given: Work(given.run, EAST, HOTELS, part_of=RUN))


class _Process:
    """A process that works on an activity until it is killed: nothing it does then reaches the store."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    async def start_and_be_killed(self) -> None:
        runs = self.resources.clients.store_of(EAST).runs
        put = runs.put
        entered = reported(self.resources, SCAN, Given())
        reporting = await entered.__aenter__()
        reporting.report(ProgressUpdate(stage="read", documents=1))
        await asyncio.sleep(0)

        async def unreachable(*_given: object, **_options: object) -> str:
            raise UnreachableError("the process is dead", on="store local", do="Nothing")

        runs.put = unreachable  # type: ignore[method-assign] # a dead process writes nothing
        try:
            await entered.__aexit__(None, None, None)
        finally:
            runs.put = put  # type: ignore[method-assign]


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    async with open_world(MemoryStore("local")) as world:
        yield dataclasses.replace(world.resources, rng=random.Random(1))


async def test_an_activity_that_ends_every_process_is_not_started_for_ever(resources: Resources) -> None:
    for _ in range(MOST_RESUMPTIONS + 1):
        await _Process(resources).start_and_be_killed()
    with pytest.raises(IndexvaultError, match="3 times without progress") as raised:
        await _Process(resources).start_and_be_killed()
    assert not raised.value.may_pass


async def test_an_activity_that_wrote_a_checkpoint_is_started_again(resources: Resources) -> None:
    records = Checkpoints(resources.clients.store_of(EAST).runs, Given().run)
    for number in range(3 * MOST_RESUMPTIONS):
        await records.write("range-1", [number])
        await _Process(resources).start_and_be_killed()


async def test_an_activity_that_ended_counts_no_more(resources: Resources) -> None:
    for _ in range(3 * MOST_RESUMPTIONS):
        await _Process(resources).start_and_be_killed()
        async with reported(resources, SCAN, Given()):
            pass


async def test_what_counts_starts_is_no_progress_to_show(resources: Resources) -> None:
    runs = resources.clients.store_of(EAST).runs
    async with reported(resources, SCAN, Given()):
        assert await read_progress([runs], RUN) is None
    assert [blob.name async for blob in runs.list("runs/")] == []
