"""The stored chunks, proved before anything is touched."""

from contextlib import aclosing

from engine.step import Progress, Resources, Step
from errors import IntegrityError, NotFoundError
from restore.job import StoredStretch, StretchProved
from restore.scene import manifest_of
from snapshots.chunks import Chunk
from snapshots.reader import read_ahead
from snapshots.verify import check_chunk


async def prove_stored(resources: Resources, stretch: StoredStretch) -> StretchProved:
    """Prove the chunks of a stretch. Raises IntegrityError naming the first blob that is damaged or gone."""
    store = resources.connections.source_store(stretch.service, stretch.store)
    manifest = await manifest_of(store, stretch.service, stretch.index, stretch.snapshot)

    async def check(chunk: Chunk) -> None:
        try:
            await check_chunk(store.snapshots, manifest.folder, chunk, manifest.key_field)
        except NotFoundError as error:
            raise IntegrityError(
                "the chunk is gone", on=manifest.folder.blob(chunk.sha256), do="Use another snapshot"
            ) from error

    async with aclosing(read_ahead(manifest.chunks[stretch.start : stretch.end], check)) as checking:
        async for chunk, _none in checking:
            resources.report(Progress(stage="verify", documents=chunk.documents, bytes=chunk.bytes))
    return StretchProved(chunks=stretch.end - stretch.start)


PROVE = Step("prove_stored", StoredStretch, StretchProved, prove_stored)
