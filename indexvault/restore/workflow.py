"""Restore an index: prove the snapshot before the target is touched, and the target after it is written."""

import contextlib
from datetime import UTC, datetime

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import (
    EndedMeanwhileError,
    IndexvaultError,
    IntegrityError,
    NotFoundError,
    VerificationError,
    from_record,
)
from indexvault.restore.checks import Check, offered_patch
from indexvault.restore.cut_over import CUT_OVER
from indexvault.restore.follow import ACTIVITIES as FOLLOW_ACTIVITIES
from indexvault.restore.follow import (
    FIND_TARGET,
    FOLLOW,
    FULL,
    NOTE_PROVED,
    SETTLE_FOLLOW,
    FollowInput,
    FollowOutcome,
    ProvedInput,
    SettleFollowInput,
)
from indexvault.restore.job import (
    MOST_DOUBTFUL,
    Claimed,
    ClaimedStretch,
    RestoreJob,
    RestoreRun,
    StartedRestore,
    StoredPacks,
    StoredStretch,
    Stretch,
    StretchLoaded,
    StretchProved,
)
from indexvault.restore.load import LOAD, RECONCILE, REFUSED, REPAIR, RefusedInput, load_part
from indexvault.restore.mark_target import ABANDON, CLAIM, CONCLUDE, DROP_PLAN, TOUCH
from indexvault.restore.not_compared import NotCompared
from indexvault.restore.proof import COMPARE, REPORT, SETTLE
from indexvault.restore.report import (
    PreflightReport,
    Proof,
    ProofInput,
    RestoreReport,
    StretchCompared,
    with_first_differences,
)
from indexvault.restore.start import BEGIN, PREFLIGHT
from indexvault.restore.stretches import joined
from indexvault.restore.target import MAKE_TARGET
from indexvault.restore.verify_snapshot import PROVE, PROVE_PACKS
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.calls import call, call_all
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.resume import ACTIVITIES as RESUME_ACTIVITIES
from indexvault.workflow.resume import Interrupted, Start, resumable

ACTIVITIES = (
    *RESUME_ACTIVITIES,
    *FOLLOW_ACTIVITIES,
    PREFLIGHT,
    BEGIN,
    CLAIM,
    PROVE,
    PROVE_PACKS,
    TOUCH,
    MAKE_TARGET,
    LOAD,
    RECONCILE,
    REPAIR,
    REFUSED,
    SETTLE,
    COMPARE,
    REPORT,
    CUT_OVER,
    CONCLUDE,
    ABANDON,
    DROP_PLAN,
)
_NAMED = 10
"""Differing documents named in the error; more are in the report's blob, the rest are counted."""
_GO_ON = "Then run the same restore again: it resumes where this one stopped"


def restore_index(ctx: OrchestrationContext, job: RestoreJob) -> Orchestration[RestoreReport]:
    """Restore a snapshot and prove that the target holds its documents.

    An interrupted restore resumes. Raises the error of the first failed check, with nothing touched, VerificationError
    if the target differs from the snapshot. A failure after the target was touched leaves it marked as unfinished.
    """
    if job.locked_by is not None and job.follow:
        found = yield from call(ctx, FIND_TARGET, job)
        return (yield from _follow(ctx, FollowInput(job, found.written_index)))
    if job.locked_by is not None:
        return (yield from _restore(ctx, (yield from call(ctx, BEGIN, job))))
    if job.follow:
        return (yield from resumable(ctx, Claim(job.work, job.owner), _start_following(ctx, job)))
    try:
        return (yield from resumable(ctx, Claim(job.work, job.owner), _start(ctx, job)))
    except IndexvaultError:
        # A restore that got no locks has nothing but its plan.
        with contextlib.suppress(IndexvaultError):
            yield from call(ctx, DROP_PLAN, job)
        raise


def _start(ctx: OrchestrationContext, job: RestoreJob) -> Orchestration[Start[RestoreReport]]:
    started = yield from call(ctx, BEGIN, job)
    return Start(Claim(started.run.work, job.owner), Interrupted(started.resumes), _restore(ctx, started))


def _start_following(ctx: OrchestrationContext, job: RestoreJob) -> Orchestration[Start[RestoreReport]]:
    found = yield from call(ctx, FIND_TARGET, job)
    given = FollowInput(job, found.written_index)
    return Start(Claim(given.work, job.owner), Interrupted(found.interrupted), _follow(ctx, given))


