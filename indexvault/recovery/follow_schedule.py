"""The tick of following: bring each standby on as soon as the active service has a newer snapshot.

A pair has one run at a time. What failed is tried again after a while; a newer snapshot is tried at once.
"""

import contextlib
import logging
from datetime import datetime

from msgspec.structs import replace

from indexvault.errors import ConflictError
from indexvault.maintenance.pass_over import passed_over
from indexvault.model import IndexName
from indexvault.recovery.follow_plan import FollowPlan, is_followed, other_of, plan_following
from indexvault.recovery.follow_run import record_of
from indexvault.recovery.pair_role import SeenRole, in_time, pair_role
from indexvault.recovery.standby_records import forget_state, read_state, write_state
from indexvault.settings.pairs import pair_settings
from indexvault.workflow.activity import Resources
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.runs import Runs
from indexvault.workflow.submit import hand_over

MIDDLE = "-follow-of-"
START_SECONDS = 60.0
"""How long a tick may take to start a run of following: a region that hangs must not hold up the other."""
_LOG = logging.getLogger(__name__)


def follow_run(pair: str, now: datetime) -> str:
    """Return the name of a pair's run: two ticks within a minute name the same one, so only one is started."""
    return f"{now:%Y%m%dT%H%M}00Z{MIDDLE}{pair}"


async def tick_following(resources: Resources, engine: DurableEngine) -> list[str]:
    """Start a run for every pair whose standby is to be brought on, and return the names of these runs.

    A pair whose following is off, or whose last run has not ended, is left alone. What fails is logged and does not
    stop the others.
    """
    started: list[str] = []
    for name, pair in resources.clients.settings.pairs.items():
        if not is_followed(pair):
            continue
        with passed_over(f"following of pair {name}"):
            seen = await pair_role(resources.clients, name)
            if seen.role.following:
                starting = start_following(resources, engine, name, seen, owner=f"pair {name}")
                started += await in_time(starting, on=f"pair {name}", seconds=START_SECONDS)
    return started


async def start_following(
    resources: Resources, engine: DurableEngine, name: str, seen: SeenRole, *, owner: str, again: bool = False
) -> list[str]:
    """Start a run of a pair if anything is to be done and none is unfinished, and return its name."""
    now = resources.clock()
    standby = other_of(pair_settings(resources.clients.settings, name), seen.role.active)
    assert standby is not None  # noqa: S101 - only pairs that are followed come here
    runs = Runs(resources.clients.store_of(standby).runs)
    if any(each.run.endswith(f"{MIDDLE}{name}") for each in await runs.unfinished()):
        return []
    run = follow_run(name, now)
    plan = await plan_following(resources, name, run=run, owner=owner, again=again, seen=seen)
    await note_gone(resources, plan)
    if not plan.jobs:
        return []
    record = record_of(plan, run=run, owner=owner, created=now)
    record = replace(record, app=resources.app, pair=name)
    if not await runs.create(record):
        return []
    _LOG.info("the standby of pair %s is brought on: run %s", name, run)
    await hand_over(engine, record)
    return [run]


async def note_gone(resources: Resources, plan: FollowPlan) -> None:
    """Note which indexes the active service has no more, or has again.

    Nothing is deleted on the standby; an index that neither service has is forgotten.
    """
    if plan.gone is None:
        return
    runs = resources.clients.store_of(plan.standby).runs
    changed = [each.target for each in plan.states if (each.gone_since is not None) != (each.index in plan.gone)]
    there = set(await resources.clients.service(plan.standby).index_names()) if plan.gone else set[str]()
    for target in changed:
        await _note(resources, plan, target)
    for target in (IndexName(plan.standby, index) for index in plan.gone if index not in there):
        await forget_state(runs, plan.pair, target)


async def _note(resources: Resources, plan: FollowPlan, target: IndexName) -> None:
    runs = resources.clients.store_of(plan.standby).runs
    version = await read_state(runs, plan.pair, target)
    if version is None:
        return
    is_gone = target.index in (plan.gone or ())
    state = replace(version.record, gone_since=resources.clock() if is_gone else None)
    with contextlib.suppress(ConflictError):  # a run is writing to it: the next tick looks again
        await write_state(runs, state, etag=version.etag)
