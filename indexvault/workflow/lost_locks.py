"""The marks of runs that have lost the lock of an index for good.

Taking a lock is an activity, so it may run again after an operator has taken the lock away or another run has taken it
over. The mark tells such a run from one that never had the lock.
"""

from datetime import datetime

import msgspec

from indexvault.model import IndexName
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import LOST_LOCKS_PREFIX, lost_lock_name
from indexvault.snapshots.store import RunBlobs

_RECORD_LIMIT = 64 * 1024


class LostLock(msgspec.Struct, frozen=True):
    """The run that the lock was taken from."""

    run: str


async def note_lost(blobs: RunBlobs, run: str, index: IndexName) -> None:
    """Record that a run may not take the lock of an index again."""
    await _records(blobs).write(lost_lock_name(run, index.service, index.index), LostLock(run))


async def has_lost(blobs: RunBlobs, run: str, index: IndexName) -> bool:
    """Return whether a run may not take the lock of an index again. Raises IntegrityError if its mark can't be read."""
    return await _records(blobs).read(lost_lock_name(run, index.service, index.index)) is not None


async def forgive(blobs: RunBlobs, run: str, index: IndexName) -> None:
    """Let a run take the lock of an index again, for the new process that resumes it: the old one has ended."""
    await _records(blobs).remove(lost_lock_name(run, index.service, index.index))


async def forget_lost(blobs: RunBlobs, before: datetime) -> None:
    """Remove the marks from before a time."""
    async for blob in blobs.list(LOST_LOCKS_PREFIX):
        if blob.modified < before:
            await blobs.delete(blob.name)


def _records(blobs: RunBlobs) -> RecordStore[LostLock]:
    return RecordStore(
        blobs, LostLock, what="this record of a run can't be read", do="Start a new run", limit=_RECORD_LIMIT
    )
