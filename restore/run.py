"""A restore as a run: one index, with a record that tells what becomes of it."""

import msgspec
from durabletask.task import OrchestrationContext

from engine.conduct import OPEN, Conducted, Part, RunOrder, conduct
from engine.conduct import STEPS as CONDUCT_STEPS
from engine.locking import Done
from engine.runs import Item, Outcome
from engine.step import Turns, Workflow
from errors import IndexvaultError
from restore.report import RestoreReport
from restore.workflow import RESTORE_INDEX


def succeeded(report: RestoreReport) -> Outcome:
    """Give what a proved restore is for the run. What the snapshot lacks was accepted, and is said again."""
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
    """Give what a failure is for the run."""
    return Outcome(state="failed", failure=error.record())


_CONDUCTED = Conducted(opening=OPEN, part=Part(RESTORE_INDEX, succeeded), failed=failed)


def run_restore(ctx: OrchestrationContext, order: RunOrder) -> Turns[Done]:
    """Restore what the run's record says."""
    return (yield from conduct(ctx, order, _CONDUCTED))


RUN_RESTORE = Workflow("run_restore", RunOrder, Done, run_restore)
STEPS = CONDUCT_STEPS
