"""Runs that resume what another one began: fingerprints, locks taken over, and what is released on failure."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from durabletask.task import OrchestrationContext

from indexvault.errors import ConflictError, NotFoundError
from indexvault.model import IndexName
from indexvault.move.job import MoveJob
from indexvault.restore.job import RestoreJob
from indexvault.restore.service.job import ServiceRestoreJob
from indexvault.workflow.activity import Activity, Orchestration, Resources, Work, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.lock import Lock
from indexvault.workflow.lock_activities import Claim, take_lock
from indexvault.workflow.lock_holder import read_holder
from indexvault.workflow.resume import ACTIVITIES, Interrupted, Start, fingerprint, resumable
from tests.memory_store import MemoryStore
from tests.world import WEST, World, open_world

ALIAS, INDEX, SOURCE = IndexName(WEST, "guests"), IndexName(WEST, "hotels"), IndexName(WEST, "source")
ID = "20261120T023000Z-7f3a9c"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Job(msgspec.Struct, frozen=True):
    run: str
    interrupted: str | None = None


class Holders(msgspec.Struct, frozen=True):
    """Who has the locks while the work is done."""

    runs: list[str | None]


async def holders(resources: Resources) -> list[str | None]:
    found = []
    for name in (ALIAS, INDEX, SOURCE):
        holder = await read_holder(resources.clients.store_of(WEST).runs, name)
        found.append(None if holder is None or holder.expires <= resources.clock() else holder.run)
    return found


def claim(run: str) -> Claim:
    return Claim(Work(run=run, service=WEST, index=ALIAS, also=(INDEX,)), owner="a test")


async def find(_resources: Resources, job: Job) -> Interrupted:
    if job.interrupted == "nowhere":
        raise NotFoundError("there is no such index", on="a test", do="Look again")
    return Interrupted(job.interrupted)


async def look(resources: Resources, _job: Job) -> Holders:
    return Holders(await holders(resources))


FIND, LOOK = Activity("find", Job, Interrupted, find), Activity("look", Job, Holders, look)


def start(ctx: OrchestrationContext, job: Job) -> Orchestration[Start[Holders]]:
    interrupted = yield from call(ctx, FIND, job)
    return Start(claim(job.run), interrupted, call(ctx, LOOK, job), also=(SOURCE,))


def work(ctx: OrchestrationContext, job: Job) -> Orchestration[Holders]:
    return (yield from resumable(ctx, claim(job.run), start(ctx, job)))


WORK = Workflow("work", Job, Holders, work)


@asynccontextmanager
async def opened(clock: Clock) -> AsyncIterator[tuple[World, LocalEngine]]:
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        await world.store.prepare()
        async with LocalEngine(world.resources, [*ACTIVITIES, FIND, LOOK], [WORK]) as engine:
            yield world, engine


async def test_a_run_takes_over_every_lock_of_the_dead_run_that_it_resumes() -> None:
    clock = Clock()
    async with opened(clock) as (world, engine):
        for name in (ALIAS, INDEX, SOURCE):
            await Lock(world.store.runs, name, run="dead", owner="a test", clock=clock).take()
        clock.now += timedelta(seconds=61)  # the leases have lapsed, the locks themselves count for minutes
        assert await holders(world.resources) == ["dead"] * 3
        assert await engine.run(WORK, Job("heir", interrupted="dead")) == Holders(["heir", "heir", None])
        assert await holders(world.resources) == [None] * 3


async def test_a_run_that_resumes_nothing_leaves_the_locks_of_others_alone() -> None:
    clock = Clock()
    async with opened(clock) as (world, engine):
        await Lock(world.store.runs, SOURCE, run="other", owner="a test", clock=clock).take()
        assert await engine.run(WORK, Job("new")) == Holders(["new", "new", "other"])
        assert await holders(world.resources) == [None, None, "other"]


async def test_a_run_whose_predecessor_is_alive_gives_back_what_was_locked_for_it() -> None:
    clock = Clock()
    async with opened(clock) as (world, engine):
        await take_lock(world.resources, claim("heir"))
        await Lock(world.store.runs, SOURCE, run="alive", owner="a test", clock=clock).take()
        with pytest.raises(ConflictError, match="the same job is already running as run alive"):
            await engine.run(WORK, Job("heir", interrupted="alive"))
        assert await holders(world.resources) == [None, None, "alive"]


async def test_a_run_that_can_not_start_gives_back_what_was_locked_for_it() -> None:
    clock = Clock()
    async with opened(clock) as (world, engine):
        await take_lock(world.resources, claim("new"))
        with pytest.raises(NotFoundError):
            await engine.run(WORK, Job("new", interrupted="nowhere"))
        assert await holders(world.resources) == [None] * 3


def test_a_fingerprint_ignores_what_does_not_matter_and_nothing_else() -> None:
    same = fingerprint(Job("one", "x"), ignoring={"run": ""})
    assert same == fingerprint(Job("two", "x"), ignoring={"run": ""})
    assert same != fingerprint(Job("one", "y"), ignoring={"run": ""})
    assert same == fingerprint(Job("", "x"), ignoring={})
    assert same != fingerprint(Job("", "x"), ignoring={}, order="interrupted")
    assert same == fingerprint(Job("", "x"), ignoring={}, order="run interrupted")


def test_the_fingerprints_of_stored_jobs_stay_what_they_were() -> None:
    """A run of an earlier version is resumed by its fingerprint."""
    restore = RestoreJob(
        service="east",
        index="hotels",
        snapshot=ID,
        target_service="west",
        target_index="hotels",
        run="r",
        overlay="prod",
        keys=("1", "2"),
    )
    assert restore.fingerprint == "72baf349d06a76efecac5abbb9917d8b049ec40b6f3bb807de1fc4763fe2cddb"
    service = ServiceRestoreJob(
        service="east",
        snapshot=ID,
        target_service="west",
        run="r",
        rename=("*=dr-*",),
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    assert service.fingerprint == "ad3bd01e40763de35615918c7645fa46bb8e2fabf1030fe4950d59d19b580e4c"
    move = MoveJob(
        service="east",
        index="hotels",
        target_service="west",
        target_index="hotels",
        run="r",
        alias="guests",
        delete_source=True,
    )
    assert move.fingerprint == "d767b17b8529ddbaf82bef17afa80e7b67d3f350ec94a674153807660be074cd"
