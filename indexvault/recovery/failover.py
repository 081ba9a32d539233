"""Fail a pair over: bring the other service to the newest snapshots, prove it, and make it the active one, once.

An interrupted failover resumes, whatever wrote last. One that fails before the roles are swapped leaves them as they
are, and what it had changed on the active service is undone.
"""

import contextlib

from durabletask.task import OrchestrationContext
from msgspec.structs import replace

from indexvault.backup.service_objects import OBJECTS
from indexvault.backup.workflow import ACTIVITIES as BACKUP_ACTIVITIES
from indexvault.errors import IndexvaultError, VerificationError
from indexvault.recovery.failover_index import CLOSE_INDEX, OPEN_INDEX, brought, kept, not_brought
from indexvault.recovery.failover_job import (
    ClosedIndex,
    FailoverEnd,
    FailoverJob,
    FailoverReport,
    GivenUp,
    IndexResult,
    IndexTurn,
    ObjectResult,
    ObjectsTurn,
    PlannedIndex,
    StartedFailover,
    Swap,
)
from indexvault.recovery.failover_objects import ENABLE, MAKE_OBJECTS
from indexvault.recovery.failover_plan import OBJECT_KINDS
from indexvault.recovery.failover_planned import OWN_ACTIVITIES as PLANNED_ACTIVITIES
from indexvault.recovery.failover_planned import (
    ROUNDS,
    STOP_INDEXERS,
    LiveDrift,
    back_up_objects_of,
    compare_all,
    overwritten,
    read_index,
    still_written,
    with_overwritten,
)
from indexvault.recovery.failover_steps import BEGIN, CHECK, END, FIND, GIVE_UP, PREEMPT, SWAP
from indexvault.restore.follow import NOTE_PROVED, FollowInput, ProvedInput
from indexvault.restore.job import RestoreJob
from indexvault.restore.not_compared import NotCompared
from indexvault.restore.report import RestoreReport
from indexvault.restore.workflow import ACTIVITIES as RESTORE_ACTIVITIES
from indexvault.restore.workflow import preflight_restore, restore_index
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.lock_activities import Claim, locked
from indexvault.workflow.resume import Interrupted, Start, resumable

BEFORE = ("synonymmaps",)
"""Kinds that indexes refer to."""


def fail_over(ctx: OrchestrationContext, job: FailoverJob) -> Orchestration[FailoverReport]:
    """Fail a pair over, and return the report.

    Raises ConflictError if the service is active already, if another failover is at work, or if an index can't be
    brought over and was not left out; VerificationError if an index could not be proved. Then the roles are as before.
    """
    return (yield from resumable(ctx, Claim(job.work, job.owner), _start(ctx, job)))


def _start(ctx: OrchestrationContext, job: FailoverJob) -> Orchestration[Start[FailoverReport]]:
    found = yield from call(ctx, FIND, job)
    claim = Claim(job.work, job.owner)
    also = job.work_on(list(found.locked)).also
    return Start(claim, Interrupted(found.execution), _carry_out(ctx, job), also=also)


def _carry_out(ctx: OrchestrationContext, job: FailoverJob) -> Orchestration[FailoverReport]:
    started = yield from call(ctx, BEGIN, job)
    if started.ended is not None:
        return started.ended
    yield from call(ctx, PREEMPT, started)
    return (yield from locked(ctx, Claim(started.work, job.owner), _bring_and_swap(ctx, started)))


def _bring_and_swap(ctx: OrchestrationContext, started: StartedFailover) -> Orchestration[FailoverReport]:
    if started.swapped:
        given = Swap(started, started.done, [])
    else:
        try:
            given = yield from _bring(ctx, started)
        except IndexvaultError:
            # If this fails too, the record stays: the next run of the same command undoes it.
            with contextlib.suppress(IndexvaultError):
                yield from call(ctx, GIVE_UP, GivenUp(started))
            raise
    swapped = yield from call(ctx, SWAP, given)
    enabled = yield from call(ctx, ENABLE, ObjectsTurn(started, ()))
    return (yield from call(ctx, END, FailoverEnd(started, swapped, enabled)))


