"""The tick of drills: start those that are due, and remove what crashed ones left behind."""

import logging
from datetime import UTC, datetime

from indexvault.errors import ConflictError
from indexvault.maintenance.pass_over import passed_over
from indexvault.maintenance.schedule import last_runs
from indexvault.recovery.drill import RUN_DRILL, remove_temporary
from indexvault.recovery.drill_records import all_open
from indexvault.settings.model import DrillSettings
from indexvault.settings.schedule import Schedule
from indexvault.workflow.activity import Resources, Work
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.lock_activities import Claim, release_lock, take_lock
from indexvault.workflow.runs import RunRecord, Runs
from indexvault.workflow.submit import hand_over

MIDDLE = "-drill-of-"
_TIME = "%Y%m%dT%H%M%SZ"
_LOG = logging.getLogger(__name__)


def drill_run(name: str, scheduled: datetime) -> str:
    """Return the name of a drill's run for a scheduled time: the same at every tick, so only one run is started."""
    return f"{scheduled.astimezone(UTC):{_TIME}}{MIDDLE}{name}"


async def tick_drills(resources: Resources, engine: DurableEngine) -> list[str]:
    """Start every drill that is due, remove what dead ones left, and return the names of the runs that were started.

    A drill whose last run has not ended is not started again. What fails is logged and does not stop the others.
    """
    started: list[str] = []
    for name, drill in resources.clients.settings.drills.items():
        with passed_over(f"drill {name}"):
            started += await _start_if_due(resources, engine, name, drill)
    # A drill may be asked for by hand, to any service.
    for service in sorted(resources.clients.settings.services):
        with passed_over(f"temporary indexes on {service}"):
            await remove_left_behind(resources, service)
    return started


async def _start_if_due(resources: Resources, engine: DurableEngine, name: str, drill: DrillSettings) -> list[str]:
    now = resources.clock()
    scheduled = Schedule(drill.schedule, on=f"settings $.drills.{name}.schedule").last(now)
    runs = Runs(resources.clients.store_of(drill.service).runs)
    last = last_runs(await runs.names(), now, MIDDLE).get(name)
    if last is not None and last >= scheduled:
        return []
    if any(each.run.endswith(f"{MIDDLE}{name}") for each in await runs.unfinished()):
        return []
    record = RunRecord(
        run=drill_run(name, scheduled),
        kind="drill",
        workflow=RUN_DRILL.name,
        service=drill.service,
        asked=f"indexes {', '.join(drill.indexes)} of {drill.service} on {drill.target}",
        owner=f"drill {name}",
        created=now,
        app=resources.app,
        drill=name,
        scheduled=scheduled,
    )
    if not await runs.create(record):
        return []
    _LOG.info("drill %s is due since %s: run %s", name, scheduled, record.run)
    await hand_over(engine, record)
    return [record.run]


async def remove_left_behind(resources: Resources, service: str) -> list[str]:
    """Remove the temporary indexes on a service that no drill holds the lock of, and return their names."""
    runs = resources.clients.store_of(service).runs
    removed: list[str] = []
    for drill in [each async for each in all_open(runs)]:
        if drill.target.service != service:
            continue
        claim = Claim(Work(run=f"{drill.run}-removal", service=service, index=drill.target), "the tick")
        try:
            await take_lock(resources, claim)
        except ConflictError:
            continue
        try:
            await remove_temporary(resources, service, drill.target.index)
        finally:
            await release_lock(resources, claim)
        _LOG.warning("the temporary index %s was left behind by run %s and is removed", drill.target, drill.run)
        removed.append(drill.target.index)
    return removed
