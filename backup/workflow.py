"""The order of a backup's steps: plan, then every range, then the commit."""

from durabletask.task import OrchestrationContext

from backup.job import BackupJob, BackupReport, ScanOrder
from backup.steps import COMMIT, PLAN, SCAN
from engine.calls import call, call_all
from engine.step import Turns, Workflow

STEPS = (PLAN, SCAN, COMMIT)


def back_up_index(ctx: OrchestrationContext, job: BackupJob) -> Turns[BackupReport]:
    """Make a snapshot of one index."""
    plan = yield from call(ctx, PLAN, job)
    orders = [ScanOrder(job=job, position=position) for position in range(plan.ranges)]
    yield from call_all(ctx, SCAN, orders, at_once=job.parallel)
    return (yield from call(ctx, COMMIT, job))


BACK_UP_INDEX = Workflow("back_up_index", BackupJob, BackupReport, back_up_index)
