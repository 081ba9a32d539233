"""How a run takes the lock of an index from a dead one that it goes on with."""

import logging
import uuid

import msgspec

from engine.locking import Done
from engine.locks import LEASE_SECONDS, read_holder
from engine.step import IndexName, Resources, Step
from errors import ConflictError
from snapshots.names import lock_name
from snapshots.store import RunBlobs

_POLL_SECONDS = 3
_SUCCESSIONS = uuid.UUID("4f1d5a0e-5a2b-4b62-8f8b-0f7a3f5f0d11")
_LOG = logging.getLogger(__name__)


class Succession(msgspec.Struct, frozen=True):
    """That a run goes on with what its predecessor began on an index."""

    index: IndexName
    predecessor: str
    successor: str


async def succeed(resources: Resources, succession: Succession) -> Done:
    """Free the index's lock if its holder is the predecessor and is dead.

    A run that is alive renews its lease, a dead one's lapses within a minute. Raises ConflictError if it lives.
    """
    index, blobs = succession.index, resources.connections.store_of(succession.index.service).runs
    if not await _is_held(blobs, succession):
        return Done()
    name = lock_name(index.service, index.index)
    lease = str(uuid.uuid5(_SUCCESSIONS, succession.successor))
    for waited in range(0, LEASE_SECONDS + 2 * _POLL_SECONDS, _POLL_SECONDS):
        try:
            await blobs.acquire(name, lease, LEASE_SECONDS)
            break
        except ConflictError:
            if waited == 0:
                _LOG.warning(
                    "waiting up to %d s to see whether run %s is still alive", LEASE_SECONDS, succession.predecessor
                )
            await resources.sleep(_POLL_SECONDS)
    else:
        raise ConflictError(
            f"the same is under way as run {succession.predecessor}",
            on=str(index),
            do="Wait for it, or cancel it first",
        )
    if await _is_held(blobs, succession):
        # Emptied and not deleted: a late write of the dead run, with its lapsed lease, would make a deleted blob anew.
        await blobs.put(name, b"", lease=lease)
    await blobs.release(name, lease)
    return Done()


async def _is_held(blobs: RunBlobs, succession: Succession) -> bool:
    holder = await read_holder(blobs, succession.index)
    return holder is not None and holder.run == succession.predecessor


SUCCEED = Step("succeed_run", Succession, Done, succeed)
