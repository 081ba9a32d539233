"""Reading chunks back, each byte proved before it is handed on."""

import asyncio

from snapshots.chunks import Chunk, open_chunk
from snapshots.names import ChunkFolder
from snapshots.store import SnapshotBlobs


async def read_chunk(blobs: SnapshotBlobs, folder: ChunkFolder, chunk: Chunk) -> bytes:
    """Give the uncompressed bytes of a chunk; `document_lines` splits them.

    Raises NotFoundError when the blob is gone, IntegrityError when it does not hold exactly what was stored.
    """
    name = folder.blob(chunk.sha256)
    stored = await blobs.read(name, _most_stored(chunk))
    return await asyncio.to_thread(open_chunk, chunk, stored, name)


def _most_stored(chunk: Chunk) -> int:
    """Give the size past which no gzip of these bytes can be: what does not shrink is stored with small headers."""
    return chunk.bytes + chunk.bytes // 512 + 1024
