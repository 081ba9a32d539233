"""Find locks that were left behind: older than the run that took them, or no longer renewed by it."""

from datetime import datetime, timedelta

from indexvault.model import IndexName
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import LOCKS_PREFIX, locked_index
from indexvault.snapshots.store import RunBlobs
from indexvault.status.alerts import StaleLock
from indexvault.workflow.activity import Resources
from indexvault.workflow.lock_holder import Holder
from indexvault.workflow.runs import Runs
from indexvault.workflow.unfinished import read_unfinished

LEFT_AFTER = timedelta(hours=1)
"""How long nothing may have renewed a lock. A run that is alive does so every few minutes."""
_LIMIT = 64 * 1024


async def stale_locks(resources: Resources, store: str) -> list[StaleLock]:
    """Return the locks in a store that are older than their runs, or that an unfinished run has not renewed for long.

    Raises RemoteError, NotFoundError and IntegrityError if the locks or their runs can't be read.
    """
    blobs = resources.clients.store(store).runs
    found = []
    async for blob in blobs.list(LOCKS_PREFIX):
        place = locked_index(blob.name)
        if place is not None and blob.size:
            lock = await _stale(resources, blobs, blob.name, place)
            if lock is not None:
                found.append(lock)
    return found


async def _stale(resources: Resources, blobs: RunBlobs, name: str, place: tuple[str, str]) -> StaleLock | None:
    """Return a lock that does not fit its run: renewed though the run has ended, or not renewed though it has not.

    A run that lets a lock go leaves its name in it, so that an expired one alone says nothing.
    """
    now, index = resources.clock(), IndexName(*place)
    holder = await RecordStore(blobs, Holder, limit=_LIMIT, empty_is_none=True).read(name)
    if holder is None:
        return None
    ended = await _ended(blobs, holder, index)
    if holder.counts(now):
        is_stale = ended is not None and now - ended > LEFT_AFTER
    else:
        is_stale = ended is None and now - holder.expires > LEFT_AFTER
    if not is_stale:
        return None
    return StaleLock(
        service=index.service,
        index=index.index,
        run=holder.known_run,
        since=ended or holder.expires,
        has_ended=bool(ended),
    )


async def _ended(blobs: RunBlobs, holder: Holder, index: IndexName) -> datetime | None:
    """Return when the part of a run that has a lock ended, None if it has not.

    A run of the app has a record. One of the command line is remembered while it is unfinished; if it is not, it ended
    when it let the lock go.
    """
    for run in (holder.known_run, holder.run.rpartition("-")[0]):
        record = await Runs(blobs).read(run) if run else None
        if record is not None:
            item = next((each for each in record.items if each.run == holder.run), None)
            if item is not None and item.outcome.state != "waiting":
                return item.finished or record.finished or holder.expires
            return record.finished
    unfinished = await read_unfinished(blobs, index)
    return None if unfinished is not None and unfinished.run == holder.run else holder.expires
