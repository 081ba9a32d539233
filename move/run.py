"""A move as a run: one index, with a record that tells what becomes of it."""

import msgspec
from durabletask.task import OrchestrationContext

from engine.conduct import OPEN, Conducted, Part, RunOrder, conduct
from engine.locking import Done
from engine.runs import Item, Outcome
from engine.step import Turns, Workflow
from errors import IndexvaultError
from move.job import MoveReport
from move.workflow import MOVE_INDEX


def succeeded(report: MoveReport) -> Outcome:
    """Give what a proved move is for the run."""
    kept = "was deleted" if report.source_deleted else "is kept"
    return Outcome(
        state="lossy" if report.losses else "done",
        documents=report.compared,
        snapshot=report.snapshot,
        losses=report.losses,
        notes=[*report.notes, f"the source {report.service}/{report.index} {kept}"],
        report=msgspec.to_builtins(report),
    )


def failed(_item: Item, error: IndexvaultError) -> Outcome:
    """Give what a failure is for the run."""
    return Outcome(state="failed", failure=error.record())


_CONDUCTED = Conducted(opening=OPEN, part=Part(MOVE_INDEX, succeeded), failed=failed)


def run_move(ctx: OrchestrationContext, order: RunOrder) -> Turns[Done]:
    """Move what the run's record says."""
    return (yield from conduct(ctx, order, _CONDUCTED))


RUN_MOVE = Workflow("run_move", RunOrder, Done, run_move)
