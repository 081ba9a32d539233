"""Account for every document and write the manifest: the last step of a backup."""

import logging
from collections.abc import Sequence
from datetime import datetime

import msgspec

from indexvault.backup.accounting import Agreement
from indexvault.backup.changes.proof import find_missed
from indexvault.backup.definition_changes import concerns_only_searching, same_definition
from indexvault.backup.definitions import read_index_definition, read_synonym_map, withheld_from_index
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.losses import DOCUMENTS, is_lost_content, lost_content
from indexvault.backup.messages import to_supply, undeclared
from indexvault.backup.partition import Partition
from indexvault.backup.state import (
    CollectedPartition,
    OpenPart,
    Plan,
    Settling,
    partition_record,
    require,
    require_plan,
    settling_record,
)
from indexvault.backup.tree_building import Built, build_tree, merged_tree
from indexvault.errors import AccountingError, IntegrityError, NotFoundError, OutdatedReadingError, RemoteError
from indexvault.model import IndexName
from indexvault.search.client import SearchService
from indexvault.search.schema import read_schema
from indexvault.search.secret_scan import is_for_secrets
from indexvault.snapshots import known
from indexvault.snapshots.announcements import (
    RELIED_ON_FOR,
    Announced,
    Announcement,
    announce_once,
    forget_announcement,
    read_announcement,
)
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import (
    Counts,
    Definition,
    Etags,
    Manifest,
    Reading,
    SynonymMap,
    Unsettled,
    UnsettledPart,
    state_of,
)
from indexvault.snapshots.names import SnapshotReference, is_snapshot_id, snapshot_id
from indexvault.snapshots.restored import read_restored
from indexvault.snapshots.run_names import announcement_name
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import is_in_future, summarise
from indexvault.snapshots.unchanged import note_unchanged, read_unchanged
from indexvault.snapshots.writer import commit_announced
from indexvault.version import VERSION
from indexvault.workflow.activity import Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.patience import TOLD_AFTER, Patience, in_minutes, settle_seconds
from indexvault.workflow.payload_size import SHOW, listed
from indexvault.workflow.telemetry import note_missed, note_snapshot

_LOG = logging.getLogger(__name__)

_NEWER = (
    "the index's definition was changed while the documents were read, but in nothing that they depend on: the"
    " snapshot has the newer one"
)


class _IndexDescription(msgspec.Struct, frozen=True):
    """The definitions that the snapshot gets, and the index's ETag after it was read."""

    definition: Definition
    synonym_maps: list[SynonymMap]
    etag: str


async def commit_snapshot(resources: Resources, job: BackupJob, *, limits: Limits = LIMITS) -> BackupReport:
    """Account for every document and write the manifest, unless an earlier attempt of this run has done so.

    Raises AccountingError or UnreadableIndexError if the documents do not agree with the service's counts,
    OutdatedReadingError if they no longer agree with the definition or if one of their chunks is gone.
    """
    store = resources.clients.store_of(job.service)
    try:
        return await _commit(resources, job, store, limits)
    except IntegrityError:
        # An attempt that was interrupted after its commit may have cleared some of the checkpoints already.
        manifest = await _committed(store, job)
        if manifest is not None:
            return _report(manifest, [])
        unchanged = await _noted_unchanged(resources, store, job)
        if unchanged is None:
            raise
        return unchanged


async def _committed(store: Store, job: BackupJob) -> Manifest | None:
    """Return the manifest that this run has written of what it read by its plan, or None.

    A command that was killed after its commit reads the index again under the same name: what it had read before that
    is another snapshot.
    """
    for summary in await list_snapshots(store.snapshots, job.service, job.index):
        if summary.run == job.run and summary.state != "damaged" and summary.is_trusted:
            manifest = await read_manifest(store.snapshots, summary)
            if manifest.authenticity != "unauthentic" and job.planned in {None, manifest.started}:
                return manifest
    return None


