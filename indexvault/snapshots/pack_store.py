"""Store packs: create-only, and never sent again when they are there."""

import asyncio
import hashlib
from collections.abc import Callable

from indexvault.errors import IntegrityError
from indexvault.snapshots.names import repair_advice
from indexvault.snapshots.packs import PACK_LIMIT, Pack, is_sound
from indexvault.snapshots.store import SnapshotReader, SnapshotWriter

CONTENT_TYPE = "application/gzip"


async def store_pack(
    blobs: SnapshotWriter, name_of: Callable[[str], str], pack: Pack, *, may_be_there: bool = False
) -> bool:
    """Store a pack and return whether it was not there before, as far as is known.

    `name_of` gives the blob of a pack: `PackFolder.pack` or `.segments`. With `may_be_there`, as when an interrupted
    run resumes, the store is asked before the bytes are sent. A blob that is there is trusted only if its MD5 is that
    of the pack, or after it has been read back. Raises IntegrityError if it is damaged.
    """
    name = name_of(pack.name)
    there = await blobs.properties(name) if may_be_there else None
    if there is None:
        if await blobs.create(name, pack.data, content_type=CONTENT_TYPE):
            return True
        there = await blobs.properties(name)
    md5 = await asyncio.to_thread(lambda: hashlib.md5(pack.data, usedforsecurity=False).digest())
    if there is None or (there.size, there.content_md5) != (len(pack.data), md5):
        await require_pack(blobs, name_of, pack.name)
    return False


async def require_pack(blobs: SnapshotReader, name_of: Callable[[str], str], sha256: str) -> bytes:
    """Return the bytes of a pack, proved. Raises NotFoundError if it is gone, IntegrityError if it is damaged."""
    name = name_of(sha256)
    data = await blobs.read(name, PACK_LIMIT)
    if not await asyncio.to_thread(is_sound, sha256, data):
        raise IntegrityError("its SHA-256 is not its name", on=name, do=repair_advice(name))
    return data
