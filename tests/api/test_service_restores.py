"""`POST /restores` of all of a service: what its run is told, what it refuses, what its outcome is."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.endpoint import Call, Nothing, Reply
from indexvault.api.restore_requests import RestoreRequest
from indexvault.api.restores import restore
from indexvault.backup.service_objects import BACK_UP_SERVICE, OBJECTS, ServiceJob
from indexvault.backup.workflow import ACTIVITIES as BACKUP_ACTIVITIES
from indexvault.errors import ConflictError, NotFoundError, RequestError
from indexvault.restore.run import ACTIVITIES as RUN_ACTIVITIES
from indexvault.restore.service.job import ServiceRestoreReport
from indexvault.restore.service.run import RUN_SERVICE_CHECK, RUN_SERVICE_RESTORE, WORKFLOWS
from indexvault.restore.service.workflow import ACTIVITIES
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.lock_activities import revoke
from indexvault.workflow.lock_holder import read_holder
from indexvault.workflow.runs import RunRecord, Runs
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, World, open_world


class Engine:
    """Where workflows start: notes which."""

    def __init__(self) -> None:
        self.started: list[tuple[str, RunOrder]] = []

    async def start(self, workflow: str, order: Any) -> None:
        self.started.append((workflow, order))


class Deployment:
    """A world with a backup of a whole service, and an app in front of it."""

    def __init__(self, world: World, local: LocalEngine, snapshot: str) -> None:
        self.world, self.local, self.snapshot = world, local, snapshot
        self.engine = Engine()

    async def ask(self, **members: Any) -> Reply:
        name = members.pop("snapshot", f"{EAST}/$service@latest")
        body = msgspec.convert(
            {"snapshot": name, "target_service": WEST, "allow_cross_region": True, **members}, RestoreRequest
        )
        host = cast("Any", SimpleNamespace(resources=self.world.resources))
        engine = cast("Any", self.engine)
        return await restore(Call(body=body, query=Nothing(), path=Nothing(), host=host, engine=engine))

    async def run(self) -> RunRecord:
        """Carry out the run that was started last, and return its record."""
        workflow, order = self.engine.started[-1]
        [run] = [each for each in (RUN_SERVICE_RESTORE, RUN_SERVICE_CHECK) if each.name == workflow]
        await self.local.run(run, order)
        return await self.record(order.run)

    async def record(self, run: str) -> RunRecord:
        record = await Runs(self.world.store.runs).read(run)
        assert record is not None
        return record


@pytest.fixture
async def deployment() -> AsyncIterator[Deployment]:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(40))
        await world.back_up("hotels")
        steps = {each.name: each for each in (*BACKUP_ACTIVITIES, OBJECTS, *ACTIVITIES, *RUN_ACTIVITIES)}
        async with LocalEngine(world.resources, steps.values(), [BACK_UP_SERVICE, *WORKFLOWS]) as local:
            snapshot = (await local.run(BACK_UP_SERVICE, ServiceJob(service=EAST, run="objects"))).snapshot
            yield Deployment(world, local, snapshot)


async def test_a_service_is_restored_in_a_run(deployment: Deployment) -> None:
    checked = await deployment.ask(dry_run=True, rename=["*=dr-*"])
    assert checked.status == 202
    record = await deployment.run()
    assert (record.state, record.asked.endswith("nothing written")) == ("done", True)
    report = msgspec.convert(record.items[0].outcome.report, ServiceRestoreReport)
    assert [(each.target, each.outcome) for each in report.objects] == [("dr-hotels", "to be made")]
    assert await deployment.world.west.index_names() == []

    await deployment.ask(rename=["*=dr-*"])
    record = await deployment.run()
    assert record.state == "done"
    [item] = record.items
    assert [str(each) for each in item.indexes] == [f"{WEST}/$service", f"{WEST}/dr-hotels"]
    report = msgspec.convert(item.outcome.report, ServiceRestoreReport)
    assert [(each.target, each.outcome, each.documents) for each in report.objects] == [("dr-hotels", "made", 40)]
    assert await deployment.world.west.index_names() == ["dr-hotels"]
    left = [blob.name async for blob in deployment.world.store.runs.list("runs/")]
    assert [name for name in left if record.run in name] == []


async def test_what_is_not_on_the_target_fails_the_run(deployment: Deployment) -> None:
    await deployment.world.fill(hotels.DEFINITION, hotels.hotels(2), service=WEST)
    await deployment.ask()
    record = await deployment.run()
    assert record.state == "failed"
    outcome = record.items[0].outcome
    assert outcome.failure is not None
    assert outcome.failure.what == "1 object of 1 not on the target"
    assert msgspec.convert(outcome.report, ServiceRestoreReport).objects[0].outcome == "left out"


async def test_two_at_once_are_a_conflict(deployment: Deployment) -> None:
    await deployment.ask()
    with pytest.raises(ConflictError):
        await deployment.ask()
    await deployment.ask(dry_run=True)


async def test_a_cancelled_run_restores_no_index(deployment: Deployment) -> None:
    await deployment.ask()
    _, order = deployment.engine.started[-1]
    [item] = (await deployment.record(order.run)).items
    for index in item.indexes:
        await revoke(deployment.world.resources, index, item.run)
    assert await read_holder(deployment.world.store.runs, item.index) is None
    record = await deployment.run()
    assert (record.state, await deployment.world.west.index_names()) == ("failed", [])


@pytest.mark.parametrize(
    ("members", "on"),
    [
        ({"mode": "sync"}, "body.mode"),
        ({"target_index": "x"}, "body.target_index"),
        ({"keys": ["1"]}, "body.keys"),
        ({"patch": {}}, "body.patch"),
        ({"resume": True}, "body.resume"),
        ({"rename": ["a=*"]}, "body.rename"),
        ({"indexes": ["!a"]}, "body.indexes"),
        ({"snapshot": f"{EAST}/$service@-2h"}, "body.snapshot"),
        ({"snapshot": f"{EAST}/hotels@latest", "indexes": ["hotels"]}, "body.indexes"),
        ({"snapshot": f"{EAST}/hotels@latest", "rename": ["*=a-*"]}, "body.rename"),
    ],
)
async def test_what_only_the_other_kind_has_is_refused(deployment: Deployment, members: Any, on: str) -> None:
    with pytest.raises(RequestError) as refused:
        await deployment.ask(**members)
    assert refused.value.on.startswith(on)
    assert deployment.engine.started == []


async def test_a_snapshot_and_services_that_are_not_there(deployment: Deployment) -> None:
    for members in (
        {"snapshot": f"{EAST}/$service@20200101T000000Z-123456"},
        {"snapshot": "nobody/$service@latest"},
        {"target_service": "nobody"},
        {"indexes": ["nothing"]},
    ):
        with pytest.raises(NotFoundError):
            await deployment.ask(**members)
