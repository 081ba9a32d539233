"""Free the lock of a dead run for the run that resumes its work."""

import logging
import uuid

import msgspec

from indexvault.errors import ConflictError
from indexvault.model import IndexName
from indexvault.snapshots.run_names import lock_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.lock import LEASE_SECONDS
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.lock_holder import Holder, read_holder
from indexvault.workflow.lost_locks import note_lost
from indexvault.workflow.unfinished import note_unfinished, unfinished_of

_POLL_SECONDS = 3
_TAKEOVERS = uuid.UUID("4f1d5a0e-5a2b-4b62-8f8b-0f7a3f5f0d11")
_LOG = logging.getLogger(__name__)


class LockTakeover(msgspec.Struct, frozen=True):
    """The lock of an index, the run that may still have it, and the run that resumes its work."""

    index: IndexName
    predecessor: str
    successor: str


async def take_over_lock(resources: Resources, takeover: LockTakeover) -> Done:
    """Free the index's lock if the predecessor holds it and is dead; that run can't take it again.

    A live run renews its lease; a dead run's lapses within a minute, so this may wait that long. Raises ConflictError
    if the predecessor is alive.
    """
    index, blobs = takeover.index, resources.clients.store_of(takeover.index.service).runs
    if await _held(blobs, takeover) is None:
        return Done()
    name = lock_name(index.service, index.index)
    lease = str(uuid.uuid5(_TAKEOVERS, takeover.successor))
    for waited in range(0, LEASE_SECONDS + 2 * _POLL_SECONDS, _POLL_SECONDS):
        try:
            await blobs.acquire(name, lease, LEASE_SECONDS)
            break
        except ConflictError:
            if waited == 0:
                _LOG.warning(
                    "waiting up to %d s to see whether run %s is still alive", LEASE_SECONDS, takeover.predecessor
                )
            await resources.sleep(_POLL_SECONDS)
    else:
        raise ConflictError(
            f"the same job is already running as run {takeover.predecessor}",
            on=str(index),
            do="Wait for it, or cancel it first",
        )
    if (holder := await _held(blobs, takeover)) is not None:
        await note_lost(blobs, holder.known_run, index)
        if (unfinished := unfinished_of(holder)) is not None:
            await note_unfinished(blobs, index, unfinished)
        # Emptied and not deleted: a late write of the dead run, with its lapsed lease, would recreate a deleted blob.
        await blobs.put(name, b"", lease=lease)
    await blobs.release(name, lease)
    return Done()


async def _held(blobs: RunBlobs, takeover: LockTakeover) -> Holder | None:
    """Return what the lock says if the predecessor has it, else None."""
    holder = await read_holder(blobs, takeover.index)
    return holder if holder is not None and holder.run == takeover.predecessor else None


TAKE_OVER = Activity("take_over_lock", LockTakeover, Done, take_over_lock)
