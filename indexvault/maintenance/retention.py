"""What follows a backup: replicate, then prune; results go into the notes.

Both run only after a snapshot was made, so a policy whose backups fail removes nothing.
"""

import logging
from collections.abc import Mapping

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import ErrorRecord, IndexvaultError
from indexvault.maintenance.holds import live_holds
from indexvault.maintenance.protection import kept_versions, protection_of
from indexvault.settings.load import store_settings
from indexvault.settings.policies import replica_stores, retentions
from indexvault.settings.residency import require_resident, residencies
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.known import note_unrecorded
from indexvault.snapshots.names import SERVICE_OBJECTS, index_prefix
from indexvault.snapshots.pins import pins_by_id
from indexvault.snapshots.prune import PruneReport, Removal, decide_proved, prune_index
from indexvault.snapshots.replicate import ReplicationReport, replicate_index
from indexvault.snapshots.retention import Decision
from indexvault.snapshots.sharing import stored_only_in
from indexvault.snapshots.store import Protection, Store
from indexvault.snapshots.sweep import GRACE, sweep_index
from indexvault.snapshots.sweep_report import SweepReport
from indexvault.workflow.activity import Activity, Orchestration, ProgressUpdate, Resources, Workflow
from indexvault.workflow.calls import call

_LOG = logging.getLogger(__name__)


class MaintenanceJob(msgspec.Struct, frozen=True, kw_only=True):
    """An index whose snapshots are replicated and pruned."""

    service: str
    index: str


class MaintenanceReport(msgspec.Struct, frozen=True):
    """What was done, in sentences for the run's notes."""

    notes: list[str]


class PrunePlan(msgspec.Struct, frozen=True):
    """What pruning would do, or did, in one store. On a dry run `report` says only what a sweep would remove.

    `protection` says what the account keeps of what is deleted; None if nothing is to be deleted, or it does not say.
    `failure` is why nothing was done there. `frees` are the stored bytes that only the snapshots which go need, None if
    nobody asked: a sweep frees them a day later.
    """

    store: str
    decisions: list[Decision]
    report: PruneReport
    protection: Protection | None = None
    failure: ErrorRecord | None = None
    frees: int | None = None


async def replicate(resources: Resources, job: MaintenanceJob) -> MaintenanceReport:
    """Copy an index's snapshots, and those of its service's objects, to every store that its policies name.

    A store that fails is logged and noted, and does not stop the others.
    """
    source = resources.clients.store_of(job.service)
    notes = []
    for name in replica_stores(resources.clients.settings, job.service, job.index):
        try:
            await replicate_to(resources, MaintenanceJob(service=job.service, index=SERVICE_OBJECTS), source, name)
            report = await replicate_to(resources, job, source, name)
        except IndexvaultError as error:
            _LOG.error("replication of %s/%s to store %s failed: %s", job.service, job.index, name, error)
            notes.append(f"not copied to store {name}: {error.on}: {error.what}")
            continue
        notes += [f"{skipped.snapshot} not copied to store {name}: {skipped.why}" for skipped in report.skipped]
        if report.copied:
            notes.append(f"{len(report.copied)} snapshots copied to store {name} ({report.packs} packs)")
    return MaintenanceReport(notes)


async def replicate_to(resources: Resources, job: MaintenanceJob, source: Store, name: str) -> ReplicationReport:
    """Copy an index's snapshots to the store of a name, and return what was copied and skipped.

    Raises ConflictError if a policy keeps the index in regions that the store is not in.
    """
    settings = resources.clients.settings
    region = store_settings(settings, name).region
    require_resident(residencies(settings, job.service, job.index), [region], on=f"store {name}")
    replica = resources.clients.store(name)
    await replica.prepare()
    return await replicate_index(
        source,
        replica,
        job.service,
        job.index,
        clock=resources.clock,
        progress=lambda documents, size: resources.report(
            ProgressUpdate(stage="copy", documents=documents, bytes=size)
        ),
    )


async def prune(resources: Resources, job: MaintenanceJob) -> MaintenanceReport:
    """Remove the snapshots that no policy of the index keeps, from its service's store and from the replicas."""
    notes = []
    for plan in await prune_stores(resources, job, dry_run=False):
        report = plan.report
        if report.removed:
            notes.append(f"{len(report.removed)} snapshots removed from store {plan.store}")
        if report.sweep.hindrance:
            notes.append(f"no packs removed from store {plan.store}: {report.sweep.hindrance}")
        if report.sweep.not_rewritten:
            notes.append(f"packs not rewritten in store {plan.store}: {report.sweep.not_rewritten}")
        kept = kept_versions(plan.protection) if plan.protection is not None else None
        if kept is not None:
            notes.append(f"in store {plan.store} {kept}")
        refused = [*report.refused, *report.sweep.refused]
        if refused:
            notes.append(f"{len(refused)} blobs stay in store {plan.store}: {refused[0].blob}: {refused[0].why}")
    return MaintenanceReport(notes)


