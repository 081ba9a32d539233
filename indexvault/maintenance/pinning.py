"""Pin and protect snapshots, and let them go again, by the names in the settings."""

from datetime import datetime
from typing import Literal

import msgspec

from indexvault.clients import Clients
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Identity, Pin, pin, unpin
from indexvault.snapshots.protection import lift, protect


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


class ProtectResult(msgspec.Struct, frozen=True):
    """A snapshot that is protected now, and by whom."""

    reference: str
    protected_by: str


class UnprotectResult(msgspec.Struct, frozen=True):
    """What became of a request to lift a protection: `asked` waits for another person until `lapses`."""

    reference: str
    state: Literal["asked", "lifted"]
    asked_by: str
    lapses: datetime | None = None


async def protect_snapshot(
    clients: Clients, snapshot: SnapshotReference, by: Identity, reason: str, now: datetime
) -> ProtectResult:
    """Keep a snapshot from being removed by anything but two people. Raises NotFoundError, ConflictError."""
    store = clients.store_of(snapshot.service)
    await store.prepare()
    reference = (await resolve(store.snapshots, snapshot, now=now)).reference
    found = await protect(store, reference, by, reason, now)
    return ProtectResult(str(reference), str(found.protected_by))


async def unprotect_snapshot(
    clients: Clients, snapshot: SnapshotReference, by: Identity, now: datetime
) -> UnprotectResult:
    """Ask for a protection to be lifted, or lift it as the second person. Raises NotFoundError, ConflictError."""
    store = clients.store_of(snapshot.service)
    reference = (await resolve(store.snapshots, snapshot, now=now)).reference
    found = await lift(store, reference, by, now)
    return UnprotectResult(str(reference), found.state, found.asked_by, found.lapses)
