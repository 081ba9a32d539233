"""The tick of pairs: who is backed up, copies of roles, and what a dead planned failover has left behind."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from indexvault.errors import ForbiddenError
from indexvault.maintenance import schedule
from indexvault.maintenance.schedule import tick
from indexvault.model import IndexName
from indexvault.recovery import drift_schedule, follow_schedule
from indexvault.recovery.pair_schedule import tick_pairs
from indexvault.settings.model import PolicySettings
from indexvault.settings.patterns import select
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.roles import PairRole, create_role
from indexvault.snapshots.run_names import role_name
from indexvault.workflow.activity import Work
from indexvault.workflow.lock_activities import Claim, take_lock
from indexvault.workflow.runs import Runs
from tests.recovery.failover_world import START, FailoverWorld, fill_notes, open_failover
from tests.recovery.test_drill_schedule import StartedRuns
from tests.recovery.test_failover_planned import disabled, put_objects
from tests.world import EAST, WEST, quick_rests

__all__ = ["quick_rests"]

POLICIES = {
    "east": PolicySettings(service=EAST, schedule="0 0 * * * *", indexes=("*", "!reports"), replicate_to=("westus2",)),
    "west": PolicySettings(service=WEST, schedule="0 0 * * * *", replicate_to=("local",)),
    "reports": PolicySettings(service=WEST, schedule="0 0 * * * *", indexes=("reports",)),
}


def with_policies(opened: FailoverWorld) -> None:
    opened.world.clients.settings = replace(opened.world.clients.settings, policies=POLICIES)
    opened.settle(indexes=("*", "!reports"))


def role(active: str, generation: int = 1) -> PairRole:
    return PairRole(pair="contoso", generation=generation, active=active, since=START, run="failover-1")


async def due(opened: FailoverWorld) -> set[str]:
    """Return the policies that a tick starts."""
    resting = await tick_pairs(opened.resources)
    started = await tick(opened.resources, StartedRuns(), backup_workflow="run_backup", resting=resting)
    return {each.partition("-policy-")[2] for each in started}


async def test_only_the_active_service_of_a_pair_is_backed_up() -> None:
    async with open_failover() as opened:
        with_policies(opened)
        assert await due(opened) == {"east", "reports"}


async def test_the_old_primary_that_comes_back_is_not_backed_up_and_gets_the_role() -> None:
    async with open_failover() as opened:
        with_policies(opened)
        await create_role(opened.west_store.runs, role(WEST))
        assert await due(opened) == {"west", "reports"}
        assert await opened.role_in(EAST) == role(WEST)
        assert await tick_pairs(opened.resources) == {"east"}


async def test_with_the_other_store_gone_the_own_one_decides() -> None:
    async with open_failover() as opened:
        with_policies(opened)
        await create_role(opened.west_store.runs, role(WEST))
        await opened.kill_east()
        assert await tick_pairs(opened.resources) == {"east"}


async def test_both_services_of_a_hot_pair_are_backed_up() -> None:
    async with open_failover() as opened:
        with_policies(opened)
        opened.settle(mode="hot-hot", drift_schedule="0 0 * * * *")
        assert await tick_pairs(opened.resources) == frozenset()


async def test_nothing_of_a_pair_runs_whose_role_can_not_be_read() -> None:
    async with open_failover() as opened:
        with_policies(opened)
        await opened.west_store.runs.put(role_name("contoso", 1), b"nonsense")
        assert await tick_pairs(opened.resources) == {"east", "west"}


async def test_a_planned_failover_that_died_has_its_indexers_enabled_again() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 3)
        await put_objects(opened)

        async def die(_run: Any, _resources: Any, _given: Any) -> Any:
            raise ForbiddenError("killed", on="a test", do="Run it again")

        for step in ("make_failover_objects", "give_failover_up"):
            opened.world.around[step] = die
        with pytest.raises(ForbiddenError, match="killed"):
            await opened.fail_over(planned=True)
        assert await disabled(opened, EAST) == {"read-blobs": True, "idle": True}
        state = await opened.state()
        assert state is not None
        assert (state.phase, state.stopped) == ("working", ["read-blobs"])
        # While another run has the lock, the failover may be alive.
        work = Work(run="other", service=WEST, index=IndexName(WEST, SERVICE_OBJECTS))
        held = Claim(work, "a test")
        await take_lock(opened.resources, held)
        await tick_pairs(opened.resources)
        assert await disabled(opened, EAST) == {"read-blobs": True, "idle": True}
        opened.clock.now = opened.clock.now.replace(hour=9)
        await tick_pairs(opened.resources)
        assert await disabled(opened, EAST) == {"read-blobs": False, "idle": True}
        state = await opened.state()
        assert state is not None
        assert state.phase == "given up"


async def test_a_policy_of_the_standby_still_backs_up_what_is_in_no_pair() -> None:
    async with open_failover() as opened:
        policies = {**POLICIES, "west": replace(POLICIES["west"], indexes=("*", "!tmp-*"))}
        opened.world.clients.settings = replace(opened.world.clients.settings, policies=policies)
        opened.settle(indexes=("notes",))
        engine = StartedRuns()
        resting = await tick_pairs(opened.resources)
        started = await tick(opened.resources, engine, backup_workflow="run_backup", resting=resting)
        [run] = [each for each in started if each.endswith("-policy-west")]
        record = await Runs(opened.west_store.runs).read(run)
        assert record is not None
        assert select(["notes", "reports", "others", "tmp-1"], record.choose).found == ["others", "reports"]


async def test_a_region_that_hangs_does_not_hold_up_the_policies_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(drift_schedule, "START_SECONDS", 0.2)
    monkeypatch.setattr(follow_schedule, "START_SECONDS", 0.2)
    async with open_failover() as opened:
        with_policies(opened)
        await opened.kill_east(hangs=True)
        async with asyncio.timeout(25):
            assert await due(opened) == {"reports"}
            assert await follow_schedule.tick_following(opened.resources, StartedRuns()) == []
            opened.settle(mode="hot-hot", drift_schedule="0 0 * * * *")
            assert await drift_schedule.tick_drifts(opened.resources, StartedRuns()) == []
