"""The steps of a failover: begin or resume it, swap the roles once, and end it, or give it up and undo what can be.

Durable, in this order: the plan, under the pair's name in the store of the service that becomes active; the result of
each index; that the role may be swapped; the role; the report.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from indexvault.errors import ConflictError, IndexvaultError, RemoteError
from indexvault.model import IndexName
from indexvault.recovery.failover_facts import gather_failover_facts, require_target
from indexvault.recovery.failover_index import is_still_brought, preflight_index, restore_of
from indexvault.recovery.failover_job import (
    CheckedFailover,
    FailoverEnd,
    FailoverJob,
    FailoverPlan,
    FailoverReport,
    FoundFailover,
    GivenUp,
    IndexResult,
    PlannedIndex,
    StartedFailover,
    Swap,
    Swapped,
)
from indexvault.recovery.failover_objects import check_objects, set_disabled
from indexvault.recovery.failover_plan import plan_failover
from indexvault.recovery.failover_report import next_steps
from indexvault.recovery.failover_state import (
    FailoverState,
    read_failover,
    require_failover,
    write_failover,
)
from indexvault.recovery.pair_role import SeenRole, in_time, pair_role, spread_role
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.roles import PairRole, create_role, read_role
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.lock_activities import Done, revoke
from indexvault.workflow.lock_holder import read_holder

FOLLOWERS = ("pair ", "indexvault follow", "POST /follow")
"""What the owner of a run begins with that only keeps a standby equal. A failover takes its locks from it."""


async def find(resources: Resources, job: FailoverJob) -> FoundFailover:
    """Return the execution that has begun a failover to the same service and not ended it.

    Runs that keep the other objects of the service equal lose their lock.
    """
    require_target(resources.clients.settings, job.pair, job.to)
    store = resources.clients.store_of(job.to)
    await store.prepare()
    await _preempt(resources, job.to, [SERVICE_OBJECTS])
    state = await read_failover(store.runs, job.pair)
    if state is None or not state.is_unfinished or state.executions[-1] == job.run:
        return FoundFailover(None)
    return FoundFailover(state.executions[-1], state.plan.lock)


async def begin(resources: Resources, job: FailoverJob) -> StartedFailover:
    """Decide what the failover does and write it down, or resume one that is unfinished.

    One that has swapped is resumed whatever is asked for. One that has not is resumed if the same is asked for and
    would be done now: otherwise what it had changed for a while is undone, and another begins. Raises what `decide`
    does, with nothing changed.
    """
    runs = resources.clients.store_of(job.to).runs
    state = await read_failover(runs, job.pair)
    seen = await pair_role(resources.clients, job.pair)
    if state is not None and state.executions[-1] == job.run and state.is_unfinished:
        return _started(job, state, resumes=_before(state))
    stopped: list[str] = []
    if state is not None and state.is_unfinished:
        resumed = await _resumed(resources, job, state, seen)
        if resumed is not None:
            await write_failover(runs, resumed)
            return _started(job, resumed, resumes=state.executions[-1])
        try:
            await undo(resources, runs, state)
        except RemoteError:
            if job.planned:
                raise
            # The region is gone by now. What the planned failover had stopped there runs on the other service.
            stopped = state.stopped
    if state is not None and state.phase == "ended" and _is_still(state, seen):
        assert state.report is not None  # noqa: S101 - what has ended has one
        return _started(job, state, ended=replace(state.report, repeated=True))
    plan = await decide(resources, job, seen)
    fresh = FailoverState(job=job, fingerprint=job.fingerprint, executions=[job.run], plan=plan, stopped=stopped)
    await write_failover(runs, fresh)
    return _started(job, fresh)


async def _resumed(
    resources: Resources, job: FailoverJob, state: FailoverState, seen: SeenRole
) -> FailoverState | None:
    """Return the state of an unfinished failover as this run resumes it, or None if another is to begin.

    Until the swap, what is to be done is decided again: since then newer snapshots may have come, and following may
    have written to indexes that were done.
    """
    executions = [*state.executions, job.run]
    if _has_swapped(state, seen.role):
        return replace(state, executions=executions)
    if state.fingerprint != job.fingerprint or seen.role.generation != state.plan.generation - 1:
        return None
    plan = await decide(resources, job, seen)
    if _chosen(plan) != _chosen(state.plan):
        return None
    plan = replace(plan, started=state.plan.started)
    results = [
        replace(each, age=plan.age(each.as_of))
        for each in state.results
        if each.as_of is not None and await is_still_brought(resources, plan, each)
    ]
    return replace(state, executions=executions, plan=plan, phase="working", results=results)


def _chosen(plan: FailoverPlan) -> tuple[object, ...]:
    """Return what a failover brings over: two of the same do the same."""
    snapshots = {(each.index, each.snapshot) for each in plan.indexes}
    return snapshots, {each.index for each in plan.left_out}, plan.objects, plan.kinds, plan.source


def _has_swapped(state: FailoverState, role: PairRole) -> bool:
    """Return whether the present role is the one that a failover has set."""
    return state.phase == "swapped" and role.generation == state.plan.generation and role.run == state.executions[0]


async def decide(resources: Resources, job: FailoverJob, seen: SeenRole | None = None) -> FailoverPlan:
    """Return what a failover does, with every index checked. Writes nothing.

    Raises ConflictError if the service is active already, or if an index can't be brought over and was not left out;
    RemoteError if what has to answer does not; the error of the first check of an index that fails.
    """
    settings = resources.clients.settings
    pair = require_target(settings, job.pair, job.to)
    facts = await gather_failover_facts(resources, job, seen)
    if job.planned and not facts.answers:
        raise ConflictError(
            f"{facts.source} does not answer, so nothing can be read from it first",
            on=f"pair {job.pair}",
            do="Leave --planned out to fail over to the newest snapshots in reach",
        )
    plan = plan_failover(job, pair, facts)
    if not plan.indexes and plan.mode != "hot-hot":
        raise ConflictError(
            f"no index of {facts.source} is in reach" + (": all are left out" if plan.left_out else ""),
            on=f"pair {job.pair}",
            do=f"See `indexvault snapshots {facts.source}`",
        )
    if job.planned:
        return plan
    checked = [
        each if each.mode == "keep" else await preflight_index(resources, job, plan, each) for each in plan.indexes
    ]
    return replace(plan, indexes=tuple(checked))


async def preempt(resources: Resources, started: StartedFailover) -> Done:
    """Take the locks of the indexes from runs that only keep the standby equal. They can't write any more."""
    await _preempt(resources, started.job.to, [SERVICE_OBJECTS, *started.plan.lock])
    return Done()


