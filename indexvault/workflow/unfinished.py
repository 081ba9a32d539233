"""The name of a command's run on an index, known while it is unfinished.

An engine in Azure remembers its runs. The embedded engine dies with its process, so the same command given again must
find the run whose checkpoints it can resume from. While the run has the index's lock, the lock names the run and its
process. Whoever takes that lock away, or takes it for something else, first leaves a record of the unfinished run here;
so does a process that resumes it, so that a second one does not before the first has the lock.
"""

import contextlib
from datetime import datetime

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.model import IndexName
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import lock_name, unfinished_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.lock_holder import LOCK_LIMIT, Holder, read_holder

_RECORD_LIMIT = 64 * 1024


class Unfinished(msgspec.Struct, frozen=True):
    """A run that has begun, and the process that it runs in: its host's name and its process id there."""

    run: str
    host: str
    process: int
    started: datetime


async def read_unfinished(runs: RunBlobs, index: IndexName) -> Unfinished | None:
    """Return the unfinished run on an index, or None; also None if its record can't be read.

    What the lock says counts, unless the record names the same run: then that is the process which resumes it.
    """
    locked = noted = None
    with contextlib.suppress(IntegrityError):
        holder = await read_holder(runs, index)
        locked = unfinished_of(holder) if holder is not None else None
    with contextlib.suppress(IntegrityError):
        noted = await _records(runs).read(unfinished_name(index.service, index.index))
    return noted if locked is None or (noted is not None and noted.run == locked.run) else locked


def unfinished_of(holder: Holder) -> Unfinished | None:
    """Return the run that a lock names if another process can resume it, or None."""
    process = holder.process
    return None if process is None else Unfinished(holder.run, process.host, process.process, process.started)


async def note_unfinished(runs: RunBlobs, index: IndexName, unfinished: Unfinished) -> None:
    """Record a run that is unfinished and loses the index's lock, or is about to be resumed."""
    await _records(runs).write(unfinished_name(index.service, index.index), unfinished)


async def note_finished(runs: RunBlobs, index: IndexName) -> None:
    """Record that nothing on an index is left to resume."""
    await _records(runs).remove(unfinished_name(index.service, index.index))


async def note_failed(runs: RunBlobs, index: IndexName, run: str) -> None:
    """Record that a run, which has released its lock, can't be resumed."""
    with contextlib.suppress(IntegrityError):
        noted = await _records(runs).read(unfinished_name(index.service, index.index))
        if noted is not None and noted.run == run:
            await note_finished(runs, index)
    locks = RecordStore(runs, Holder, limit=LOCK_LIMIT, empty_is_none=True)
    name = lock_name(index.service, index.index)
    with contextlib.suppress(IntegrityError, ConflictError):  # somebody else has the lock now
        version = await locks.read_version(name)
        if version is not None and version.record.process is not None and version.record.run == run:
            await locks.remove(name, if_match=version.etag)


def _records(runs: RunBlobs) -> RecordStore[Unfinished]:
    return RecordStore(runs, Unfinished, limit=_RECORD_LIMIT)
