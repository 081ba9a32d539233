"""Free an index that a dead run has locked."""

from typing import Literal

import msgspec

from indexvault.clients import Clients
from indexvault.errors import IntegrityError
from indexvault.model import Clock, IndexName
from indexvault.workflow.lock import unlock
from indexvault.workflow.lock_holder import read_holder


class Unlocked(msgspec.Struct, frozen=True):
    """An index that no run has locked now. `lock` says whether one had, `had` which and who started it, if known."""

    service: str
    index: str
    lock: Literal["unlocked", "free"]
    had: str | None


async def unlock_index(clients: Clients, index: IndexName, clock: Clock) -> Unlocked:
    """Take the lock of an index from whatever run has it. That run can't commit after this, nor take the lock again.

    A lock that has been released, or has expired, was none.

    Raises NotFoundError for an unknown service, ConflictError if the lock keeps coming back.
    """
    store = clients.store_of(index.service)
    await store.prepare()
    try:
        holder = await read_holder(store.runs, index)
    except IntegrityError:
        # A lock that can't be read is repaired by taking it away.
        holder = None
    counted = holder is None or holder.counts(clock())
    is_free = await unlock(store.runs, index, clock=clock) == "free" or not counted
    had = None if holder is None or is_free else f"run {holder.run} ({holder.owner})"
    return Unlocked(index.service, index.index, "free" if is_free else "unlocked", had)
