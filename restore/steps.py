"""The steps of a restore in mode create. Each may be killed or run twice.

The first to touch the target is `create`, after every chunk has been proved; each chunk is proved again as it is
loaded.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from engine.checkpoints import Checkpoints
from engine.step import Progress, Resources, Step
from errors import IntegrityError, LossNotAcceptedError, NotFoundError
from restore.compare import compare
from restore.job import (
    Concluded,
    RestoreJob,
    RestorePlan,
    Settled,
    Stretch,
    StretchCompared,
    StretchLoaded,
    StretchProved,
    TargetReady,
)
from restore.load import Loader
from restore.plan import stretches
from restore.target import make_target, require_free
from search.scan import KeyRange, scan_range
from search.schema import read_schema
from snapshots.catalogue import read_manifest
from snapshots.chunks import document_lines, key_reader
from snapshots.manifest import Manifest
from snapshots.names import SnapshotReference
from snapshots.reader import read_chunk
from snapshots.store import Store
from snapshots.verify import check_chunk

SETTLE_SECONDS = 120
"""How long written documents may take to be searchable before they count as missing."""
SETTLE_POLL_SECONDS = 2
COMPARISONS = 3
"""How often a stretch is compared before a difference is believed: replicas show new documents at different times."""


async def prepare(resources: Resources, job: RestoreJob) -> RestorePlan:
    """Read the manifest, and look at the target without touching it.

    Raises IntegrityError for a damaged manifest, LossNotAcceptedError, ConflictError if the target exists.
    """
    store, manifest = await _manifest(resources, job)
    if manifest.losses and not job.accept_loss:
        raise LossNotAcceptedError(
            f"the snapshot lacks {', '.join(loss.field for loss in manifest.losses)}",
            on=f"{job.service}/{job.index}@{job.snapshot}",
            do="Restore with --accept-loss if the index is of use without them",
        )
    target = resources.connections.service(job.target_service)
    await store.prepare()
    await require_free(target, job, Checkpoints(store.runs, job.run))
    documents = manifest.counts.documents
    resources.report(Progress(stage="verify", expected=documents))
    return RestorePlan(
        documents=documents,
        losses=[f"{loss.field}: {loss.reason}" for loss in manifest.losses],
        started=resources.clock(),
        stretches=stretches(manifest.chunks),
    )


async def prove_stored(resources: Resources, stretch: Stretch) -> StretchProved:
    """Prove the chunks of a stretch. Raises IntegrityError naming the first blob that is damaged or gone."""
    store, manifest = await _manifest(resources, stretch.job)
    for chunk in manifest.chunks[stretch.start : stretch.end]:
        try:
            await check_chunk(store.snapshots, manifest.folder, chunk, manifest.key_field)
        except NotFoundError as error:
            raise IntegrityError(
                "the chunk is gone", on=manifest.folder.blob(chunk.sha256), do="Use another snapshot"
            ) from error
        resources.report(Progress(stage="verify", documents=chunk.documents, bytes=chunk.bytes))
    return StretchProved(chunks=stretch.end - stretch.start)


async def create(resources: Resources, job: RestoreJob) -> TargetReady:
    """Create the target and the synonym maps it names."""
    store, manifest = await _manifest(resources, job)
    target = resources.connections.service(job.target_service)
    made = await make_target(target, job, manifest, Checkpoints(store.runs, job.run))
    resources.report(Progress(stage="load", expected=manifest.counts.documents))
    return TargetReady(synonym_maps=made.synonym_maps, notes=made.notes)


async def load(resources: Resources, stretch: Stretch) -> StretchLoaded:
    """Load a stretch. Documents are uploaded whole and by key, so that doing it twice changes nothing."""
    store, manifest = await _manifest(resources, stretch.job)
    target = resources.connections.service(stretch.job.target_service)
    loader = Loader(target, stretch.job.target_index, chance=resources.chance, sleep=resources.sleep)
    stored = _stored_documents(store, manifest, stretch, resources, stage="load")
    async with aclosing(stored):
        loaded = await loader.load(stored)
    return StretchLoaded(documents=loaded.documents, bytes=loaded.bytes, requests=loaded.requests)


async def settle(resources: Resources, job: RestoreJob) -> Settled:
    """Wait until the target counts as many documents as the snapshot holds, or long enough.

    The count proves nothing either way; it only tells when comparing makes sense.
    """
    _store, manifest = await _manifest(resources, job)
    target = resources.connections.service(job.target_service)
    counted = await target.count(job.target_index)
    for _ in range(SETTLE_SECONDS // SETTLE_POLL_SECONDS):
        if counted == manifest.counts.documents:
            break
        await resources.sleep(SETTLE_POLL_SECONDS)
        counted = await target.count(job.target_index)
    resources.report(Progress(stage="compare", expected=manifest.counts.documents))
    return Settled(counted=counted)


async def compare_restored(resources: Resources, stretch: Stretch) -> StretchCompared:
    """Compare a stretch with the target: every document in it, and that there is no other between its keys."""
    compared = await _compare(resources, stretch)
    for _ in range(COMPARISONS - 1):
        if not compared.different + compared.missing + compared.extra:
            break
        await resources.sleep(SETTLE_POLL_SECONDS)
        compared = await _compare(resources, stretch)
    resources.report(Progress(stage="compare", documents=compared.identical + compared.equal))
    return compared


async def conclude(resources: Resources, job: RestoreJob) -> Concluded:
    """Remove the run's records, once nothing more depends on them."""
    store = resources.connections.store_of(job.service)
    await Checkpoints(store.runs, job.run).clear()
    return Concluded(finished=resources.clock())


