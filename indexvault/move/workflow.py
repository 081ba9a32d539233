"""The order of a move: backup, restore, proof against the source, cut-over, then, if asked, the end of the source."""

from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.backup.job import BackupJob
from indexvault.backup.workflow import ACTIVITIES as BACKUP_ACTIVITIES
from indexvault.backup.workflow import back_up_index
from indexvault.errors import IndexvaultError, VerificationError
from indexvault.move.cut_over import NOTE_SOURCE, SWITCH
from indexvault.move.job import (
    DigestOrder,
    Ended,
    KeyStretch,
    MoveBegun,
    MoveJob,
    MovePreflightReport,
    MoveReport,
    Restoring,
    Round,
    SourceProof,
    Switched,
    Transfer,
    proof_of,
)
from indexvault.move.preflight import PREFLIGHT
from indexvault.move.start import BEGIN, END, FIND, NOTE_RESTORED, NOTE_RESTORING, NOTE_SNAPSHOT
from indexvault.move.transfer import TRANSFER
from indexvault.move.verify import COMPARE_DIGESTS, COMPARE_SOURCE, DIVIDE
from indexvault.restore.job import Mode
from indexvault.restore.report import RestoreReport
from indexvault.restore.workflow import ACTIVITIES as RESTORE_ACTIVITIES
from indexvault.restore.workflow import check_chunks, restore_index
from indexvault.workflow.activity import Activity, Orchestration, Workflow
from indexvault.workflow.calls import call, call_all
from indexvault.workflow.lock_activities import RELEASE, Claim, locked
from indexvault.workflow.lock_takeover import TAKE_OVER, LockTakeover

OWN_ACTIVITIES = (
    PREFLIGHT,
    FIND,
    BEGIN,
    NOTE_SNAPSHOT,
    NOTE_RESTORING,
    NOTE_RESTORED,
    TRANSFER,
    NOTE_SOURCE,
    DIVIDE,
    COMPARE_SOURCE,
    COMPARE_DIGESTS,
    SWITCH,
    END,
)
ACTIVITIES: tuple[Activity[Any, Any], ...] = tuple(
    dict.fromkeys((*BACKUP_ACTIVITIES, *RESTORE_ACTIVITIES, *OWN_ACTIVITIES))
)
ROUNDS = 3
"""Snapshots at most: a source that is written to is caught up with, unless it changes faster than that."""
_NAMED = 10


class _Progress(msgspec.Struct):
    """What the rounds have come to so far."""

    snapshot: str
    rounds: int
    held: str
    by_digest: bool = False
    copied: int = 0
    documents: int = 0
    losses: list[str] = []
    notes: list[str] = []


def move_index(ctx: OrchestrationContext, job: MoveJob) -> Orchestration[MoveReport]:
    """Move an index, and prove that the target holds what the source holds now.

    A move that stopped is gone on with. Nothing is done to the source but, at the very end, its deletion. Raises
    VerificationError if the source keeps changing, or is not what the given snapshot holds.
    """
    try:
        found = yield from call(ctx, FIND, job)
        for name in sorted({*job.work.names, job.source}, key=str) if found.execution is not None else ():
            yield from call(ctx, TAKE_OVER, LockTakeover(name, found.execution or "", job.run))
    except IndexvaultError:
        # Whoever started the run may have taken the locks for it.
        yield from call(ctx, RELEASE, Claim(job.work, job.owner))
        raise
    return (yield from locked(ctx, Claim(job.work, job.owner), _move(ctx, job)))


def preflight_move(ctx: OrchestrationContext, job: MoveJob) -> Orchestration[MovePreflightReport]:
    """Say what a move would do, check everything that can be checked before, and write nothing."""
    found = yield from call(ctx, PREFLIGHT, job)
    checks = found.checks
    if found.begun is not None:
        checks = [*checks, (yield from check_chunks(ctx, found.begun))]
    return MovePreflightReport(
        service=job.service,
        index=job.index,
        target_service=job.target_service,
        target_index=job.target_index,
        resumes=found.resumes,
        documents=found.documents,
        bytes=found.bytes,
        requests=found.requests,
        seconds=found.seconds,
        checks=checks,
        would=found.would,
    )


def _move(ctx: OrchestrationContext, job: MoveJob) -> Orchestration[MoveReport]:
    begun = yield from call(ctx, BEGIN, job)
    so_far = _Progress(
        snapshot=begun.snapshot or "",
        rounds=begun.rounds,
        held=begun.held or "",
        documents=begun.documents,
        losses=begun.losses,
        notes=begun.notes,
    )
    if begun.source_is_gone:
        so_far.notes = [*begun.notes, f"the source was deleted by run {begun.resumes}, after it had been compared"]
        proof = proof_of([])
    else:
        proof = yield from _make_equal(ctx, begun, so_far)
    switched, ended = yield from locked(ctx, Claim(begun.run.ending, job.owner), _switch(ctx, begun))
    return MoveReport(
        service=job.service,
        index=job.index,
        target_service=job.target_service,
        target_index=job.target_index,
        snapshot=so_far.snapshot,
        rounds=max(1, so_far.rounds),
        copied=so_far.copied,
        documents=so_far.documents or proof.compared,
        compared=proof.compared,
        alias=switched.alias,
        source_deleted=switched.source_deleted,
        resumed=begun.resumes,
        losses=so_far.losses,
        notes=[*so_far.notes, *switched.notes],
        started=begun.started,
        finished=ended.finished,
    )


