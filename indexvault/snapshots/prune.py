"""Removing snapshots: the tombstone, the manifest, then the chunks that nothing names any more.

Which snapshots go is decided elsewhere (see `retention`); this is how they go. Cut off anywhere, it can be done again:
a snapshot is whole while its manifest is there, and gone as soon as it is not.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.model import Clock
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.pins import is_pinned
from indexvault.snapshots.retention import Decision, Retention, decide
from indexvault.snapshots.run_names import tombstone_name
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary, damaged_summary
from indexvault.snapshots.sweep import GRACE, Refusal, SweepReport, sweep_index
from indexvault.snapshots.tombstones import Tombstone, write_tombstone


class Removal(msgspec.Struct, frozen=True):
    """A snapshot, by its id, that is to go, and why in words."""

    snapshot: str
    reason: str


class PruneReport(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning an index came to.

    `removed` and `pinned` are ids: the second were pinned at the last moment, and stay. `refused` are manifests that
    the container did not let go: their snapshots stay whole.
    """

    removed: tuple[str, ...]
    pinned: tuple[str, ...]
    refused: tuple[Refusal, ...]
    sweep: SweepReport


async def decide_proved(
    store: Store,
    snapshots: Iterable[Summary],
    policies: Sequence[Retention],
    pinned: Collection[str] = frozenset(),
    *,
    now: datetime,
) -> list[Decision]:
    """Decide as `retention.decide` does, on manifests that were read.

    Listings come from metadata, which may be sound where the manifest is not. So where something is to go, the
    manifests are read; those that can't be count as damaged: they stay, and nothing goes for their sake.
    """
    known = list(snapshots)
    decisions = decide(known, policies, pinned, now=now)
    if all(each.keep for each in decisions):
        return decisions
    proved = [
        each if each.state == "damaged" or await _is_readable(store, each) else damaged_summary(each.reference)
        for each in known
    ]
    return decide(proved, policies, pinned, now=now)


async def prune_index(
    store: Store,
    service: str,
    index: str,
    removals: Sequence[Removal],
    *,
    clock: Clock,
    grace: timedelta = GRACE,
) -> PruneReport:
    """Remove snapshots of an index, then the chunks whose grace period is over, those of earlier removals among them.

    Raises ConflictError, and removes nothing, when no complete snapshot would be left of an index that has one, or when
    another sweep of the index runs.
    """
    await _require_complete(store, service, index, removals)
    removed: list[str] = []
    pinned: list[str] = []
    refused: list[Refusal] = []
    for removal in removals:
        reference = SnapshotReference(service=service, index=index, id=removal.snapshot)
        try:
            if await remove_snapshot(store, reference, removal.reason, clock()):
                removed.append(removal.snapshot)
            else:
                pinned.append(removal.snapshot)
        except NotFoundError:
            continue  # another prune was faster, and has left the tombstone
        except ConflictError as error:
            refused.append(Refusal(blob=manifest_name(service, index, removal.snapshot), why=error.what))
    sweep = await sweep_index(store, service, index, clock=clock, grace=grace)
    return PruneReport(removed=tuple(removed), pinned=tuple(pinned), refused=tuple(refused), sweep=sweep)


async def remove_snapshot(store: Store, reference: SnapshotReference, reason: str, now: datetime) -> bool:
    """Remove one snapshot unless it is pinned; give whether it is gone. Its chunks are left for a sweep.

    Raises ConflictError when the container does not let the manifest go, and NotFoundError when there is no such
    snapshot (any more): then nothing has changed.
    """
    service, index, snapshot = reference.service, reference.index, reference.id or ""
    await write_tombstone(store.runs, service, index, snapshot, await _tombstone(store, reference, reason, now))
    # After the tombstone: a pin that comes later sees it and gives up.
    if await is_pinned(store.runs, reference):
        await store.runs.delete(tombstone_name(service, index, snapshot))
        return False
    try:
        await store.snapshots.delete(manifest_name(service, index, snapshot))
    except ConflictError:
        await store.runs.delete(tombstone_name(service, index, snapshot))
        raise
    return True


async def _is_readable(store: Store, snapshot: Summary) -> bool:
    try:
        if snapshot.index == SERVICE_OBJECTS:
            await read_service_manifest(store.snapshots, snapshot.reference)
        else:
            await read_manifest(store.snapshots, snapshot)
    except (IntegrityError, NotFoundError):
        return False
    return True


async def _tombstone(store: Store, reference: SnapshotReference, reason: str, now: datetime) -> Tombstone:
    if reference.index == SERVICE_OBJECTS:
        return Tombstone(removed=now, reason=reason, chunks=())
    try:
        manifest = await read_manifest(store.snapshots, reference)
    except IntegrityError:
        return Tombstone(removed=now, reason=reason)
    return Tombstone(
        removed=now,
        reason=reason,
        generation=manifest.generation,
        chunks=tuple(chunk.sha256 for chunk in manifest.chunks),
    )


async def _require_complete(store: Store, service: str, index: str, removals: Sequence[Removal]) -> None:
    going = {removal.snapshot for removal in removals}
    complete = [
        snapshot.id
        for snapshot in await list_snapshots(store.snapshots, service, index)
        if snapshot.state == "complete"
    ]
    if complete and going.issuperset(complete):
        raise ConflictError(
            "no complete snapshot would be left",
            on=f"{service}/{index}",
            do="Keep at least the newest complete one",
        )
