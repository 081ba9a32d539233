"""Know from a second place which snapshots a store was given, so that a vanished manifest is noticed.

After every commit, replication and repair of a manifest, a small record is written in the runs container of the same
store. It is removed with the snapshot, after the tombstone. So a known snapshot that has neither a manifest nor a
tombstone was not removed on purpose. A snapshot without such a record is as good as any other: a run may die between
its commit and the record, and earlier versions wrote none. Each prune and the weekly verification write the records
that lack.
"""

import logging
from collections.abc import Iterable
from datetime import datetime

import msgspec

from indexvault.errors import NotFoundError, RemoteError
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.records import RecordStore, id_of
from indexvault.snapshots.run_names import known_name, known_prefix, parse_known_name, tombstones_prefix
from indexvault.snapshots.store import RunBlobs, SnapshotReader
from indexvault.snapshots.summary import Summary
from indexvault.snapshots.tombstones import Tombstone, write_tombstone

_LOG = logging.getLogger(__name__)


class KnownSnapshot(msgspec.Struct, frozen=True):
    """A snapshot that was committed, for whoever looks for it: the run that made it, its state and its documents."""

    run: str
    state: str
    documents: int


async def note_snapshot(runs: RunBlobs, summary: Summary) -> None:
    """Record that a snapshot is in the store. May be called again.

    A store that fails is logged and not raised: the snapshot stands, and the next prune or verification writes the
    record.
    """
    known = KnownSnapshot(run=summary.run, state=summary.state, documents=summary.documents)
    name = known_name(summary.service, summary.index, summary.id)
    try:
        await RecordStore(runs, KnownSnapshot).write(name, known)
    except (RemoteError, NotFoundError) as error:
        _LOG.warning("snapshot %s is not recorded in the runs container: %s", summary.reference, error)


async def forget_snapshot(runs: RunBlobs, reference: SnapshotReference) -> None:
    """Remove the record of a snapshot that was removed on purpose. Its tombstone must be written before."""
    await runs.delete(known_name(reference.service, reference.index, reference.id or ""))


async def give_up(runs: RunBlobs, reference: SnapshotReference, now: datetime) -> None:
    """Expect a snapshot no more whose manifest has vanished, as if it had been removed on purpose now."""
    tombstone = Tombstone(removed=now, reason="its manifest had vanished, and an operator gave it up")
    await write_tombstone(runs, reference.service, reference.index, reference.id or "", tombstone)
    await forget_snapshot(runs, reference)


async def known_snapshots(
    runs: RunBlobs, service: str | None = None, index: str | None = None
) -> set[SnapshotReference]:
    """Return the snapshots of an index, a service or the whole store that are recorded, from one listing.

    A runs container that is gone knows none, which is logged: that must not make sound snapshots look bad. Raises
    RemoteError if it can't be read: then what is missing is not known, and nothing may be called whole.
    """
    try:
        found = [parse_known_name(blob.name) async for blob in runs.list(known_prefix(service, index))]
    except NotFoundError as error:
        _LOG.warning("which snapshots there should be is not known: %s", error)
        return set()
    return {reference for reference in found if reference is not None}


async def note_unrecorded(runs: RunBlobs, service: str, index: str, present: Iterable[Summary]) -> None:
    """Record the snapshots of an index that no record says were committed, except those that are not authentic.

    Raises RemoteError if that can't be read.
    """
    known = await known_snapshots(runs, service, index)
    for summary in present:
        if summary.reference not in known and summary.is_trusted:
            await note_snapshot(runs, summary)


async def lost_snapshots(
    blobs: SnapshotReader, runs: RunBlobs, expected: Iterable[SnapshotReference]
) -> list[SnapshotReference]:
    """Return which of these snapshots have no manifest although nobody removed them, by service, index and id.

    Call it after the snapshots there are have been listed. Raises RemoteError if the store can't be asked.
    """
    # In this order: one committed since the listing has its manifest, one removed since then has its tombstone.
    gone = [reference for reference in expected if not await _has_manifest(blobs, reference)]
    removed: set[SnapshotReference] = set()
    for service, index in {(reference.service, reference.index) for reference in gone}:
        removed |= {
            SnapshotReference(service=service, index=index, id=snapshot)
            for snapshot in await _tombstones(runs, service, index)
        }
    return sorted(set(gone) - removed, key=lambda each: (each.service, each.index, each.id or ""))


async def _has_manifest(blobs: SnapshotReader, reference: SnapshotReference) -> bool:
    try:
        name = manifest_name(reference.service, reference.index, reference.id or "")
        return await blobs.properties(name) is not None
    except NotFoundError:  # the whole container is gone
        return False


async def _tombstones(runs: RunBlobs, service: str, index: str) -> list[str]:
    try:
        return [id_of(blob.name) async for blob in runs.list(tombstones_prefix(service, index))]
    except NotFoundError:
        return []
