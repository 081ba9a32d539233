"""Restore a service: each kind of object after what it refers to; one object's failure does not stop the others."""

from durabletask.task import OrchestrationContext

from indexvault.errors import ConflictError, IndexvaultError, SettingsError
from indexvault.model import shared_options
from indexvault.restore.job import RestoreJob
from indexvault.restore.service.activities import BEGIN, FIND, FINISH, MAKE_OBJECT
from indexvault.restore.service.job import (
    ObjectInput,
    ObjectOutcome,
    PlannedIndex,
    PlannedObject,
    ServiceRestoreJob,
    ServiceRestoreReport,
    StartedServiceRestore,
)
from indexvault.restore.workflow import ACTIVITIES as RESTORE_ACTIVITIES
from indexvault.restore.workflow import restore_index
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.resume import Start, resumable

OWN_ACTIVITIES = (FIND, BEGIN, MAKE_OBJECT, FINISH)
ACTIVITIES = (*RESTORE_ACTIVITIES, *OWN_ACTIVITIES)


def restore_service(ctx: OrchestrationContext, job: ServiceRestoreJob) -> Orchestration[ServiceRestoreReport]:
    """Restore a service's synonym maps, indexes and all other objects that its snapshots hold.

    Objects that can't be created are in the report with the reason. An interrupted restore resumes: it follows its plan
    and skips the indexes that it has restored. Raises errors about the request as a whole.
    """
    claim = Claim(job.work, job.owner)
    return (yield from resumable(ctx, claim, _start(ctx, job, claim)))


def _start(
    ctx: OrchestrationContext, job: ServiceRestoreJob, claim: Claim
) -> Orchestration[Start[ServiceRestoreReport]]:
    interrupted = yield from call(ctx, FIND, job)
    return Start(claim, interrupted, _restore(ctx, job))


def _restore(ctx: OrchestrationContext, job: ServiceRestoreJob) -> Orchestration[ServiceRestoreReport]:
    started: StartedServiceRestore = yield from call(ctx, BEGIN, job)
    plan = started.plan
    outcomes: list[ObjectOutcome] = []
    yield from _make(ctx, job, [each for each in plan.objects if each.kind == "synonymmaps"], outcomes)
    for position, index in enumerate(plan.indexes):
        documents = started.made.get(index.target)
        if documents is not None:
            outcomes.append(ObjectOutcome("indexes", index.index, index.target, "made", documents=documents))
        else:
            outcomes.append((yield from _restore_index(ctx, job, index, position)))
    yield from _make(ctx, job, [each for each in plan.objects if each.kind != "synonymmaps"], outcomes)
    for told in plan.withheld:
        kind, _, name = told.partition(":")[0].partition(" ")
        outcomes.append(ObjectOutcome(kind, name, name, "left out", f"not in the snapshot: {told.partition(': ')[2]}"))
    finished = yield from call(ctx, FINISH, job)
    return ServiceRestoreReport(
        service=job.service,
        snapshot=job.snapshot,
        target_service=job.target_service,
        objects=outcomes,
        started=plan.started,
        finished=finished.at,
    )


def _make(
    ctx: OrchestrationContext, job: ServiceRestoreJob, objects: list[PlannedObject], outcomes: list[ObjectOutcome]
) -> Orchestration[None]:
    for each in objects:
        try:
            outcomes.append((yield from call(ctx, MAKE_OBJECT, ObjectInput(job, each))))
        except SettingsError:
            raise
        except IndexvaultError as error:
            outcomes.append(ObjectOutcome(each.kind, each.name, each.target, "failed", f"{error.what}. {error.do}"))


def _restore_index(
    ctx: OrchestrationContext, job: ServiceRestoreJob, index: PlannedIndex, position: int
) -> Orchestration[ObjectOutcome]:
    if index.lacking:
        why = f"secrets are missing: {', '.join(index.lacking)}; give them in an overlay"
        return ObjectOutcome("indexes", index.index, index.target, "left out", why)
    restore_job = RestoreJob(
        service=job.service,
        index=index.index,
        snapshot=index.snapshot,
        target_service=job.target_service,
        target_index=index.target,
        run=job.index_run(position),
        parallel=job.parallel,
        owner=job.owner,
        **shared_options(job),
    )
    try:
        report = yield from restore_index(ctx, restore_job)
    except ConflictError as error:
        return ObjectOutcome("indexes", index.index, index.target, "left out", f"{error.what}. {error.do}")
    except SettingsError:
        raise
    except IndexvaultError as error:
        return ObjectOutcome("indexes", index.index, index.target, "failed", f"{error.what}. {error.do}")
    return ObjectOutcome("indexes", index.index, index.target, "made", documents=report.documents)


RESTORE_SERVICE = Workflow("restore_service", ServiceRestoreJob, ServiceRestoreReport, restore_service)
