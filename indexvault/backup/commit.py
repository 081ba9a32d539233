"""Accounting for every document and writing the manifest: the last step of a backup."""

from datetime import datetime

import msgspec

from indexvault.backup.accounting import Agreement, explains, require_unique
from indexvault.backup.definition_changes import concerns_searching_alone
from indexvault.backup.definitions import read_index_definition, read_synonym_map, withheld_from_index
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.losses import DOCUMENTS, is_lost_content, lost_content
from indexvault.backup.messages import incomplete, to_supply
from indexvault.backup.partition import Partition
from indexvault.backup.plan import widest_schema
from indexvault.backup.state import (
    CollectedPart,
    Plan,
    ScannedRange,
    merged_record,
    part_record,
    range_record,
    require,
    require_plan,
    snapshot_record,
)
from indexvault.errors import AccountingError, IntegrityError, OutdatedReadingError
from indexvault.search.client import SearchService
from indexvault.search.secret_scan import is_for_secrets
from indexvault.snapshots.announcements import announced
from indexvault.snapshots.chunks import add_digests
from indexvault.snapshots.manifest import Added, Counts, Definition, Etags, Manifest, Reading, SynonymMap
from indexvault.snapshots.names import snapshot_id
from indexvault.snapshots.writer import commit
from indexvault.version import VERSION
from indexvault.workflow.activity import Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.telemetry import note_snapshot

SETTLE_SECONDS = 60
"""How long a count that lags behind is waited for. Source: counts lag by seconds to minutes, service facts, 2026-09."""
SETTLE_POLL_SECONDS = 3


_NEWER = (
    "the index's definition was changed while the documents were read, but in nothing that they depend on: the"
    " snapshot has the newer one"
)


class _Identity(msgspec.Struct, frozen=True):
    """The name that the snapshot will have, fixed before the manifest is written."""

    id: str
    created: datetime


class _Definition(msgspec.Struct, frozen=True):
    """The definition that a snapshot gets, and the index's ETag after the reading."""

    definition: Definition
    synonym_maps: list[SynonymMap]
    etag: str


async def commit_snapshot(resources: Resources, job: BackupJob) -> BackupReport:
    """Account for every document and write the manifest.

    Raises AccountingError or UnreadableIndexError if the documents read do not agree with what the service holds,
    OutdatedReadingError if they no longer agree with the definition, or a chunk of them is not there any more.
    """
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    scanned, reading = await _readings(checkpoints, job, plan)
    on = f"{job.service} index {job.index}"
    chunks = [chunk for part in scanned for chunk in part.chunks]
    documents = require_unique(chunks, on=on)
    service = resources.clients.service(job.service)
    held, notes = await _definition_of(resources, job, plan, documents, on=on)
    counted = await _accounted(resources, service, job, plan, documents)
    withheld = withheld_from_index(job.index, held.definition, held.synonym_maps)
    losses = [*(loss for loss in plan.losses if not is_lost_content(loss)), *lost_content(withheld)]
    now = resources.clock()
    identity = await checkpoints.write_once(
        snapshot_record(plan), _Identity(id=snapshot_id(now, resources.rng.randbytes(3)), created=now)
    )
    manifest = Manifest(
        id=identity.id,
        service=job.service,
        index=job.index,
        state="lossy" if losses else "complete",
        losses=tuple(losses),
        created=identity.created,
        started=plan.started,
        finished=identity.created,
        tool=f"indexvault {VERSION}",
        run=job.run,
        key_field=plan.key_field,
        definition=held.definition,
        synonym_maps=tuple(held.synonym_maps),
        withheld=tuple(withheld),
        counts=Counts(before=plan.counted, after=counted, documents=documents),
        etag=Etags(before=plan.etag, after=held.etag),
        reading=reading,
        boundary_bits=plan.boundary_bits,
        generation=plan.generation,
        bytes=sum(chunk.bytes for chunk in chunks),
        stored=sum(chunk.stored for chunk in chunks),
        added=_sum_added(scanned),
        content_digest=add_digests(part.digest for part in scanned),
        chunks=tuple(chunks),
    )
    try:
        async with announced(store.runs, manifest, now):
            await commit(store.snapshots, manifest, fence=resources.fence)
    except IntegrityError as error:
        raise OutdatedReadingError(error.what, on=error.on, do=error.do) from error
    await checkpoints.clear()
    if manifest.state == "complete":
        note_snapshot(job.service, job.index, manifest.created, resources.clock)
    return _report(manifest, notes)


async def require_held(resources: Resources, job: BackupJob) -> Done:
    """See to it that the documents were all read under the definition that the reading was planned with.

    For a run that reveals fields, before it hides them: had somebody hidden them meanwhile, some documents would be
    without them. Raises OutdatedReadingError.
    """
    plan = await require_plan(Checkpoints(resources.clients.store_of(job.service).runs, job.run), job)
    _definition, etag = await read_index_definition(resources.clients.service(job.service), job.index)
    if etag != plan.etag_reading:
        raise _changed(f"{job.service} index {job.index}")
    return Done()


