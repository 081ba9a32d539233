"""The order of a backup's steps: the lock, the plan, every range, the commit, and the lock again."""

from durabletask.task import OrchestrationContext

from backup.job import BackupJob, BackupReport, ScanOrder
from backup.steps import COMMIT, PLAN, SCAN
from engine.calls import call, call_all
from engine.locking import STEPS as LOCK_STEPS
from engine.locking import Claim, locked
from engine.step import Turns, Workflow

STEPS = (*LOCK_STEPS, PLAN, SCAN, COMMIT)


def back_up_index(ctx: OrchestrationContext, job: BackupJob) -> Turns[BackupReport]:
    """Make a snapshot of one index, while no other run writes to it or backs it up."""
    return (yield from locked(ctx, Claim(job.work, job.owner), _back_up(ctx, job)))


def _back_up(ctx: OrchestrationContext, job: BackupJob) -> Turns[BackupReport]:
    plan = yield from call(ctx, PLAN, job)
    orders = [ScanOrder(job=job, position=position) for position in range(plan.ranges)]
    yield from call_all(ctx, SCAN, orders, at_once=job.parallel)
    return (yield from call(ctx, COMMIT, job))


BACK_UP_INDEX = Workflow("back_up_index", BackupJob, BackupReport, back_up_index)
