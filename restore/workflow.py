"""The order of a restore's steps: all is proved before the target is touched, and the target after it is loaded."""

from durabletask.task import OrchestrationContext

from engine.calls import call, call_all
from engine.locking import STEPS as LOCK_STEPS
from engine.locking import Claim, locked
from engine.step import Turns, Workflow
from errors import VerificationError
from restore.job import RestoreJob, RestoreReport, Stretch, StretchCompared
from restore.steps import COMPARE, CONCLUDE, CREATE, LOAD, PREPARE, PROVE, SETTLE

STEPS = (*LOCK_STEPS, PREPARE, PROVE, CREATE, LOAD, SETTLE, COMPARE, CONCLUDE)
_NAMED = 10
"""Differing documents named in the error; the rest are counted."""


def restore_index(ctx: OrchestrationContext, job: RestoreJob) -> Turns[RestoreReport]:
    """Restore a snapshot as a new index and prove that the two hold the same documents.

    Raises VerificationError if they do not. The index is left as it is then: it was made by this run, and what is in
    it may be all there is on a bad night.
    """
    return (yield from locked(ctx, Claim(job.work, job.owner), _restore(ctx, job)))


def _restore(ctx: OrchestrationContext, job: RestoreJob) -> Turns[RestoreReport]:
    plan = yield from call(ctx, PREPARE, job)
    stretches = [Stretch(job=job, start=start, end=end) for start, end in plan.stretches]
    yield from call_all(ctx, PROVE, stretches, at_once=job.parallel)
    made = yield from call(ctx, CREATE, job)
    loaded = yield from call_all(ctx, LOAD, stretches, at_once=job.parallel)
    yield from call(ctx, SETTLE, job)
    compared = yield from call_all(ctx, COMPARE, stretches, at_once=job.parallel)
    require_equal(job, compared)
    concluded = yield from call(ctx, CONCLUDE, job)
    return RestoreReport(
        service=job.service,
        index=job.index,
        snapshot=job.snapshot,
        target_service=job.target_service,
        target_index=job.target_index,
        documents=plan.documents,
        bytes=sum(part.bytes for part in loaded),
        identical=sum(part.identical for part in compared),
        equal=sum(part.equal for part in compared),
        requests=sum(part.requests for part in loaded),
        synonym_maps=made.synonym_maps,
        losses=plan.losses,
        notes=made.notes,
        started=plan.started,
        finished=concluded.finished,
    )


def require_equal(job: RestoreJob, compared: list[StretchCompared]) -> None:
    """Raise VerificationError unless every document of the snapshot is in the target, and no other."""
    different = sum(part.different for part in compared)
    missing = sum(part.missing for part in compared)
    extra = sum(part.extra for part in compared)
    if not different + missing + extra:
        return
    named = [difference for part in compared for difference in part.differences][:_NAMED]
    raise VerificationError(
        f"the restored index is not its snapshot: {different} documents differ, {missing} are missing, {extra} extra"
        f" (first: {', '.join(f'{difference.key!r} {difference.kind}' for difference in named)})",
        on=f"{job.target_service} index {job.target_index}",
        do="Check that nothing else writes to the index; delete it and restore again",
    )


RESTORE_INDEX = Workflow("restore_index", RestoreJob, RestoreReport, restore_index)