async def _preempt(resources: Resources, service: str, indexes: list[str]) -> None:
    runs = resources.clients.store_of(service).runs
    for index in indexes:
        name = IndexName(service, index)
        holder = await read_holder(runs, name)
        if holder is not None and holder.owner.startswith(FOLLOWERS) and holder.counts(resources.clock()):
            await revoke(resources, name, holder.known_run)


async def swap(resources: Resources, given: Swap) -> Swapped:
    """Make the service active, once. Raises ConflictError if another run has swapped the roles since this one began.

    That it may have happened is written first, so that whoever resumes ends what it began.
    """
    started = given.started
    job, plan = started.job, started.plan
    clients = resources.clients
    runs = clients.store_of(job.to).runs
    state = await require_failover(runs, job)
    now = resources.clock()
    results = _at_swap(job, plan, given.results, now)
    role = PairRole(
        pair=job.pair,
        generation=plan.generation,
        active=job.to,
        since=now,
        run=state.executions[0],
        planned=job.planned,
        following=job.planned,
        window=window_of(results, planned=job.planned),
    )
    there = await read_role(runs, job.pair)
    seen = await pair_role(clients, job.pair)
    if there is None or there.run != role.run:
        if seen.role.generation >= plan.generation:
            raise _swapped_meanwhile(job, seen.role)
        if state.phase != "swapped":
            await resources.fence()
            await write_failover(
                runs, replace(state, phase="swapped", results=results, objects=given.objects, rounds=given.rounds)
            )
        await resources.fence()
        role = await create_role(runs, role)
    else:
        role = there
    copied = await spread_role(clients, job.pair, role)
    lacking = sorted(set(seen.unread) - set(copied))
    return Swapped(since=role.since or resources.clock(), uncopied=lacking)


