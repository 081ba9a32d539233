"""Record that an index was still as in its newest snapshot when it was looked at again.

A run that finds nothing changed writes no manifest, so the time to which nothing is lost stands here: one record for
each index, written again each time. It says nothing of snapshots before the one that it names. It is worth what the
reading was: by changes, it is presumed.
"""

import logging
from collections.abc import Mapping
from datetime import datetime

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.printable import count
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import SnapshotReference, id_time, is_snapshot_id, service_prefix
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import UNCHANGED_PREFIX, unchanged_name
from indexvault.snapshots.store import RunBlobs
from indexvault.snapshots.summary import is_in_future

_LIMIT = 16 * 1024
_LOG = logging.getLogger(__name__)


class Unchanged(msgspec.Struct, frozen=True, kw_only=True):
    """An index that was as in `snapshot` (an id) when runs looked at it, first at `first` and last at `last`.

    Each is the time at which that run began: what was written later may be missing. `times` is how many runs found it
    so, `run` the last of them.
    """

    service: str
    index: str
    snapshot: str
    first: AwareTime
    last: AwareTime
    times: int
    run: str

    @property
    def words(self) -> str:
        """In words, that nothing has changed."""
        return f"nothing had changed until {self.last:%Y-%m-%d %H:%M:%S} UTC ({count(self.times, 'run')})"


async def note_unchanged(runs: RunBlobs, snapshot: SnapshotReference, *, began: datetime, run: str) -> Unchanged:
    """Record that an index was as in a snapshot when a run began, and return the record.

    A run may note it again. The record of another snapshot is replaced.
    """
    records = RecordStore(runs, Unchanged, limit=_LIMIT)
    name = unchanged_name(snapshot.service, snapshot.index)
    try:
        before = await records.read(name)
    except IntegrityError as error:
        _LOG.warning("the record of the unchanged index is written anew: %s", error)
        before = None
    found = Unchanged(
        service=snapshot.service,
        index=snapshot.index,
        snapshot=snapshot.id or "",
        first=began,
        last=began,
        times=1,
        run=run,
    )
    if before is not None and before.snapshot == snapshot.id and before.first <= before.last <= began:
        if (before.run, before.last) == (run, began):
            return before
        found = msgspec.structs.replace(found, first=before.first, times=before.times + (before.run != run))
    await records.write(name, found)
    return found


async def read_unchanged(
    runs: RunBlobs, service: str | None = None, index: str | None = None, *, now: datetime
) -> dict[SnapshotReference, Unchanged]:
    """Return by snapshot which indexes were found unchanged since, of one index, a service or the whole store.

    A record that can't be read, contradicts its name or is dated in the future counts for nothing, which is logged.
    """
    found: dict[SnapshotReference, Unchanged] = {}
    records = RecordStore(runs, Unchanged, limit=_LIMIT)
    for name in await _names(runs, service, index):
        try:
            record = await records.read(name)
        except IntegrityError as error:
            _LOG.warning("the record of an unchanged index counts for nothing: %s", error)
            continue
        if record is None:
            continue
        if not _is_sound(record, name, now):
            _LOG.warning("the record %s of an unchanged index counts for nothing: it contradicts itself", name)
            continue
        reference = SnapshotReference(service=record.service, index=record.index, id=record.snapshot)
        found[reference] = record
    return found


def as_of(
    created: datetime, reference: SnapshotReference, unchanged: Mapping[SnapshotReference, Unchanged]
) -> datetime:
    """Return the time up to which a snapshot holds what was in its index: its own, or a later one without changes."""
    record = unchanged.get(reference)
    return created if record is None else max(created, record.last)


def _is_sound(record: Unchanged, name: str, now: datetime) -> bool:
    return (
        record.service != ""
        and record.index != ""
        and name == unchanged_name(record.service, record.index)
        and is_snapshot_id(record.snapshot)
        and id_time(record.snapshot) <= record.first <= record.last
        and not is_in_future(record.last, now)
    )


async def _names(runs: RunBlobs, service: str | None, index: str | None) -> list[str]:
    if service is not None and index is not None:
        return [unchanged_name(service, index)]
    within = "" if service is None else service_prefix(service)
    try:
        return [blob.name async for blob in runs.list(f"{UNCHANGED_PREFIX}{within}")]
    except NotFoundError:
        return []
