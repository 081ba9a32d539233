"""Following as a run: an item an index, between those of the service's other objects."""

from datetime import datetime

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.recovery import follow_index, follow_objects
from indexvault.recovery.follow_index import FOLLOW_INDEX
from indexvault.recovery.follow_job import FollowJob, FollowObjectsJob, FollowObjectsReport, FollowReport
from indexvault.recovery.follow_objects import FOLLOW_OBJECTS
from indexvault.recovery.follow_plan import FollowPlan
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.fan_out import OPEN, FanOut, ItemWorkflow, RunOrder, fan_out
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.runs import Item, Outcome, RunRecord


def outcome_of(report: FollowReport) -> Outcome:
    """Return the outcome of an index that equals its snapshot."""
    return Outcome(
        state="lossy" if report.losses else "done",
        documents=report.documents,
        snapshot=report.snapshot,
        losses=report.losses,
        notes=report.notes,
        report=msgspec.to_builtins(report),
    )


def outcome_of_objects(report: FollowObjectsReport) -> Outcome:
    """Return the outcome of other objects: failed unless all are as on the active service."""
    faults = report.faults
    failure = IndexvaultError(
        "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else ""),  # noqa: PLR2004
        on=f"objects of {report.service}",
        do="Mend that, such as in the pair's overlay; a later run tries again",
    )
    return Outcome(
        state="failed" if faults else "done",
        documents=len(report.objects),
        snapshot=report.snapshot,
        notes=[f"only on {report.service}: {each}" for each in report.only_there],
        failure=failure.record() if faults else None,
        report=msgspec.to_builtins(report),
    )


def failed(_item: Item, error: IndexvaultError) -> Outcome:
    """Return the outcome of what was not made equal."""
    return Outcome(state="failed", failure=error.record())


def record_of(plan: FollowPlan, *, run: str, owner: str, created: datetime) -> RunRecord:
    """Return the record of a run that carries a plan out."""
    return RunRecord(
        run=run,
        kind="follow",
        workflow=RUN_FOLLOW.name,
        service=plan.standby,
        asked=f"{plan.standby} as {plan.role.active}",
        owner=owner,
        created=created,
        items=[Item(index=_locked(job), run=job.run, job=job) for job in plan.jobs],
    )


def _locked(job: FollowJob | FollowObjectsJob) -> IndexName:
    return job.target


_FAN_OUT = FanOut(
    opening=OPEN,
    each=ItemWorkflow(FOLLOW_INDEX, outcome_of),
    failed=failed,
    special={SERVICE_OBJECTS: ItemWorkflow(FOLLOW_OBJECTS, outcome_of_objects)},
    alone=frozenset({SERVICE_OBJECTS}),
)


def run_follow(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Carry out what a run's record says of a standby."""
    return (yield from fan_out(ctx, order, _FAN_OUT))


RUN_FOLLOW = Workflow("run_follow", RunOrder, Done, run_follow)
OWN_ACTIVITIES = (*follow_index.OWN_ACTIVITIES, *follow_objects.OWN_ACTIVITIES)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, *follow_index.ACTIVITIES, *follow_objects.ACTIVITIES)
WORKFLOWS = (FOLLOW_INDEX, FOLLOW_OBJECTS, RUN_FOLLOW)