async def end(resources: Resources, given: FailoverEnd) -> FailoverReport:
    """Write the report, and that nothing is left to do."""
    started = given.started
    job, plan = started.job, started.plan
    runs = resources.clients.store_of(job.to).runs
    state = await require_failover(runs, job)
    objects = [
        each for each in state.objects if (each.kind, each.name) not in {(f.kind, f.name) for f in given.enabled.failed}
    ]
    report = replace(
        report_of(job, plan, results=state.results, resources=resources),
        run=state.executions[0],
        objects=[*objects, *given.enabled.failed],
        enabled=given.enabled.indexers,
        rounds=state.rounds,
        resumed=_before(state),
        unread=sorted({*plan.unread, *given.swapped.uncopied}),
    )
    report = replace(report, next_steps=next_steps(report))
    await write_failover(runs, replace(state, phase="ended", report=report))
    return report


async def give_up(resources: Resources, given: GivenUp) -> Done:
    """Undo what a failover that failed had changed for a while, and note that it is given up."""
    job = given.started.job
    runs = resources.clients.store_of(job.to).runs
    state = await read_failover(runs, job.pair)
    if state is None or state.executions[-1] != job.run or state.phase != "working":
        return Done()
    await undo(resources, runs, state)
    return Done()


async def undo(resources: Resources, runs: RunBlobs, state: FailoverState) -> None:
    """Enable the indexers again that a planned failover had disabled, then note that it is given up.

    They stay as they are if roles were swapped since: the service is no more the active one. Raises RemoteError if the
    service does not answer: the record stays, and the next attempt tries again.
    """
    source = resources.clients.service(state.plan.source)
    role = (await pair_role(resources.clients, state.job.pair)).role
    is_active = role.active == state.plan.source and role.generation < state.plan.generation
    if state.stopped and is_active:
        await in_time(source.index_names(), on=f"service {state.plan.source}")
    for name in state.stopped if is_active else ():
        try:
            await set_disabled(resources, source, name, disabled=False)
        except RemoteError:
            raise
        except IndexvaultError:  # it is gone, or another client changes it
            continue
    await write_failover(runs, replace(state, phase="given up"))


async def check(resources: Resources, job: FailoverJob) -> CheckedFailover:
    """Return what a failover would do, and the restores that are to be checked. Writes nothing. Raises as `decide`."""
    plan = await decide(resources, job)
    report = report_of(job, plan, results=[], resources=resources)
    planned = [
        IndexResult(
            index=each.index,
            outcome="left as it is" if each.mode == "keep" else "to be brought",
            snapshot=each.snapshot or None,
            as_of=each.as_of if each.snapshot else None,
            age=plan.age(each.as_of) if each.snapshot else None,
            mode=each.mode,
            notes=[each.note] if each.note else [],
        )
        for each in plan.indexes
    ]
    objects = [] if job.planned else await check_objects(resources, plan, job.run)
    report = replace(report, indexes=[*planned, *report.indexes], objects=objects, dry_run=True)
    report = replace(report, window=window_of(planned, planned=job.planned))
    restores = [restore_of(resources.clients.settings, job, plan, each) for each in _to_bring(plan)]
    return CheckedFailover(
        plan, report, [replace(each, update_definition=each.mode == "sync", locked_by=None) for each in restores]
    )


