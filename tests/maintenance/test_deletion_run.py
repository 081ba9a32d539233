"""A deletion as a run of the app: planned and carried out index by index, with a report of each."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.deletions import DeletionRequest, delete
from indexvault.api.endpoint import Call, Nothing
from indexvault.errors import ConflictError, NotFoundError, RequestError
from indexvault.maintenance.deletion_run import DeletionJob, DeletionResult, delete_of_index
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Pin, pin
from indexvault.workflow.reports import read_report
from indexvault.workflow.runs import Runs
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, World, open_world

NOW = MORNING + timedelta(days=3)


class Engine:
    """Where workflows start: notes which."""

    def __init__(self) -> None:
        self.started: list[str] = []

    async def start(self, workflow: str, _order: Any) -> None:
        self.started.append(workflow)


def call(world: World, engine: Engine, body: DeletionRequest) -> Call[Any, Any, Any]:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    return Call(body=body, query=Nothing(), path=Nothing(), host=host, engine=cast("Any", engine))


def asked(*ids: str, service: str = EAST, dry_run: bool = False) -> DeletionRequest:
    return DeletionRequest(service=service, index="hotels", snapshots=list(ids), dry_run=dry_run)


async def three(store: MemoryStore) -> list[str]:
    """Write three snapshots of hotels, one with other documents, and return their ids, oldest first."""
    made = []
    for night, numbers in enumerate((range(3), range(3), range(9))):
        created = MORNING + timedelta(days=night)
        _, summary = await write_snapshot(store.snapshots, documents(numbers), created=created, run=f"run-{night}")
        made.append(summary.id)
    return made


async def test_a_request_deletes_only_where_the_settings_allow_it() -> None:
    store, engine = MemoryStore("local"), Engine()
    async with open_world(store, clock=lambda: NOW) as world:
        made = await three(store)
        with pytest.raises(RequestError, match="allow_removal_requests"):
            await delete(call(world, engine, asked(made[0])))
        assert engine.started == []
        assert (await delete(call(world, engine, asked(made[0], dry_run=True)))).status == 202
        world.clients.settings = msgspec.structs.replace(world.clients.settings, allow_removal_requests=True)
        reply = await delete(call(world, engine, asked(made[0], made[1][-6:], made[0])))
        record = await Runs(store.runs).read(reply.content.run)
        assert record is not None
        assert (record.kind, record.owner) == ("delete", "POST /deletions")
        [item] = record.items
        assert item.job["snapshots"] == [f"{EAST}/hotels@{made[0]}", f"{EAST}/hotels@{made[1][-6:]}"]
        with pytest.raises(NotFoundError, match="no service"):
            await delete(call(world, engine, asked(made[0], service="nobody")))


async def test_the_run_says_what_it_frees_and_what_stays() -> None:
    store = MemoryStore("local")
    async with open_world(store, clock=lambda: NOW) as world:
        made = await three(store)

        async def done(*points: str, dry_run: bool = False) -> DeletionResult:
            names = tuple(f"{EAST}/hotels@{point}" for point in points)
            job = DeletionJob(service=EAST, index="hotels", snapshots=names, run="r-0", dry_run=dry_run)
            written = await delete_of_index(world.resources, job)
            assert written.failure is None
            report = await read_report(store.runs, "r-0")
            assert report is not None
            return msgspec.json.decode(report, type=DeletionResult)

        planned = await done(made[0], dry_run=True)
        assert ([each.frees for each in planned.planned], planned.reports) == ([0], [])
        assert len(await list_snapshots(store.snapshots, EAST, "hotels")) == 3
        deleted = await done(made[2][-6:])
        assert deleted.planned[0].frees > 0
        assert [report.removed for report in deleted.reports] == [(made[2],)]
        await pin(store, SnapshotReference.parse(f"{EAST}/hotels@{made[0]}"), Pin(NOW))
        with pytest.raises(ConflictError, match="it is pinned in store local; nothing was deleted"):
            await done(made[0], made[1])
        with pytest.raises(NotFoundError):
            await done("20200101T000000Z-123456")
        assert {each.id for each in await list_snapshots(store.snapshots, EAST, "hotels")} == set(made[:2])