async def _commit(resources: Resources, job: BackupJob, store: Store, limits: Limits) -> BackupReport:
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    announcement = announcement_name(job.service, job.index, plan.id)
    # A sweep removes an old announcement.
    is_old = resources.clock() - plan.started >= RELIED_ON_FOR
    if is_old or await read_announcement(store.runs, announcement) is not None:
        manifest = await _committed(store, job)
        if manifest is not None:
            return await _finish(resources, job, store, manifest, announcement=announcement)
    settling = await require(checkpoints, settling_record(plan), Settling, job) if plan.partitions else None
    on = f"{job.service} index {job.index}"
    built = await (
        build_tree(store, job, plan, settling, limits) if plan.changes is None else merged_tree(checkpoints, job, plan)
    )
    documents = built.tree.documents
    reading = await _reading(checkpoints, job, plan, built)
    service = resources.clients.service(job.service)
    described, notes = await _describe(resources, job, plan, documents, on=on)
    if plan.changes is not None and built.found:
        notes = [*notes, undeclared(built.found, plan.changes.field)]
    unsettled = _unsettled(settling, plan, built)
    counted, waited = await _accounted(resources, service, job, plan, documents, is_open=unsettled is not None)
    if waited >= TOLD_AFTER:
        notes = [*notes, f"the service's counts took {in_minutes(waited)} to settle"]
    withheld = withheld_from_index(job.index, described.definition, described.synonym_maps)
    losses = [*(loss for loss in plan.losses if not is_lost_content(loss)), *lost_content(withheld)]
    if plan.changes is not None and unsettled is None:
        base = await _base(store, plan.changes.base)
        if _is_as(base, built, described) and _carries(base, job):
            return await _finish_unchanged(resources, job, store, plan, base=base, notes=notes)
    now = resources.clock()
    announced = await announce_once(
        store.runs,
        announcement,
        Announcement(
            made=now,
            generation=plan.generation,
            tree=built.tree,
            id=snapshot_id(now, resources.rng.randbytes(3)),
            created=now,
        ),
        is_valid=lambda found: _is_possible(found, plan, now),
    )
    created = announced.created or now
    presumption = plan.changes.presumption if plan.changes is not None else None
    manifest = Manifest(
        id=announced.id,
        service=job.service,
        index=job.index,
        state=state_of(losses=losses, unsettled=unsettled, presumption=presumption),
        losses=tuple(losses),
        unsettled=unsettled,
        presumption=presumption,
        created=created,
        started=plan.started,
        finished=created,
        tool=f"indexvault {VERSION}",
        run=job.run,
        key_field=plan.key_field,
        definition=described.definition,
        synonym_maps=tuple(described.synonym_maps),
        withheld=tuple(withheld),
        counts=Counts(before=plan.counted, after=counted, documents=documents),
        etag=Etags(before=plan.etag, after=described.etag),
        reading=reading,
        boundary_bits=plan.boundary_bits,
        generation=plan.generation,
        bytes=built.tree.bytes,
        stored=built.tree.stored,
        added=built.added,
        content_digest=built.digest,
        tree=built.tree,
        description=job.labels.description,
        tags=job.labels.tags,
        expires=job.labels.expiry(created),
    )
    if plan.changes is None:
        restored = await read_restored(store.runs, IndexName(job.service, job.index), now)
        missed = await find_missed(store.snapshots, manifest, restored=restored)
        manifest = msgspec.structs.replace(manifest, missed=missed)
    try:
        await commit_announced(
            store,
            manifest,
            built.used,
            clock=resources.clock,
            fence=resources.fence,
            shared_with=plan.changes.base if plan.changes is not None else None,
            earlier=Announced(announcement, announced.made),
        )
    except IntegrityError as error:
        raise OutdatedReadingError(error.what, on=error.on, do=error.do) from error
    return await _finish(resources, job, store, manifest, notes, announcement=announcement)


def _is_possible(announced: Announcement, plan: Plan, now: datetime) -> bool:
    """Return whether a snapshot of a plan can have the id and the time of an announcement."""
    created = announced.created
    if created is None or is_in_future(created, now) or created < plan.started:
        return False
    return is_snapshot_id(announced.id) and announced.id.startswith(f"{created:%Y%m%dT%H%M%SZ}-")


async def _finish(
    resources: Resources,
    job: BackupJob,
    store: Store,
    manifest: Manifest,
    notes: Sequence[str] = (),
    *,
    announcement: str,
) -> BackupReport:
    """Do what follows a commit, however often: note the snapshot, clear the run's checkpoints and the announcement.

    In this order: a commit that is repeated finds the announcement, or no plan any more, and so the manifest.
    """
    await known.note_snapshot(store.runs, summarise(manifest))
    if await _clear(store, job):
        await forget_announcement(store.runs, announcement)
    if manifest.state in {"complete", "presumed"}:
        is_proved = manifest.state == "complete"
        note_snapshot(job.service, job.index, manifest.created, resources.clock, proved=is_proved)
    if manifest.missed is not None and manifest.missed.documents:
        note_missed(job.service, job.index, manifest.missed.documents)
        notes = [*notes, f"{manifest.missed.words}: {manifest.missed.advice}"]
        _LOG.warning("%s/%s: %s", job.service, job.index, manifest.missed.words)
    return _report(manifest, notes)


