"""Measure the drift of pairs whose services are both written to: on their schedule, or when somebody asks."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from durabletask.task import OrchestrationContext

from indexvault.errors import ConflictError, IndexvaultError
from indexvault.maintenance.pass_over import passed_over
from indexvault.maintenance.schedule import last_runs
from indexvault.recovery.drift import ServiceDrift
from indexvault.recovery.drift_records import DriftState, forget_drift, read_drifts
from indexvault.recovery.drift_run import COMPARE_INDEXES
from indexvault.recovery.follow_objects import KINDS
from indexvault.recovery.job import DriftJob, ObjectsJob, ObjectsReport
from indexvault.recovery.pair_drift import keep_objects, sides_of
from indexvault.recovery.pair_role import in_time
from indexvault.recovery.services import compare_objects
from indexvault.settings.pairs import pair_settings
from indexvault.settings.patterns import select
from indexvault.settings.schedule import Schedule
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Activity, Orchestration, Resources, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.fan_out import OPEN, FanOut, ItemWorkflow, RunOrder, fan_out
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.reports import Written, outcome_of, write_report
from indexvault.workflow.runs import Item, Outcome, RunRecord, Runs
from indexvault.workflow.submit import hand_over, item_run
from indexvault.workflow.telemetry import note_drift

MIDDLE = "-drift-of-"
_TIME = "%Y%m%dT%H%M%SZ"
START_SECONDS = 60.0
"""How long a tick may take to start a measurement of drift: a region that hangs must not hold up the other."""
_LOG = logging.getLogger(__name__)


def drift_run(pair: str, scheduled: datetime) -> str:
    """Return the name of a pair's run for a scheduled time: the same at every tick, so only one run is started."""
    return f"{scheduled.astimezone(UTC):{_TIME}}{MIDDLE}{pair}"


async def drift_items(
    resources: Resources,
    name: str,
    *,
    run: str,
    owner: str,
    repair_from: str | None = None,
    accept_loss: bool = False,
    allow_cross_region: bool = False,
) -> list[Item]:
    """Return the items that measure a pair's drift: one an index, and one for the definitions of other objects.

    With `repair_from`, one of the pair's services, the indexes of the other one are made as its own are. What neither
    service has any more is forgotten. Raises NotFoundError for an unknown pair, ConflictError if indexvault keeps the
    indexes equal itself and so does not repair them.
    """
    clients = resources.clients
    pair = pair_settings(clients.settings, name)
    one, other = sides_of(name, pair)
    if repair_from is not None and pair.mode != "hot-hot":
        raise ConflictError(
            f"the indexes of a pair of mode {pair.mode} are kept equal by following, and not repaired",
            on=f"pair {name}",
            do=f"indexvault follow {name}",
        )
    assert pair.standby is not None  # noqa: S101 - `sides_of` has seen to it
    names = {*await clients.service(one).index_names(), *await clients.service(other).index_names()}
    chosen = select(sorted(names), pair.indexes).found
    jobs: list[DriftJob | ObjectsJob] = [
        DriftJob(
            one=f"{one}/{index}",
            other=f"{other}/{index}",
            run=item_run(run, position),
            repair_from=None if repair_from is None else f"{repair_from}/{index}",
            accept_loss=accept_loss,
            allow_cross_region=allow_cross_region or pair.allow_cross_region,
            owner=owner,
            pair=name,
            home=pair.standby,
        )
        for position, index in enumerate(chosen)
    ]
    kinds = tuple(kind for when in KINDS for kind in KINDS[when] if pair.mode_of(kind) == "hot-hot")
    if kinds:
        jobs.append(
            ObjectsJob(
                pair=name,
                one=one,
                other=other,
                home=pair.standby,
                kinds=kinds,
                run=item_run(run, len(jobs)),
                owner=owner,
            )
        )
    await _forget(resources, name, pair.standby, chosen)
    return [Item(index=job.work.index, run=job.run, job=job) for job in jobs]


async def tick_drifts(resources: Resources, engine: DurableEngine) -> list[str]:
    """Start every measurement that is due, and return the names of the runs that were started.

    A pair whose last run has not ended is not measured again. What fails is logged and does not stop the others.
    """
    started: list[str] = []
    for name, pair in resources.clients.settings.pairs.items():
        if pair.drift_schedule is None or pair.standby is None:
            continue
        with passed_over(f"drift of pair {name}"):
            starting = _start_if_due(resources, engine, name, pair.drift_schedule)
            started += await in_time(starting, on=f"pair {name}", seconds=START_SECONDS)
        with passed_over(f"what is known of the drift of pair {name}"):
            telling = _tell_metrics(resources, name, pair.standby)
            await in_time(telling, on=f"pair {name}", seconds=START_SECONDS)
    return started


