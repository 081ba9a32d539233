"""A restore as a run: one index, with a run record that reports its outcome."""

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError
from indexvault.restore.report import RestoreReport
from indexvault.restore.workflow import RESTORE_INDEX
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.fan_out import OPEN, FanOut, ItemWorkflow, RunOrder, fan_out
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.runs import Item, Outcome


def succeeded(report: RestoreReport) -> Outcome:
    """Return the outcome of a proved restore. Losses were accepted, and are listed again."""
    return Outcome(
        state="lossy" if report.losses else "done",
        documents=report.documents,
        bytes=report.bytes,
        snapshot=report.snapshot,
        losses=report.losses,
        notes=report.notes,
        report=msgspec.to_builtins(report),
    )


def failed(_item: Item, error: IndexvaultError) -> Outcome:
    """Return the outcome of a failed restore."""
    return Outcome(state="failed", failure=error.record())


_FAN_OUT = FanOut(opening=OPEN, each=ItemWorkflow(RESTORE_INDEX, succeeded), failed=failed)


def run_restore(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Carry out the restore that the run's record names."""
    return (yield from fan_out(ctx, order, _FAN_OUT))


RUN_RESTORE = Workflow("run_restore", RunOrder, Done, run_restore)
ACTIVITIES = FAN_OUT_ACTIVITIES