async def _base(store: Store, reference: SnapshotReference) -> Manifest:
    """Read the snapshot that changes were merged into. Raises OutdatedReadingError if it is gone."""
    try:
        return await read_manifest(store.snapshots, reference)
    except (IntegrityError, NotFoundError) as error:
        raise OutdatedReadingError(error.what, on=error.on, do=error.do) from error


def _is_as(base: Manifest, built: Built, described: _IndexDescription) -> bool:
    """Return whether an index is in everything as in its last snapshot, its ETag included."""
    return (
        (built.tree, built.digest) == (base.tree, base.content_digest)
        and described.etag == base.etag.after
        and same_definition(described.definition, base.definition)
        and [each.name for each in described.synonym_maps] == [each.name for each in base.synonym_maps]
        and all(
            same_definition(one.definition, other.definition)
            for one, other in zip(described.synonym_maps, base.synonym_maps, strict=True)
        )
    )


def _carries(base: Manifest, job: BackupJob) -> bool:
    """Return whether the last snapshot carries what one of this job would, and for as long."""
    wanted = job.labels
    return (base.description, base.tags, base.expires, None) == (wanted.description, wanted.tags, None, wanted.expires)


async def _finish_unchanged(
    resources: Resources, job: BackupJob, store: Store, plan: Plan, *, base: Manifest, notes: list[str]
) -> BackupReport:
    """Record that the index is as in its last snapshot, and clear the run's checkpoints. May be done again."""
    await resources.fence()
    reference = SnapshotReference(service=job.service, index=job.index, id=base.id)
    await note_unchanged(store.runs, reference, began=plan.started, run=job.run)
    await _clear(store, job)
    return _unchanged_report(base, plan.started, resources.clock(), notes)


async def _noted_unchanged(resources: Resources, store: Store, job: BackupJob) -> BackupReport | None:
    """Return the report of this run if it has recorded that the index is as in its last snapshot."""
    noted = await read_unchanged(store.runs, job.service, job.index, now=resources.clock())
    for reference, record in noted.items():
        if record.run == job.run and job.planned in {None, record.last}:
            return _unchanged_report(await _base(store, reference), record.last, record.last, [])
    return None


def _unchanged_report(base: Manifest, started: datetime, finished: datetime, notes: list[str]) -> BackupReport:
    return msgspec.structs.replace(
        _report(base, notes), unchanged=True, started=started, finished=finished, added_chunks=0, added_bytes=0
    )


async def _clear(store: Store, job: BackupJob) -> bool:
    """Clear the run's checkpoints, and return whether that was possible."""
    try:
        await Checkpoints(store.runs, job.run).clear()
    except RemoteError as error:
        _LOG.warning("checkpoints of run %s stay: %s", job.run, error)
        return False
    return True


async def require_definition(resources: Resources, job: BackupJob) -> Done:
    """Check that the index still has the definition under which its documents were planned to be read.

    A run that reveals fields does so before it hides them again: if somebody else hid them meanwhile, some documents
    were read without them. Raises OutdatedReadingError.
    """
    plan = await require_plan(Checkpoints(resources.clients.store_of(job.service).runs, job.run), job)
    _definition, etag = await read_index_definition(resources.clients.service(job.service), job.index)
    if etag != plan.etag_reading:
        raise _changed(f"{job.service} index {job.index}")
    return Done()


async def _reading(checkpoints: Checkpoints, job: BackupJob, plan: Plan, built: Built) -> Reading:
    """Return how the documents were read."""
    requests, again = built.requests, built.again
    for position in range(len(plan.partitions)):
        collected = await require(checkpoints, partition_record(plan, position), CollectedPartition, job)
        requests, again = requests + collected.requests, again + collected.again
    return Reading(
        method=plan.method,
        reason=plan.reason,
        parts=len(plan.partitions) or len(plan.ranges) or 1,
        requests=plan.requests + requests,
        again=again,
        revealed=tuple(plan.revealed),
    )


