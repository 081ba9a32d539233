"""Pin snapshots and unpin them, by the names in the settings."""

from datetime import datetime

import msgspec

from indexvault.clients import Clients
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Pin, pin, unpin


class PinResult(msgspec.Struct, frozen=True):
    """A snapshot that is pinned now."""

    reference: str


class UnpinResult(msgspec.Struct, frozen=True):
    """A snapshot that is not pinned now, and whether it was."""

    reference: str
    was_pinned: bool


async def pin_snapshot(clients: Clients, snapshot: SnapshotReference, reason: str, now: datetime) -> PinResult:
    """Keep a snapshot from being pruned, whatever the policies say. An existing pin stays as it is.

    Raises NotFoundError if there is no such service or snapshot, ConflictError if it is being removed at this moment.
    """
    store = clients.store_of(snapshot.service)
    await store.prepare()
    return PinResult(str(await pin(store, snapshot, Pin(now, reason))))


async def unpin_snapshot(clients: Clients, snapshot: SnapshotReference, now: datetime) -> UnpinResult:
    """Let the policies decide on a snapshot again. Raises NotFoundError if there is no such service or snapshot."""
    store = clients.store_of(snapshot.service)
    reference = (await resolve(store.snapshots, snapshot, now=now)).reference
    return UnpinResult(str(reference), await unpin(store.runs, reference))
