"""Two services with a store each that are a pair, and an engine that follows and measures."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from indexvault.backup.service_objects import ServiceJob, back_up_objects
from indexvault.errors import ForbiddenError
from indexvault.recovery import follow_run
from indexvault.recovery.follow_plan import plan_following
from indexvault.recovery.follow_schedule import tick_following
from indexvault.recovery.standby_records import StandbyState, read_standby
from indexvault.settings.model import PairSettings
from indexvault.snapshots.roles import PairRole, create_role
from indexvault.workflow.activity import Activity, Workflow
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.runs import RunRecord, Runs
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, Calendar, World, open_world, with_around

PAIR = PairSettings(
    primary=EAST,
    standby=WEST,
    recovery_point=timedelta(hours=1),
    recovery_time=timedelta(minutes=30),
    allow_cross_region=True,
)
START = datetime(2026, 11, 22, 3, tzinfo=UTC)


def equal_standby(snapshot: str, at: datetime, **members: Any) -> StandbyState:
    """Return what is known of the west's notes after a following has proved them equal to a snapshot of that time."""
    return StandbyState(
        pair="contoso",
        index="notes",
        source=EAST,
        service=WEST,
        generation=0,
        run="follow-1",
        tried_at=at,
        snapshot=snapshot,
        created=at,
        equal_at=at,
        **members,
    )


@dataclasses.dataclass
class PairWorld:
    """A pair `contoso` of east and west. `tick` does what a tick of the app does for it, runs included."""

    world: World
    west_store: MemoryStore
    engine: LocalEngine
    clock: Calendar

    @property
    def resources(self) -> Any:
        return self.world.resources

    @property
    def west_runs(self) -> Any:
        return self.world.clients.store_of(WEST).runs

    def settle(self, **changes: Any) -> None:
        """Change the pair's settings."""
        settings = self.world.clients.settings
        pair = replace(settings.pairs["contoso"], **changes)
        self.world.clients.settings = replace(settings, pairs={"contoso": pair})

    async def back_up(self, index: str = "notes") -> str:
        self.clock.now += timedelta(minutes=1)
        return (await self.world.back_up(index)).snapshot

    async def back_up_objects(self) -> str:
        self.clock.now += timedelta(minutes=1)
        self.world.runs += 1
        job = ServiceJob(service=EAST, run=f"objects-{self.world.runs}")
        return (await back_up_objects(self.resources, job)).snapshot

    async def tick(self) -> list[RunRecord]:
        """Tick, and return the records of the runs that were started, as they ended."""
        self.clock.now += timedelta(minutes=1)
        engine = InProcess(self.engine)
        started = await tick_following(self.resources, engine)
        await engine.finish()
        runs = Runs(self.west_runs)
        return [record for run in started if (record := await runs.read(run)) is not None]

    async def plan(self, **options: Any) -> Any:
        return await plan_following(self.resources, "contoso", run="by-hand", owner="a test", **options)

    async def states(self) -> dict[str, StandbyState]:
        return {each.index: each for each in await read_standby(self.west_runs, "contoso", WEST)}

    async def swap(self, active: str, *, generation: int, following: bool = True) -> PairRole:
        """Write the role of a swap to both stores."""
        role = PairRole(
            pair="contoso",
            generation=generation,
            active=active,
            since=self.clock.now,
            run=f"failover-{generation}",
            planned=following,
            following=following,
        )
        for service in (EAST, WEST):
            await create_role(self.world.clients.store_of(service).runs, role)
        return role


class InProcess(DurableEngine):
    """Carries runs out in an engine of this process when it is told to finish."""

    def __init__(self, engine: LocalEngine, workflows: Sequence[Workflow[Any, Any]] = follow_run.WORKFLOWS) -> None:
        self._engine = engine
        self._workflows: dict[str, Workflow[Any, Any]] = {each.name: each for each in workflows}
        self.orders: list[tuple[str, RunOrder]] = []

    async def start(self, workflow: str, order: Any) -> bool:
        self.orders.append((workflow, order))
        return True

    async def state(self, run: str) -> Any:  # noqa: ARG002 - it knows none
        return "unknown"

    async def finish(self) -> None:
        for name, order in self.orders:
            await self._engine.run(self._workflows[name], order, run=order.run)
        self.orders.clear()


type Around = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def open_pair(
    *,
    pair: PairSettings = PAIR,
    activities: Sequence[Activity[Any, Any]] = (),
    workflows: Sequence[Workflow[Any, Any]] = (),
    **options: Any,
) -> AsyncIterator[PairWorld]:
    """Open a world of two services with a store each."""
    clock = Calendar(START)
    west_store = MemoryStore("west", clock)
    async with open_world(
        MemoryStore("east", clock),
        clock=clock,
        replicas={"westus2": west_store},
        store_of={WEST: "westus2"},
        **options,
    ) as world:
        world.clients.settings = replace(world.clients.settings, pairs={"contoso": pair})

        chosen: dict[Activity[Any, Any], None] = dict.fromkeys([*follow_run.ACTIVITIES, *activities])
        async with LocalEngine(
            world.resources, [with_around(each, world.around) for each in chosen], [*follow_run.WORKFLOWS, *workflows]
        ) as engine:
            yield PairWorld(world, west_store, engine, clock)


KILLED = ForbiddenError("killed", on="test", do="run again")
"""Ends a run as a kill would: no activity is tried again."""


class Kill:
    """Ends a process at its n-th write to the west, before or after it was made: nothing it does succeeds any more."""

    def __init__(self, pair: PairWorld, at: int, *, after: bool) -> None:
        self._left = at
        self._after = after
        self._pair = pair
        self.is_dead = False

    def install(self, patched: pytest.MonkeyPatch) -> None:
        runs = self._pair.west_store.runs
        for member in ("put", "delete", "acquire", "renew", "release"):
            patched.setattr(runs, member, self._around(getattr(runs, member), counts=member in {"put", "delete"}))
        west = self._pair.world.west
        for member in ("create_index", "update_index", "index_documents", "create_definition", "update_definition"):
            patched.setattr(west, member, self._around(getattr(west, member), counts=True))

    def _around(self, write: Any, *, counts: bool) -> Any:
        async def made(*given: Any, **options: Any) -> Any:
            if self.is_dead:
                raise KILLED
            self._left -= counts
            if self._left == 0 and counts and not self._after:
                self.is_dead = True
                raise KILLED
            answer = await write(*given, **options)
            if self._left == 0 and counts:
                self.is_dead = True
                raise KILLED
            return answer

        return made
