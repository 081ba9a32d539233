"""Record when a restore last wrote to an index that has snapshots.

A restore writes documents as they were, with the times they had: a reading by changes would not ask for them. So the
next reading after a restore reads the whole index; see `backup.changes.choice`.
"""

import logging
from datetime import datetime

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.model import IndexName
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import manifests_prefix
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import restored_name
from indexvault.snapshots.store import RunBlobs, SnapshotReader, Store

_LIMIT = 16 * 1024
_LOG = logging.getLogger(__name__)


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """An index that a restore, `run`, was writing to `at` a time."""

    service: str
    index: str
    at: AwareTime
    run: str


async def note_restored(store: Store, target: IndexName, *, at: datetime, run: str) -> None:
    """Record that a restore writes to an index, before it does and after. Without snapshots nothing builds on any."""
    if await _has_snapshots(store.snapshots, target):
        record = Restored(service=target.service, index=target.index, at=at, run=run)
        await RecordStore(store.runs, Restored, limit=_LIMIT).write(restored_name(target.service, target.index), record)


async def read_restored(runs: RunBlobs, target: IndexName, now: datetime) -> datetime | None:
    """Return when a restore last wrote to an index, None if none has.

    A record that can't be read, or is another index's, may hide a restore: it is logged, and counts as of `now`.
    """
    name = restored_name(target.service, target.index)
    try:
        record = await RecordStore(runs, Restored, limit=_LIMIT).read(name)
    except IntegrityError as error:
        _LOG.warning("when a restore last wrote to %s is not known, which counts as now: %s", target, error)
        return now
    if record is None:
        return None
    if (record.service, record.index) != (target.service, target.index):
        _LOG.warning("%s is the record of another index, and counts as of now: delete it", name)
        return now
    return record.at


async def _has_snapshots(blobs: SnapshotReader, target: IndexName) -> bool:
    try:
        async for _blob in blobs.list(manifests_prefix(target.service, target.index)):
            return True
    except NotFoundError:
        pass
    return False
