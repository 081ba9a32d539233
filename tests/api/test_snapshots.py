"""`GET /snapshots`: what is listed beside the snapshots that are there."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from indexvault.api.endpoint import Call, Nothing
from indexvault.api.runs import RunPath, RunsQuery, list_runs, show_run
from indexvault.api.snapshot_views import ListedSnapshot, SnapshotList, manifest_of
from indexvault.api.snapshots import SnapshotPath, SnapshotQuery, SnapshotsQuery, list_all, show_snapshot
from indexvault.errors import UnreachableError
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.holds import Hold, place_hold
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.replicate import replicate_index
from indexvault.snapshots.unchanged import note_unchanged
from indexvault.workflow.runs import RunRecord, Runs
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, World, open_world

POLICY = PolicySettings(service=EAST, schedule="0 0 2 * * *", replicate_to=("west",))
NOW = MORNING + timedelta(days=1)


async def asked(world: World, query: SnapshotsQuery) -> Sequence[ListedSnapshot]:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    call = Call(body=None, query=query, path=Nothing(), host=host, engine=cast("Any", None))
    reply = await list_all(call)
    assert isinstance(reply.content, SnapshotList)
    return reply.content.snapshots


@pytest.mark.parametrize("query", [SnapshotsQuery(), SnapshotsQuery(service=EAST, index="hotels")])
async def test_a_vanished_snapshot_is_listed_as_missing(query: SnapshotsQuery) -> None:
    own, west = MemoryStore("local"), MemoryStore("west")
    async with open_world(own, clock=lambda: NOW, replicas={"west": west}, policies={"nightly": POLICY}) as world:
        _, summary = await write_snapshot(own.snapshots, documents(range(9)))
        await note_snapshot(own.runs, summary)
        await replicate_index(own, west, EAST, "hotels", clock=lambda: NOW)
        await own.snapshots.delete(manifest_name(EAST, "hotels", summary.id))
        found = {each.store: each for each in await asked(world, query)}
        assert (found["local"].id, found["local"].state, found["local"].copies) == (summary.id, "missing", ("west",))
        assert (found["west"].id, found["west"].state, found["west"].copies) == (summary.id, "complete", ())


async def test_a_snapshot_of_the_future_is_told_and_is_not_the_latest() -> None:
    own = MemoryStore("local")
    async with open_world(own, clock=lambda: NOW) as world:
        _, right = await write_snapshot(own.snapshots, documents(range(9)))
        later = datetime(2030, 1, 1, tzinfo=UTC)
        _, future = await write_snapshot(own.snapshots, documents(range(9)), created=later, run="wrong-clock")
        found = await asked(world, SnapshotsQuery(service=EAST))
        assert [(each.id, each.in_future) for each in found] == [(future.id, True), (right.id, False)]
        for point, expected in (("latest", right), ("2099-01-01", right), (future.id, future)):
            path = SnapshotPath(service=EAST, index="hotels", id=point)
            host = cast("Any", SimpleNamespace(resources=world.resources))
            call = Call(body=None, query=SnapshotQuery(), path=path, host=host, engine=cast("Any", None))
            assert (await show_snapshot(call)).content.summary.id == expected.id


async def test_a_presumed_snapshot_names_the_full_reading_and_until_when_nothing_had_changed() -> None:
    own = MemoryStore("local")
    async with open_world(own, clock=lambda: NOW) as world:
        manifest, full = await write_snapshot(own.snapshots, documents(range(9)))
        hour = timedelta(hours=1)
        _, presumed = await write_snapshot(
            own.snapshots, documents(range(9)), created=MORNING + hour, run="later", proved=manifest
        )
        record = await note_unchanged(own.runs, presumed.reference, began=MORNING + 2 * hour, run="tick-1")
        found = {each.id: each for each in await asked(world, SnapshotsQuery(service=EAST))}
        shown = {each.id: (each.state, each.proved, each.proved_at, each.unchanged) for each in found.values()}
        assert shown == {
            full.id: ("complete", "", None, None),
            presumed.id: ("presumed", full.id, MORNING, record),
        }
        path = SnapshotPath(service=EAST, index="hotels", id=presumed.id)
        host = cast("Any", SimpleNamespace(resources=world.resources))
        call = Call(body=None, query=SnapshotQuery(), path=path, host=host, engine=cast("Any", None))
        view = (await show_snapshot(call)).content
        assert (view.summary.state, view.unchanged) == ("presumed", record)
        assert (view.presumption.field, view.presumption.proved_at) == ("changed", MORNING)
        assert manifest_of(view).presumption == view.presumption


async def test_a_snapshot_that_an_unfinished_restore_needs_is_told() -> None:
    own = MemoryStore("local")
    async with open_world(own, clock=lambda: NOW) as world:
        _, needed = await write_snapshot(own.snapshots, documents(range(9)))
        _, other = await write_snapshot(
            own.snapshots, documents(range(9)), created=MORNING + timedelta(hours=1), run="later"
        )
        hold = Hold(run="restore-1", kind="restore", target="west/hotels", since=NOW, store="local", state="restores/x")
        assert await place_hold(cast("Any", own), needed.reference, hold, NOW)
        found = {each.id: each.held for each in await asked(world, SnapshotsQuery(service=EAST))}
        assert found == {needed.id: (hold,), other.id: ()}
        path = SnapshotPath(service=EAST, index="hotels", id=needed.id)
        host = cast("Any", SimpleNamespace(resources=world.resources))
        call = Call(body=None, query=SnapshotQuery(), path=path, host=host, engine=cast("Any", None))
        assert (await show_snapshot(call)).content.held == [hold]


class Down(MemoryStore):
    """A store that fails wherever it is listed or read."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(name)

        async def listed(prefix: str) -> AsyncIterator[Any]:
            assert prefix is not None
            for one in [error]:
                raise one
            yield None

        async def read(name: str, limit: int) -> Any:
            assert name
            assert limit
            raise error

        self.snapshots.list = self.runs.list = self.snapshots.folders = listed  # type: ignore[method-assign]
        self.snapshots.read = self.runs.read = read  # type: ignore[method-assign]