async def foresee(resources: Resources, job: FailoverJob) -> FailoverReport | None:
    """Return what a failover would do, or None if one is to be resumed or is done. Writes nothing. Raises as `decide`.

    The chunks of the snapshots are not proved: this is shown before a person is asked.
    """
    state = await read_failover(resources.clients.store_of(job.to).runs, job.pair)
    seen = await pair_role(resources.clients, job.pair)
    if state is not None and (_has_swapped(state, seen.role) or (state.phase == "ended" and _is_still(state, seen))):
        return None
    return (await check(resources, job)).report


def report_of(
    job: FailoverJob, plan: FailoverPlan, *, results: list[IndexResult], resources: Resources
) -> FailoverReport:
    """Return the report of a failover with the results of its indexes."""
    left_out = [IndexResult(index=each.index, outcome="left out", why=each.why) for each in plan.left_out]
    return FailoverReport(
        pair=job.pair,
        mode=plan.mode,
        source=plan.source,
        to=plan.to,
        generation=plan.generation,
        run=job.run,
        planned=job.planned,
        started=plan.started,
        finished=resources.clock(),
        recovery_point=plan.recovery_point,
        recovery_time=plan.recovery_time,
        window=window_of(results, planned=job.planned),
        following=job.planned,
        indexes=[*sorted(results, key=lambda each: each.index), *left_out],
        unread=list(plan.unread),
        warnings=list(plan.warnings),
    )


def window_of(results: list[IndexResult], *, planned: bool) -> timedelta | None:
    """Return the longest time whose writes may be lost: none after a planned failover."""
    if planned:
        return timedelta()
    return max((each.age for each in results if each.age is not None), default=None)


def _to_bring(plan: FailoverPlan) -> list[PlannedIndex]:
    """Return the indexes that are restored from a snapshot which is there already."""
    return [each for each in plan.indexes if each.snapshot and each.mode != "keep"]


def _at_swap(job: FailoverJob, plan: FailoverPlan, results: list[IndexResult], at: datetime) -> list[IndexResult]:
    """Return results with what may be lost by the swap: of a service that still answers, writes until then."""
    if job.planned or not plan.answers:
        return results
    return [each if each.as_of is None else replace(each, age=max(at - each.as_of, timedelta())) for each in results]


def _started(
    job: FailoverJob, state: FailoverState, *, resumes: str | None = None, ended: FailoverReport | None = None
) -> StartedFailover:
    asked = replace(state.job, run=job.run, owner=job.owner, parallel=job.parallel)
    return StartedFailover(
        job=asked,
        plan=state.plan,
        resumes=resumes,
        swapped=state.phase == "swapped",
        done=state.results,
        ended=ended,
    )


def _before(state: FailoverState) -> str | None:
    return state.executions[-2] if len(state.executions) > 1 else None


def _is_still(state: FailoverState, seen: SeenRole) -> bool:
    """Return whether the last failover is that of the present role."""
    return (seen.role.generation, seen.role.active) == (state.plan.generation, state.plan.to)


def _swapped_meanwhile(job: FailoverJob, role: PairRole) -> ConflictError:
    return ConflictError(
        f"the roles were swapped since this failover began: {role.active} is active by run {role.run}",
        on=f"pair {job.pair}",
        do="See which service is to be active before you fail over again",
    )


FIND = Activity("find_failover", FailoverJob, FoundFailover, find)
BEGIN = Activity("begin_failover", FailoverJob, StartedFailover, begin, lambda job: job.work)
PREEMPT = Activity("preempt_following", StartedFailover, Done, preempt, lambda started: started.job.work)
SWAP = Activity("swap_roles", Swap, Swapped, swap, lambda given: given.started.work)
END = Activity("end_failover", FailoverEnd, FailoverReport, end, lambda given: given.started.work)
GIVE_UP = Activity("give_failover_up", GivenUp, Done, give_up, lambda given: given.started.job.work)
CHECK = Activity("check_failover", FailoverJob, CheckedFailover, check)
