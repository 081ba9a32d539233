"""Two apps on the same settings: each leaves the other's runs alone while the other ticks, and takes them up after."""

import dataclasses
from datetime import timedelta
from typing import Any, cast

import pytest

from indexvault.backup.run import RUN_BACKUP
from indexvault.errors import IntegrityError
from indexvault.maintenance.other_app import GONE_AFTER, note_app, works_elsewhere
from indexvault.maintenance.schedule import tick
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.run_names import app_name
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.runs import Runs
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world

POLICIES = {"hourly": PolicySettings(service=EAST, schedule="0 0 * * * *")}


class Engine:
    """An engine that knows the runs that it was handed."""

    def __init__(self) -> None:
        self.started: list[str] = []

    async def state(self, run: str) -> str:
        return "active" if run in self.started else "unknown"

    async def start(self, _workflow: str, order: RunOrder) -> None:
        self.started.append(order.run)


async def ticked(world: World, app: str, engine: Engine) -> None:
    resources = dataclasses.replace(world.resources, app=app)
    await tick(resources, cast("Any", engine), backup_workflow=RUN_BACKUP.name)


@pytest.mark.parametrize(("other", "takes_it"), [("func-west", False), ("func-east", True), ("", True)])
async def test_a_run_is_taken_for_lost_by_its_own_app_or_by_one_without_a_name(other: str, takes_it: bool) -> None:  # noqa: FBT001
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock, policies=POLICIES) as world:
        first, second = Engine(), Engine()
        await ticked(world, "func-east", first)
        (run,) = first.started
        clock.now += timedelta(minutes=5)
        await ticked(world, other, second)
        assert second.started == ([run] if takes_it else [])


async def test_the_runs_of_an_app_that_ticks_no_more_are_taken_up_once() -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock, policies=POLICIES) as world:
        east, west = Engine(), Engine()
        await ticked(world, "func-east", east)
        (run,) = east.started
        for _ in range(4):  # it works on the run for an hour, and ticks all the time
            clock.now += timedelta(minutes=10)
            await ticked(world, "func-east", east)
            await ticked(world, "func-west", west)
        assert west.started == []
        clock.now += GONE_AFTER + timedelta(seconds=1)
        await ticked(world, "func-west", west)
        assert west.started == [run]
        record = await Runs(world.store.runs).read(run)
        assert record is not None
        assert record.app == "func-west"
        # The east comes back without the engine's history: the run is the west's now.
        await ticked(world, "func-east", returned := Engine())
        assert returned.started == []


async def test_a_wrong_clock_of_the_other_app_does_not_keep_its_runs_for_ever() -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock, policies=POLICIES) as world:
        east, west = Engine(), Engine()
        clock.now += timedelta(days=400)
        await ticked(world, "func-east", east)
        clock.now -= timedelta(days=400)
        resources = dataclasses.replace(world.resources, app="func-west")
        (record,) = await Runs(world.store.runs).unfinished()
        assert not await works_elsewhere(resources, world.store.runs, record)
        assert west.started == []


async def test_a_damaged_record_of_an_app_is_told() -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock, policies=POLICIES) as world:
        await ticked(world, "func-east", Engine())
        (record,) = await Runs(world.store.runs).unfinished()
        await world.store.runs.put(app_name("func-east"), b"{")
        resources = dataclasses.replace(world.resources, app="func-west")
        with pytest.raises(IntegrityError):
            await works_elsewhere(resources, world.store.runs, record)
        await note_app(dataclasses.replace(world.resources, app="func-east"), world.store.runs)
        assert await works_elsewhere(resources, world.store.runs, record)