async def _readings(checkpoints: Checkpoints, job: BackupJob, plan: Plan) -> tuple[list[ScannedRange], Reading]:
    """Return what was read, and how."""
    if plan.parts:
        scanned = [await require(checkpoints, merged_record(plan), ScannedRange, job)]
        collected = [
            await require(checkpoints, part_record(plan, position), CollectedPart, job)
            for position in range(len(plan.parts))
        ]
        requests = sum(part.requests for part in collected)
        again = sum(part.readings - 1 for part in collected)
    else:
        scanned = [
            await require(checkpoints, range_record(plan, position), ScannedRange, job)
            for position in range(len(plan.ranges))
        ]
        requests = sum(part.requests for part in scanned)
        again = sum(part.again for part in scanned)
    return scanned, Reading(
        method=plan.method,
        reason=plan.reason,
        parts=len(plan.parts) or len(plan.ranges),
        requests=plan.requests + requests,
        again=again,
        revealed=tuple(plan.revealed),
    )


async def _definition_of(
    resources: Resources, job: BackupJob, plan: Plan, documents: int, *, on: str
) -> tuple[_Definition, list[str]]:
    """Return the definition that the documents agree with, as new as can be, and what an operator should know of it.

    An index that was deleted and made anew looks as it did, and only its ETag is another. So where the ETag has
    changed, it must be seen what was changed, the documents must not depend on it, and they must be as many before, in
    and after the reading. Only a run that
    revealed fields has changed the ETag itself, by hiding them; it has seen to that before (`require_held`). Raises
    OutdatedReadingError.
    """
    service = resources.clients.service(job.service)
    definition, etag = await read_index_definition(service, job.index)
    has_hidden = job.hidden_fields == "reveal" and bool(plan.revealed)
    is_ours = has_hidden and widest_schema(definition, on=on) == widest_schema(plan.definition, on=on)
    if etag == plan.etag or is_ours:
        return _Definition(plan.definition, plan.synonym_maps, etag), []
    if not concerns_searching_alone(plan.definition, definition):
        raise _changed(on)
    found = await ServiceIndexProbe(service, job.index, plan.key_field, elevated=plan.elevated).count(Partition())
    if not documents == plan.found == found:
        raise _changed(on)
    names = widest_schema(definition, on=on).synonym_map_names()
    return _Definition(definition, [await read_synonym_map(service, name) for name in names], etag), [_NEWER]


def _changed(on: str) -> OutdatedReadingError:
    return OutdatedReadingError(
        "the index's definition was changed, or the index made anew, while the documents were read",
        on=on,
        do="Run the backup again when nobody changes the index",
    )


async def _accounted(resources: Resources, service: SearchService, job: BackupJob, plan: Plan, documents: int) -> int:
    """Return the service's count once everything agrees.

    What was read in key ranges has been compared with their counts already; what was read in parts is compared here as
    a whole, since parts may overlap. Then the service's own count must be what queries find: if not, it holds documents
    that queries do not show. Raises AccountingError or UnreadableIndexError.
    """
    on = f"{job.service} index {job.index}"
    probe = ServiceIndexProbe(service, job.index, plan.key_field, elevated=plan.elevated)
    found = await probe.count(Partition())
    if plan.parts and not explains(documents, plan.found, found):
        if plan.exact:
            raise _unaccounted(documents, plan.found, found, on=on)
        raise incomplete(documents, found, plan.method, on=on)
    agreement = Agreement()
    counted = await service.count(job.index)
    if any(loss.field == DOCUMENTS for loss in plan.losses):
        return counted
    for _ in range(SETTLE_SECONDS // SETTLE_POLL_SECONDS):
        if agreement.note(counted=counted, found=found):
            return counted
        await resources.sleep(SETTLE_POLL_SECONDS)
        found, counted = await probe.count(Partition()), await service.count(job.index)
    if agreement.note(counted=counted, found=found):
        return counted
    raise AccountingError(
        f"{documents} unique keys were read and queries find {found} documents, but the service counts {counted}",
        on=on,
        do="If the index is written to, run the backup again when it is quiet; if not, some documents can't be queried:"
        " ask whether they are protected",
    )


def _unaccounted(documents: int, before: int, after: int, *, on: str) -> AccountingError:
    return AccountingError(
        f"{documents} unique keys were read, and the service counted {before} documents before and {after} after",
        on=on,
        do="Run the backup again, best while the index is not written to",
    )


def _sum_added(scanned: list[ScannedRange]) -> Added:
    return Added(
        chunks=sum(part.added.chunks for part in scanned),
        bytes=sum(part.added.bytes for part in scanned),
        stored=sum(part.added.stored for part in scanned),
    )


def _report(manifest: Manifest, notes: list[str]) -> BackupReport:
    return BackupReport(
        service=manifest.service,
        index=manifest.index,
        snapshot=manifest.id,
        state=manifest.state,
        losses=[f"{loss.field}: {loss.reason}" for loss in manifest.losses],
        documents=manifest.counts.documents,
        chunks=len(manifest.chunks),
        bytes=manifest.bytes,
        stored_bytes=manifest.stored,
        added_chunks=manifest.added.chunks,
        added_bytes=manifest.added.stored,
        started=manifest.started,
        finished=manifest.finished,
        reading=manifest.reading,
        notes=[*notes, *(to_supply(each) for each in manifest.withheld if is_for_secrets(each.path))],
    )
