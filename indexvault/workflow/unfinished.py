"""Which run of a command line has begun something on an index and not ended it.

An engine in Azure remembers its runs itself. The one in a command line's process dies with it, so the name of its run
is kept here: who starts the same again, finds the run whose records it can go on with.
"""

from datetime import datetime

import msgspec

from indexvault.model import IndexName
from indexvault.snapshots.names import unfinished_name
from indexvault.snapshots.store import RunBlobs

_RECORD_LIMIT = 64 * 1024


class Unfinished(msgspec.Struct, frozen=True):
    """A run that has begun, and the process that it lives in: its host's name and its number there."""

    run: str
    host: str
    process: int
    started: datetime


async def read_unfinished(runs: RunBlobs, index: IndexName) -> Unfinished | None:
    """Return what was begun on an index and has not ended, or None; also None for a record that can't be read."""
    blob = await runs.read(unfinished_name(index.service, index.index), _RECORD_LIMIT)
    if blob is None:
        return None
    try:
        return msgspec.json.decode(blob.data, type=Unfinished)
    except msgspec.MsgspecError:
        return None


async def note_unfinished(runs: RunBlobs, index: IndexName, unfinished: Unfinished) -> None:
    """Note that a run begins."""
    await runs.put(unfinished_name(index.service, index.index), msgspec.json.encode(unfinished))


async def note_finished(runs: RunBlobs, index: IndexName) -> None:
    """Note that nothing is left to go on with."""
    await runs.delete(unfinished_name(index.service, index.index))
