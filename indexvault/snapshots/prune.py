"""Remove snapshots: write the tombstone, delete the manifest, then sweep the packs that no snapshot needs.

Which snapshots to remove is decided elsewhere; see `retention`. If it is interrupted anywhere, run it again: a snapshot
is whole while its manifest exists, and gone as soon as it does not.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.model import Clock
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.holds import REMOVAL_TIME, RunsOf, is_held
from indexvault.snapshots.known import forget_snapshot
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.pins import is_pinned
from indexvault.snapshots.retention import Decision, Retention, decide
from indexvault.snapshots.run_names import tombstone_name
from indexvault.snapshots.service_manifest import ServiceManifest, read_service_manifest
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary, damaged_summary, is_in_future, summarise
from indexvault.snapshots.sweep import GRACE, sweep_index
from indexvault.snapshots.sweep_report import Refusal, SweepReport
from indexvault.snapshots.tombstones import Tombstone, write_tombstone
from indexvault.snapshots.tree import Tree

type Outcome = Literal["removed", "pinned", "held"]


class Removal(msgspec.Struct, frozen=True):
    """A snapshot to remove, by its id, and why in words."""

    snapshot: str
    reason: str


class PruneReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of pruning an index.

    `removed`, `pinned` and `held` are ids; snapshots that were pinned at the last moment stay, and so do those that a
    restore or move came to need. `refused` are manifests that the container did not let go; their snapshots stay whole.
    """

    removed: tuple[str, ...]
    pinned: tuple[str, ...]
    held: tuple[str, ...] = ()
    refused: tuple[Refusal, ...]
    sweep: SweepReport


async def decide_proved(
    store: Store,
    snapshots: Iterable[Summary],
    policies: Sequence[Retention],
    pinned: Collection[str] = frozenset(),
    *,
    needed: Mapping[str, Sequence[str]] | None = None,
    now: datetime,
) -> list[Decision]:
    """Decide as `retention.decide` does, on manifests that were read.

    Listings come from metadata, which may be sound where the manifest is not. So if anything is to be removed, the
    manifests are read. Those that can't be read count as damaged: they stay, and replace no other snapshot.
    """
    known = list(snapshots)
    decisions = decide(known, policies, pinned, needed=needed or {}, now=now)
    if all(each.keep for each in decisions):
        return decisions
    proved = await proved_snapshots(store, known)
    return decide(proved, policies, pinned, needed=needed or {}, now=now)


async def prune_index(
    store: Store,
    service: str,
    index: str,
    removals: Sequence[Removal],
    *,
    clock: Clock,
    grace: timedelta = GRACE,
    runs_of: RunsOf | None = None,
) -> PruneReport:
    """Remove snapshots of an index, then sweep: see `sweep_index`.

    `runs_of` finds the records that say whether the run of a hold has ended; without it every hold there is this
    store's.
    Raises ConflictError, and removes nothing, if no complete snapshot would be left of an index that has one. Raises
    ConflictError if another sweep of the index is running.
    """
    known = await list_snapshots(store.snapshots, service, index)
    require_complete(known, {removal.snapshot for removal in removals}, clock())
    outcomes: dict[str, Outcome] = {}
    refused: list[Refusal] = []
    for removal in removals:
        reference = SnapshotReference(service=service, index=index, id=removal.snapshot)
        try:
            outcomes[removal.snapshot] = await remove_snapshot(
                store, reference, removal.reason, clock=clock, runs_of=runs_of
            )
        except NotFoundError:
            continue  # another prune was faster and wrote the tombstone
        except ConflictError as error:
            refused.append(Refusal(blob=manifest_name(service, index, removal.snapshot), why=error.what))
    sweep = await sweep_index(store, service, index, clock=clock, grace=grace)

    def of(wanted: Outcome) -> tuple[str, ...]:
        return tuple(snapshot for snapshot, outcome in outcomes.items() if outcome == wanted)

    return PruneReport(removed=of("removed"), pinned=of("pinned"), held=of("held"), refused=tuple(refused), sweep=sweep)


