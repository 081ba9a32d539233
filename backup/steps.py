"""The steps of a backup. Each may be killed or run twice: what it finished, it finds again.

Durable, in this order: the plan; for each range its chunks, then its record; the snapshot's id; the manifest, which
makes the snapshot; then the run's records go.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from importlib.metadata import version

import msgspec

from backup.account import explains, require_unique
from backup.chunking import store_chunks
from backup.definitions import read_index_definition, read_synonym_map
from backup.job import BackupJob, BackupReport, PlanSummary, ScanOrder, ScanSummary
from backup.losses import losses, require_key_order, require_open_documents
from backup.plan import edges_of_chunks, range_count, ranges_between
from backup.ranges import average_size, ranges_by_rank
from engine.checkpoints import Checkpoints
from engine.step import Progress, Resources, Step
from errors import AccountingError, ConflictError, IntegrityError, NotFoundError
from search.page import Document
from search.scan import KeyRange, scan_range
from search.schema import Schema, read_schema
from search.service import SearchService
from snapshots.catalogue import read_manifest, resolve
from snapshots.chunks import Chunk, ChunkCutter, add_digests, boundary_bits
from snapshots.manifest import (
    Added,
    Counts,
    Definition,
    Etags,
    Loss,
    Manifest,
    SynonymMap,
    known_chunks,
)
from snapshots.names import ChunkFolder, SnapshotReference, snapshot_id
from snapshots.store import Store
from snapshots.writer import commit, store_chunk

SETTLE_SECONDS = 60
"""How long a count that lags behind is waited for. Source: counts lag by seconds to minutes, service facts, 2026-09."""
SETTLE_POLL_SECONDS = 3
_PLAN = "plan"
_IDENTITY = "snapshot"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run holds to from its first step to its last."""

    started: datetime
    definition: Definition
    etag: str
    synonym_maps: list[SynonymMap]
    losses: list[Loss]
    key_field: str
    documents: int
    average_document_bytes: float
    boundary_bits: int
    previous: SnapshotReference | None
    ranges: list[KeyRange]


class ScannedRange(msgspec.Struct, frozen=True):
    """The chunks of a range, all of them stored."""

    chunks: list[Chunk]
    digest: str
    added: Added


class _Identity(msgspec.Struct, frozen=True):
    """The name that the snapshot will have, fixed before the manifest is written."""

    id: str
    created: datetime


async def plan_backup(resources: Resources, job: BackupJob) -> PlanSummary:
    """Read what there is to read and decide how. Raises UnreadableIndexError if it can't be read completely."""
    store = resources.connections.store_of(job.service)
    await store.prepare()
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await checkpoints.read(_PLAN, Plan)
    if plan is None:
        plan = await checkpoints.write_once(_PLAN, await _make_plan(resources, job, store))
    resources.report(Progress(stage="read", expected=plan.documents))
    return PlanSummary(ranges=len(plan.ranges), documents=plan.documents)


async def scan(resources: Resources, order: ScanOrder) -> ScanSummary:
    """Read one range of the plan into chunks."""
    job = order.job
    store = resources.connections.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    part = f"range-{order.position}"
    scanned = await checkpoints.read(part, ScannedRange)
    if scanned is None:
        plan = await _require_plan(checkpoints, job)
        scanned = await _scan(resources, job, store, plan, plan.ranges[order.position])
        await checkpoints.write(part, scanned)
    return ScanSummary(
        documents=sum(chunk.documents for chunk in scanned.chunks), bytes=sum(chunk.bytes for chunk in scanned.chunks)
    )


async def commit_snapshot(resources: Resources, job: BackupJob) -> BackupReport:
    """Account for every document and write the manifest.

    Raises AccountingError if the documents read do not agree with the service's counts, ConflictError if the definition
    changed while they were read.
    """
    service = resources.connections.service(job.service)
    store = resources.connections.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await _require_plan(checkpoints, job)
    scanned = [
        await _require(checkpoints, f"range-{position}", ScannedRange, job) for position in range(len(plan.ranges))
    ]
    on = f"{job.service} index {job.index}"
    chunks = [chunk for part in scanned for chunk in part.chunks]
    documents = require_unique(chunks, on=on)
    etag_after = await _require_same_definition(service, job.index, plan, on=on)
    count_after = await _settled_count(resources, service, job.index, documents, plan.documents, on=on)
    now = resources.clock()
    identity = await checkpoints.write_once(
        _IDENTITY, _Identity(id=snapshot_id(now, resources.chance.randbytes(3)), created=now)
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
        tool=f"indexvault {version('indexvault')}",
        run=job.run,
        key_field=plan.key_field,
        definition=plan.definition,
        synonym_maps=tuple(plan.synonym_maps),
        counts=Counts(before=plan.documents, after=count_after, documents=documents),
        etag=Etags(before=plan.etag, after=etag_after),
        boundary_bits=plan.boundary_bits,
        bytes=sum(chunk.bytes for chunk in chunks),
        stored=sum(chunk.stored for chunk in chunks),
        added=_sum_added(scanned),
        content_digest=add_digests(part.digest for part in scanned),
        chunks=tuple(chunks),
    )
    await commit(store.snapshots, manifest)
    await checkpoints.clear()
    return _report(manifest)


