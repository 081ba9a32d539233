"""Decide what a restore will do, once, from its target, its snapshot and the request. Touches nothing."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from indexvault.errors import SettingsError
from indexvault.restore.context import beside
from indexvault.restore.job import RestoreJob
from indexvault.restore.selection import Selection
from indexvault.restore.state import RestorePlan
from indexvault.restore.stretch_source import manifest_of, packs_required
from indexvault.restore.stretches import stretches, stretches_of
from indexvault.restore.target_facts import TargetFacts, gather_facts
from indexvault.search.definition_content import content_digest
from indexvault.settings.load import service_settings
from indexvault.settings.policies import reading_order
from indexvault.snapshots.chunk_documents import document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.reader import read_chunks
from indexvault.snapshots.store import SnapshotReader, StoreReader
from indexvault.snapshots.tree_keys import chunks_with_keys
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.workflow.activity import Resources


async def decide(resources: Resources, job: RestoreJob) -> tuple[TargetFacts, RestorePlan]:
    """Return the facts for the checks, and the plan to follow unless one of them fails.

    Raises NotFoundError for a snapshot or a listed key that does not exist, SettingsError for a request that
    contradicts itself.
    """
    settings = resources.clients.settings
    near = service_settings(settings, job.target_service).region
    store_name = job.store or reading_order(settings, job.service, near=near)[0]
    store = resources.clients.source_store(job.service, store_name, without=job.without)
    manifest = await manifest_of(store, job.service, job.index, job.snapshot)
    selection = Selection(job.keys, job.filter)
    if job.mode == "replace" and not selection.everything:
        raise SettingsError(
            "a replacement holds the whole snapshot, not single documents",
            on="keys or filter",
            do="Use --mode fill or sync to bring single documents back, or create to look at them",
        )
    await _require_keys(store, manifest, selection, job.reference)
    facts, definition = await gather_facts(resources, job, manifest, store_name)
    target = resources.clients.service(job.target_service)
    started = resources.clock()
    swaps = job.mode == "replace" and facts.resolved.kind == "alias"
    written_index = beside(job.target_index, started) if swaps else facts.resolved.index or job.target_index
    alias = job.target_index if swaps else job.alias
    present = await target.alias(alias) if alias is not None and facts.resolved.kind != "index" else None
    old = facts.resolved.index if job.mode == "replace" else None
    if old is None and present is not None and present.index != written_index:
        old = present.index
    replaced = await target.index_definition(old) if old is not None else None
    plan = RestorePlan(
        job=job,
        store=store_name,
        written_index=written_index,
        alias=alias,
        alias_etag=present.etag if present is not None else None,
        alias_index=present.index if present is not None else None,
        old_index=old,
        old_etag=replaced.etag if replaced is not None else None,
        old_count=await target.count(old) if old is not None else None,
        old_content=content_digest(replaced.body) if replaced is not None else None,
        old_size=(await target.index_statistics(old)).storage_size if old is not None else None,
        definition=definition,
        documents=facts.documents,
        bytes=manifest.bytes,
        losses=manifest.lacks,
        stretches=await plan_stretches(store.snapshots, manifest, selection),
        checks=[],
        started=started,
    )
    return facts, plan


async def plan_stretches(blobs: SnapshotReader, manifest: Manifest, selection: Selection) -> list[tuple[int, int]]:
    """Return the stretches in which a snapshot is restored: of listed keys, those of the chunks that can hold them.

    Raises IntegrityError if the snapshot's tree can't be read.
    """
    reader = TreeReader(blobs, manifest.folder)
    with packs_required():
        if not selection.keys:
            return await stretches(reader, manifest.tree)
        return stretches_of(await selection.positions(reader, manifest.tree))


async def _require_keys(store: StoreReader, manifest: Manifest, selection: Selection, on: str) -> None:
    """Raise NotFoundError unless the snapshot has every listed key."""
    if not selection.keys:
        return
    split = document_reader(manifest.key_field, manifest.folder)
    found: set[str] = set()

    async def chunks() -> AsyncGenerator[Sequence[Chunk]]:
        reader = TreeReader(store.snapshots, manifest.folder)
        async with aclosing(chunks_with_keys(reader, manifest.tree, selection.keys)) as coming:
            async for each in coming:
                yield (each.chunk,)

    def keys_in(chunk: Chunk, data: bytes) -> list[str]:
        return [key for key, _line in split(chunk, data) if key in selection.keys]

    with packs_required():
        async with (
            aclosing(chunks()) as coming,
            aclosing(read_chunks(store.snapshots, manifest.folder, coming, keys_in)) as reading,
        ):
            async for _chunk, keys in reading:
                found.update(keys)
    selection.require_all(found, on=on)
