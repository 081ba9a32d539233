"""The name of a command's run on an index, kept while it is unfinished.

An engine in Azure remembers its runs. The embedded engine dies with its process, so the name of its run is recorded
here: the same command given again finds the run whose checkpoints it can resume from.
"""

from datetime import datetime

import msgspec

from indexvault.errors import IntegrityError
from indexvault.model import IndexName
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import unfinished_name
from indexvault.snapshots.store import RunBlobs

_RECORD_LIMIT = 64 * 1024


class Unfinished(msgspec.Struct, frozen=True):
    """A run that has begun, and the process that it runs in: its host's name and its process id there."""

    run: str
    host: str
    process: int
    started: datetime


async def read_unfinished(runs: RunBlobs, index: IndexName) -> Unfinished | None:
    """Return the unfinished run on an index, or None; also None if its record can't be read."""
    try:
        return await _records(runs).read(unfinished_name(index.service, index.index))
    except IntegrityError:
        return None


async def note_unfinished(runs: RunBlobs, index: IndexName, unfinished: Unfinished) -> None:
    """Record that a run begins."""
    await _records(runs).write(unfinished_name(index.service, index.index), unfinished)


async def note_finished(runs: RunBlobs, index: IndexName) -> None:
    """Record that nothing on an index is left to resume."""
    await _records(runs).remove(unfinished_name(index.service, index.index))


def _records(runs: RunBlobs) -> RecordStore[Unfinished]:
    return RecordStore(runs, Unfinished, limit=_RECORD_LIMIT)
