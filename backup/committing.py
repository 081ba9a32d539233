"""Accounting for every document and writing the manifest: the last step of a backup."""

from datetime import datetime

import msgspec

from backup.account import Agreement, explains, require_unique
from backup.definitions import read_index_definition, withheld_from_index
from backup.job import BackupJob, BackupReport
from backup.losses import DOCUMENTS
from backup.parts import Part
from backup.planning import widest_schema
from backup.questions import IndexQuestions
from backup.records import (
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
from backup.wording import incomplete, to_supply
from engine.checkpoints import Checkpoints
from engine.locking import Done
from engine.step import Resources
from engine.telemetry import note_snapshot
from engine.version import VERSION
from errors import AccountingError, ConflictError
from search.secret_scan import is_for_secrets
from search.service import SearchService
from snapshots.announcements import announced
from snapshots.chunks import add_digests
from snapshots.manifest import Added, Counts, Etags, Manifest, Reading
from snapshots.names import snapshot_id
from snapshots.writer import commit

SETTLE_SECONDS = 60
"""How long a count that lags behind is waited for. Source: counts lag by seconds to minutes, service facts, 2026-09."""
SETTLE_POLL_SECONDS = 3


class _Identity(msgspec.Struct, frozen=True):
    """The name that the snapshot will have, fixed before the manifest is written."""

    id: str
    created: datetime


async def commit_snapshot(resources: Resources, job: BackupJob) -> BackupReport:
    """Account for every document and write the manifest.

    Raises AccountingError or UnreadableIndexError if the documents read do not agree with what the service holds,
    ConflictError if the definition changed while they were read.
    """
    store = resources.connections.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    scanned, reading = await _readings(checkpoints, job, plan)
    on = f"{job.service} index {job.index}"
    chunks = [chunk for part in scanned for chunk in part.chunks]
    documents = require_unique(chunks, on=on)
    service = resources.connections.service(job.service)
    etag_after = await _require_same_definition(service, job.index, plan, on=on)
    counted = await _accounted(resources, service, job, plan, documents)
    now = resources.clock()
    identity = await checkpoints.write_once(
        snapshot_record(plan), _Identity(id=snapshot_id(now, resources.chance.randbytes(3)), created=now)
    )
    manifest = Manifest(
        id=identity.id,
        service=job.service,
        index=job.index,
        state="lossy" if plan.losses else "complete",
        losses=tuple(plan.losses),
        created=identity.created,
        started=plan.started,
        finished=identity.created,
        tool=f"indexvault {VERSION}",
        run=job.run,
        key_field=plan.key_field,
        definition=plan.definition,
        synonym_maps=tuple(plan.synonym_maps),
        withheld=tuple(withheld_from_index(job.index, plan.definition, plan.synonym_maps)),
        counts=Counts(before=plan.counted, after=counted, documents=documents),
        etag=Etags(before=plan.etag, after=etag_after),
        reading=reading,
        boundary_bits=plan.boundary_bits,
        generation=plan.generation,
        bytes=sum(chunk.bytes for chunk in chunks),
        stored=sum(chunk.stored for chunk in chunks),
        added=_sum_added(scanned),
        content_digest=add_digests(part.digest for part in scanned),
        chunks=tuple(chunks),
    )
    async with announced(store.runs, manifest, now):
        await commit(store.snapshots, manifest, fence=resources.fence)
    await checkpoints.clear()
    if manifest.state == "complete":
        note_snapshot(job.service, job.index, manifest.created, resources.clock)
    return _report(manifest)


async def require_held(resources: Resources, job: BackupJob) -> Done:
    """See to it that the documents were all read under the definition that the reading was planned with.

    For a run that reveals fields, before it hides them: had somebody hidden them meanwhile, some documents would be
    without them. Raises ConflictError.
    """
    plan = await require_plan(Checkpoints(resources.connections.store_of(job.service).runs, job.run), job)
    _definition, etag = await read_index_definition(resources.connections.service(job.service), job.index)
    if etag != plan.etag_reading:
        raise _changed(f"{job.service} index {job.index}")
    return Done()


async def _readings(checkpoints: Checkpoints, job: BackupJob, plan: Plan) -> tuple[list[ScannedRange], Reading]:
    """Give what was read, and how."""
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


async def _require_same_definition(service: SearchService, index: str, plan: Plan, *, on: str) -> str:
    """Give the ETag after the reading. Raises ConflictError if the definition is another one than before.

    Any other ETag counts, since an index that was deleted and made anew looks as it did. Only a run that revealed
    fields has changed it by hiding them; it has seen to the ETag before (`require_held`).
    """
    definition, etag = await read_index_definition(service, index)
    if etag != plan.etag and not (
        plan.revealed and widest_schema(definition, on=on) == widest_schema(plan.definition, on=on)
    ):
        raise _changed(on)
    return etag


def _changed(on: str) -> ConflictError:
    return ConflictError(
        "the index's definition was changed, or the index made anew, while the documents were read",
        on=on,
        do="Run the backup again",
    )


async def _accounted(resources: Resources, service: SearchService, job: BackupJob, plan: Plan, documents: int) -> int:
    """Give the service's count once everything agrees.

    What was read in key ranges has been compared with their counts already; what was read in parts is compared here as
    a whole, since parts may overlap. Then the service's own count must be what queries find: if not, it holds documents
    that queries do not show. Raises AccountingError or UnreadableIndexError.
    """
    on = f"{job.service} index {job.index}"
    questions = IndexQuestions(service, job.index, plan.key_field, elevated=plan.elevated)
    found = await questions.count(Part())
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
        found, counted = await questions.count(Part()), await service.count(job.index)
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


def _report(manifest: Manifest) -> BackupReport:
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
        notes=[to_supply(each) for each in manifest.withheld if is_for_secrets(each.path)],
    )
