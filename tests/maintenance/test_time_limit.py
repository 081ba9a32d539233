"""A run past its time limit is ended as failed, and can't commit any more."""

from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from indexvault.backup.run import RUN_BACKUP, claim_of, item_for
from indexvault.errors import CancelledError, SettingsError
from indexvault.maintenance.schedule import tick
from indexvault.model import IndexName
from indexvault.settings.load import read_settings
from indexvault.snapshots.labels import Labels
from indexvault.workflow.lock_activities import take_lock
from indexvault.workflow.runs import Outcome, RunRecord, Runs, with_outcome
from indexvault.workflow.time_limit import in_words
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, open_world


class AtWork:
    """An engine whose runs are all at work, and which notes what it is told to stop."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    async def state(self, _run: str) -> str:
        return "active"

    async def stop(self, run: str) -> None:
        self.stopped.append(run)


def record(calendar: Calendar, limit: timedelta | None) -> RunRecord:
    made = RunRecord(
        run="20261116T023000Z-backup-7f3a9c",
        kind="backup",
        workflow=RUN_BACKUP.name,
        service=EAST,
        asked="two indexes",
        owner="a test",
        created=calendar.now,
        started=calendar.now,
        time_limit=limit,
    )
    return replace(made, items=[item_for(made, name, place) for place, name in enumerate(("done", "slow"))])


async def test_a_run_past_its_limit_has_failed_with_the_reason_and_loses_its_locks() -> None:
    calendar, engine = Calendar(), AtWork()
    async with open_world(MemoryStore("local", calendar), clock=calendar) as world:
        await world.store.prepare()
        made, runs = record(calendar, timedelta(hours=2)), Runs(world.store.runs)
        await runs.create(with_outcome(made, f"{made.run}-0", Outcome(state="done"), calendar.now))
        await take_lock(world.resources, claim_of(made, made.items[1]))
        calendar.now += timedelta(hours=2)
        await tick(world.resources, cast("Any", engine), backup_workflow=RUN_BACKUP.name)
        assert [each.run for each in await runs.unfinished()] == [made.run]
        calendar.now += timedelta(seconds=1)
        await tick(world.resources, cast("Any", engine), backup_workflow=RUN_BACKUP.name)
        ended = await runs.read(made.run)
        assert ended is not None
        assert ended.failure is not None
        assert (ended.state, ended.failure.kind, ended.failure.what) == (
            "failed",
            "TimeLimitError",
            "it was ended after its time limit of 2 h",
        )
        assert [item.outcome.state for item in ended.items] == ["done", "failed"]
        assert engine.stopped == [made.run, f"{made.run}-1"]
        with pytest.raises(CancelledError):
            await take_lock(world.resources, claim_of(made, made.items[1]))
        other = replace(claim_of(made, made.items[1]), work=replace(claim_of(made, made.items[1]).work, run="next"))
        await take_lock(world.resources, other)
        assert other.work.index == IndexName(EAST, "slow")


async def test_a_run_without_a_limit_may_take_any_time() -> None:
    calendar, engine = Calendar(), AtWork()
    async with open_world(MemoryStore("local", calendar), clock=calendar) as world:
        await world.store.prepare()
        await Runs(world.store.runs).create(record(calendar, None))
        calendar.now += timedelta(days=99)
        await tick(world.resources, cast("Any", engine), backup_workflow=RUN_BACKUP.name)
        assert len(await Runs(world.store.runs).unfinished()) == 1
        assert engine.stopped == []


SETTINGS = """{"stores": {"east": {"region": "eastus", "connection_string": "UseDevelopmentStorage=true"}},
 "services": {"contoso-east": {"endpoint": "https://contoso-east.search.windows.net", "region": "eastus",
                               "tier": "standard", "store": "east"}},
 "policies": {"nightly": {"service": "contoso-east", "schedule": "0 0 2 * * *", %s}}}"""


def test_a_policy_gives_its_runs_labels_and_a_limit() -> None:
    given = '"tags": {"env": "production"}, "description": "nightly", "expires": "P30D", "time_limit": "PT6H"'
    policy = read_settings(SETTINGS % given).policies["nightly"]
    assert policy.labels == Labels(description="nightly", tags={"env": "production"}, expires=timedelta(days=30))
    assert policy.time_limit == timedelta(hours=6)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ('"tags": {"a b": ""}', "nightly.tags"),
        ('"description": "two\\nlines"', "nightly.description"),
        ('"expires": "PT1M"', "nightly.expires"),
        ('"time_limit": "PT0S"', "nightly.time_limit"),
        ('"time_limit": "P9999D"', "nightly.time_limit"),
        ('"keep": {"tagged": {"a b": {}}}', "nightly.keep.tagged"),
        ('"keep": {"tagged": {"a": {"tagged": {}}}}', "nightly.keep.tagged"),
    ],
)
def test_a_policy_that_can_not_be_followed_is_refused(given: str, path: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(SETTINGS % given)
    assert path in refused.value.on


@pytest.mark.parametrize(
    ("duration", "words"),
    [("PT90S", "1 min 30 s"), ("PT6H", "6 h"), ("P1DT12H5M", "1 d 12 h"), ("PT0.5S", "0 s")],
)
def test_durations_in_words(duration: str, words: str) -> None:

    assert in_words(msgspec.convert(duration, timedelta)) == words