async def _describe(
    resources: Resources, job: BackupJob, plan: Plan, documents: int, *, on: str
) -> tuple[_IndexDescription, list[str]]:
    """Return the newest definition that the documents agree with, and notes on it for an operator.

    An index that was deleted and created again looks the same, except for its ETag. So if the ETag has changed, a
    change must be visible, the documents must not depend on it, and there must be as many documents before, in and
    after the reading. Only a run that revealed fields changes the ETag itself, by hiding them; it has checked the
    definition before (`require_definition`). Raises OutdatedReadingError.
    """
    service = resources.clients.service(job.service)
    definition, etag = await read_index_definition(service, job.index)
    has_hidden = job.hidden_fields == "reveal" and bool(plan.revealed)
    schema = read_schema(definition.fullest.body, on=on)
    is_ours = has_hidden and schema == read_schema(plan.definition.fullest.body, on=on)
    if etag == plan.etag or is_ours:
        return _IndexDescription(plan.definition, plan.synonym_maps, etag), []
    if not concerns_only_searching(plan.definition, definition):
        raise _changed(on)
    found = await ServiceIndexProbe(service, job.index, plan.key_field, elevated=plan.elevated).count(Partition())
    if not documents == plan.found == found:
        raise _changed(on)
    synonym_maps = [await read_synonym_map(service, name) for name in schema.synonym_map_names()]
    return _IndexDescription(definition, synonym_maps, etag), [_NEWER]


def _changed(on: str) -> OutdatedReadingError:
    return OutdatedReadingError(
        "the index's definition was changed, or the index made anew, while the documents were read",
        on=on,
        do="Run the backup again when nobody changes the index",
    )


def _unsettled(settling: Settling | None, plan: Plan, built: Built) -> Unsettled | None:
    """Return what the reading leaves open, or None if every document is accounted for."""
    if settling is not None:
        left_open = settling.open
    else:
        left_open = [OpenPart(f"by {plan.key_field}", built.open)] if built.open else []
    if not left_open:
        return None
    parts = tuple(UnsettledPart(part=each.part, documents=each.documents) for each in left_open)
    return Unsettled(documents=sum(each.documents for each in parts), parts=parts)


async def _accounted(
    resources: Resources, service: SearchService, job: BackupJob, plan: Plan, documents: int, *, is_open: bool
) -> tuple[int, float]:
    """Return the service's count once it agrees with what queries find, and the seconds that this took.

    Key ranges and partitions have been compared with their counts already. If the service's own count does not agree,
    it holds documents that queries do not show. Raises AccountingError, unless documents are left open anyway.
    """
    on = f"{job.service} index {job.index}"
    probe = ServiceIndexProbe(service, job.index, plan.key_field, elevated=plan.elevated)
    found = await probe.count(Partition())
    agreement = Agreement()
    counted = await service.count(job.index)
    if any(loss.field == DOCUMENTS for loss in plan.losses):
        return counted, 0.0
    wait = Patience(settle_seconds(resources, job.service), resources.sleep)
    while not agreement.note(counted=counted, found=found):
        if plan.elevated and counted < found:
            # Whether the service counts what access lists protect is not documented; nothing is hidden from queries.
            break
        if not await wait():
            if is_open:
                break
            raise _disagreeing(documents, found, counted, wait.waited, on)
        found, counted = await probe.count(Partition()), await service.count(job.index)
    return counted, wait.waited


def _disagreeing(documents: int, found: int, counted: int, waited: float, on: str) -> AccountingError:
    return AccountingError(
        f"{documents} unique keys were read and queries find {found} documents, but the service counts {counted}, still"
        f" after {in_minutes(waited)}",
        on=on,
        do="If the index is written to, run the backup again when it is quiet; if not, some documents can't be queried:"
        " ask whether they are protected",
    )


def _report(manifest: Manifest, notes: Sequence[str]) -> BackupReport:
    return BackupReport(
        service=manifest.service,
        index=manifest.index,
        snapshot=manifest.id,
        state=manifest.state,
        losses=listed([f"{loss.field}: {loss.reason}" for loss in manifest.losses], SHOW),
        unsettled=manifest.unsettled.words if manifest.unsettled is not None else [],
        presumption=manifest.presumption,
        missed=manifest.missed,
        documents=manifest.counts.documents,
        chunks=manifest.tree.count,
        bytes=manifest.bytes,
        stored_bytes=manifest.stored,
        added_chunks=manifest.added.chunks,
        added_bytes=manifest.added.stored,
        started=manifest.started,
        finished=manifest.finished,
        reading=manifest.reading,
        notes=[*notes, *(to_supply(each) for each in manifest.withheld if is_for_secrets(each.path))],
    )
