"""Pins: snapshots that no policy removes until they are unpinned."""

import contextlib

import msgspec

from indexvault.errors import ConflictError
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import SnapshotReference, pin_name, pins_prefix, tombstone_name
from indexvault.snapshots.records import read_record, read_records
from indexvault.snapshots.store import RunBlobs, Store


class Pin(msgspec.Struct, frozen=True):
    """That a snapshot is to be kept, since when and, in the operator's words, why."""

    since: AwareTime
    reason: str = ""


async def pin(store: Store, reference: SnapshotReference, wanted: Pin) -> SnapshotReference:
    """Keep a snapshot from being pruned and give its id. A pin that is there already stays as it is.

    Raises NotFoundError when there is no such snapshot, ConflictError when it is being removed at this moment.
    """
    snapshot = (await resolve(store.snapshots, reference)).id
    name = pin_name(reference.service, reference.index, snapshot)
    own: str | None = None
    with contextlib.suppress(ConflictError):
        own = await store.runs.put(name, msgspec.json.encode(wanted), if_absent=True)
    # A removal writes its tombstone and then looks for a pin: one of the two sees the other.
    if await store.runs.read(tombstone_name(reference.service, reference.index, snapshot), _ANY_SIZE) is not None:
        if own is not None:  # a pin that was there already is somebody's word, and may be what stops the removal
            await store.runs.delete(name, if_match=own)
        raise ConflictError(
            "the snapshot is being removed",
            on=f"snapshot {reference.service}/{reference.index}@{snapshot}",
            do="See with `indexvault snapshots` whether it is still there, and pin another",
        )
    return SnapshotReference(service=reference.service, index=reference.index, id=snapshot)


async def unpin(runs: RunBlobs, reference: SnapshotReference) -> bool:
    """Let policies decide on a snapshot again; give False when it was not pinned. The reference must have an id."""
    return await runs.delete(pin_name(reference.service, reference.index, reference.id or ""))


async def is_pinned(runs: RunBlobs, reference: SnapshotReference) -> bool:
    """Return whether a snapshot is pinned, whatever is in the pin."""
    return await runs.read(pin_name(reference.service, reference.index, reference.id or ""), _ANY_SIZE) is not None


async def read_pin(runs: RunBlobs, reference: SnapshotReference) -> Pin | None:
    """Return the pin of a snapshot, or None when it has none."""
    return await read_record(runs, pin_name(reference.service, reference.index, reference.id or ""), Pin)


async def read_pins(runs: RunBlobs, service: str, index: str) -> dict[str, Pin]:
    """Return the pins of an index's snapshots by their ids. Raises IntegrityError for one that can't be read."""
    return {snapshot: record async for snapshot, record in read_records(runs, pins_prefix(service, index), Pin)}


_ANY_SIZE = 1 << 31
