"""Prove the stored chunks of a snapshot before anything is touched."""

from contextlib import aclosing

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.restore.context import open_context
from indexvault.restore.job import StoredStretch, StretchProved
from indexvault.restore.load import load_part
from indexvault.restore.selection import Selection
from indexvault.restore.state import LoadCheckpoint
from indexvault.restore.stretch_source import SnapshotSource, manifest_of, read_sources, snapshot_source, stretch_chunks
from indexvault.snapshots.chunks import Chunk, document_lines, key_reader
from indexvault.snapshots.names import SnapshotReference, repair_advice
from indexvault.snapshots.reader import read_ahead, read_chunk
from indexvault.snapshots.store import StoreReader
from indexvault.snapshots.verify import check_chunk
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints


async def prove_stored(resources: Resources, stretch: StoredStretch) -> StretchProved:
    """Prove the chunks of a stretch that may hold wanted documents, and count those that the filter selects.

    The chunks of a stretch that an interrupted run has loaded were proved before, and need not be there any more.
    Raises IntegrityError naming the first blob that is damaged or gone, SettingsError for a filter that can't be
    applied to a document.
    """
    store = resources.clients.source_store(stretch.service, stretch.store)
    source, chunks = await _source(resources, store, stretch)
    if await _is_loaded(resources, stretch):
        return StretchProved(chunks=0, wanted=sum(chunk.documents for chunk in chunks))
    keys = stretch.keys if stretch.run is None else (await open_context(resources, stretch.run)).plan.job.keys
    selection = Selection(keys, stretch.filter)
    key_of = key_reader(source.key_field)
    wanted = 0

    async def check(chunk: Chunk) -> None:
        try:
            await check_chunk(store.snapshots, source.folder, chunk, source.key_field)
        except NotFoundError as error:
            blob = source.folder.blob(chunk.sha256)
            raise IntegrityError("the chunk is gone", on=blob, do=repair_advice(blob)) from error

    async def selected(chunk: Chunk) -> int:
        if stretch.filter is None:
            return chunk.documents
        data = await read_chunk(store.snapshots, source.folder, chunk)
        return len(await selection.selected(document_lines(data), key_of))

    proved = [chunks[position] for position in selection.chunks(chunks)]
    async with aclosing(read_ahead(proved, check)) as checking:
        async for chunk, _none in checking:
            wanted += await selected(chunk)
            resources.report(ProgressUpdate(stage="verify", documents=chunk.documents, bytes=chunk.bytes))
    return StretchProved(chunks=len(proved), wanted=wanted)


async def _source(
    resources: Resources, store: StoreReader, stretch: StoredStretch
) -> tuple[SnapshotSource, tuple[Chunk, ...]]:
    if stretch.run is None:
        manifest = await manifest_of(store, stretch.service, stretch.index, stretch.snapshot)
        return snapshot_source(manifest), stretch_chunks(manifest, stretch.start, stretch.end).chunks
    runs = resources.clients.store_of(stretch.run.target.service).runs
    snapshot = SnapshotReference(service=stretch.service, index=stretch.index, id=stretch.snapshot)
    digests = stretch.run.source, stretch.digest
    source, sources = await read_sources(
        Checkpoints(runs, stretch.run.records), store, snapshot, stretch.start, stretch.end, digests=digests
    )
    return source, sources.chunks


async def _is_loaded(resources: Resources, stretch: StoredStretch) -> bool:
    if stretch.run is None:
        return False
    records = Checkpoints(resources.clients.store_of(stretch.run.target.service).runs, stretch.run.records)
    loaded = await records.read(load_part(stretch.start, stretch.end), LoadCheckpoint)
    return loaded is not None and loaded.done


PROVE = Activity("prove_stored", StoredStretch, StretchProved, prove_stored)
