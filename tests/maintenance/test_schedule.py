"""Which policies are due, and which runs are forgotten: decisions without an app."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from durabletask.client import AsyncTaskHubGrpcClient
from msgspec.structs import replace

from indexvault.backup.run import choose, item_for
from indexvault.errors import SettingsError
from indexvault.maintenance.forget_runs import forget_old_runs, forgettable, kept_days
from indexvault.maintenance.schedule import Due, due_policies, last_runs, overdue, policy_run
from indexvault.model import IndexName
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.run_names import checkpoint_name, record_name
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.lost_locks import has_lost, note_lost
from indexvault.workflow.runs import RunRecord, Runs, cancelled
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, open_world

NIGHTLY = {"nightly": PolicySettings(service="contoso-east", schedule="0 0 2 * * *")}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOW = at("2026-11-20T09:00:00")


@pytest.mark.parametrize(
    ("now", "last", "due"),
    [
        ("2026-11-20T02:03:00", "2026-11-19T02:00:00", "2026-11-20T02:00:00"),
        ("2026-11-20T02:00:00", "2026-11-19T02:00:00", "2026-11-20T02:00:00"),  # on the moment
        ("2026-11-20T01:59:59", "2026-11-19T02:00:00", None),
        ("2026-11-20T09:00:00", "2026-11-20T02:00:00", None),  # it has had its run
        ("2026-11-20T09:00:00", "2026-11-16T02:00:00", "2026-11-20T02:00:00"),  # four missed, one made up
        ("2026-11-20T09:00:00", None, "2026-11-20T02:00:00"),  # never ran
        ("2026-11-20T09:00:00", "2026-11-20T03:00:00", None),  # its schedule was later once
    ],
)
def test_due(now: str, last: str | None, due: str | None) -> None:
    found = due_policies(NIGHTLY, {"nightly": at(last)} if last else {}, [], at(now))
    assert found == ([Due("nightly", at(due))] if due else [])


def test_a_policy_at_work_is_not_started_again() -> None:
    assert due_policies(NIGHTLY, {}, ["nightly"], at("2026-11-20T09:00:00")) == []


def test_names_of_runs_tell_when_policies_ran() -> None:
    names = [policy_run(Due("nightly", at(f"2026-11-{day}T02:00:00"))) for day in (18, 20, 19)]
    names += ["20261121T000000Z-backup-7f3a9c", "20261121T020000Z-policy-nightly-2"]
    assert last_runs(names, at("2026-11-21T02:00:00")) == {
        "nightly": at("2026-11-20T02:00:00"),
        "nightly-2": at("2026-11-21T02:00:00"),
    }


def test_what_is_not_of_ours_tells_nothing() -> None:
    assert last_runs(["notes-policy-nightly", "-policy-", "20269999T999999Z-policy-nightly"], NOW) == {}


@pytest.mark.parametrize(
    ("patterns", "items"),
    [
        (["*"], ["hotels", "rooms", "$service"]),
        (["*", "!rooms", "!*e"], ["hotels", "$service"]),
        (["hotels", "room*"], ["hotels", "rooms"]),
        (["*s"], ["hotels", "rooms"]),
    ],
)
def test_where_every_index_is_meant_so_is_all_else_of_the_service(patterns: list[str], items: list[str]) -> None:
    record = RunRecord(
        run="20261120T020000Z-policy-nightly",
        kind="backup",
        workflow="run_backup",
        service=EAST,
        asked="all",
        owner="policy nightly",
        created=at("2026-11-20T02:00:00"),
        policy="nightly",
        choose=patterns,
    )
    chosen = choose(record, ["hotels", "rooms"], NIGHTLY["nightly"]).items
    assert [item.index.index for item in chosen] == items
    assert [item.run for item in chosen] == [f"{record.run}-{position}" for position in range(len(items))]
    assert {item.job.policy for item in chosen} == {"nightly"}


def test_two_ticks_come_to_one_name() -> None:
    ticks = [due_policies(NIGHTLY, {}, [], at(f"2026-11-20T02:0{minute}:00"))[0] for minute in (0, 5)]
    assert policy_run(ticks[0]) == policy_run(ticks[1]) == "20261120T020000Z-policy-nightly"


def test_what_tells_whether_a_policy_is_due_is_not_forgotten() -> None:
    old, older = "20260101T000000Z-policy-yearly", "20250101T000000Z-policy-yearly"
    asked, running, young = (
        "20260102T000000Z-backup-7f3a9c",
        "20260103T000000Z-restore-7f3a9c",
        "20261119T000000Z-backup-7f3a9c",
    )
    names = [old, older, asked, running, young]
    assert forgettable(names, {running}, at("2026-10-20T00:00:00"), NOW) == [older, asked]


def test_a_run_scheduled_in_the_future_does_not_stop_its_policy() -> None:
    wrong = policy_run(Due("nightly", at("2030-01-01T02:00:00")))
    real = policy_run(Due("nightly", at("2026-11-19T02:00:00")))
    assert last_runs([wrong], NOW) == {}
    last = last_runs([wrong, real], NOW)
    assert due_policies(NIGHTLY, last, [], NOW) == [Due("nightly", at("2026-11-20T02:00:00"))]
    skewed = policy_run(Due("nightly", NOW + timedelta(minutes=5)))
    assert last_runs([skewed], NOW) == {"nightly": NOW + timedelta(minutes=5)}


def test_a_run_scheduled_in_the_future_does_not_let_the_newest_be_forgotten() -> None:
    wrong, newest = "20300101T000000Z-policy-yearly", "20260101T000000Z-policy-yearly"
    assert forgettable([wrong, newest], set(), at("2026-10-20T00:00:00"), NOW) == []


@pytest.mark.parametrize(("text", "days"), [("", 30), ("7", 7), (" 90 ", 90)])
def test_days_of_history(text: str, days: int) -> None:
    assert kept_days({"INDEXVAULT_HISTORY_DAYS": text}) == timedelta(days=days)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "99999999999", "9" * 5000])
def test_days_that_are_none(text: str) -> None:
    with pytest.raises(SettingsError, match="whole number"):
        kept_days({"INDEXVAULT_HISTORY_DAYS": text})


async def test_old_runs_are_forgotten_even_those_of_a_service_that_is_no_longer_there() -> None:
    async with (
        open_world(MemoryStore("local")) as world,
        AsyncTaskHubGrpcClient(host_address=world.engine.address) as client,
    ):
        await world.store.prepare()
        runs, old = Runs(world.store.runs), at("2026-01-01T00:00:00")
        names = []
        for number, service in enumerate(("gone", EAST, "damaged")):
            record = RunRecord(
                run=f"2026010{number + 1}T000000Z-backup-7f3a9c",
                kind="backup",
                workflow="run_backup",
                service=service,
                asked="hotels",
                owner="a test",
                created=old,
            )
            item = item_for(record, "hotels", 0)
            await Checkpoints(world.store.runs, item.run).write("plan", {})
            await runs.create(cancelled(replace(record, items=[item]), old))
            names.append(record.run)
        await world.store.runs.put(record_name(names[2]), b"{")
        resources = dataclasses.replace(world.resources, clock=lambda: at("2026-11-20T00:00:00"))
        assert await forget_old_runs(resources, DurableEngine(client), keep=timedelta(days=30)) == len(names)
        assert await runs.names() == []
        left = [blob.name async for blob in world.store.runs.list("runs/")]
        assert left == [checkpoint_name(f"{names[2]}-0", "plan")]


async def test_the_mark_of_a_run_that_lost_its_lock_is_kept_as_long_as_runs_are() -> None:
    calendar, index = Calendar(), IndexName(EAST, "hotels")
    async with (
        open_world(MemoryStore("local", calendar), clock=calendar) as world,
        AsyncTaskHubGrpcClient(host_address=world.engine.address) as client,
    ):
        await world.store.prepare()
        await note_lost(world.store.runs, "old", index)
        calendar.now += timedelta(days=2)
        await note_lost(world.store.runs, "young", index)
        calendar.now += timedelta(days=29)
        await forget_old_runs(world.resources, DurableEngine(client), keep=timedelta(days=30))
        assert [await has_lost(world.store.runs, run, index) for run in ("old", "young")] == [False, True]


def test_a_run_that_is_at_work_when_its_policy_is_due_again_is_told() -> None:
    policies = {"often": PolicySettings(service=EAST, schedule="0 * * * * *")}
    record = RunRecord(
        run="r",
        kind="backup",
        workflow="w",
        service=EAST,
        asked="all",
        owner="policy often",
        created=NOW,
        policy="often",
        scheduled=NOW,
    )
    assert overdue(record, policies, NOW + timedelta(seconds=59)) is None
    told = overdue(record, policies, NOW + timedelta(minutes=3))
    assert told is not None
    assert told.startswith("policy often was due again 2026-11-20 09:01:00 UTC while this run was at work")
    assert overdue(replace(record, policy=None), policies, NOW + timedelta(days=3)) is None
    assert due_policies(policies, {"often": NOW}, ["often"], NOW + timedelta(minutes=3)) == []
