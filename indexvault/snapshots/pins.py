"""Pins keep snapshots from being pruned until they are unpinned."""

import contextlib
import logging

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.records import RecordStore, id_of
from indexvault.snapshots.run_names import pin_name, pins_prefix, tombstone_name
from indexvault.snapshots.store import RunBlobs, Store


class Pin(msgspec.Struct, frozen=True):
    """Keeps a snapshot: since when and, in the operator's words, why."""

    since: AwareTime
    reason: str = ""


async def pin(store: Store, reference: SnapshotReference, wanted: Pin) -> SnapshotReference:
    """Keep a snapshot from being pruned and return its reference with its id. An existing pin stays as it is.

    Raises NotFoundError if there is no such snapshot, ConflictError if it is being removed at this moment.
    """
    snapshot = (await resolve(store.snapshots, reference, now=wanted.since)).id
    name = pin_name(reference.service, reference.index, snapshot)
    own: str | None = None
    with contextlib.suppress(ConflictError):
        own = await RecordStore(store.runs, Pin).write(name, wanted, if_absent=True)
    # A removal writes its tombstone and then looks for a pin: one of the two sees the other.
    if await store.runs.read(tombstone_name(reference.service, reference.index, snapshot), _ANY_SIZE) is not None:
        if own is not None:  # an existing pin is another caller's, and may be what stops the removal
            await store.runs.delete(name, if_match=own)
        raise ConflictError(
            "the snapshot is being removed",
            on=f"snapshot {reference.service}/{reference.index}@{snapshot}",
            do="See with `indexvault snapshots` whether it is still there, and pin another",
        )
    return SnapshotReference(service=reference.service, index=reference.index, id=snapshot)


async def unpin(runs: RunBlobs, reference: SnapshotReference) -> bool:
    """Let policies decide on a snapshot again; return False if it was not pinned. The reference must have an id."""
    return await runs.delete(pin_name(reference.service, reference.index, reference.id or ""))


async def is_pinned(runs: RunBlobs, reference: SnapshotReference) -> bool:
    """Return whether a snapshot is pinned, even if the pin can't be decoded or read."""
    try:
        return await runs.read(pin_name(reference.service, reference.index, reference.id or ""), _ANY_SIZE) is not None
    except IntegrityError as error:
        _LOG.warning("a pin that can't be read keeps its snapshot: %s", error)
        return True


async def pins_by_id(runs: RunBlobs, service: str, index: str) -> dict[str, Pin | None]:
    """Return the pins of an index's snapshots by their ids. One that can't be read is logged and None: it keeps too."""
    found: dict[str, Pin | None] = {}
    async for blob in runs.list(pins_prefix(service, index)):
        try:
            record = await RecordStore(runs, Pin).read(blob.name)
        except IntegrityError as error:
            _LOG.warning("a pin that can't be read keeps its snapshot: %s", error)
            found[id_of(blob.name)] = None
        else:
            if record is not None:
                found[id_of(blob.name)] = record
    return found


_LOG = logging.getLogger(__name__)
_ANY_SIZE = 1 << 31
