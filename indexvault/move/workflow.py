"""Move an index: backup, restore, proof against the source, cut-over, then, if asked, deletion of the source."""

from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.backup.job import BackupJob
from indexvault.backup.workflow import ACTIVITIES as BACKUP_ACTIVITIES
from indexvault.backup.workflow import back_up_index
from indexvault.errors import VerificationError
from indexvault.model import Mode
from indexvault.move.cut_over import NOTE_SOURCE, SWITCH
from indexvault.move.job import (
    DigestComparison,
    MoveCutOver,
    MoveJob,
    MovePreflightReport,
    MoveReport,
    PlannedRestore,
    RoundSnapshot,
    SourceProof,
    SourceRange,
    StartedMove,
    Transfer,
    proof_of,
)
from indexvault.move.preflight import PREFLIGHT
from indexvault.move.start import BEGIN, END, FIND, NOTE_RESTORED, NOTE_RESTORING, NOTE_SNAPSHOT
from indexvault.move.transfer import TRANSFER
from indexvault.move.verify import COMPARE_DIGESTS, COMPARE_SOURCE, DIVIDE
from indexvault.restore.report import Finished, RestoreReport
from indexvault.restore.workflow import ACTIVITIES as RESTORE_ACTIVITIES
from indexvault.restore.workflow import check_chunks, restore_index
from indexvault.workflow.activity import Activity, Orchestration, Workflow
from indexvault.workflow.calls import call, call_all
from indexvault.workflow.lock_activities import Claim, locked
from indexvault.workflow.resume import Start, resumable, take_over_locks

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
"""Most snapshots of one execution: the target catches up with a source that is written to, but not for ever."""
_NAMED = 10


