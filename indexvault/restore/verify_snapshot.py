"""The stored chunks, proved before anything is touched."""

from contextlib import aclosing

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.restore.context import manifest_of
from indexvault.restore.job import StoredStretch, StretchProved
from indexvault.restore.selection import Selection
from indexvault.snapshots.chunks import Chunk, document_lines, key_reader
from indexvault.snapshots.reader import read_ahead, read_chunk
from indexvault.snapshots.verify import check_chunk
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources


async def prove_stored(resources: Resources, stretch: StoredStretch) -> StretchProved:
    """Prove the chunks of a stretch, and count what a filter picks of them.

    Raises IntegrityError naming the first blob that is damaged or gone, SettingsError for a filter that can't be
    applied to a document.
    """
    store = resources.clients.source_store(stretch.service, stretch.store)
    manifest = await manifest_of(store, stretch.service, stretch.index, stretch.snapshot)

    selection = Selection(stretch.keys, stretch.filter)
    key_of = key_reader(manifest.key_field)
    wanted = 0

    async def check(chunk: Chunk) -> None:
        try:
            await check_chunk(store.snapshots, manifest.folder, chunk, manifest.key_field)
        except NotFoundError as error:
            raise IntegrityError(
                "the chunk is gone", on=manifest.folder.blob(chunk.sha256), do="Use another snapshot"
            ) from error

    async def picked(chunk: Chunk) -> int:
        if stretch.filter is None:
            return chunk.documents
        data = await read_chunk(store.snapshots, manifest.folder, chunk)
        return sum(selection.takes(key_of(line), line) for line in document_lines(data))

    async with aclosing(read_ahead(manifest.chunks[stretch.start : stretch.end], check)) as checking:
        async for chunk, _none in checking:
            wanted += await picked(chunk)
            resources.report(ProgressUpdate(stage="verify", documents=chunk.documents, bytes=chunk.bytes))
    return StretchProved(chunks=stretch.end - stretch.start, wanted=wanted)


PROVE = Activity("prove_stored", StoredStretch, StretchProved, prove_stored)
