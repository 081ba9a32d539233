"""Move an index: backup, restore, proof against the source, cut-over, then, if asked, deletion of the source."""

from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.backup.job import BackupJob
from indexvault.backup.workflow import ACTIVITIES as BACKUP_ACTIVITIES
from indexvault.backup.workflow import back_up_index
from indexvault.errors import ConflictError, VerificationError
from indexvault.model import Mode
from indexvault.move.cut_over import NOTE_SOURCE, SWITCH
from indexvault.move.job import (
    BeforeComparing,
    FoundInTarget,
    MoveCutOver,
    MoveJob,
    MovePreflightReport,
    MoveReport,
    PlannedRestore,
    ProvedMove,
    RoundSnapshot,
    SnapshotStretch,
    SourceProof,
    SourceRange,
    StartedMove,
    Transfer,
    proof_of,
)
from indexvault.move.preflight import PREFLIGHT
from indexvault.move.start import BEGIN, END, FIND, NOTE_RESTORED, NOTE_RESTORING, NOTE_SNAPSHOT
from indexvault.move.transfer import TRANSFER
from indexvault.move.verify import COMPARE_SNAPSHOT, COMPARE_SOURCE, COUNT_OTHERS, DIVIDE, DIVIDE_SNAPSHOT
from indexvault.restore.checks import offered_patch
from indexvault.restore.not_compared import NotCompared
from indexvault.restore.report import RestoreFinished, RestoreReport, StretchCompared
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
    DIVIDE_SNAPSHOT,
    COMPARE_SOURCE,
    COMPARE_SNAPSHOT,
    COUNT_OTHERS,
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
    refused: str | None
    before: BeforeComparing | None = None
    by_snapshot: bool = False
    open: list[str] = []
    copied: int = 0
    documents: int = 0
    losses: list[str] = []
    notes: list[str] = []
    not_compared: NotCompared = NotCompared()


