"""Protect snapshots from deletion until two people lift it: one asks, another one confirms.

A protection is a pin that `unpin` does not remove, so all that spares pinned snapshots spares protected ones. The rule
is kept by this code: whoever can write to the runs container by other means can remove the record. Only an immutability
policy of the container keeps the blobs themselves.
"""

import logging
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from indexvault.errors import ConflictError, NotFoundError
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Identity, Pin, Release, pin
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import pin_name
from indexvault.snapshots.store import Store

RELEASE_LAPSES = timedelta(days=7)
"""How long a request to lift a protection waits for the second person."""
_ATTEMPTS = 5
_LOG = logging.getLogger(__name__)


class Lifted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to lift a protection: it waits for another person until `lapses`, or it is lifted."""

    state: Literal["asked", "lifted"]
    asked_by: str
    lapses: datetime | None = None


async def protect(store: Store, reference: SnapshotReference, by: Identity, reason: str, now: datetime) -> Pin:
    """Protect a snapshot by its id, and return the protection. A pin becomes one; a request to lift it is withdrawn.

    Raises NotFoundError if there is no such snapshot, ConflictError if it is being removed at this moment.
    """
    name = pin_name(reference.service, reference.index, reference.id or "")
    records = RecordStore(store.runs, Pin)
    await pin(store, reference, Pin(now, reason, protected_by=by))
    for _ in range(_ATTEMPTS):
        version = await records.read_version(name)
        if version is None:
            await pin(store, reference, Pin(now, reason, protected_by=by))
            continue
        wanted = replace(
            version.record,
            reason=reason or version.record.reason,
            protected_by=version.record.protected_by or by,
            release=None,
        )
        if wanted == version.record:
            return wanted
        try:
            await records.write(name, wanted, if_match=version.etag)
        except ConflictError:
            continue
        return wanted
    raise _busy(reference)


async def lift(store: Store, reference: SnapshotReference, by: Identity, now: datetime) -> Lifted:
    """Ask for a protection to be lifted or, as another person than the one who has asked, lift it.

    Both must be known in the same way, since one person may well have an account and a key. Raises NotFoundError if
    the snapshot is not protected.
    """
    name = pin_name(reference.service, reference.index, reference.id or "")
    records = RecordStore(store.runs, Pin)
    for _ in range(_ATTEMPTS):
        version = await records.read_version(name)
        if version is None or version.record.protected_by is None:
            raise NotFoundError("it is not protected", on=str(reference), do="See with `indexvault snapshots` what is")
        asked = version.record.release
        try:
            if asked is not None and is_pending(asked, now) and is_another(asked.by, by):
                await records.remove(name, if_match=version.etag)
                _LOG.warning("%s is no longer protected: asked by %s, confirmed by %s", reference, asked.by, by)
                return Lifted(state="lifted", asked_by=str(asked.by))
            if asked is None or not is_pending(asked, now) or asked.by.kind != by.kind:
                asked = Release(by=by, at=now)
                await records.write(name, replace(version.record, release=asked), if_match=version.etag)
        except ConflictError:
            continue
        return Lifted(state="asked", asked_by=str(asked.by), lapses=asked.at + RELEASE_LAPSES)
    raise _busy(reference)


def is_pending(release: Release, now: datetime) -> bool:
    """Return whether a request still waits for the second person. One from the future, by a wrong clock, does not."""
    return timedelta(0) <= now - release.at + timedelta(minutes=5) <= RELEASE_LAPSES


def is_another(one: Identity, other: Identity) -> bool:
    """Return whether two identities are of two people, as far as can be told."""
    return one.kind == other.kind and one.id != other.id


def _busy(reference: SnapshotReference) -> ConflictError:
    return ConflictError("its protection keeps changing", on=str(reference), do="Try again")
