"""A move as a run: one index, with a run record that reports its outcome."""

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError
from indexvault.move.job import MoveReport
from indexvault.move.workflow import MOVE_INDEX
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.fan_out import OPEN, FanOut, ItemWorkflow, RunOrder, fan_out
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.runs import Item, Outcome


def succeeded(report: MoveReport) -> Outcome:
    """Return the outcome of a proved move."""
    kept = "was deleted" if report.source_deleted else "is kept"
    return Outcome(
        state="lossy" if report.losses or report.excepted else "done",
        documents=report.compared,
        snapshot=report.snapshot,
        losses=report.losses,
        notes=[*report.notes, f"the source {report.service}/{report.index} {kept}"],
        report=msgspec.to_builtins(report),
    )


def failed(_item: Item, error: IndexvaultError) -> Outcome:
    """Return the outcome of a failed move."""
    return Outcome(state="failed", failure=error.record())


_FAN_OUT = FanOut(opening=OPEN, each=ItemWorkflow(MOVE_INDEX, succeeded), failed=failed)


def run_move(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Carry out the move that the run's record names."""
    return (yield from fan_out(ctx, order, _FAN_OUT))


RUN_MOVE = Workflow("run_move", RunOrder, Done, run_move)