class _Results(msgspec.Struct):
    """The results of the rounds so far."""

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

    An interrupted move resumes. The source is only read, and deleted at the very end if that was asked for. Raises
    VerificationError if the source keeps changing, or differs from the given snapshot.
    """
    claim = Claim(job.work, job.owner)
    return (yield from resumable(ctx, claim, _start(ctx, job, claim)))


def _start(ctx: OrchestrationContext, job: MoveJob, claim: Claim) -> Orchestration[Start[MoveReport]]:
    interrupted = yield from call(ctx, FIND, job)
    return Start(claim, interrupted, _move(ctx, job), also=(job.source,))


def preflight_move(ctx: OrchestrationContext, job: MoveJob) -> Orchestration[MovePreflightReport]:
    """Say what a move would do, and check all that can be checked before. Writes nothing."""
    found = yield from call(ctx, PREFLIGHT, job)
    checks = found.checks
    if found.restore is not None:
        checks = [*checks, (yield from check_chunks(ctx, found.restore))]
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
    started = yield from call(ctx, BEGIN, job)
    results = _Results(
        snapshot=started.snapshot or "",
        rounds=started.rounds,
        held=started.held or "",
        documents=started.documents,
        losses=started.losses,
        notes=started.notes,
    )
    if started.source_is_gone:
        results.notes = [*started.notes, f"the source was deleted by run {started.resumes}, after it had been compared"]
        proof = proof_of([])
    else:
        proof = yield from _make_equal(ctx, started, results)
    cut_over, ended = yield from locked(ctx, Claim(started.run.ending, job.owner), _switch(ctx, started))
    return MoveReport(
        service=job.service,
        index=job.index,
        target_service=job.target_service,
        target_index=job.target_index,
        snapshot=results.snapshot,
        rounds=max(1, results.rounds),
        copied=results.copied,
        documents=results.documents or proof.compared,
        compared=proof.compared,
        alias=cut_over.alias,
        source_deleted=cut_over.source_deleted,
        resumed=started.resumes,
        losses=results.losses,
        notes=[*results.notes, *cut_over.notes],
        started=started.started,
        finished=ended.finished,
    )


def _make_equal(ctx: OrchestrationContext, started: StartedMove, results: _Results) -> Orchestration[SourceProof]:
    """Restore, prove, and catch up with a source that is written to."""
    if started.snapshot is None:
        yield from _back_up(ctx, started, results)
    if started.held is None:
        yield from _restore(ctx, started, results, "create")
    elif started.is_half_synced:
        yield from _restore(ctx, started, results, "sync")
    while not (proof := (yield from _prove(ctx, started, results))).proved:
        is_fixed = started.job.snapshot is not None or started.job.patch is not None or results.by_digest
        # The rounds of this execution count: once the writer has stopped, another one catches up.
        if results.rounds - started.rounds >= ROUNDS or is_fixed:
            raise _differs(started, proof, is_fixed=is_fixed)
        yield from _back_up(ctx, started, results)
        yield from _restore(ctx, started, results, "sync")
    return proof


def _back_up(ctx: OrchestrationContext, started: StartedMove, results: _Results) -> Orchestration[None]:
    """Make the next snapshot, by a run of the same name as in an interrupted round."""
    number = results.rounds + 1
    run = f"{started.run.records}-backup-{number}"
    if started.resumes is not None:
        yield from take_over_locks(ctx, [started.run.source], run, started.run.execution)
    job = BackupJob(
        service=started.job.service,
        index=started.job.index,
        run=run,
        parallel=started.job.parallel,
        owner=started.job.owner,
        part_of=started.run.execution,
    )
    report = yield from back_up_index(ctx, job)
    results.snapshot, results.rounds = report.snapshot, number
    yield from call(ctx, NOTE_SNAPSHOT, RoundSnapshot(started.run, number, report.snapshot))


def _restore(ctx: OrchestrationContext, started: StartedMove, results: _Results, mode: Mode) -> Orchestration[None]:
    job = started.job
    if not started.same_store:
        transfer = Transfer(started.source_store, started.target_store, job.service, job.index, results.snapshot)
        results.copied += (yield from call(ctx, TRANSFER, transfer)).chunks
    run = f"{started.run.execution}-restore-{mode}-{results.rounds}"
    yield from call(ctx, NOTE_RESTORING, PlannedRestore(started.run, run, mode))
    restore_job = msgspec.structs.replace(
        job.restore(results.snapshot, started.target_store, mode, run), locked_by=started.run.work.run
    )
    report: RestoreReport = yield from restore_index(ctx, restore_job)
    results.documents, results.losses, results.notes = report.documents, report.losses, report.notes
    results.held = results.snapshot
    yield from call(ctx, NOTE_RESTORED, RoundSnapshot(started.run, results.rounds, results.held, results.notes))


def _prove(ctx: OrchestrationContext, started: StartedMove, results: _Results) -> Orchestration[SourceProof]:
    """Compare the target with the source as it is now."""
    yield from call(ctx, NOTE_SOURCE, started.run)
    division = yield from call(ctx, DIVIDE, started.run)
    if not division.by_digest:
        parts = [SourceRange(started.run, after, until) for after, until in division.ranges]
        return proof_of((yield from call_all(ctx, COMPARE_SOURCE, parts, at_once=started.job.parallel)))
    # The target was proved to hold a snapshot. If keys have no order, a further one shows the source as it is now.
    results.by_digest = True
    yield from _back_up(ctx, started, results)
    return proof_of(
        [(yield from call(ctx, COMPARE_DIGESTS, DigestComparison(started.run, results.held, results.snapshot)))]
    )


def _switch(ctx: OrchestrationContext, started: StartedMove) -> Orchestration[tuple[MoveCutOver, Finished]]:
    cut_over = yield from call(ctx, SWITCH, started.run)
    return cut_over, (yield from call(ctx, END, started.run))


def _differs(started: StartedMove, proof: SourceProof, *, is_fixed: bool) -> VerificationError:
    named = ", ".join(f"{each.key!r} {each.kind}" for each in proof.differences[:_NAMED])
    return VerificationError(
        f"the target is not what the source is now: {proof.different} documents differ, {proof.missing} are missing,"
        f" {proof.extra} extra (first: {named}); nothing was switched over and the source is untouched",
        on=f"{started.job.source} to {started.job.target}",
        do=f"Stop what writes to the source, delete {started.job.target}, then move again with --forget and no"
        " --snapshot"
        if is_fixed
        else "Stop what writes to the source, then give the same command again",
    )


PREFLIGHT_MOVE = Workflow("preflight_move", MoveJob, MovePreflightReport, preflight_move)
MOVE_INDEX = Workflow("move_index", MoveJob, MoveReport, move_index)