def _follow(ctx: OrchestrationContext, given: FollowInput) -> Orchestration[RestoreReport]:
    """Write what differs from the snapshot that the target equals; where that is not known, sync in full."""
    job, started = given.job, ctx.current_utc_datetime
    followed = yield from call(ctx, FOLLOW, given)
    why = followed.why
    if why is None:
        settled = yield from call(ctx, SETTLE_FOLLOW, SettleFollowInput(given, followed.documents))
        if settled.agrees:
            return followed_report(job, given.written_index, followed, started, settled.finished)
        why = f"after following, the target counts {settled.counted:,} documents, not {followed.documents:,}"
    full = msgspec.structs.replace(job, follow=False, run=f"{job.run}{FULL}", locked_by=job.locked_by or job.run)
    report = yield from _restore(ctx, (yield from call(ctx, BEGIN, full)))
    whole = not report.refused and report.not_compared == NotCompared()
    noted = yield from call(ctx, NOTE_PROVED, ProvedInput(given, whole))
    notes = [*report.notes, f"every document was compared: {why}"]
    if noted.why is not None:
        notes.append(f"the next sync can't follow: {noted.why}")
    return msgspec.structs.replace(report, notes=notes)


def followed_report(
    job: RestoreJob, written_index: str, followed: FollowOutcome, started: datetime, finished: datetime
) -> RestoreReport:
    """Return the report of a sync that followed."""
    written = followed.written
    return RestoreReport(
        service=job.service,
        index=job.index,
        snapshot=job.snapshot,
        target_service=job.target_service,
        target_index=written_index,
        mode=job.mode,
        documents=followed.documents,
        bytes=written.bytes,
        uploaded=written.uploaded,
        deleted=written.deleted,
        identical=0,
        equal=0,
        different=0,
        extra=0,
        refused=0,
        requests=written.requests,
        untouched_chunks=0,
        alias=None,
        old_index=None,
        old_deleted=False,
        resumed=followed.resumed,
        proof="",
        synonym_maps=[],
        losses=followed.losses,
        notes=[],
        started=started if started.tzinfo is not None else started.replace(tzinfo=UTC),
        finished=finished,
        presumption=followed.presumption,
        followed=followed.equal,
        proved_at=followed.proved,
    )


def preflight_restore(ctx: OrchestrationContext, job: RestoreJob) -> Orchestration[PreflightReport]:
    """Check all that a restore checks before it touches anything. Writes nothing."""
    started = yield from call(ctx, PREFLIGHT, job)
    chunks = yield from check_chunks(ctx, started)
    return PreflightReport(
        service=job.service,
        index=job.index,
        snapshot=job.snapshot,
        target_service=job.target_service,
        target_index=job.target_index,
        mode=started.mode,
        resumes=started.resumes,
        documents=started.documents,
        bytes=started.bytes,
        requests=started.requests,
        seconds=started.seconds,
        checks=[started.checks[0], chunks, *started.checks[1:]],
        patch=offered_patch(started.source.patch, started.checks),
    )


def check_chunks(ctx: OrchestrationContext, started: StartedRestore) -> Orchestration[Check]:
    """Check that what is stored of the documents to restore is as it was written. Writes nothing.

    Without checkpoints each activity reads the manifest and the tree, so there are no more activities than run at once.
    """
    parallel = started.run.parallel
    stretches = [ClaimedStretch(start, end, "") for start, end in joined(started.stretches, parallel)]
    try:
        notes = yield from _prove_stored(ctx, started, stretches, [""] * parallel, run=None)
    except IntegrityError as error:
        return Check("chunks", "failed", f"{error.on}: {error.what}", error.do, "IntegrityError")
    except NotFoundError as error:
        name = "chunks" if started.source.filter is None else "filter"
        return Check(name, "failed", f"{error.on}: {error.what}", error.do, "NotFoundError")
    if notes:
        return Check("chunks", "warning", "; ".join(notes), f"Run `indexvault repair {_index(started)}`")
    return Check("chunks", "ok", f"every chunk of {started.documents:,} documents is stored as it was written")


