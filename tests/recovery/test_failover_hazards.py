"""What could lose documents around a failover: an old plan, a dead planned one, a standby that is newer, a new name."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from indexvault.errors import ConflictError, ForbiddenError
from indexvault.model import IndexName
from indexvault.recovery.drift_records import DriftState, write_drift
from indexvault.recovery.failover_job import (
    Candidate,
    FailoverFacts,
    FailoverJob,
    IndexFacts,
    IndexResult,
    StartedFailover,
    Swap,
)
from indexvault.recovery.failover_plan import plan_failover
from indexvault.recovery.failover_state import FailoverState, read_failover, write_failover
from indexvault.recovery.failover_steps import decide, swap
from indexvault.recovery.follow_index import find_follow
from indexvault.recovery.follow_job import FollowJob
from indexvault.recovery.follow_plan import plan_following
from indexvault.recovery.pair_role import pair_role, role_in_own_store
from indexvault.recovery.pair_schedule import undo_dead
from indexvault.recovery.standby_records import write_state
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.unchanged import note_unchanged
from indexvault.workflow.lock_activities import Claim, take_lock
from tests.recovery.conftest import note
from tests.recovery.failover_world import INDEXER, PAIR, SOURCE, START, FailoverWorld, fill_notes, open_failover
from tests.recovery.pairs import equal_standby
from tests.world import EAST, WEST, quick_rests, upload_batch

__all__ = ["quick_rests"]


async def _leave(opened: FailoverWorld, **changes: object) -> FailoverState:
    """Leave a failover behind as one that died."""
    job = opened.job(planned=bool(changes.pop("planned", False)))
    plan = await decide(opened.resources, job)
    state = FailoverState(job=job, fingerprint=job.fingerprint, executions=[job.run], plan=plan)
    state = replace(state, **changes)
    await write_failover(opened.west_store.runs, state)
    return state


async def _add(opened: FailoverWorld, numbers: range, service: str = EAST) -> None:
    lines = [msgspec.json.encode(note(number)) for number in numbers]
    await opened.world.clients.service(service).index_documents("notes", upload_batch(lines))


@pytest.mark.parametrize("phase", ["working", "swapped"])
async def test_the_plan_of_a_failover_that_died_long_ago_is_made_anew(phase: str) -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        await opened.back_up()
        await _leave(opened, phase=phase)
        opened.clock.now += timedelta(days=30)
        await _add(opened, range(400, 500))
        newest = await opened.back_up()
        await opened.kill_east()
        report = await opened.fail_over()
        assert [each.snapshot for each in report.indexes] == [newest]
        assert report.window is not None
        assert report.window < timedelta(hours=1)
        assert report.took < timedelta(hours=1)
        assert len(await opened.documents(WEST)) == 500


@pytest.mark.parametrize("is_gone", [False, True])
async def test_writes_may_be_lost_until_the_swap_if_the_primary_still_answers(is_gone: bool) -> None:  # noqa: FBT001
    async with open_failover() as opened:
        await fill_notes(opened)
        await opened.back_up()
        if is_gone:
            await opened.kill_east()
        state = await _leave(opened)
        (index,) = state.plan.indexes
        age = state.plan.until - index.as_of
        brought = IndexResult(index="notes", outcome="brought", as_of=index.as_of, age=age)
        opened.clock.now += timedelta(minutes=20)
        await swap(opened.resources, Swap(StartedFailover(job=state.job, plan=state.plan), [brought], []))
        window = age if is_gone else age + timedelta(minutes=20)
        after = await read_failover(opened.west_store.runs, "contoso")
        assert after is not None
        assert [(await opened.role()).window, *(each.age for each in after.results)] == [window, window]


async def test_a_planned_failover_that_its_region_took_along_does_not_stop_another() -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        await opened.put(EAST, "datasources", SOURCE)
        await opened.put(EAST, "indexers", INDEXER)
        await opened.back_up()
        await opened.back_up_objects()
        await _leave(opened, planned=True, stopped=["read-blobs"])
        await opened.kill_east()
        report = await opened.fail_over()
        assert report.to == WEST
        assert (await opened.role()).active == WEST


async def test_a_failover_that_died_before_its_swap_gives_the_indexers_back() -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        await opened.put(EAST, "datasources", SOURCE)
        await opened.put(EAST, "indexers", INDEXER | {"disabled": True})
        await opened.back_up()
        await _leave(opened, planned=True, stopped=["read-blobs"], phase="swapped")
        assert await undo_dead(opened.resources, "contoso", WEST)
        assert (await opened.get(EAST, "indexers", "read-blobs")).get("disabled") is not True


async def test_a_pair_that_got_another_name_keeps_the_service_that_took_over() -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        await opened.back_up()
        await opened.kill_east()
        await opened.fail_over()
        await opened.revive_east()
        settings = opened.world.clients.settings
        opened.world.clients.settings = replace(settings, pairs={"renamed": settings.pairs["contoso"]})
        with pytest.raises(ConflictError, match="pair contoso"):
            await role_in_own_store(opened.world.clients, "renamed", WEST)
        with pytest.raises(ConflictError, match="pair contoso"):
            await pair_role(opened.world.clients, "renamed")


async def test_a_time_keeps_a_snapshot_of_before_that_still_held_then() -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        snapshot = await opened.back_up()
        made = opened.clock.now
        opened.clock.now += timedelta(hours=6)
        reference = SnapshotReference(service=EAST, index="notes", id=snapshot)
        await note_unchanged(opened.west_store.runs, reference, began=opened.clock.now, run="later")
        await opened.kill_east()
        report = await opened.check(at=made + timedelta(hours=1))
        assert [each.snapshot for each in report.indexes] == [snapshot]


async def test_a_standby_that_is_newer_than_any_snapshot_in_reach_is_left_as_it_is() -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        older = await opened.back_up()
        await _add(opened, range(400, 500))
        newer = await opened.back_up(copied=False)
        await fill_notes(opened, 500, service=WEST)
        state = equal_standby(newer, opened.clock.now)
        await write_state(opened.west_store.runs, state)
        await opened.kill_east()
        report = await opened.fail_over()
        [left] = report.indexes
        assert (left.outcome, left.snapshot) == ("left as it is", newer)
        assert older in left.notes[0]
        assert len(await opened.documents(WEST)) == 500


async def test_a_standby_between_two_snapshots_is_brought_to_one_that_is_in_reach() -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        older = await opened.back_up()
        await fill_notes(opened, 450, service=WEST)
        state = equal_standby("20261122T033000Z-aaaaaa", opened.clock.now, towards="20261122T033100Z-aaaaaa")
        await write_state(opened.west_store.runs, state)
        await opened.kill_east()
        report = await opened.fail_over()
        assert [(each.outcome, each.snapshot) for each in report.indexes] == [("brought", older)]
        assert len(await opened.documents(WEST)) == 400


async def test_following_makes_up_for_a_failover_that_failed_after_it_had_written() -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        older = await opened.back_up()
        await _add(opened, range(400, 500))
        newest = await opened.back_up()
        await fill_notes(opened, 500, service=WEST)
        state = equal_standby(newest, opened.clock.now)
        await write_state(opened.west_store.runs, state)

        async def die(_run: Any, _resources: Any, _given: Any) -> Any:
            raise ForbiddenError("killed", on="a test", do="Run it again")

        opened.world.around["swap_roles"] = die
        with pytest.raises(ForbiddenError, match="killed"):
            await opened.fail_over(snapshots=(f"{EAST}/notes@{older}",))
        assert len(await opened.documents(WEST)) == 400
        plan = await plan_following(opened.resources, "contoso", run="follow-2", owner="a test")
        assert [each.snapshot for each in plan.indexes] == [newest]


async def _failed_over(opened: FailoverWorld) -> None:
    """Leave the west active, and the east with a document that no snapshot has."""
    await fill_notes(opened, 50)
    await opened.back_up()
    await _add(opened, range(900, 901))
    await opened.kill_east()
    await opened.fail_over()
    await opened.revive_east()


async def test_a_planned_failover_to_the_old_primary_says_what_it_overwrites_as_a_failback_does() -> None:
    async with open_failover() as opened:
        await _failed_over(opened)
        checked = await opened.check(to=EAST, planned=True)
        assert "contoso-east holds 1 document that contoso-west has not" in checked.indexes[0].notes[0]
        report = await opened.fail_over(to=EAST, planned=True)
        assert "contoso-east holds 1 document that contoso-west has not" in report.indexes[0].notes[0]


def test_an_unplanned_failover_to_the_old_primary_warns_of_what_it_may_overwrite() -> None:
    snapshot = Candidate(id="20261122T030000Z-aaaaaa", as_of=START)
    index = IndexFacts(index="notes", there=True, snapshots=(snapshot,))
    facts = FailoverFacts(generation=1, source=WEST, now=START, indexes=(index,), following=False)
    plan = plan_failover(FailoverJob(pair="contoso", to=EAST, run="failover-2"), PAIR, facts)
    assert any("contoso-east may hold documents that nobody else has" in each for each in plan.warnings)
    plan = plan_failover(FailoverJob(pair="contoso", to=EAST, run="failover-2"), PAIR, replace(facts, following=True))
    assert not any("nobody else has" in each for each in plan.warnings)


async def test_following_takes_no_lock_while_a_failover_takes_them() -> None:
    async with open_failover() as opened:
        job = opened.job(owner="indexvault failover")
        await take_lock(opened.resources, Claim(job.work, job.owner))
        following = FollowJob(
            pair="contoso",
            generation=0,
            source=EAST,
            target=IndexName(WEST, "notes"),
            snapshot="20261122T033000Z-aaaaaa",
            created=START,
            run="follow-1",
        )
        with pytest.raises(ConflictError, match="a failover"):
            await find_follow(opened.resources, following)


async def test_a_failover_of_a_hot_pair_tells_what_was_measured_last_and_what_is_not_there() -> None:
    async with open_failover() as opened:
        await fill_notes(opened)
        await opened.back_up()
        opened.settle(mode="hot-hot", drift_schedule="0 0 * * * *")
        drift = DriftState(
            pair="contoso", index="notes", one=EAST, other=WEST, run="r", tried_at=START, measured=START, missing=5
        )
        await write_drift(opened.west_store.runs, drift)
        await opened.kill_east()
        checked = await opened.check()
        assert any("index notes is not there" in each for each in checked.warnings)
        told = "notes differed by 5 documents when it was measured last, 2026-11-22 03:00 UTC"
        assert any(told in each for each in checked.warnings)
