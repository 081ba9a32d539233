"""The order of a restore's steps: all is proved before the target is touched, and the target after it is written."""

import contextlib

from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError, IntegrityError, NotFoundError, VerificationError, from_record
from indexvault.restore.checks import Check
from indexvault.restore.cut_over import CUT_OVER
from indexvault.restore.job import Begun, RestoreJob, StoredStretch, Stretch, StretchLoaded
from indexvault.restore.load import LOAD, RECONCILE, REFUSED, RefusedOrder, progress_part
from indexvault.restore.proof import COMPARE, REPORT, SETTLE
from indexvault.restore.report import PreflightReport, Proof, ProofOrder, RestoreReport
from indexvault.restore.start import ABANDON, BEGIN, CLAIM, CONCLUDE, PREFLIGHT, TOUCH
from indexvault.restore.target import MAKE_TARGET
from indexvault.restore.verify_snapshot import PROVE
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.calls import call, call_all
from indexvault.workflow.lock_activities import ACTIVITIES as LOCK_ACTIVITIES
from indexvault.workflow.lock_activities import RELEASE, Claim, locked
from indexvault.workflow.lock_takeover import TAKE_OVER, LockTakeover

ACTIVITIES = (
    *LOCK_ACTIVITIES,
    PREFLIGHT,
    BEGIN,
    TAKE_OVER,
    CLAIM,
    PROVE,
    TOUCH,
    MAKE_TARGET,
    LOAD,
    RECONCILE,
    REFUSED,
    SETTLE,
    COMPARE,
    REPORT,
    CUT_OVER,
    CONCLUDE,
    ABANDON,
)
_NAMED = 10
"""Differing documents named in the error; more are in the report's blob, the rest are counted."""
_GO_ON = "Then run the same restore again: it goes on where this one stopped"


def restore_index(ctx: OrchestrationContext, job: RestoreJob) -> Orchestration[RestoreReport]:
    """Restore a snapshot and prove that the target holds its documents.

    A restore that stopped earlier is gone on with. Raises the error of the first failed check, with nothing touched;
    VerificationError if the target is not as it should be. What fails later leaves the target marked as unfinished.
    """
    try:
        begun = yield from call(ctx, BEGIN, job)
        yield from _take_over(ctx, begun)
    except IndexvaultError:
        # Whoever started the run may have taken the lock for it.
        if job.locked_by is None:
            yield from call(ctx, RELEASE, Claim(job.work, job.owner))
        raise
    if job.locked_by is not None:
        return (yield from _restore(ctx, begun))
    return (yield from locked(ctx, Claim(begun.run.work, job.owner), _restore(ctx, begun)))


def _take_over(ctx: OrchestrationContext, begun: Begun) -> Orchestration[None]:
    """Take the locks from a dead run that is gone on with."""
    if begun.resumes is None or begun.run.locked_by is not None:
        return
    for name in begun.run.work.names:
        yield from call(ctx, TAKE_OVER, LockTakeover(name, begun.resumes, begun.run.execution))


def preflight_restore(ctx: OrchestrationContext, job: RestoreJob) -> Orchestration[PreflightReport]:
    """Check everything that a restore would check before it touches anything, and write nothing."""
    begun = yield from call(ctx, PREFLIGHT, job)
    chunks = yield from check_chunks(ctx, begun)
    return PreflightReport(
        service=job.service,
        index=job.index,
        snapshot=job.snapshot,
        target_service=job.target_service,
        target_index=job.target_index,
        mode=begun.mode,
        resumes=begun.resumes,
        documents=begun.documents,
        bytes=begun.bytes,
        requests=begun.requests,
        seconds=begun.seconds,
        checks=[begun.checks[0], chunks, *begun.checks[1:]],
    )


def check_chunks(ctx: OrchestrationContext, begun: Begun) -> Orchestration[Check]:
    """Read every stored chunk of what would be restored, and say whether each is as it was written."""
    try:
        yield from _prove_stored(ctx, begun)
    except IntegrityError as error:
        return Check("chunks", "failed", f"{error.on}: {error.what}", error.do, "IntegrityError")
    except NotFoundError as error:
        return Check("filter", "failed", f"{error.on}: {error.what}", error.do, "NotFoundError")
    return Check("chunks", "ok", f"every chunk of {begun.documents:,} documents is stored as it was written")


