"""The durable records of a restore: its plan, how far it is, and that its target is unfinished.

The plan is written before anything is touched, and does not change. The restore state lies under the name of the index
that is written, where every other restore into it looks first, whatever name it was asked for by; the state of a
replacement also lies under the alias, where the same restore given again looks for it. It is removed when the target is
proved. An index that a restore state marks as touched is unfinished, whatever it looks like: the index itself can't say
so, since that would change its content.
"""

import contextlib
from datetime import datetime

import msgspec

from indexvault.errors import ConflictError, EndedMeanwhileError, IntegrityError
from indexvault.model import IndexName
from indexvault.restore.checks import Check
from indexvault.restore.definition import TargetDefinition
from indexvault.restore.job import RestoreJob, RestoreRun
from indexvault.restore.upload import Refused
from indexvault.search.definitions import Alias
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import restore_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import altered, digest_of

_LIMIT = 64 * 1024
PLAN, TARGET_INDEX, HIDING = "order", "made", "hiding"


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore will do, decided once.

    `written_index` is the index that documents go to, `alias` the alias to point at it, `alias_etag` its ETag at the
    beginning (None: there was no such alias), `alias_index` the index that it led to then. `old_…` describe the index
    that is replaced: `old_content` is the digest of its definition, `old_size` its storage in bytes. `definition` is
    the final one.
    """

    job: RestoreJob
    store: str
    written_index: str = msgspec.field(name="into")
    alias: str | None
    alias_etag: str | None
    alias_index: str | None = None
    old_index: str | None
    old_etag: str | None
    old_count: int | None
    old_content: str | None = None
    old_size: int | None = None
    definition: TargetDefinition
    documents: int
    bytes: int
    losses: list[str]
    stretches: list[tuple[int, int]]
    checks: list[Check]
    started: datetime

    @property
    def alias_before(self) -> Alias | None:
        """The alias as it was at the beginning, or None if there was none."""
        if self.alias is None or self.alias_etag is None:
            return None
        return Alias(self.alias, (self.alias_index,) if self.alias_index is not None else (), self.alias_etag)


class TargetIndex(msgspec.Struct, frozen=True):
    """The index that documents go to, as the service returned it before the first document."""

    etag: str
    body: msgspec.Raw
    synonym_maps: list[str]
    notes: list[str]


class Hiding(msgspec.Struct, frozen=True):
    """The documents were proved by every field, and the fields that the plan hides are about to be hidden."""


class LoadCheckpoint(msgspec.Struct, frozen=True):
    """How far a stretch is loaded: the service has acknowledged every document with a key up to `after`.

    `execution` is the run that found the `refused` documents refused; another one tries them again.
    """

    after: str = ""
    done: bool = False
    uploaded: int = 0
    bytes: int = 0
    requests: int = 0
    refused: list[Refused] = []
    deleted: int = 0
    execution: str = ""


class RestoreState(msgspec.Struct, frozen=True, kw_only=True):
    """A restore into a target that has started and not ended.

    `target` is the name that was asked for, `written_index` the index that documents go to. `records` is the run whose
    name its checkpoints have, `execution` the run that works on it, or did last. `touched` says that the target may
    have been changed.
    """

    fingerprint: str
    snapshot: str
    mode: str
    target: str
    written_index: str = msgspec.field(name="into")
    records: str
    execution: str
    started: datetime
    touched: bool = False

    @property
    def marked(self) -> tuple[str, ...]:
        """The names under which the state lies; the same restore finds it by the first, which is removed last."""
        return tuple(dict.fromkeys((marked_by(self.mode, self.target, self.written_index), self.written_index)))


def marked_by(mode: str, target: str, written_index: str) -> str:
    """Return the name under which the same restore looks for its state."""
    return target if mode == "replace" else written_index


async def read_restore_state(runs: RunBlobs, index: IndexName) -> RestoreState | None:
    """Return the restore under way for a name, or None. Raises IntegrityError if its state can't be read."""
    return await _states(runs).read(restore_name(index.service, index.index))


