"""A failover as a run: one item, with a run record that reports its outcome."""

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.recovery.failover import CHECK_FAILOVER, FAIL_OVER
from indexvault.recovery.failover import OWN_ACTIVITIES as STEPS
from indexvault.recovery.failover_job import FailoverJob, FailoverReport
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.fan_out import OPEN, FanOut, ItemWorkflow, RunOrder, fan_out
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.runs import Item, Outcome


def outcome_of(report: FailoverReport) -> Outcome:
    """Return the outcome of a failover that has swapped, or of a check: lossy if something is not brought over."""
    return Outcome(
        state="lossy" if report.faults else "done",
        documents=sum(each.documents or 0 for each in report.indexes),
        losses=report.faults,
        notes=report.next_steps,
        report=msgspec.to_builtins(report),
    )


def failed(_item: Item, error: IndexvaultError) -> Outcome:
    """Return the outcome of a failover that has failed."""
    return Outcome(state="failed", failure=error.record())


def item_of(job: FailoverJob) -> Item:
    """Return the item of a run that carries a failover out."""
    return Item(index=IndexName(job.to, job.work.index.index), run=job.run, job=job)


_FAIL_OVER = FanOut(opening=OPEN, each=ItemWorkflow(FAIL_OVER, outcome_of), failed=failed)
_CHECK = FanOut(opening=OPEN, each=ItemWorkflow(CHECK_FAILOVER, outcome_of), failed=failed)


def run_failover(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Carry out the failover that the run's record names."""
    return (yield from fan_out(ctx, order, _FAIL_OVER))


def run_failover_check(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Find out what the failover would do that the run's record names."""
    return (yield from fan_out(ctx, order, _CHECK))


RUN_FAILOVER = Workflow("run_failover", RunOrder, Done, run_failover)
RUN_FAILOVER_CHECK = Workflow("run_failover_check", RunOrder, Done, run_failover_check)
OWN_ACTIVITIES = STEPS
WORKFLOWS = (FAIL_OVER, CHECK_FAILOVER, RUN_FAILOVER, RUN_FAILOVER_CHECK)