async def remove_snapshot(
    store: Store, reference: SnapshotReference, reason: str, *, clock: Clock, runs_of: RunsOf | None = None
) -> Outcome:
    """Remove one snapshot unless it is pinned or held, and return what became of it. A sweep comes later.

    Raises ConflictError if the container does not let the manifest go, NotFoundError if there is no such snapshot (any
    more). In both cases nothing has changed.
    """
    service, index, snapshot = reference.service, reference.index, reference.id or ""
    tombstone = await _tombstone(store, reference, reason, clock())
    while True:
        await write_tombstone(store.runs, service, index, snapshot, tombstone)
        # After the tombstone, so that a pin or a hold that is set later sees it and gives up.
        kept = await _keeper(store, reference, runs_of or (lambda _name: store.runs), tombstone.removed)
        # A process that was suspended meanwhile has a tombstone that looks like an interrupted removal's.
        if kept is not None or clock() - tombstone.removed < REMOVAL_TIME / 3:
            break
        tombstone = msgspec.structs.replace(tombstone, removed=clock())
    if kept is not None:
        await store.runs.delete(tombstone_name(service, index, snapshot))
        return kept
    try:
        await store.snapshots.delete(manifest_name(service, index, snapshot))
    except ConflictError:
        await store.runs.delete(tombstone_name(service, index, snapshot))
        raise
    await forget_snapshot(store.runs, reference)
    return "removed"


async def _keeper(store: Store, reference: SnapshotReference, runs_of: RunsOf, now: datetime) -> Outcome | None:
    """Return what keeps a snapshot from being removed, or None."""
    if await is_pinned(store.runs, reference):
        return "pinned"
    return "held" if await is_held(store.runs, reference, runs_of, now) else None


async def proved_snapshots(store: Store, known: Iterable[Summary]) -> list[Summary]:
    """Return summaries as the manifests bear them out: what can't be read counts as damaged."""
    return [each if each.state == "damaged" else await _proved(store, each) for each in known]


async def _proved(store: Store, snapshot: Summary) -> Summary:
    """Return a summary as its manifest bears it out: damaged if that can't be read, not authentic if it is not."""
    manifest: Manifest | ServiceManifest
    try:
        if snapshot.index == SERVICE_OBJECTS:
            manifest = await read_service_manifest(store.snapshots, snapshot.reference)
        else:
            manifest = await read_manifest(store.snapshots, snapshot)
    except (IntegrityError, NotFoundError):
        return damaged_summary(snapshot.reference)
    if manifest.authenticity == "unauthentic":
        return msgspec.structs.replace(snapshot, authenticity="unauthentic")
    if isinstance(manifest, Manifest):
        return msgspec.structs.replace(summarise(manifest), authenticity=snapshot.authenticity)
    return msgspec.structs.replace(snapshot, state=manifest.state, tags=manifest.tags, expires=manifest.expires)


async def _tombstone(store: Store, reference: SnapshotReference, reason: str, now: datetime) -> Tombstone:
    if reference.index == SERVICE_OBJECTS:
        return Tombstone(removed=now, reason=reason, tree=Tree())
    try:
        manifest = await read_manifest(store.snapshots, reference)
    except IntegrityError:
        return Tombstone(removed=now, reason=reason)
    return Tombstone(removed=now, reason=reason, generation=manifest.generation, tree=manifest.tree)


def require_complete(known: Sequence[Summary], going: Collection[str], now: datetime) -> None:
    """Raise ConflictError if an index that has complete snapshots would keep none; `going` are the ids that go.

    Nor may its presumed snapshots stay without one whose run read the whole index, if there is one.
    """
    complete = [snapshot for snapshot in known if snapshot.state == "complete" and snapshot.is_trusted]
    # One dated in the future stands for none of the others: `@latest` never means it.
    usual = [snapshot.id for snapshot in complete if not is_in_future(snapshot.created, now)]
    every = [snapshot.id for snapshot in complete]
    if any(ids and set(going).issuperset(ids) for ids in (usual, every)):
        raise ConflictError(
            "no complete snapshot would be left; nothing was deleted",
            on=f"{complete[0].service}/{complete[0].index}",
            do="Keep at least the newest complete one",
        )
    proved = [snapshot for snapshot in known if snapshot.is_proved and snapshot.is_trusted]
    stays_presumed = any(each.state == "presumed" and each.id not in going for each in known)
    if proved and stays_presumed and all(each.id in going for each in proved):
        raise ConflictError(
            "only presumed snapshots would be left; nothing was deleted",
            on=f"{proved[0].service}/{proved[0].index}",
            do="Keep at least the newest one whose run read the whole index",
        )
