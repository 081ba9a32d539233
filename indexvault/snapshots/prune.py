"""Remove snapshots: write the tombstone, delete the manifest, then sweep the chunks that no manifest names.

Which snapshots to remove is decided elsewhere; see `retention`. If it is interrupted anywhere, run it again: a snapshot
is whole while its manifest exists, and gone as soon as it does not.
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
    """A snapshot to remove, by its id, and why in words."""

    snapshot: str
    reason: str


class PruneReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of pruning an index.

    `removed` and `pinned` are ids; snapshots that were pinned at the last moment stay. `refused` are manifests that the
    container did not let go; their snapshots stay whole.
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

    Listings come from metadata, which may be sound where the manifest is not. So if anything is to be removed, the
    manifests are read. Those that can't be read count as damaged: they stay, and replace no other snapshot.
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
    """Remove snapshots of an index, then all chunks whose grace period is over, from earlier removals too.

    Raises ConflictError, and removes nothing, if no complete snapshot would be left of an index that has one. Raises
    ConflictError if another sweep of the index is running.
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
            continue  # another prune was faster and wrote the tombstone
        except ConflictError as error:
            refused.append(Refusal(blob=manifest_name(service, index, removal.snapshot), why=error.what))
    sweep = await sweep_index(store, service, index, clock=clock, grace=grace)
    return PruneReport(removed=tuple(removed), pinned=tuple(pinned), refused=tuple(refused), sweep=sweep)


async def remove_snapshot(store: Store, reference: SnapshotReference, reason: str, now: datetime) -> bool:
    """Remove one snapshot unless it is pinned, and return whether it was removed. A sweep removes its chunks later.

    Raises ConflictError if the container does not let the manifest go, NotFoundError if there is no such snapshot (any
    more). In both cases nothing has changed.
    """
    service, index, snapshot = reference.service, reference.index, reference.id or ""
    await write_tombstone(store.runs, service, index, snapshot, await _tombstone(store, reference, reason, now))
    # After the tombstone, so that a pin set later sees it and gives up.
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
