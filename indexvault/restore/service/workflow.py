"""Restore a service: each kind of object after what it refers to; one object's failure does not stop the others."""

from durabletask.task import OrchestrationContext

from indexvault.errors import ConflictError, IndexvaultError, SettingsError
from indexvault.model import shared_options
from indexvault.restore.job import RestoreJob
from indexvault.restore.service.activities import BEGIN, CHECK_OBJECTS, FIND, FINISH, MAKE_OBJECT
from indexvault.restore.service.job import (
    CheckedObjects,
    ObjectInput,
    ObjectOutcome,
    PlannedIndex,
    PlannedObject,
    ServicePlan,
    ServiceRestoreJob,
    ServiceRestoreReport,
    StartedServiceRestore,
)
from indexvault.restore.workflow import ACTIVITIES as RESTORE_ACTIVITIES
from indexvault.restore.workflow import preflight_restore, restore_index
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.resume import Start, resumable

OWN_ACTIVITIES = (FIND, BEGIN, MAKE_OBJECT, CHECK_OBJECTS, FINISH)
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
    outcomes.extend(_only_imported(plan))
    yield from _make(ctx, job, [each for each in plan.objects if each.kind != "synonymmaps"], outcomes)
    outcomes.extend(_withheld(plan))
    finished = yield from call(ctx, FINISH, job)
    return ServiceRestoreReport(
        service=job.service,
        snapshot=job.snapshot,
        target_service=job.target_service,
        objects=outcomes,
        started=plan.started,
        finished=finished.at,
    )


def preflight_service(ctx: OrchestrationContext, job: ServiceRestoreJob) -> Orchestration[ServiceRestoreReport]:
    """Find out what would become of every object. Writes nothing."""
    checked: CheckedObjects = yield from call(ctx, CHECK_OBJECTS, job)
    plan = checked.plan
    outcomes = [each for each in checked.outcomes if each.kind == "synonymmaps"]
    for position, index in enumerate(plan.indexes):
        outcomes.append((yield from _check_index(ctx, job, index, position)))
    outcomes.extend(_only_imported(plan))
    outcomes.extend(each for each in checked.outcomes if each.kind != "synonymmaps")
    outcomes.extend(_withheld(plan))
    return ServiceRestoreReport(
        service=job.service,
        snapshot=job.snapshot,
        target_service=job.target_service,
        objects=outcomes,
        started=plan.started,
        finished=plan.started,
    )


def _only_imported(plan: ServicePlan) -> list[ObjectOutcome]:
    why = "no backup of it is left, only what was imported under its name: restore that by itself"
    return [ObjectOutcome("indexes", index, index, "left out", why) for index in plan.only_imported]


def _withheld(plan: ServicePlan) -> list[ObjectOutcome]:
    outcomes = []
    for told in plan.withheld:
        kind, _, name = told.partition(":")[0].partition(" ")
        outcomes.append(ObjectOutcome(kind, name, name, "left out", f"not in the snapshot: {told.partition(': ')[2]}"))
    return outcomes


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
    obstacle = _obstacle(index)
    if obstacle is not None:
        return obstacle
    try:
        report = yield from restore_index(ctx, _index_job(job, index, position))
    except ConflictError as error:
        return ObjectOutcome("indexes", index.index, index.target, "left out", f"{error.what}. {error.do}")
    except IndexvaultError as error:
        return ObjectOutcome("indexes", index.index, index.target, "failed", f"{error.what}. {error.do}")
    return ObjectOutcome("indexes", index.index, index.target, "made", documents=report.documents)


def _check_index(
    ctx: OrchestrationContext, job: ServiceRestoreJob, index: PlannedIndex, position: int
) -> Orchestration[ObjectOutcome]:
    obstacle = _obstacle(index)
    if obstacle is not None:
        return obstacle
    try:
        report = yield from preflight_restore(ctx, _index_job(job, index, position))
    except IndexvaultError as error:
        return ObjectOutcome("indexes", index.index, index.target, "failed", f"{error.what}. {error.do}")
    failed = [each for each in report.checks if each.outcome == "failed"]
    if failed:
        why = "; ".join(f"{each.what}. {each.do}" for each in failed)
        return ObjectOutcome("indexes", index.index, index.target, "failed", why)
    return ObjectOutcome("indexes", index.index, index.target, "to be made", documents=report.documents)


def _obstacle(index: PlannedIndex) -> ObjectOutcome | None:
    if index.fault:
        return ObjectOutcome("indexes", index.index, index.target, "failed", index.fault)
    if index.lacking:
        why = f"secrets are missing: {', '.join(index.lacking)}; give them in an overlay"
        return ObjectOutcome("indexes", index.index, index.target, "left out", why)
    return None


def _index_job(job: ServiceRestoreJob, index: PlannedIndex, position: int) -> RestoreJob:
    return RestoreJob(
        service=job.service,
        index=index.index,
        snapshot=index.snapshot,
        target_service=job.target_service,
        target_index=index.target,
        run=job.index_run(position),
        parallel=job.parallel,
        owner=job.owner,
        part_of=job.run,
        **shared_options(job),
    )


RESTORE_SERVICE = Workflow("restore_service", ServiceRestoreJob, ServiceRestoreReport, restore_service)
PREFLIGHT_SERVICE = Workflow("preflight_service", ServiceRestoreJob, ServiceRestoreReport, preflight_service)