async def _make_plan(resources: Resources, job: BackupJob, store: Store) -> Plan:
    service = resources.connections.service(job.service)
    on = f"{job.service} index {job.index}"
    started = resources.clock()
    definition, etag = await read_index_definition(service, job.index)
    schema = _widest_schema(definition, on=on)
    require_key_order(schema, on=on)
    require_open_documents(schema, on=on)
    documents = await service.count(job.index)
    previous = await _previous(store, job)
    if previous is not None and previous.key_field == schema.key.name:
        bits = previous.boundary_bits
        average = previous.bytes / max(1, previous.counts.documents)
        parts = range_count(documents, job.parallel)
        ranges = ranges_between(edges_of_chunks(previous.chunks, bits, parts))
    else:
        average = await average_size(service, job.index, schema.key.name)
        bits = boundary_bits(average)
        ranges = await ranges_by_rank(
            service, job.index, schema.key.name, documents=documents, parallel=job.parallel, bits=bits
        )
    return Plan(
        started=started,
        definition=definition,
        etag=etag,
        synonym_maps=[await read_synonym_map(service, name) for name in schema.synonym_map_names()],
        losses=losses(schema),
        key_field=schema.key.name,
        documents=documents,
        average_document_bytes=average,
        boundary_bits=bits,
        previous=None if previous is None else SnapshotReference(service=job.service, index=job.index, id=previous.id),
        ranges=ranges,
    )


async def _scan(resources: Resources, job: BackupJob, store: Store, plan: Plan, keys: KeyRange) -> ScannedRange:
    service = resources.connections.service(job.service)
    folder = ChunkFolder(service=job.service, index=job.index)
    previous = await read_manifest(store.snapshots, plan.previous) if plan.previous is not None else None
    known = known_chunks(previous)

    async def pages() -> AsyncGenerator[list[Document]]:
        reading = scan_range(
            service, job.index, plan.key_field, keys, average_document_bytes=plan.average_document_bytes
        )  # fmt: skip
        async for documents in reading:
            yield documents
            size = sum(len(document.line) + 1 for document in documents)
            resources.report(Progress(stage="read", documents=len(documents), bytes=size))

    stored = await store_chunks(
        pages(),
        ChunkCutter(plan.boundary_bits),
        lambda sealed: store_chunk(store.snapshots, folder, sealed, known),
    )
    added = [entry.chunk for entry in stored if entry.added]
    return ScannedRange(
        chunks=[entry.chunk for entry in stored],
        digest=add_digests(entry.digest for entry in stored),
        added=Added(
            chunks=len(added),
            bytes=sum(chunk.bytes for chunk in added),
            stored=sum(chunk.stored for chunk in added),
        ),
    )


async def _previous(store: Store, job: BackupJob) -> Manifest | None:
    """Give the newest readable snapshot of the index. A damaged one is no reason not to make a new one."""
    try:
        newest = await resolve(store.snapshots, SnapshotReference(service=job.service, index=job.index))
        return await read_manifest(store.snapshots, newest)
    except (NotFoundError, IntegrityError):
        return None


def _widest_schema(definition: Definition, *, on: str) -> Schema:
    """Read the schema from the api-version that tells most."""
    return read_schema((definition.preview or definition.stable).body, on=on)


async def _require_same_definition(service: SearchService, index: str, plan: Plan, *, on: str) -> str:
    """Give the ETag after the reading. Raises ConflictError if fields came, went or changed meanwhile."""
    definition, etag = await read_index_definition(service, index)
    if etag != plan.etag and _widest_schema(definition, on=on) != _widest_schema(plan.definition, on=on):
        raise ConflictError(
            "the definition's fields were changed while the documents were read", on=on, do="Run the backup again"
        )
    return etag


async def _settled_count(
    resources: Resources, service: SearchService, index: str, documents: int, before: int, *, on: str
) -> int:
    """Give the service's count once it agrees with what was read. Raises AccountingError if it does not in time."""
    after = await service.count(index)
    for _ in range(SETTLE_SECONDS // SETTLE_POLL_SECONDS):
        if explains(documents, before, after):
            return after
        await resources.sleep(SETTLE_POLL_SECONDS)
        after = await service.count(index)
    if explains(documents, before, after):
        return after
    raise AccountingError(
        f"{documents} unique keys were read, and the service counted {before} documents before and {after} after",
        on=on,
        do="Run the backup again, best while the index is not written to",
    )


async def _require_plan(checkpoints: Checkpoints, job: BackupJob) -> Plan:
    return await _require(checkpoints, _PLAN, Plan, job)


async def _require[Kind](checkpoints: Checkpoints, part: str, kind: type[Kind], job: BackupJob) -> Kind:
    record = await checkpoints.read(part, kind)
    if record is None:
        raise IntegrityError(
            f"its record of {part} is gone", on=f"run {job.run}", do="Start a new run; this one can't be resumed"
        )
    return record


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
    )


PLAN = Step("plan_backup", BackupJob, PlanSummary, plan_backup, lambda job: job.work)
SCAN = Step("scan_range", ScanOrder, ScanSummary, scan, lambda order: order.job.work)
COMMIT = Step("commit_snapshot", BackupJob, BackupReport, commit_snapshot, lambda job: job.work)
