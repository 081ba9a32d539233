"""Pins keep snapshots from being pruned until they are unpinned."""

import contextlib
import logging
import re
from typing import Literal

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.records import RecordStore, id_of
from indexvault.snapshots.run_names import pin_name, pins_prefix, tombstone_name
from indexvault.snapshots.store import RunBlobs, Store


class Identity(msgspec.Struct, frozen=True):
    """Who asks, as far as that is known: a signed-in `principal`, the holder of a function `key`, or an `operator`.

    `id` tells identities of one kind apart, `name` is for people: an account, the beginning of a key's hash, or user
    and machine.
    """

    kind: Literal["principal", "key", "operator"]
    id: str
    name: str

    def __str__(self) -> str:
        """As a person reads it."""
        return {"principal": self.name, "key": f"function key {self.name}", "operator": f"operator {self.name}"}[
            self.kind
        ]


class Release(msgspec.Struct, frozen=True):
    """A request to lift a protection, which another person is to confirm."""

    by: Identity
    at: AwareTime


class Pin(msgspec.Struct, frozen=True):
    """Keeps a snapshot: since when and, in the operator's words, why.

    With `protected_by` it is a protection, which `protection` alone lifts; `release` is a request for that.
    """

    since: AwareTime
    reason: str = ""
    protected_by: Identity | None = None
    release: Release | None = None

    @property
    def words(self) -> str:
        """Why the snapshot stays."""
        what = "pinned" if self.protected_by is None else f"protected by {self.protected_by}"
        said = f"{what}: {self.reason}" if self.reason else what
        return said if self.release is None else f"{said} ({self.release.by} asks to lift it)"


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
    """Let policies decide on a snapshot again; return False if it was not pinned. The reference must have an id.

    Raises ConflictError if it is protected: two people lift that.
    """
    name = pin_name(reference.service, reference.index, reference.id or "")
    try:
        found = await RecordStore(runs, Pin).read_version(name)
    except IntegrityError:
        unreadable = await runs.read(name, _ANY_SIZE)
        if unreadable is not None and _PROTECTED.search(unreadable.data):
            raise ConflictError(
                "its protection can't be read, and may be another person's",
                on=str(reference),
                do=f"Use the newest indexvault; if the record is damaged, delete {name} from the runs container",
            ) from None
        return await runs.delete(name, if_match=None if unreadable is None else unreadable.etag)
    if found is None:
        return False
    if found.record.protected_by is not None:
        raise ConflictError(
            f"it is {found.record.words}",
            on=str(reference),
            do="Two people lift a protection: indexvault unprotect, by one and then by another",
        )
    return await runs.delete(name, if_match=found.etag)


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
_PROTECTED = re.compile(rb'"protected_by"\s*:\s*(?!null)')