async def _start_if_due(resources: Resources, engine: DurableEngine, name: str, schedule: str) -> list[str]:
    now = resources.clock()
    pair = pair_settings(resources.clients.settings, name)
    assert pair.standby is not None  # noqa: S101 - the tick has seen to it
    store = resources.clients.store_of(pair.standby)
    await store.prepare()
    scheduled = Schedule(schedule, on=f"settings $.pairs.{name}.drift_schedule").last(now)
    runs = Runs(store.runs)
    last = last_runs(await runs.names(), now, MIDDLE).get(name)
    if last is not None and last >= scheduled:
        return []
    if any(each.run.endswith(f"{MIDDLE}{name}") for each in await runs.unfinished()):
        return []
    run = drift_run(name, scheduled)
    record = RunRecord(
        run=run,
        kind="drift",
        workflow=RUN_DRIFT.name,
        service=pair.standby,
        asked=f"{pair.primary} and {pair.standby}",
        owner=f"pair {name}",
        created=now,
        app=resources.app,
        pair=name,
        scheduled=scheduled,
        items=await drift_items(resources, name, run=run, owner=f"pair {name}"),
    )
    if not await runs.create(record):
        return []
    _LOG.info("the drift of pair %s is due since %s: run %s", name, scheduled, run)
    await hand_over(engine, record)
    return [run]


async def _forget(resources: Resources, name: str, home: str, chosen: Sequence[str]) -> None:
    store = resources.clients.store_of(home)
    await store.prepare()
    for state in await read_drifts(store.runs, name):
        if state.index not in {*chosen, SERVICE_OBJECTS}:
            await forget_drift(store.runs, name, state.index)


async def _tell_metrics(resources: Resources, name: str, home: str) -> None:
    """Record what is known, so that a process that measured nothing tells it too."""
    states: list[DriftState] = await read_drifts(resources.clients.store_of(home).runs, name)
    for each in states:
        if each.index != SERVICE_OBJECTS and each.measured is not None:
            note_drift(each.other, each.index, changed=each.changed, missing=each.missing, extra=each.extra)


async def measure_objects(resources: Resources, job: ObjectsJob) -> Written:
    """Compare the definitions of other objects, keep what differs, and write the report."""
    clients = resources.clients
    absent, objects = await compare_objects(clients.service(job.one), clients.service(job.other), job.kinds)
    drift = ServiceDrift(one=job.one, other=job.other, absent=absent, objects=objects)
    await keep_objects(resources, job, drift)
    await write_report(resources, job.work, ObjectsReport(drift))
    return Written()


def compare_pair_objects(ctx: OrchestrationContext, job: ObjectsJob) -> Orchestration[Written]:
    """Compare the definitions of a pair's other objects."""
    return (yield from call(ctx, MEASURE_OBJECTS, job))


def failed(_item: Item, error: IndexvaultError) -> Outcome:
    """Return the outcome of an index that could not be compared."""
    return Outcome(state="failed", failure=error.record())


MEASURE_OBJECTS = Activity(
    "measure_pair_objects", ObjectsJob, Written, measure_objects, work=lambda job: job.work, locks=False
)
COMPARE_PAIR_OBJECTS = Workflow("compare_pair_objects", ObjectsJob, Written, compare_pair_objects)
_FAN_OUT = FanOut(
    opening=OPEN,
    each=ItemWorkflow(COMPARE_INDEXES, outcome_of),
    failed=failed,
    special={SERVICE_OBJECTS: ItemWorkflow(COMPARE_PAIR_OBJECTS, outcome_of)},
)


def run_drift(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Measure the drift that a run's record names, or repair it."""
    return (yield from fan_out(ctx, order, _FAN_OUT))


RUN_DRIFT = Workflow("run_drift", RunOrder, Done, run_drift)
OWN_ACTIVITIES = (MEASURE_OBJECTS,)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, *OWN_ACTIVITIES)
WORKFLOWS = (COMPARE_PAIR_OBJECTS, RUN_DRIFT)
