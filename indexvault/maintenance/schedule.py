"""The timer's tick: start the policies that are due, and resume unfinished runs.

A policy is due if it has had no run since its last scheduled time. So times missed while the app was down are made up
for by one run, however many they were, and a policy that is new, or whose schedule was changed to a time after its last
run, runs at the next tick. A policy with an unfinished run is not started again.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from indexvault.errors import ErrorRecord, IndexvaultError
from indexvault.maintenance.other_app import note_app, works_elsewhere
from indexvault.maintenance.pass_over import passed_over
from indexvault.maintenance.snapshot_age import note_ages
from indexvault.settings.model import PolicySettings
from indexvault.settings.pairs import beyond_pair
from indexvault.settings.schedule import Schedule
from indexvault.snapshots.store import RunBlobs
from indexvault.snapshots.summary import is_in_future
from indexvault.workflow.activity import Resources
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.runs import RunRecord, Runs, given_up
from indexvault.workflow.stalled import durable_state, stalled_error
from indexvault.workflow.stop import end_items
from indexvault.workflow.submit import hand_over
from indexvault.workflow.telemetry import run_ended
from indexvault.workflow.time_limit import is_past_limit, past_limit

_TIME = "%Y%m%dT%H%M%SZ"
_MIDDLE = "-policy-"
ANSWER_SECONDS = 30.0
"""How long a store may take to answer before a tick leaves it out."""
_PROBE = "indexvault-asks-whether-it-answers"
_LOG = logging.getLogger(__name__)


class Due(msgspec.Struct, frozen=True):
    """A policy that is due, and the scheduled time since which it is."""

    policy: str
    scheduled: datetime


def due_policies(
    policies: Mapping[str, PolicySettings], last: Mapping[str, datetime], busy: Iterable[str], now: datetime
) -> list[Due]:
    """Return the policies to start.

    `last` holds the scheduled time of each policy's newest run, `busy` the policies that have an unfinished one.
    """
    found = []
    for name, policy in sorted(policies.items()):
        scheduled = Schedule(policy.schedule, on=f"settings $.policies.{name}.schedule").last(now)
        if name not in busy and (name not in last or last[name] < scheduled):
            found.append(Due(name, scheduled))
    return found


def policy_run(due: Due) -> str:
    """Return the name of a policy's run for a scheduled time: the same at every tick, so only one run is started."""
    return f"{due.scheduled.astimezone(UTC):{_TIME}}{_MIDDLE}{due.policy}"


def last_runs(names: Iterable[str], now: datetime, middle: str = _MIDDLE) -> dict[str, datetime]:
    """Return the newest scheduled time of each policy from the names of runs. Other names are ignored.

    `middle` is what stands between the time and the policy's name.

    Runs scheduled in the future, by a clock that was wrong, are ignored too: until that day their policy would never
    be due.
    """
    last: dict[str, datetime] = {}
    for name in names:
        time, _, policy = name.partition(middle)
        try:
            scheduled = datetime.strptime(time, _TIME).replace(tzinfo=UTC)
        except ValueError:
            continue
        if is_in_future(scheduled, now):
            continue
        last[policy] = max(last.get(policy, scheduled), scheduled)
    return last


async def tick(
    resources: Resources, engine: DurableEngine, *, backup_workflow: str, resting: Collection[str] = ()
) -> list[str]:
    """Resume unfinished runs, start every policy that is due, and return the names of the runs that were started.

    `backup_workflow` is the workflow of a policy's run. Policies that are `resting` back up only what is in no pair. A
    store, a run or a policy that fails, whatever the error, is logged and does not stop the others.
    """
    settings = resources.clients.settings
    policies_of: dict[str, dict[str, PolicySettings]] = {store: {} for store in settings.stores}
    for name, policy in settings.policies.items():
        indexes = beyond_pair(settings, name, resting) if name in resting else policy.indexes
        if indexes:
            policies_of[settings.services[policy.service].store][name] = replace(policy, indexes=indexes)
    started: list[str] = []
    answering = await asyncio.gather(*(_answers(resources, store) for store in policies_of))
    for (store, policies), answers in zip(policies_of.items(), answering, strict=True):
        if not answers:
            continue
        with passed_over(f"tick of store {store}"):
            await _tick_store(resources, engine, store, policies, backup_workflow=backup_workflow, started=started)
        with passed_over(f"ages of the snapshots in store {store}"):
            await note_ages(resources, store, policies.values())
    return started