async def _manifest(resources: Resources, job: RestoreJob) -> tuple[Store, Manifest]:
    store = resources.connections.store_of(job.service)
    reference = SnapshotReference(service=job.service, index=job.index, id=job.snapshot)
    return store, await read_manifest(store.snapshots, reference)


async def _stored_documents(
    store: Store, manifest: Manifest, stretch: Stretch, resources: Resources | None = None, *, stage: str = ""
) -> AsyncGenerator[tuple[str, bytes]]:
    """Give the keys and lines of a stretch, each chunk proved before its first document is given."""
    key_of = key_reader(manifest.key_field)
    for chunk in manifest.chunks[stretch.start : stretch.end]:
        for line in document_lines(await read_chunk(store.snapshots, manifest.folder, chunk)):
            yield key_of(line), line
        if resources is not None:
            resources.report(Progress(stage=stage, documents=chunk.documents, bytes=chunk.bytes))


async def _compare(resources: Resources, stretch: Stretch) -> StretchCompared:
    store, manifest = await _manifest(resources, stretch.job)
    definition = manifest.definition.preview or manifest.definition.stable
    schema = read_schema(definition.body, on=f"snapshot {manifest.id}")
    target = resources.connections.service(stretch.job.target_service)
    pages = scan_range(
        target,
        stretch.job.target_index,
        manifest.key_field,
        _keys_of(manifest, stretch),
        average_document_bytes=manifest.bytes / max(1, manifest.counts.documents),
    )

    async with aclosing(pages), aclosing(_stored_documents(store, manifest, stretch)) as stored:
        restored = ((document.key, document.line) async for documents in pages for document in documents)
        return await compare(stored, restored, schema)


def _keys_of(manifest: Manifest, stretch: Stretch) -> KeyRange:
    """Give the keys that a stretch answers for: from where the one before ended, so that no key falls between."""
    chunks = manifest.chunks
    return KeyRange(
        after=chunks[stretch.start - 1].last if stretch.start else None,
        until=chunks[stretch.end - 1].last if stretch.end < len(chunks) else None,
    )


PREPARE = Step("prepare_restore", RestoreJob, RestorePlan, prepare, lambda job: job.work)
PROVE = Step("prove_stored", Stretch, StretchProved, prove_stored, lambda stretch: stretch.job.work)
CREATE = Step("create_target", RestoreJob, TargetReady, create, lambda job: job.work)
LOAD = Step("load_documents", Stretch, StretchLoaded, load, lambda stretch: stretch.job.work)
SETTLE = Step("settle_target", RestoreJob, Settled, settle, lambda job: job.work)
COMPARE = Step("compare_restored", Stretch, StretchCompared, compare_restored, lambda stretch: stretch.job.work)
CONCLUDE = Step("conclude_restore", RestoreJob, Concluded, conclude, lambda job: job.work)