def _restore(ctx: OrchestrationContext, started: StartedRestore) -> Orchestration[RestoreReport]:
    touched = started.resumes is not None
    try:
        claimed = yield from call(ctx, CLAIM, started)
        run = msgspec.structs.replace(started.run, source=claimed.source)
        notes = yield from _prove_stored(ctx, started, claimed.stretches, claimed.packs, run=run)
        claimed = msgspec.structs.replace(claimed, notes=[*claimed.notes, *notes])
        yield from call(ctx, TOUCH, run)
        touched = True
        return (yield from _write_and_prove(ctx, started, claimed, run))
    except EndedMeanwhileError:
        raise
    except IndexvaultError as error:
        # If the lock is lost, this fails; the new lock holder finds our state.
        with contextlib.suppress(IndexvaultError):
            yield from call(ctx, ABANDON, started.run)
        raise (_unfinished(error) if touched else error) from None


def _prove_stored(
    ctx: OrchestrationContext,
    started: StartedRestore,
    stretches: list[ClaimedStretch],
    shares: list[str],
    *,
    run: RestoreRun | None,
) -> Orchestration[list[str]]:
    """Prove what is stored, and return what the operator should know.

    `shares` are the digests of the records of the shares of packs, if there are records.
    """
    source = started.source
    if source.keys or source.filter is not None:
        proved = yield from _prove_chunks(ctx, started, stretches, (), run=run)
        if source.filter is not None and not any(part.wanted for part in proved):
            raise NotFoundError(
                f"the filter {source.filter!r} picks none of its documents; nothing was touched",
                on=source.reference,
                do='Look at the fields of a document, and at how text is quoted: "Rating >= `4`", "Name == \'Inn\'"',
            )
        return []
    packs = yield from call_all(
        ctx,
        PROVE_PACKS,
        [
            StoredPacks(
                store=started.store,
                service=source.service,
                index=source.index,
                snapshot=source.snapshot,
                number=number,
                of=len(shares),
                run=run,
                digest=digest,
            )
            for number, digest in enumerate(shares)
        ],
        at_once=started.run.parallel,
    )
    damaged = [name for share in packs for name in share.damaged]
    doubtful = [*damaged, *(name for share in packs for name in share.gone)]
    if doubtful:
        named = tuple(doubtful) if len(doubtful) <= MOST_DOUBTFUL else ()
        yield from _prove_chunks(ctx, started, stretches, named, run=run)
    return _damaged_elsewhere(started, damaged)


def _prove_chunks(
    ctx: OrchestrationContext,
    started: StartedRestore,
    stretches: list[ClaimedStretch],
    packs: tuple[str, ...],
    *,
    run: RestoreRun | None,
) -> Orchestration[list[StretchProved]]:
    """Prove chunks one by one: those that may hold wanted documents, and if `packs` are named, those in these packs."""
    source = started.source
    stored = [
        StoredStretch(
            store=started.store,
            service=source.service,
            index=source.index,
            snapshot=source.snapshot,
            start=stretch.start,
            end=stretch.end,
            keys=source.keys if run is None else (),
            filter=source.filter,
            run=run,
            digest=stretch.digest,
            packs=packs,
        )
        for stretch in stretches
    ]
    return (yield from call_all(ctx, PROVE, stored, at_once=started.run.parallel))


def _damaged_elsewhere(started: StartedRestore, damaged: list[str]) -> list[str]:
    """Return what to say about packs in which the snapshot's own chunks are sound."""
    if not damaged:
        return []
    named = ", ".join(damaged[:_NAMED]) + (", …" if len(damaged) > _NAMED else "")
    return [
        f"packs of {_index(started)} are damaged, but not in what this snapshot has in them, so others may be: {named}"
    ]


def _index(started: StartedRestore) -> str:
    return f"{started.source.service}/{started.source.index}"


