"""The order of a backup's steps: the lock, the plan, every range or part, the commit, and the lock again."""

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.backup.activities import ACTIVITIES as BACKUP_ACTIVITIES
from indexvault.backup.activities import (
    COLLECT,
    COMMIT,
    MERGE,
    PLAN,
    PREPARE,
    RECOUNT,
    REQUIRE_HELD,
    RESTORE_FIELDS,
    SCAN,
    START_OVER,
)
from indexvault.backup.job import BackupJob, BackupReport, CollectOrder, PlanSummary, ScanOrder
from indexvault.backup.start_over import StartOver
from indexvault.errors import AccountingError, IndexvaultError, OutdatedReadingError
from indexvault.maintenance.retention import ACTIVITIES as MAINTENANCE_ACTIVITIES
from indexvault.maintenance.retention import MaintenanceJob, maintain
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.calls import call, call_all
from indexvault.workflow.lock_activities import ACTIVITIES as LOCK_ACTIVITIES
from indexvault.workflow.lock_activities import Claim, locked

ACTIVITIES = (*LOCK_ACTIVITIES, *BACKUP_ACTIVITIES, *MAINTENANCE_ACTIVITIES)
ROUNDS = 3
"""How often parts that have changed since they were read are read again at most."""


def back_up_index(ctx: OrchestrationContext, job: BackupJob) -> Orchestration[BackupReport]:
    """Make a snapshot of one index, while no other run writes to it or backs it up.

    If a policy asked for it, the index's snapshots are looked after then, and what that came to is in the notes.
    """
    report = yield from locked(ctx, Claim(job.work, job.owner), _back_up(ctx, job))
    if job.policy is None:
        return report
    done = yield from maintain(ctx, MaintenanceJob(service=job.service, index=job.index))
    return msgspec.structs.replace(report, notes=[*report.notes, *done.notes])


def _back_up(ctx: OrchestrationContext, job: BackupJob) -> Orchestration[BackupReport]:
    try:
        return (yield from _attempt(ctx, job))
    except OutdatedReadingError as error:
        yield from call(ctx, START_OVER, StartOver(job, error.what))
    return (yield from _attempt(ctx, job))


def _attempt(ctx: OrchestrationContext, job: BackupJob) -> Orchestration[BackupReport]:
    plan = yield from _read(ctx, job)
    report = yield from call(ctx, COMMIT, job)
    return msgspec.structs.replace(report, notes=[*plan.notes, *report.notes])


def _read(ctx: OrchestrationContext, job: BackupJob) -> Orchestration[PlanSummary]:
    """Plan and read. Fields that are revealed for it are hidden again, however it ends."""
    try:
        yield from call(ctx, PREPARE, job)
        plan = yield from call(ctx, PLAN, job)
        if plan.parts:
            yield from _collect(ctx, job, plan)
        else:
            orders = [ScanOrder(job=job, position=position) for position in range(plan.ranges)]
            yield from call_all(ctx, SCAN, orders, at_once=job.parallel)
        if job.hidden_fields == "reveal":
            yield from call(ctx, REQUIRE_HELD, job)
    except IndexvaultError:
        if job.hidden_fields == "reveal":
            yield from call(ctx, RESTORE_FIELDS, job)
        raise
    if job.hidden_fields == "reveal":
        yield from call(ctx, RESTORE_FIELDS, job)
    return plan


def _collect(ctx: OrchestrationContext, job: BackupJob, plan: PlanSummary) -> Orchestration[None]:
    """Read every part, then those again that have changed meanwhile, and merge all of them."""
    positions = list(range(plan.parts))
    for number in range(ROUNDS + 1):
        orders = [CollectOrder(job=job, position=position, round=number) for position in positions]
        yield from call_all(ctx, COLLECT, orders, at_once=job.parallel)
        positions = (yield from call(ctx, RECOUNT, job)).changed
        if not positions:
            break
    else:
        raise AccountingError(
            f"{len(positions)} of {plan.parts} parts change faster than they can be read, in {ROUNDS} rounds",
            on=f"{job.service} index {job.index}",
            do="Run the backup again while the index is written to less",
        )
    yield from call(ctx, MERGE, job)


BACK_UP_INDEX = Workflow("back_up_index", BackupJob, BackupReport, back_up_index)