def _restore(ctx: OrchestrationContext, begun: Begun) -> Orchestration[RestoreReport]:
    touched = begun.resumes is not None
    try:
        yield from call(ctx, CLAIM, begun)
        yield from _prove_stored(ctx, begun)
        yield from call(ctx, TOUCH, begun.run)
        touched = True
        return (yield from _write_and_prove(ctx, begun))
    except IndexvaultError as error:
        # Where the lock is lost, whoever has it now sees the restore_state.
        with contextlib.suppress(IndexvaultError):
            yield from call(ctx, ABANDON, begun.run)
        raise (_unfinished(error) if touched else error) from None


def _prove_stored(ctx: OrchestrationContext, begun: Begun) -> Orchestration[None]:
    source = begun.source
    stored = [
        StoredStretch(
            begun.store, source.service, source.index, source.snapshot, start, end, source.keys, source.filter
        )
        for start, end in begun.stretches
    ]
    proved = yield from call_all(ctx, PROVE, stored, at_once=begun.run.parallel)
    if source.filter is not None and not any(part.wanted for part in proved):
        raise NotFoundError(
            f"the filter {source.filter!r} picks none of its documents; nothing was touched",
            on=source.reference,
            do='Look at the fields of a document, and at how text is quoted: "Rating >= `4`", "Name == \'Inn\'"',
        )


def _write_and_prove(ctx: OrchestrationContext, begun: Begun) -> Orchestration[RestoreReport]:
    run = begun.run
    stretches = [Stretch(run, start, end) for start, end in begun.stretches]
    made = yield from call(ctx, MAKE_TARGET, run)
    write = LOAD if begun.mode in {"create", "replace"} else RECONCILE
    loaded = yield from call_all(ctx, write, stretches, at_once=run.parallel)
    refused = yield from call(ctx, REFUSED, RefusedOrder(run, [progress_part(stretch) for stretch in stretches]))
    yield from call(ctx, SETTLE, run)
    compared = yield from call_all(ctx, COMPARE, stretches, at_once=run.parallel)
    report = yield from call(ctx, REPORT, ProofOrder(run, compared))
    require_proved(report.proof, report.blob)
    switched = yield from call(ctx, CUT_OVER, run)
    concluded = yield from call(ctx, CONCLUDE, run)
    proof, source = report.proof, begun.source
    notes = [*made.notes, *switched.notes]
    if refused.blob is not None:
        notes.append(f"{refused.refused} documents were refused and skipped: {refused.blob}")
    return RestoreReport(
        service=source.service,
        index=source.index,
        snapshot=source.snapshot,
        target_service=run.target.service,
        target_index=made.into,
        mode=begun.mode,
        documents=proof.compared,
        bytes=sum(part.bytes for part in loaded),
        uploaded=sum(part.uploaded for part in loaded),
        deleted=sum(part.deleted for part in loaded),
        identical=proof.identical,
        equal=proof.equal,
        different=proof.different,
        extra=proof.extra,
        refused=proof.refused,
        requests=_requests(loaded),
        untouched_chunks=sum(part.untouched for part in loaded),
        alias=switched.alias,
        old_index=switched.old_index,
        old_deleted=switched.old_deleted,
        resumed=begun.resumes,
        proof=report.blob,
        synonym_maps=made.synonym_maps,
        losses=begun.losses,
        notes=notes,
        started=begun.started,
        finished=concluded.finished,
    )


def require_proved(proof: Proof, blob: str) -> None:
    """Raise VerificationError unless the target is what the restore promises."""
    if proof.proved:
        return
    named = ", ".join(f"{difference.key!r} {difference.kind}" for difference in proof.differences[:_NAMED])
    raise VerificationError(
        f"the target is not its snapshot: {proof.different} documents differ, {proof.missing} are missing,"
        f" {proof.extra} extra (first: {named}; the first hundred: {blob} in the runs container)",
        on=proof.target,
        do="Check that nothing else writes to the index",
    )


def _requests(loaded: list[StretchLoaded]) -> int:
    return sum(part.requests for part in loaded)


def _unfinished(error: IndexvaultError) -> IndexvaultError:
    """Say of an error that it leaves the target unfinished, and how to go on."""
    record = error.record()
    return from_record(type(record)(kind=record.kind, what=record.what, on=record.on, do=f"{record.do}. {_GO_ON}"))


RESTORE_INDEX = Workflow("restore_index", RestoreJob, RestoreReport, restore_index)
PREFLIGHT_RESTORE = Workflow("preflight_restore", RestoreJob, PreflightReport, preflight_restore)