DOWN = UnreachableError("it is down", on="store local", do="Wait")


@pytest.mark.parametrize("error", [DOWN, RecursionError("deep"), OverflowError("year")])
async def test_what_other_stores_hold_is_listed_and_the_one_is_named(error: Exception) -> None:
    second = MemoryStore("second")
    _, summary = await write_snapshot(second.snapshots, documents(range(9)))
    record = RunRecord(
        run="20261120T000000Z-backup-000000",
        kind="backup",
        workflow="run_backup",
        service=EAST,
        asked="hotels",
        owner="a test",
        created=MORNING,
    )
    await Runs(second.runs).create(record)
    async with open_world(Down("local", error), clock=lambda: NOW, replicas={"second": second}) as world:
        host = cast("Any", SimpleNamespace(resources=world.resources))
        call: Any = Call(body=None, query=SnapshotsQuery(), path=Nothing(), host=host, engine=cast("Any", None))
        snapshots = (await list_all(call)).content
        assert [(each.store, each.id) for each in snapshots.snapshots] == [("second", summary.id)]
        runs = (await list_runs(replace(call, query=RunsQuery()))).content
        assert [each.run for each in runs.runs] == [record.run]
        for answer in (snapshots, runs):
            assert [each.store for each in answer.unread] == ["local"]
            assert answer.unread[0].error.what == ("it is down" if error is DOWN else "it failed unexpectedly")
        one = await show_run(replace(call, path=RunPath(record.run)))
        assert one.content.run == record.run


async def test_a_listing_of_no_store_is_an_error() -> None:
    async with open_world(Down("local", DOWN), clock=lambda: NOW) as world:
        host = cast("Any", SimpleNamespace(resources=world.resources))
        call: Any = Call(body=None, query=SnapshotsQuery(), path=Nothing(), host=host, engine=cast("Any", None))
        with pytest.raises(UnreachableError):
            await list_all(call)
        with pytest.raises(UnreachableError):
            await list_runs(replace(call, query=RunsQuery()))
