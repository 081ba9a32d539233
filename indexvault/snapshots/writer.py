"""Write a snapshot: chunks first, each create-only, then the manifest, which is the commit."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.model import Clock
from indexvault.snapshots.announcements import write_announced
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import Chunk, Digest, SealedChunk, compress
from indexvault.snapshots.manifest import Manifest, seal
from indexvault.snapshots.names import ChunkFolder, SnapshotReference, manifest_name
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.store import SnapshotReader, SnapshotWriter, Store
from indexvault.snapshots.summary import Summary, summarise, to_metadata


class StoredChunk(msgspec.Struct, frozen=True):
    """A chunk that is in the store. `added` says that it was not there before, as far as is known."""

    chunk: Chunk
    digest: Digest
    added: bool


async def store_chunk(
    blobs: SnapshotWriter,
    folder: ChunkFolder,
    sealed: SealedChunk,
    known: Mapping[str, int],
    *,
    may_be_there: bool = False,
) -> StoredChunk:
    """Store a chunk unless it is stored already.

    `known` gives the stored bytes of the previous snapshot's chunks (`known_chunks` of its manifest), which are not
    sent again. With `may_be_there`, as when an interrupted run resumes, the store is asked before the bytes are sent.
    An existing blob is trusted only if its MD5 is that of the bytes to store, or after it has been read back. Raises
    IntegrityError if it is damaged.
    """
    chunk = sealed.chunk
    if chunk.sha256 in known:
        return StoredChunk(chunk=_with_size(chunk, known[chunk.sha256]), digest=sealed.digest, added=False)
    name = folder.blob(chunk.sha256)
    stored = await asyncio.to_thread(compress, sealed.data)
    there = await blobs.properties(name) if may_be_there else None
    if there is None:
        if await blobs.create(name, stored, content_type="application/gzip"):
            return StoredChunk(chunk=_with_size(chunk, len(stored)), digest=sealed.digest, added=True)
        there = await blobs.properties(name)
    md5 = hashlib.md5(stored, usedforsecurity=False).digest()
    if there is None or (there.size, there.content_md5) != (len(stored), md5):
        await read_chunk(blobs, folder, chunk)
    return StoredChunk(chunk=_with_size(chunk, there.size if there else len(stored)), digest=sealed.digest, added=False)


async def commit(
    blobs: SnapshotWriter, manifest: Manifest, *, fence: Callable[[], Awaitable[None]] | None = None
) -> Summary:
    """Make the snapshot exist: check that every chunk it names exists, then write its manifest.

    `fence` is called right before the manifest is written; if it raises, no snapshot is made. May be called again for
    the same run. Raises IntegrityError, and writes nothing, if a chunk is missing or damaged or the manifest
    contradicts itself; ConflictError if another run's snapshot has this id.
    """
    data = await asyncio.to_thread(seal, manifest, blobs.authority)
    await _check_chunks(blobs, manifest)
    return await _write_manifest(blobs, manifest, data, fence)


async def commit_announced(
    store: Store, manifest: Manifest, *, clock: Clock, fence: Callable[[], Awaitable[None]] | None = None
) -> Summary:
    """Commit as `commit` does, announced to sweeps. Raises as `commit` and `announced` do."""
    blobs = store.snapshots
    data = await asyncio.to_thread(seal, manifest, blobs.authority)
    return await write_announced(
        store,
        manifest,
        clock=clock,
        check=lambda: _check_chunks(blobs, manifest),
        write=lambda: _write_manifest(blobs, manifest, data, fence),
    )


async def _write_manifest(
    blobs: SnapshotWriter, manifest: Manifest, data: bytes, fence: Callable[[], Awaitable[None]] | None
) -> Summary:
    name = manifest_name(manifest.service, manifest.index, manifest.id)
    summary = summarise(manifest)
    if fence is not None:
        await fence()
    metadata = blobs.authority.signed_metadata(name, data, to_metadata(summary))
    if not await blobs.create(name, data, metadata=metadata, content_type="application/json"):
        reference = SnapshotReference(service=manifest.service, index=manifest.index, id=manifest.id)
        there = await read_manifest(blobs, reference)
        is_ours = (there.run, there.content_digest) == (manifest.run, manifest.content_digest)
        if not is_ours or there.authenticity == "unauthentic":
            raise ConflictError(
                f"a snapshot with this id was written by run {there.run}",
                on=name,
                do="Start the backup again; it gets an id of its own",
            )
        return summarise(there)
    return msgspec.structs.replace(summary, authenticity="authentic") if blobs.authority else summary


async def _check_chunks(blobs: SnapshotReader, manifest: Manifest) -> None:
    """Compare the chunks with a listing, since a known chunk may have been pruned since the run began."""
    folder = manifest.folder
    missing = {folder.blob(chunk.sha256): chunk for chunk in manifest.chunks}
    if not missing:
        return
    async for blob in blobs.list(folder.prefix):
        chunk = missing.pop(blob.name, None)
        if chunk is not None and blob.size != chunk.stored:
            await read_chunk(blobs, folder, chunk)
    for name in missing:
        raise IntegrityError(
            f"the chunk is gone, and {len(missing) - 1} others with it; the snapshot was not written",
            on=name,
            do="Run the backup again: it stores what is missing",
        )


def _with_size(chunk: Chunk, stored: int) -> Chunk:
    return msgspec.structs.replace(chunk, stored=stored)
