"""What is durable of a restore: what it set out to do, and that its target is not finished.

The order is written before anything is touched and does not change. The restore_state lies under the name of the index
that is written, where every other restore into it looks first, whatever name it was asked for by; that of a replacement
also under the alias, where the same restore given again looks for it. It goes when the target is proved. An index that
an restore_state names as touched is unfinished, whatever it looks like: nothing in the index itself says so, since that
would change its content.
"""

import contextlib
from datetime import datetime

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.model import IndexName
from indexvault.restore.checks import Check
from indexvault.restore.definition import TargetDefinition
from indexvault.restore.job import RestoreJob
from indexvault.restore.upload import Refused
from indexvault.snapshots.names import restore_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.checkpoints import Checkpoints

_LIMIT = 64 * 1024
ORDER, MADE, HIDING = "order", "made", "hiding"


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore set out to do, decided once.

    `into` is the index that documents go to, `alias` the alias that is to point there, `alias_etag` its state at the
    beginning (None: there was none). `old_…` describe the index that is replaced. `definition` is the final one.
    """

    job: RestoreJob
    store: str
    into: str
    alias: str | None
    alias_etag: str | None
    old_index: str | None
    old_etag: str | None
    old_count: int | None
    definition: TargetDefinition
    documents: int
    bytes: int
    losses: list[str]
    stretches: list[tuple[int, int]]
    checks: list[Check]
    started: datetime


class Made(msgspec.Struct, frozen=True):
    """The index that documents go to, as the service gave it back before the first document."""

    etag: str
    body: msgspec.Raw
    synonym_maps: list[str]
    notes: list[str]


class Hiding(msgspec.Struct, frozen=True):
    """That the documents were proved, by every field, and fields that are to be hidden are about to be hidden."""


class LoadProgress(msgspec.Struct, frozen=True):
    """How far a stretch is loaded: everything up to `after` is acknowledged, and written down after that."""

    after: str = ""
    done: bool = False
    uploaded: int = 0
    bytes: int = 0
    requests: int = 0
    refused: list[Refused] = []


class RestoreState(msgspec.Struct, frozen=True, kw_only=True):
    """A restore into a target that has begun and not ended.

    `target` is the name that was asked for, `into` the index that is written. `records` is the run whose name its
    records have, `execution` the run that works on it, or did last. `touched` says that the target may have been
    changed.
    """

    fingerprint: str
    snapshot: str
    mode: str
    target: str
    into: str
    records: str
    execution: str
    started: datetime
    touched: bool = False

    @property
    def marked(self) -> tuple[str, ...]:
        """The names under which it lies. By the first one the same restore finds it again, so that one goes last."""
        return tuple(dict.fromkeys((marked_by(self.mode, self.target, self.into), self.into)))


def marked_by(mode: str, target: str, into: str) -> str:
    """Return the name under which the restore_state of a restore is looked for."""
    return target if mode == "replace" else into


async def read_restore_state(runs: RunBlobs, index: IndexName) -> RestoreState | None:
    """Return what is under way for a name, or None. Raises IntegrityError if that can't be read."""
    found = await _read(runs, index)
    return None if found is None else found[0]


async def write_restore_state(runs: RunBlobs, service: str, restore_state: RestoreState) -> None:
    """Write what is under way. The locks of its names keep others from doing so."""
    for index in restore_state.marked:
        await runs.put(restore_name(service, index), msgspec.json.encode(restore_state))


async def forget_restore_state(runs: RunBlobs, service: str, restore_state: RestoreState) -> None:
    """Remove the record from where it lies: the target is finished, or was never touched.

    Whatever has taken its place under one of its names stays: not all of them need be locked by who forgets it.
    """
    for index in reversed(restore_state.marked):
        found = await _read(runs, IndexName(service, index))
        if found is not None and found[0].records == restore_state.records:
            with contextlib.suppress(ConflictError):
                await runs.delete(restore_name(service, index), if_match=found[1])


async def _read(runs: RunBlobs, index: IndexName) -> tuple[RestoreState, str] | None:
    name = restore_name(index.service, index.index)
    blob = await runs.read(name, _LIMIT)
    if blob is None:
        return None
    try:
        return msgspec.json.decode(blob.data, type=RestoreState), blob.etag
    except msgspec.MsgspecError:
        raise IntegrityError(
            "this record of a restore can't be read", on=name, do="Look at the target, then delete the record"
        ) from None


async def require[Kind](records: Checkpoints, part: str, kind: type[Kind], on: str) -> Kind:
    """Return a record that must be there. Raises IntegrityError if it is gone."""
    record = await records.read(part, kind)
    if record is None:
        raise IntegrityError(
            f"its record of {part} is gone", on=on, do="Restore again with --discard-unfinished; this one can't go on"
        )
    return record


def unfinished(restore_state: RestoreState, target: IndexName) -> ConflictError:
    """Return the error for a target in which another restore has begun."""
    begun = f"{restore_state.started:%Y-%m-%d %H:%M:%SZ}"
    return ConflictError(
        f"{restore_state.into} is unfinished: a restore of {restore_state.snapshot} in mode {restore_state.mode} began"
        f" {begun} (run {restore_state.records}) and has not ended; nothing was touched",
        on=f"{target.service} index {target.index}",
        do="Go on with it (the same restore again, or --resume), or use --discard-unfinished to leave it as it is",
    )