def _write_and_prove(
    ctx: OrchestrationContext, started: StartedRestore, claimed: Claimed, run: RestoreRun
) -> Orchestration[RestoreReport]:
    notes = claimed.notes
    target = yield from call(ctx, MAKE_TARGET, run)
    run = msgspec.structs.replace(run, made=target.digest)
    stretches = [Stretch(run, each.start, each.end, each.digest) for each in claimed.stretches]
    write = LOAD if started.mode in {"create", "replace"} else RECONCILE
    loaded = yield from call_all(ctx, write, stretches, at_once=run.parallel)
    refused_input = RefusedInput(run, [load_part(each.start, each.end) for each in stretches])
    refused = yield from call(ctx, REFUSED, refused_input)
    compared = yield from _compare(ctx, run, stretches)
    report = yield from call(ctx, REPORT, ProofInput(run, compared, claimed.stored, _refused(loaded)))
    if started.mode in {"create", "replace"} and report.proof.missing:
        # A target may accept a document and lose it. Once: one that loses it again is no target to rely on.
        loaded = yield from _repair(ctx, run, stretches, loaded, compared)
        refused = yield from call(ctx, REFUSED, refused_input)
        notes = [
            *notes,
            f"{report.proof.missing} documents that the target had accepted were missing: they were written again",
        ]
        compared = yield from _compare(ctx, run, stretches)
        report = yield from call(ctx, REPORT, ProofInput(run, compared, claimed.stored, _refused(loaded)))
    require_proved(report.proof, report.blob)
    cut_over = yield from call(ctx, CUT_OVER, run)
    concluded = yield from call(ctx, CONCLUDE, run)
    proof, source = report.proof, started.source
    notes = [*notes, *target.notes, *cut_over.notes]
    if refused.blob is not None:
        notes.append(f"{refused.refused} documents were refused and skipped: {refused.blob}")
    return RestoreReport(
        service=source.service,
        index=source.index,
        snapshot=source.snapshot,
        target_service=run.target.service,
        target_index=target.written_index,
        mode=started.mode,
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
        alias=cut_over.alias,
        old_index=cut_over.old_index,
        old_deleted=cut_over.old_deleted,
        resumed=started.resumes,
        proof=report.blob,
        synonym_maps=target.synonym_maps,
        losses=claimed.losses,
        notes=notes,
        started=started.started,
        finished=concluded.finished,
        not_compared=proof.not_compared,
        presumption=claimed.presumption,
    )


def _compare(
    ctx: OrchestrationContext, run: RestoreRun, stretches: list[Stretch]
) -> Orchestration[list[StretchCompared]]:
    yield from call(ctx, SETTLE, run)
    return with_first_differences((yield from call_all(ctx, COMPARE, stretches, at_once=run.parallel)))


def _repair(
    ctx: OrchestrationContext,
    run: RestoreRun,
    stretches: list[Stretch],
    loaded: list[StretchLoaded],
    compared: list[StretchCompared],
) -> Orchestration[list[StretchLoaded]]:
    """Write what is missing again, and return what was written of each stretch in all."""
    lacking = [position for position, part in enumerate(compared) if part.missing]
    repaired = yield from call_all(ctx, REPAIR, [stretches[position] for position in lacking], at_once=run.parallel)
    return [dict(zip(lacking, repaired, strict=True)).get(position, part) for position, part in enumerate(loaded)]


def require_proved(proof: Proof, blob: str) -> None:
    """Raise VerificationError unless the target is proved."""
    if proof.proved:
        return
    if proof.uncounted or proof.uncompared:
        lacking = [f"{proof.uncounted} documents of the snapshot are in no part of it"] if proof.uncounted else []
        lacking += [f"{', '.join(proof.uncompared)} are not compared"] if proof.uncompared else []
        raise VerificationError(
            f"the comparison is not that of the whole snapshot: {'; '.join(lacking)} ({blob} in the runs container)",
            on=proof.target,
            do="Find out who can write to the runs container, then restore to another name",
        )
    if proof.unproved:
        raise VerificationError(
            f"{proof.unproved} documents can't be proved: the snapshot's chunks that hold them are gone."
            f" {proof.identical + proof.equal} documents are as in the snapshot, {proof.different} differ,"
            f" {proof.missing} are missing, {proof.extra} extra ({blob} in the runs container)",
            on=proof.target,
            do="Look at the index; --discard-unfinished leaves it as it is",
        )
    named = ", ".join(f"{difference.key!r} {difference.kind}" for difference in proof.differences[:_NAMED])
    raise VerificationError(
        f"the target is not its snapshot: {proof.different} documents differ, {proof.missing} are missing,"
        f" {proof.extra} extra (first: {named}; the first hundred: {blob} in the runs container)",
        on=proof.target,
        do="Check that nothing else writes to the index",
    )


def _refused(loaded: list[StretchLoaded]) -> int:
    return sum(part.refused for part in loaded)


def _requests(loaded: list[StretchLoaded]) -> int:
    return sum(part.requests for part in loaded)


def _unfinished(error: IndexvaultError) -> IndexvaultError:
    """Return an error that also says how to resume the restore."""
    record = error.record()
    return from_record(type(record)(kind=record.kind, what=record.what, on=record.on, do=f"{record.do}. {_GO_ON}"))


RESTORE_INDEX = Workflow("restore_index", RestoreJob, RestoreReport, restore_index)
PREFLIGHT_RESTORE = Workflow("preflight_restore", RestoreJob, PreflightReport, preflight_restore)