def _bring_planned(ctx: OrchestrationContext, started: StartedFailover) -> Orchestration[Swap]:
    """Bring over what the active service holds now: read, make equal and compare, until nothing differs."""
    held: dict[str, LiveDrift] = {}
    if started.plan.holds_more:
        held = {each.index: each for each in (yield from compare_all(ctx, started))}
    # In this order: in the snapshot, the indexers are as they are without a failover.
    started = yield from back_up_objects_of(ctx, started)
    yield from call(ctx, STOP_INDEXERS, started)
    before, after = _stages(started.plan.kinds)
    objects = list((yield from call(ctx, MAKE_OBJECTS, ObjectsTurn(started, before))).outcomes)
    results: dict[str, IndexResult] = {}
    pending = list(started.plan.indexes)
    differing: dict[str, LiveDrift] = {}
    for number in range(1, ROUNDS + 1):
        for index in pending:
            read = yield from read_index(ctx, started, index, number)
            result = yield from bring_index(ctx, started, read)
            result = with_overwritten(started.plan, result, held.get(index.index))
            yield from call(ctx, CLOSE_INDEX, ClosedIndex(started, result))
            results[index.index] = result
        drifts = yield from compare_all(ctx, started)
        differing = {each.index: each for each in drifts if each.differs or each.absent}
        if not differing:
            uncompared = [each for each in drifts if each.why]
            for each in uncompared:
                results[each.index] = _not_compared(results[each.index], each)
            objects += (yield from call(ctx, MAKE_OBJECTS, ObjectsTurn(started, after))).outcomes
            return Swap(started, list(results.values()), objects, rounds=number)
        pending = [each for each in started.plan.indexes if each.index in differing]
    raise still_written(started, list(differing.values()))


def _bring_hot(ctx: OrchestrationContext, started: StartedFailover) -> Orchestration[Swap]:
    """Compare the two services of a hot-hot pair, as far as the other one answers, and repair if that was asked for.

    Raises VerificationError if they differ and nobody has said which is right.
    """
    plan = started.plan
    results = []
    differing = []
    for each in (yield from compare_all(ctx, started, repair=plan.repair)):
        is_ours = started.job.repair and not plan.repair
        if (each.differs or each.absent) and not is_ours:
            differing.append(each)
        notes = [f"{each.repaired} documents were made as on {plan.source}"] if each.repaired else []
        notes += [each.words] if each.differs else []
        notes += [f"it could not be compared: {each.why}"] if each.why else []
        results.append(IndexResult(index=each.index, outcome="left as it is", notes=notes))
    if differing:
        what = "; ".join(f"{each.index}: {'it is not there' if each.absent else each.words}" for each in differing)
        raise VerificationError(
            f"{plan.to} differs from {plan.source}: {what}; nothing was swapped",
            on=f"pair {plan.pair}",
            do="Add --repair to make documents as on the pair's authority, or see them with `indexvault compare"
            f" {plan.source} {plan.to}`",
        )
    before, after = _stages(plan.kinds)
    objects = list((yield from call(ctx, MAKE_OBJECTS, ObjectsTurn(started, (*before, *after)))).outcomes)
    return Swap(started, results, objects)


def _not_compared(result: IndexResult, drift: LiveDrift) -> IndexResult:
    told = f"it could not be compared with the live one, and is as in its fresh snapshot: {drift.why}"
    return replace(result, notes=[*result.notes, told])