def _make_equal(ctx: OrchestrationContext, begun: MoveBegun, so_far: _Progress) -> Orchestration[SourceProof]:
    """Restore, prove, and catch up with a source that is written to."""
    if begun.snapshot is None:
        yield from _back_up(ctx, begun, so_far)
    if begun.held is None:
        yield from _restore(ctx, begun, so_far, "create")
    elif begun.is_half_synced:
        yield from _restore(ctx, begun, so_far, "sync")
    while not (proof := (yield from _prove(ctx, begun, so_far))).proved:
        is_fixed = begun.job.snapshot is not None or begun.job.patch is not None or so_far.by_digest
        # The rounds of this execution count: once the writer has stopped, another one catches up.
        if so_far.rounds - begun.rounds >= ROUNDS or is_fixed:
            raise _differs(begun, proof, is_fixed=is_fixed)
        yield from _back_up(ctx, begun, so_far)
        yield from _restore(ctx, begun, so_far, "sync")
    return proof


def _back_up(ctx: OrchestrationContext, begun: MoveBegun, so_far: _Progress) -> Orchestration[None]:
    """Make the next snapshot, under a name that an interrupted round has too."""
    number = so_far.rounds + 1
    run = f"{begun.run.records}-backup-{number}"
    if begun.resumes is not None:
        yield from call(ctx, TAKE_OVER, LockTakeover(begun.run.source, run, begun.run.execution))
    job = BackupJob(
        service=begun.job.service,
        index=begun.job.index,
        run=run,
        parallel=begun.job.parallel,
        owner=begun.job.owner,
        part_of=begun.run.execution,
    )
    report = yield from back_up_index(ctx, job)
    so_far.snapshot, so_far.rounds = report.snapshot, number
    yield from call(ctx, NOTE_SNAPSHOT, Round(begun.run, number, report.snapshot))


def _restore(ctx: OrchestrationContext, begun: MoveBegun, so_far: _Progress, mode: Mode) -> Orchestration[None]:
    job = begun.job
    if not begun.same_store:
        transfer = Transfer(begun.source_store, begun.target_store, job.service, job.index, so_far.snapshot)
        so_far.copied += (yield from call(ctx, TRANSFER, transfer)).chunks
    run = f"{begun.run.execution}-restore-{mode}-{so_far.rounds}"
    yield from call(ctx, NOTE_RESTORING, Restoring(begun.run, run, mode))
    order = msgspec.structs.replace(
        job.restore(so_far.snapshot, begun.target_store, mode, run), locked_by=begun.run.work.run
    )
    report: RestoreReport = yield from restore_index(ctx, order)
    so_far.documents, so_far.losses, so_far.notes = report.documents, report.losses, report.notes
    so_far.held = so_far.snapshot
    yield from call(ctx, NOTE_RESTORED, Round(begun.run, so_far.rounds, so_far.held, so_far.notes))


def _prove(ctx: OrchestrationContext, begun: MoveBegun, so_far: _Progress) -> Orchestration[SourceProof]:
    """Compare the target with the source as it is now."""
    yield from call(ctx, NOTE_SOURCE, begun.run)
    division = yield from call(ctx, DIVIDE, begun.run)
    if not division.by_digest:
        parts = [KeyStretch(begun.run, after, until) for after, until in division.stretches]
        return proof_of((yield from call_all(ctx, COMPARE_SOURCE, parts, at_once=begun.job.parallel)))
    # The target was proved to be a snapshot: where keys give no order, a further one shows the source as it is.
    so_far.by_digest = True
    yield from _back_up(ctx, begun, so_far)
    return proof_of([(yield from call(ctx, COMPARE_DIGESTS, DigestOrder(begun.run, so_far.held, so_far.snapshot)))])


def _switch(ctx: OrchestrationContext, begun: MoveBegun) -> Orchestration[tuple[Switched, Ended]]:
    switched = yield from call(ctx, SWITCH, begun.run)
    return switched, (yield from call(ctx, END, begun.run))


def _differs(begun: MoveBegun, proof: SourceProof, *, is_fixed: bool) -> VerificationError:
    named = ", ".join(f"{each.key!r} {each.kind}" for each in proof.differences[:_NAMED])
    return VerificationError(
        f"the target is not what the source is now: {proof.different} documents differ, {proof.missing} are missing,"
        f" {proof.extra} extra (first: {named}); nothing was switched over and the source is untouched",
        on=f"{begun.job.source} to {begun.job.target}",
        do=f"Stop what writes to the source, delete {begun.job.target}, then move again with --forget and no --snapshot"
        if is_fixed
        else "Stop what writes to the source, then give the same command again",
    )


PREFLIGHT_MOVE = Workflow("preflight_move", MoveJob, MovePreflightReport, preflight_move)
MOVE_INDEX = Workflow("move_index", MoveJob, MoveReport, move_index)
