"""Prove what is stored of a snapshot before anything is touched.

A pack is proved whole, by the hash that is its name, and nothing is unpacked: each chunk is proved again by its own
hash before a byte of it reaches the target. Chunks are proved one by one where a pack is not as it should be, which
may be no damage to this snapshot, and where only some documents are wanted.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from indexvault.errors import IndexvaultError, IntegrityError, NotFoundError
from indexvault.restore.context import open_context
from indexvault.restore.job import MOST_DOUBTFUL, PacksProved, RestoreRun, StoredPacks, StoredStretch, StretchProved
from indexvault.restore.load import load_part
from indexvault.restore.selection import Selection
from indexvault.restore.state import LoadCheckpoint
from indexvault.restore.stored_packs import UsedPack, read_share, share_of
from indexvault.restore.stretch_source import (
    manifest_of,
    packs_required,
    read_source,
    read_sources,
    snapshot_source,
    stretch_of,
)
from indexvault.snapshots.chunk_documents import KeyedLine, document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.names import PackFolder, SnapshotReference
from indexvault.snapshots.pack_store import require_pack
from indexvault.snapshots.reader import read_chunks
from indexvault.snapshots.store import SnapshotReader, StoreReader
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import altered

_PACKS_AT_ONCE = 2
"""Packs that an activity holds at once: one is fetched while the other is hashed."""


async def prove_packs(resources: Resources, given: StoredPacks) -> PacksProved:
    """Prove the packs of a share by their hashes, and name those that are gone or are not what they were.

    These are for `prove_stored` to look into. Raises IntegrityError if a segment of the snapshot's tree is gone or
    damaged.
    """
    store = resources.clients.source_store(given.service, given.store)
    folder, packs = await _share(resources, store, given)
    gone: list[str] = []
    damaged: list[str] = []
    waiting = iter(packs)

    async def work() -> None:
        for used in waiting:
            try:
                await _prove_pack(store.snapshots, folder, used.pack)
            except NotFoundError:
                gone.append(used.pack)
            except IntegrityError:
                damaged.append(used.pack)
            else:
                resources.report(ProgressUpdate(stage="verify", documents=used.documents, bytes=used.bytes))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_PACKS_AT_ONCE, len(packs))):
                group.create_task(work())
    except* IndexvaultError as errors:
        raise errors.exceptions[0] from None
    return PacksProved(gone=gone[: MOST_DOUBTFUL + 1], damaged=damaged[: MOST_DOUBTFUL + 1])


async def prove_stored(resources: Resources, stretch: StoredStretch) -> StretchProved:
    """Prove the chunks of a stretch that may hold wanted documents, and count those that the filter selects.

    If `packs` are named, only chunks in these are proved. The chunks of a stretch that an interrupted run has loaded
    were proved before, and need not be there any more. Raises IntegrityError naming the first blob that is damaged or
    gone, SettingsError for a filter that can't be applied to a document.
    """
    store = resources.clients.source_store(stretch.service, stretch.store)
    keys = stretch.keys if stretch.run is None else (await open_context(resources, stretch.run)).plan.job.keys
    selection = Selection(keys, stretch.filter)
    snapshot = SnapshotReference(service=stretch.service, index=stretch.index, id=stretch.snapshot)
    if stretch.run is None:
        manifest = await manifest_of(store, stretch.service, stretch.index, stretch.snapshot)
        source, stored = snapshot_source(manifest), stretch_of(store.snapshots, manifest, stretch.start, stretch.end)
    else:
        records = _records(resources, stretch.run)
        digests = stretch.run.source, stretch.digest
        noted = await read_sources(
            records, store, snapshot, stretch.start, stretch.end, digests=digests, keys=selection.keys
        )
        loaded = await records.read(load_part(stretch.start, stretch.end), LoadCheckpoint)
        if loaded is not None and loaded.done:
            return StretchProved(chunks=0, wanted=noted.stretch.documents)
        source, stored = noted.source, noted.batches()
    split = document_reader(source.key_field, source.folder)
    is_filtered = stretch.filter is not None
    chunks = wanted = 0

    def check(chunk: Chunk, data: bytes) -> list[KeyedLine]:
        documents = split(chunk, data)
        return documents if is_filtered else []

    with packs_required():
        async with (
            aclosing(_only(stored, selection, frozenset(stretch.packs))) as coming,
            aclosing(read_chunks(store.snapshots, source.folder, coming, check)) as reading,
        ):
            async for chunk, documents in reading:
                chunks += 1
                wanted += len(await selection.selected(documents)) if is_filtered else chunk.documents
                resources.report(ProgressUpdate(stage="verify", documents=chunk.documents, bytes=chunk.bytes))
    return StretchProved(chunks=chunks, wanted=wanted)


async def _prove_pack(blobs: SnapshotReader, folder: PackFolder, pack: str) -> None:
    async def prove(one: SnapshotReader) -> None:
        await require_pack(one, folder.pack, pack)

    await blobs.first_sound(prove)


async def _share(resources: Resources, store: StoreReader, given: StoredPacks) -> tuple[PackFolder, Sequence[UsedPack]]:
    on = f"{given.service}/{given.index}@{given.snapshot}"
    if given.run is None:
        manifest = await manifest_of(store, given.service, given.index, given.snapshot)
        return manifest.folder, await share_of(store.snapshots, manifest, given.number, given.of)
    records = _records(resources, given.run)
    source = await read_source(records, given.run.source, on)
    if source is None:
        raise altered("its record of the snapshot is gone", on)
    return source.folder, await read_share(records, given.number, given.digest, on)


async def _only(
    batches: AsyncGenerator[Sequence[Chunk]], selection: Selection, packs: frozenset[str]
) -> AsyncGenerator[Sequence[Chunk]]:
    """Yield the chunks that may hold selected documents, and lie in some packs if any are named."""
    async with aclosing(batches):
        async for batch in batches:
            yield [chunk for chunk in selection.chunks(batch) if not packs or chunk.pack in packs]


def _records(resources: Resources, run: RestoreRun) -> Checkpoints:
    return Checkpoints(resources.clients.store_of(run.target.service).runs, run.records)


PROVE = Activity("prove_stored", StoredStretch, StretchProved, prove_stored)
PROVE_PACKS = Activity("prove_packs", StoredPacks, PacksProved, prove_packs)