async def write_restore_state(runs: RunBlobs, service: str, restore_state: RestoreState) -> None:
    """Write the state under its names. Their locks keep other restores from doing so."""
    for index in restore_state.marked:
        await _states(runs).write(restore_name(service, index), restore_state)


async def forget_restore_state(runs: RunBlobs, service: str, restore_state: RestoreState) -> None:
    """Remove the state from under its names: the target is finished, or was never touched.

    A state of another restore under one of these names stays: the caller need not hold the locks of all of them.
    """
    for index in reversed(restore_state.marked):
        name = restore_name(service, index)
        found = await _states(runs).read_version(name)
        if found is not None and found.record.records == restore_state.records:
            with contextlib.suppress(ConflictError):
                await _states(runs).remove(name, if_match=found.etag)


async def require[Kind](records: Checkpoints, part: str, kind: type[Kind], on: str) -> Kind:
    """Return a checkpoint that must exist. Raises IntegrityError if it is gone."""
    record = await records.read(part, kind)
    if record is None:
        raise IntegrityError(
            f"its record of {part} is gone",
            on=on,
            do="Restore again with --discard-unfinished; this one can't be resumed",
        )
    return record


async def require_plan(runs: RunBlobs, run: str) -> RestorePlan:
    """Return the plan of a run. Raises IntegrityError if it is gone."""
    return await require(Checkpoints(runs, run), PLAN, RestorePlan, f"run {run}")


async def require_unended(runs: RunBlobs, mark: IndexName, records: str) -> None:
    """Raise EndedMeanwhileError if no state under the name `mark` says that the run `records` is unfinished.

    A run that ends removes its state first, then its plan and checkpoints.
    """
    restore_state = await read_restore_state(runs, mark)
    if restore_state is None or restore_state.records != records:
        raise EndedMeanwhileError(
            f"the same restore was being worked on by run {records}, and has ended meanwhile; this one changed nothing",
            on=f"{mark.service} index {mark.index}",
            do="Look at the index, and at how that run ended, before you restore again",
        )


def plan_digest(plan: RestorePlan) -> str:
    """Return the digest of a plan, apart from who follows it and how strictly: an execution says that itself."""
    job = msgspec.structs.replace(
        plan.job,
        run="",
        owner="",
        parallel=1,
        skip_refused=False,
        accept_unsettled=False,
        discard_unfinished=False,
        resume=False,
        locked_by=None,
        part_of=None,
    )
    return digest_of(msgspec.structs.replace(plan, job=job, checks=[]))


async def follow_plan(runs: RunBlobs, run: RestoreRun) -> RestorePlan:
    """Return the plan that a run follows. Raises IntegrityError if it is gone, or not the one that the run began with.

    What only an execution says, such as whether refused documents may be skipped, is as the run says it.
    """
    plan = await require_plan(runs, run.records)
    if plan_digest(plan) != run.plan:
        raise altered("its plan is not what this restore wrote, or proved when it began", f"run {run.records}")
    return msgspec.structs.replace(plan, job=msgspec.structs.replace(plan.job, skip_refused=run.skip_refused))


def unfinished(restore_state: RestoreState, target: IndexName) -> ConflictError:
    """Return the error for a target that another restore has left unfinished."""
    started = f"{restore_state.started:%Y-%m-%d %H:%M:%SZ}"
    return ConflictError(
        f"{restore_state.written_index} is unfinished: a restore of {restore_state.snapshot} in mode"
        f" {restore_state.mode} began {started} (run {restore_state.records}) and has not ended; nothing was touched",
        on=f"{target.service} index {target.index}",
        do="Resume it (the same restore again, or --resume), or use --discard-unfinished to leave it as it is",
    )


def _states(runs: RunBlobs) -> RecordStore[RestoreState]:
    return RecordStore(
        runs,
        RestoreState,
        what="this record of a restore can't be read",
        do="Look at the target, then delete the record",
        limit=_LIMIT,
    )