async def _answers(resources: Resources, name: str) -> bool:
    """Return whether a store answers in seconds: one that hangs must not hold up the others."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await resources.clients.store(name).runs.read(_PROBE, 1)
    except TimeoutError:
        _LOG.error("store %s does not answer within %g s, and is left to the next tick", name, ANSWER_SECONDS)
        return False
    except IndexvaultError:  # its tick says what it is
        return True
    return True


async def _tick_store(
    resources: Resources,
    engine: DurableEngine,
    name: str,
    policies: Mapping[str, PolicySettings],
    *,
    backup_workflow: str,
    started: list[str],
) -> None:
    """Tick one store, and add the names of the runs that were started to `started`."""
    store = resources.clients.store(name)
    await store.prepare()
    runs = Runs(store.runs)
    await note_app(resources, store.runs)
    busy = []
    for record in await runs.unfinished():
        is_finished = False
        with passed_over(f"run {record.run}"):
            is_finished = await _resume_or_close(resources, engine, store.runs, record)
        if not is_finished:
            busy.append(record)
    now = resources.clock()
    for record in busy:
        with passed_over(f"run {record.run}"):
            await _tell_overdue(runs, record, policies, now)
    due = due_policies(
        policies,
        last_runs(await runs.names(), now),
        {record.policy for record in busy if record.policy is not None},
        now,
    )
    for each in due:
        policy = policies[each.policy]
        record = RunRecord(
            run=policy_run(each),
            kind="backup",
            workflow=backup_workflow,
            service=policy.service,
            asked=f"indexes {', '.join(policy.indexes)} of {policy.service}",
            owner=f"policy {each.policy}",
            created=now,
            policy=each.policy,
            scheduled=each.scheduled,
            choose=list(policy.indexes),
            labels=policy.labels,
            time_limit=policy.time_limit,
            app=resources.app,
        )
        with passed_over(f"policy {each.policy}"):
            if await runs.create(record):
                _LOG.info("policy %s is due since %s: run %s", each.policy, each.scheduled, record.run)
                await hand_over(engine, record)
                started.append(record.run)


def overdue(record: RunRecord, policies: Mapping[str, PolicySettings], now: datetime) -> str | None:
    """Return what to say of a run that is still at work when its policy is due again, or None."""
    policy = policies.get(record.policy or "")
    if policy is None or record.scheduled is None:
        return None
    again = Schedule(policy.schedule, on=f"settings $.policies.{record.policy}.schedule").next(record.scheduled)
    if again > now:
        return None
    return (
        f"policy {record.policy} was due again {again:%Y-%m-%d %H:%M:%S} UTC while this run was at work: no other was"
        " started; give the policy a longer interval, or fewer indexes"
    )


async def _tell_overdue(runs: Runs, record: RunRecord, policies: Mapping[str, PolicySettings], now: datetime) -> None:
    """Note on a run, once, that its policy's interval is shorter than it takes."""
    told = overdue(record, policies, now)
    if told is not None and told not in record.notes:
        _LOG.warning("run %s: %s", record.run, told)
        await runs.change(record.run, lambda found: replace(found, notes=[*found.notes, told]))


async def _resume_or_close(resources: Resources, engine: DurableEngine, blobs: RunBlobs, record: RunRecord) -> bool:
    """Resume or close an unfinished run if the engine no longer works on it, and return whether it is finished now.

    A run that the engine does not know, because it was never told or lost its history, is handed over again and resumes
    from its checkpoints, unless it was resumed too often without progress. Such a run, and one that the engine ended
    without closing its record, is closed as failed and loses its locks. So is one that has worked for longer than its
    time limit. A run of another app is left to it while that ticks.
    """
    runs = Runs(blobs)
    if record.time_limit is not None and is_past_limit(record, resources.clock()):
        late = past_limit(record.time_limit, f"run {record.run}")
        await _give_up(resources, engine, runs, record, late.record())
        return True
    state = await engine.state(record.run)
    if state == "active":
        return False
    if state == "unknown":
        if await works_elsewhere(resources, blobs, record):
            return False
        durable = await _durable(resources, record)
        resumptions = record.resumptions.again(durable)
        if not resumptions.too_many:
            _LOG.warning("run %s is unknown to the engine and resumes from its checkpoints", record.run)
            if await hand_over(engine, record):
                await runs.change(
                    record.run, lambda record: replace(record, resumptions=resumptions, app=resources.app)
                )
            return False
    failure = (_LOST if state == "ended" else stalled_error(f"run {record.run}")).record()
    await _give_up(resources, engine, runs, record, failure)
    return True


async def _give_up(
    resources: Resources, engine: DurableEngine, runs: Runs, record: RunRecord, failure: ErrorRecord
) -> None:
    """Close a run as failed, take its locks from it and stop its orchestrations."""
    now = resources.clock()
    ended = await runs.change(record.run, lambda record: given_up(record, now, failure))
    run_ended(ended, now)
    _LOG.warning("run %s is now %s: %s", record.run, ended.state, failure.what)
    try:
        await end_items(resources, engine, ended, [item for item in record.items if item.outcome.state == "waiting"])
    except IndexvaultError as error:
        _LOG.warning("the locks of run %s could not be taken from it and expire by themselves: %s", record.run, error)


async def _durable(resources: Resources, record: RunRecord) -> str:
    """Return a hash of what a run has achieved: the outcomes of its items, and their checkpoints in every store."""
    clients = resources.clients
    services = {record.service, *(index.service for item in record.items for index in item.indexes)}
    stores = {clients.settings.services[name].store for name in services if name in clients.settings.services}
    runs = [record.run, *(item.run for item in record.items)]
    states = [await durable_state(clients.store(store).runs, runs) for store in sorted(stores)]
    return " ".join([*states, *(item.outcome.state for item in record.items)])


_LOST = IndexvaultError(
    "the engine ended the run without a result", on="run", do="Check the app's log, then run it again"
)
