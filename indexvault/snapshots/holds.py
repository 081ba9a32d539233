"""Holds keep the snapshots that unfinished restores and moves need from being pruned.

A run writes its hold before it touches anything, then looks for a tombstone; a removal writes its tombstone, then looks
for holds. Whichever comes second sees the other. A hold names the record that says whether its run has ended, so that
one left behind by a crash does not keep a snapshot for ever.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, IntegrityError, NotFoundError, RemoteError
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import hold_name, holds_prefix, run_of, tombstone_name
from indexvault.snapshots.store import RunBlobs, Store
from indexvault.snapshots.tombstones import Tombstone

_LOG = logging.getLogger(__name__)

HELD_FOR = timedelta(days=1)
"""How long a hold counts although no record says that its run is unfinished: the record may be about to be written."""

REMOVAL_TIME = timedelta(minutes=15)
"""Longer than one removal takes, from its tombstone to the deletion of the manifest: an older one was interrupted."""

_STATE_LIMIT = 1024 * 1024

type RunsOf = Callable[[str], RunBlobs]
"""Returns the run half of the store of a name. Raises NotFoundError if none is configured under it."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """An unfinished run that needs a snapshot: a `restore` or a `move` into `target`.

    `state` is the blob in the run container of `store` that names the run while it is unfinished.
    """

    run: str
    kind: str
    target: str
    since: AwareTime
    store: str
    state: str

    @property
    def reason(self) -> str:
        """Why the snapshot stays, in words."""
        return f"an unfinished {self.kind} into {self.target} (run {self.run}) needs it"


class _State(msgspec.Struct, frozen=True):
    """What every record of an unfinished run says: the run that its checkpoints are named after."""

    records: str


def is_honoured(hold: Hold, *, named: str | None, now: datetime) -> bool:
    """Return whether a hold counts; `named` is the run that its record of unfinished work names, None if it is gone."""
    return named == hold.run or now - hold.since < HELD_FOR


async def place_hold(store: Store, reference: SnapshotReference, wanted: Hold, now: datetime) -> bool:
    """Hold a snapshot, by its id, in one store; return False if the store does not have it.

    Holding it again under the same run changes nothing. Raises ConflictError if the snapshot is being removed.
    """
    service, index, snapshot = reference.service, reference.index, reference.id or ""
    manifest = manifest_name(service, index, snapshot)
    if await _is_absent(store, manifest):
        return False
    name = hold_name(service, index, snapshot, wanted.run)
    is_new = False
    with contextlib.suppress(ConflictError):
        await RecordStore(store.runs, Hold).write(name, wanted, if_absent=True)
        is_new = True
    try:
        await _require_no_removal(store.runs, reference, now)
    except ConflictError:
        if is_new:
            await store.runs.delete(name)
        raise
    if await _is_absent(store, manifest):
        await store.runs.delete(name)
        return False
    return True


async def release_holds(runs: RunBlobs, service: str, index: str, run: str) -> None:
    """Remove the holds that a run has on snapshots of an index."""
    async for blob in runs.list(holds_prefix(service, index)):
        if run_of(blob.name) == run:
            await runs.delete(blob.name)


async def read_holds(
    runs: RunBlobs, service: str, index: str, snapshot: str | None = None
) -> AsyncIterator[tuple[str, Hold]]:
    """Yield the holds of an index's snapshots, or of one, each with the snapshot's id.

    One that can't be read is logged, and stands for an unknown run that is unfinished.
    """
    async for blob in runs.list(holds_prefix(service, index, snapshot)):
        try:
            hold = await RecordStore(runs, Hold).read(blob.name)
        except IntegrityError as error:
            _LOG.warning("a hold that can't be read keeps its snapshot: %s", error)
            run = run_of(blob.name) or "unknown"
            hold = Hold(run=run, kind="run", target="an unknown target", since=blob.modified, store="", state="")
        if hold is not None:
            yield blob.name.split("/")[-2], hold


async def is_live(hold: Hold, runs_of: RunsOf, now: datetime) -> bool:
    """Return whether a hold counts, by the record that it names.

    It counts if it names none, if that record can't be read, or lies in a store that can't be reached or is not
    configured here.
    """
    if not hold.state:
        return True
    try:
        state = await RecordStore(runs_of(hold.store), _State, limit=_STATE_LIMIT).read(hold.state)
    except (IntegrityError, NotFoundError, RemoteError):
        return True
    return is_honoured(hold, named=None if state is None else state.records, now=now)


async def is_held(runs: RunBlobs, reference: SnapshotReference, runs_of: RunsOf, now: datetime) -> bool:
    """Return whether a hold of a snapshot counts in this store. One that can't be read does."""
    held = read_holds(runs, reference.service, reference.index, reference.id)
    return any([await is_live(hold, runs_of, now) async for _snapshot, hold in held])


async def _is_absent(store: Store, manifest: str) -> bool:
    try:
        return await store.snapshots.properties(manifest) is None
    except NotFoundError:
        return True


async def _require_no_removal(runs: RunBlobs, reference: SnapshotReference, now: datetime) -> None:
    service, index, snapshot = reference.service, reference.index, reference.id or ""
    try:
        tombstone = await RecordStore(runs, Tombstone).read(tombstone_name(service, index, snapshot))
    except IntegrityError:
        tombstone = Tombstone(removed=now, reason="")
    if tombstone is not None and now - tombstone.removed < REMOVAL_TIME:
        raise ConflictError(
            "the snapshot is being removed",
            on=f"snapshot {reference}",
            do="See with `indexvault snapshots` whether it is still there, then try again or choose another",
        )