def _stages(kinds: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the kinds that indexes refer to, and the others, each in the order in which they are made."""
    chosen = [each for each in OBJECT_KINDS if each in kinds]
    return tuple(each for each in chosen if each in BEFORE), tuple(each for each in chosen if each not in BEFORE)


def _bring(ctx: OrchestrationContext, started: StartedFailover) -> Orchestration[Swap]:
    if started.plan.mode == "hot-hot":
        return (yield from _bring_hot(ctx, started))
    if started.job.planned:
        return (yield from _bring_planned(ctx, started))
    return (yield from _bring_snapshots(ctx, started))


def _bring_snapshots(ctx: OrchestrationContext, started: StartedFailover) -> Orchestration[Swap]:
    before, after = _stages(started.plan.kinds)
    objects: list[ObjectResult] = []
    objects += (yield from call(ctx, MAKE_OBJECTS, ObjectsTurn(started, before))).outcomes
    done = {each.index: each for each in started.done if each.outcome == "brought"}
    results: list[IndexResult] = []
    failures: list[tuple[str, IndexvaultError]] = []
    for index in started.plan.indexes:
        known = done.get(index.index)
        if known is not None and known.snapshot == index.snapshot:
            results.append(known)
            continue
        if index.mode == "keep":
            results.append(kept(started.plan, index))
            yield from call(ctx, CLOSE_INDEX, ClosedIndex(started, results[-1]))
            continue
        try:
            result = yield from bring_index(ctx, started, index)
        except IndexvaultError as error:
            failures.append((index.index, error))
            result = not_brought(index, error)
        yield from call(ctx, CLOSE_INDEX, ClosedIndex(started, result))
        results.append(result)
    if failures:
        raise _not_proved(started, failures)
    objects += (yield from call(ctx, MAKE_OBJECTS, ObjectsTurn(started, after))).outcomes
    return Swap(started, results, objects)


def bring_index(ctx: OrchestrationContext, started: StartedFailover, index: PlannedIndex) -> Orchestration[IndexResult]:
    """Bring an index to its snapshot, proved. Raises what the restore does."""
    opened = yield from call(ctx, OPEN_INDEX, IndexTurn(started, index))
    report = yield from restore_index(ctx, opened.restore)
    if not opened.restore.follow:
        report = yield from _noted(ctx, opened.restore, report)
    return brought(started.plan, index, report)


def _noted(ctx: OrchestrationContext, job: RestoreJob, report: RestoreReport) -> Orchestration[RestoreReport]:
    """Note that every document was compared, so that the next snapshot can be followed. A failure does not matter."""
    whole = not report.refused and report.not_compared == NotCompared()
    given = FollowInput(replace(job, mode="sync", update_definition=False), job.target_index)
    with contextlib.suppress(IndexvaultError):
        yield from call(ctx, NOTE_PROVED, ProvedInput(given, whole))
    return report


def _not_proved(started: StartedFailover, failures: list[tuple[str, IndexvaultError]]) -> IndexvaultError:
    """Return the error for indexes that could not be brought over, with what to do about each."""
    plan = started.plan
    what = "; ".join(f"{index}: {error.what}" for index, error in failures)
    options = " ".join(f"--leave-out {index}" for index, _error in failures)
    before = {each.index: each.older for each in plan.indexes if each.older}
    named = [f"--snapshot {plan.source}/{index}@{before[index]}" for index, _error in failures if index in before]
    older = f"Take an older one: {' '.join(named)}; or l" if named else "L"
    return VerificationError(
        f"{what}; {plan.source} stays the active service",
        on=f"pair {plan.pair}",
        do=f"{older}eave out what can't be mended: {options}",
    )


def check_failover(ctx: OrchestrationContext, job: FailoverJob) -> Orchestration[FailoverReport]:
    """Return what a failover would do, with every stored chunk proved. Writes nothing."""
    checked = yield from call(ctx, CHECK, job)
    started = StartedFailover(job=job, plan=checked.plan)
    held = {each.index: each for each in (yield from compare_all(ctx, started))}
    results = {each.index: each for each in checked.report.indexes}
    for restore in checked.restores:
        result = results[restore.index]
        try:
            found = yield from preflight_restore(ctx, restore)
        except IndexvaultError as error:
            results[restore.index] = replace(result, outcome="failed", why=f"{error.what}. {error.do}")
            continue
        # One that was interrupted is resumed, or made anew.
        wrong = [each for each in found.checks if each.outcome == "failed" and each.name != "unfinished"]
        results[restore.index] = replace(
            result,
            documents=found.documents,
            outcome="failed" if wrong else result.outcome,
            why="; ".join(f"{each.what}. {each.do}" for each in wrong),
        )
    told = {each.index: overwritten(checked.plan, each, "would be") for each in held.values()}
    indexes = [replace(each, notes=[*filter(None, [told.get(each.index)]), *each.notes]) for each in results.values()]
    return replace(checked.report, indexes=indexes)


FAIL_OVER = Workflow("fail_over", FailoverJob, FailoverReport, fail_over)
CHECK_FAILOVER = Workflow("check_failover_run", FailoverJob, FailoverReport, check_failover)
_STEPS = (FIND, BEGIN, PREEMPT, SWAP, END, GIVE_UP, CHECK)
OWN_ACTIVITIES = (*_STEPS, *PLANNED_ACTIVITIES, OPEN_INDEX, CLOSE_INDEX, MAKE_OBJECTS, ENABLE)
ACTIVITIES = (*BACKUP_ACTIVITIES, OBJECTS, *RESTORE_ACTIVITIES, *OWN_ACTIVITIES)
WORKFLOWS = (FAIL_OVER, CHECK_FAILOVER)