def move_index(ctx: OrchestrationContext, job: MoveJob) -> Orchestration[MoveReport]:
    """Move an index, and prove that the target holds what the source holds now.

    An interrupted move resumes. The source is only read, and deleted at the very end if that was asked for. Raises
    VerificationError if the source keeps changing, or differs from the given snapshot, or if it is to be deleted while
    the target lacks documents that it refused.
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
        patch=offered_patch(job.patch, checks),
        would=found.would,
    )


def _move(ctx: OrchestrationContext, job: MoveJob) -> Orchestration[MoveReport]:
    started = yield from call(ctx, BEGIN, job)
    results = _Results(
        snapshot=started.snapshot or "",
        rounds=started.rounds,
        held=started.held or "",
        refused=started.refused,
        documents=started.documents,
        losses=started.losses,
        notes=started.notes,
        not_compared=started.not_compared,
    )
    if started.source_is_gone:
        results.notes = [*started.notes, f"the source was deleted by run {started.resumes}, after it had been compared"]
        proof = SourceProof(
            compared=started.compared, different=0, missing=0, extra=0, differences=[], excepted=started.excepted
        )
    else:
        proof = yield from _make_equal(ctx, started, results)
        _require_deletable(started, proof, results)
    switching = _switch(ctx, started, results, proof)
    cut_over, ended, proof = yield from locked(ctx, Claim(started.run.ending, job.owner), switching)
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
        losses=[*results.losses, *(f"not compared: {each}" for each in results.open if results.by_snapshot)],
        notes=[*_notes(results, proof), *cut_over.notes],
        started=started.started,
        finished=ended.finished,
        excepted=proof.excepted,
        not_compared=results.not_compared,
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
        is_fixed = (
            started.job.snapshot is not None
            or started.job.patch is not None
            or results.by_snapshot
            or started.is_in_use
        )
        # The rounds of this execution count: once the writer has stopped, another one catches up.
        if results.rounds - started.rounds >= ROUNDS or is_fixed:
            raise _differs(started, proof, is_fixed=is_fixed)
        yield from _back_up(ctx, started, results)
        yield from _restore(ctx, started, results, "sync")
    return proof


def _back_up(
    ctx: OrchestrationContext, started: StartedMove, results: _Results, *, afresh: bool = False
) -> Orchestration[None]:
    """Make the next snapshot, by a run of the same name as in an interrupted round, so that it resumes.

    With `afresh` nothing that an earlier execution has read is in it: it shows the source as it is now.
    """
    number = results.rounds + 1
    run = _backup_run(started.run.execution if afresh else started.run.records, number, afresh=afresh)
    if started.resumes is not None:
        yield from take_over_locks(
            ctx, [started.run.source], _backup_run(started.run.records, number, afresh=False), started.run.execution
        )
        yield from take_over_locks(
            ctx, [started.run.source], _backup_run(started.resumes, number, afresh=True), started.run.execution
        )
    job = BackupJob(
        service=started.job.service,
        index=started.job.index,
        run=run,
        parallel=started.job.parallel,
        owner=started.job.owner,
        part_of=started.run.execution,
    )
    report = yield from back_up_index(ctx, job)
    results.snapshot, results.rounds, results.open = report.snapshot, number, report.unsettled
    yield from call(ctx, NOTE_SNAPSHOT, RoundSnapshot(started.run, number, report.snapshot))


def _restore(ctx: OrchestrationContext, started: StartedMove, results: _Results, mode: Mode) -> Orchestration[None]:
    job = started.job
    if not started.same_store:
        transfer = Transfer(started.source_store, started.target_store, job.service, job.index, results.snapshot)
        results.copied += (yield from call(ctx, TRANSFER, transfer)).packs
    run = f"{started.run.execution}-restore-{mode}-{results.rounds}"
    yield from call(ctx, NOTE_RESTORING, PlannedRestore(started.run, run, mode))
    restore_job = msgspec.structs.replace(
        job.restore(results.snapshot, started.target_store, mode, run), locked_by=started.run.work.run
    )
    report: RestoreReport = yield from restore_index(ctx, restore_job)
    results.documents, results.losses, results.notes = report.documents, report.losses, report.notes
    results.held = results.snapshot
    noted = RoundSnapshot(started.run, results.rounds, results.held, results.notes)
    results.refused = (yield from call(ctx, NOTE_RESTORED, noted)).refused


def _prove(ctx: OrchestrationContext, started: StartedMove, results: _Results) -> Orchestration[SourceProof]:
    """Compare the target with the source as it is now."""
    results.before = yield from call(ctx, NOTE_SOURCE, started.run)
    run, at_once = started.run, started.job.parallel
    division = yield from call(ctx, DIVIDE, run)
    results.not_compared = division.not_compared
    if division.by_snapshot:
        results.by_snapshot = True
        yield from _back_up(ctx, started, results, afresh=True)
        _require_settled(started, results)
        cut = yield from call(ctx, DIVIDE_SNAPSHOT, run)
        results.not_compared = cut.not_compared
        stretches = [SnapshotStretch(run, cut.source, each) for each in cut.stretches]
        parts = yield from call_all(ctx, COMPARE_SNAPSHOT, stretches, at_once=at_once)
        _require_whole(started, cut.documents, parts)
    else:
        ranges = [SourceRange(run, after, until) for after, until in division.ranges]
        parts = yield from call_all(ctx, COMPARE_SOURCE, ranges, at_once=at_once)
    found = sum(part.identical + part.equal + part.different for part in parts)
    others = yield from call(ctx, COUNT_OTHERS, FoundInTarget(run, found))
    return proof_of([*parts, others])


def _switch(
    ctx: OrchestrationContext, started: StartedMove, results: _Results, proof: SourceProof
) -> Orchestration[tuple[MoveCutOver, RestoreFinished, SourceProof]]:
    for _ in range(ROUNDS):
        proved = ProvedMove(started.run, proof.compared, proof.excepted, results.before, results.not_compared)
        cut_over = yield from call(ctx, SWITCH, proved)
        if not cut_over.compare_again:
            return cut_over, (yield from call(ctx, END, started.run)), proof
        proof = yield from _prove(ctx, started, results)
        if not proof.proved:
            in_use = msgspec.structs.replace(started, is_in_use=started.is_in_use or started.job.alias is not None)
            raise _differs(in_use, proof, is_fixed=True)
        _require_deletable(started, proof, results)
    raise ConflictError(
        "source or target had another ETag after each comparison, so the source is kept; the target is complete",
        on=f"{started.job.source} to {started.job.target}",
        do="Find what changes their definitions, then give the same command again",
    )


def _backup_run(run: str, number: int, *, afresh: bool) -> str:
    return f"{run}-{'now' if afresh else 'backup'}-{number}"


def _notes(results: _Results, proof: SourceProof) -> list[str]:
    """Return the notes, with the refused documents told once, as many as are missing at the end."""
    if not proof.excepted or results.refused is None:
        return results.notes
    others = [note for note in results.notes if results.refused not in note]
    return [*others, f"{proof.excepted} documents were refused and skipped: {results.refused}"]


def _require_settled(started: StartedMove, results: _Results) -> None:
    """Raise VerificationError if the snapshot to compare with may lack documents, unless that was accepted."""
    if results.open and not started.job.accept_unsettled:
        raise VerificationError(
            f"the source could not be read to its end, to compare the target with it: {'; '.join(results.open)};"
            " nothing was switched over and the source is untouched",
            on=f"{started.job.source} to {started.job.target}",
            do="Run the same command again while less is written to the source, or with --accept-unsettled",
        )


def _require_whole(started: StartedMove, documents: int, parts: list[StretchCompared]) -> None:
    """Raise VerificationError unless every document of the snapshot that shows the source was compared."""
    compared = sum(part.identical + part.equal + part.different + part.missing + part.refused for part in parts)
    if compared != documents:
        raise VerificationError(
            f"{compared} documents were compared, and the snapshot of the source has {documents}; nothing was switched"
            " over and the source is untouched",
            on=f"{started.job.source} to {started.job.target}",
            do="Give the same command again; if that does not help, find out who can write to the runs container",
        )


def _require_deletable(started: StartedMove, proof: SourceProof, results: _Results) -> None:
    """Raise VerificationError if the source is to be deleted while the target lacks documents, unless that was said."""
    if not proof.excepted or not started.job.delete_source or started.job.lose_refused:
        return
    raise VerificationError(
        f"the target lacks {proof.excepted} documents that it refused; the other {proof.compared} are as in the source,"
        " which is kept; nothing was switched over",
        on=f"{started.job.source} to {started.job.target}",
        do=f"See why in {results.refused} of the runs container. Then give the same command again: with --lose-refused"
        " to delete the source all the same, or without --delete-source to keep it",
    )


def _differs(started: StartedMove, proof: SourceProof, *, is_fixed: bool) -> VerificationError:
    named = ", ".join(f"{each.key!r} {each.kind}" for each in proof.differences[:_NAMED])
    first = f" (first: {named})" if named else ""
    if started.is_in_use:
        left = f"the alias {started.job.alias} leads to the target already, so it is left as it is, and the source too"
        do = "Look at what was written to each of them since, then delete the source by hand"
    elif is_fixed:
        left = "nothing was switched over and the source is untouched"
        do = f"Stop what writes to the source, delete {started.job.target}, then move with --forget and no --snapshot"
    else:
        left = "nothing was switched over and the source is untouched"
        do = "Stop what writes to the source, then give the same command again"
    return VerificationError(
        f"the target is not what the source is now: {proof.different} documents differ, {proof.missing} are missing,"
        f" {proof.extra} extra{first}; {left}",
        on=f"{started.job.source} to {started.job.target}",
        do=do,
    )


PREFLIGHT_MOVE = Workflow("preflight_move", MoveJob, MovePreflightReport, preflight_move)
MOVE_INDEX = Workflow("move_index", MoveJob, MoveReport, move_index)