async def prune_stores(
    resources: Resources, job: MaintenanceJob, *, dry_run: bool, measure: bool = False
) -> list[PrunePlan]:
    """Decide which snapshots each store of an index keeps and, unless it is a dry run, remove the others.

    A pin or a hold in one store holds in all of them, so nothing is removed anywhere while one of them can't be asked.
    Whatever else fails in one store is logged, stands as the hindrance of its sweep, and does not stop the others; it
    is raised if it is so in all of them. With `measure` the plans say what removing snapshots frees, for which the
    manifests are read once more.
    """
    clients = resources.clients
    settings = clients.settings
    names = [clients.settings.services[job.service].store, *replica_stores(settings, job.service, job.index)]
    stores = {name: clients.store(name) for name in names}
    for store in stores.values():
        await store.prepare()
    pinned = await _pinned(stores, job)
    held = await live_holds(resources, names, job.service, job.index)
    needed = {snapshot: [hold.reason for hold in holds] for snapshot, holds in held.items()}
    plans: list[PrunePlan] = []
    failures: list[IndexvaultError] = []
    for name, store in stores.items():
        try:
            plans.append(await _prune_store(resources, job, store, pinned, needed, dry_run=dry_run, measure=measure))
        except IndexvaultError as error:
            _LOG.error("store %s is not pruned of %s/%s: %s", name, job.service, job.index, error)
            failures.append(error)
            sweep = SweepReport(hindrance=f"{error.on}: {error.what}")
            nothing = PruneReport(removed=(), pinned=(), refused=(), sweep=sweep)
            plans.append(PrunePlan(name, [], nothing, failure=error.record()))
    if len(failures) == len(stores):
        raise failures[0]
    return plans


async def _prune_store(
    resources: Resources,
    job: MaintenanceJob,
    store: Store,
    pinned: Mapping[str, str],
    needed: Mapping[str, list[str]],
    *,
    dry_run: bool,
    measure: bool,
) -> PrunePlan:
    snapshots = await list_snapshots(store.snapshots, job.service, job.index)
    decisions = await decide_proved(
        store,
        snapshots,
        retentions(resources.clients.settings, job.service, job.index),
        pinned,
        needed=needed,
        now=resources.clock(),
    )
    frees = await _frees(store, job, decisions) if measure else None
    if dry_run:
        sweep = await sweep_index(store, job.service, job.index, clock=resources.clock, grace=GRACE, dry_run=True)
        report = PruneReport(removed=(), pinned=(), refused=(), sweep=sweep)
        removes = bool(sweep.removed) or not all(each.keep for each in decisions)
        return PrunePlan(store.name, decisions, report, await _protection(store, job, removes=removes), frees=frees)
    await note_unrecorded(store.runs, job.service, job.index, snapshots)
    removals = [Removal(each.snapshot.id, "; ".join(each.reasons)) for each in decisions if not each.keep]
    report = await prune_index(
        store,
        job.service,
        job.index,
        removals,
        clock=resources.clock,
        runs_of=lambda name: resources.clients.store(name).runs,
    )
    removes = bool(report.removed or report.sweep.removed)
    return PrunePlan(store.name, decisions, report, await _protection(store, job, removes=removes), frees=frees)


async def _frees(store: Store, job: MaintenanceJob, decisions: list[Decision]) -> int:
    """Return the stored bytes that only the snapshots which go need. A service's objects have none."""
    if job.index == SERVICE_OBJECTS:
        return 0
    going = [each.snapshot for each in decisions if not each.keep]
    return await stored_only_in(store.snapshots, going, [each.snapshot for each in decisions if each.keep])


async def _protection(store: Store, job: MaintenanceJob, *, removes: bool) -> Protection | None:
    """Return what the account keeps of an index's deleted blobs. Nothing is asked where nothing is deleted."""
    return await protection_of(store, index_prefix(job.service, job.index)) if removes else None


async def _pinned(stores: Mapping[str, Store], job: MaintenanceJob) -> dict[str, str]:
    """Return the pinned snapshots by their ids, each with its pin in words."""
    found: dict[str, str] = {}
    for store in stores.values():
        for snapshot, pin in (await pins_by_id(store.runs, job.service, job.index)).items():
            if pin is not None and (pin.reason or pin.protected_by is not None):
                found[snapshot] = pin.words
            else:
                found.setdefault(snapshot, "pinned")
    return found


REPLICATE = Activity("replicate_snapshots", MaintenanceJob, MaintenanceReport, replicate)
PRUNE = Activity("prune_snapshots", MaintenanceJob, MaintenanceReport, prune)
ACTIVITIES = (REPLICATE, PRUNE)


def maintain(
    ctx: OrchestrationContext, job: MaintenanceJob, *, prunes: bool = True
) -> Orchestration[MaintenanceReport]:
    """Replicate, then prune if that is asked for.

    A failure ends it and goes into the notes: the snapshot that was made is still good.
    """
    notes: list[str] = []
    for activity in ACTIVITIES if prunes else (REPLICATE,):
        try:
            notes += (yield from call(ctx, activity, job)).notes
        except IndexvaultError as error:
            notes.append(f"{activity.name.replace('_', ' ')} failed: {error.on}: {error.what}")
            break
    return MaintenanceReport(notes)


MAINTAIN = Workflow("maintain_snapshots", MaintenanceJob, MaintenanceReport, maintain)
