"""Read chunks back, each byte checked before it is passed on."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from indexvault.snapshots.chunks import CHUNK_CAP, Chunk, open_chunk
from indexvault.snapshots.names import ChunkFolder
from indexvault.snapshots.store import SnapshotReader

MOST_AHEAD = 8
"""Chunks read at once by one reader, so that the round trips of small chunks overlap."""


async def read_chunk(blobs: SnapshotReader, folder: ChunkFolder, chunk: Chunk) -> bytes:
    """Return the uncompressed bytes of a chunk; `document_lines` splits them.

    Of several replicas, the first that has it sound is used. Raises NotFoundError if the blob is gone, IntegrityError
    if it does not hold exactly what was stored.
    """
    _, data = await blobs.first_sound(lambda one: read_stored_chunk(one, folder, chunk))
    return data


async def read_stored_chunk(blobs: SnapshotReader, folder: ChunkFolder, chunk: Chunk) -> tuple[bytes, bytes]:
    """Return a chunk of one store as stored, and its uncompressed bytes. Raises as `read_chunk` does."""
    name = folder.blob(chunk.sha256)
    stored = await blobs.read(name, _most_stored(chunk))
    return stored, await asyncio.to_thread(open_chunk, chunk, stored, name)


async def read_ahead[Result](
    chunks: Sequence[Chunk], read: Callable[[Chunk], Awaitable[Result]]
) -> AsyncGenerator[tuple[Chunk, Result]]:
    """Yield each chunk with the result of `read`, in order, while the next ones are being read.

    At most MOST_AHEAD chunks are under way, and no more than CHUNK_CAP uncompressed bytes of them, the first one apart.
    What `read` raises for a chunk is raised in its turn. Close the generator (`aclosing`) to cancel what is under way.
    """
    waiting = deque(chunks)
    under_way: deque[tuple[Chunk, asyncio.Task[Result]]] = deque()
    size = 0

    async def one(chunk: Chunk) -> Result:
        return await read(chunk)

    try:
        while waiting or under_way:
            while waiting and len(under_way) < MOST_AHEAD and (not under_way or size + waiting[0].bytes <= CHUNK_CAP):
                chunk = waiting.popleft()
                size += chunk.bytes
                under_way.append((chunk, asyncio.create_task(one(chunk))))
            chunk, task = under_way[0]
            result = await task
            under_way.popleft()
            size -= chunk.bytes
            yield chunk, result
    finally:
        for _chunk, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _chunk, task in under_way), return_exceptions=True)


def _most_stored(chunk: Chunk) -> int:
    """Return the most bytes that gzip makes of this chunk: what does not shrink is stored with small headers."""
    return chunk.bytes + chunk.bytes // 512 + 1024
