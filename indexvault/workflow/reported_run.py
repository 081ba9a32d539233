"""Runs of which each item is one activity that leaves a report."""

from typing import Any

from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError
from indexvault.workflow.activity import Activity, Orchestration, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.fan_out import OPEN, FanOut, ItemWorkflow, RunOrder, fan_out
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.reports import Written, outcome_of
from indexvault.workflow.runs import Item, Outcome


def item_workflow[Job](name: str, activity: Activity[Job, Written]) -> Workflow[Job, Written]:
    """Return the workflow of one item: the activity, and nothing else."""

    def carry_out(ctx: OrchestrationContext, job: Job) -> Orchestration[Written]:
        return (yield from call(ctx, activity, job))

    return Workflow(name, activity.input_type, Written, carry_out)


def reported_run(name: str, item: Workflow[Any, Written]) -> Workflow[RunOrder, Done]:
    """Return the workflow that carries out the items that a run's record names, a few at once."""
    each = FanOut(opening=OPEN, each=ItemWorkflow(item, outcome_of), failed=_failed)

    def carry_out(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
        return (yield from fan_out(ctx, order, each))

    return Workflow(name, RunOrder, Done, carry_out)


def _failed(_item: Item, error: IndexvaultError) -> Outcome:
    """Return the outcome of an item that has no report."""
    return Outcome(state="failed", failure=error.record())
