"""Proving a snapshot: every chunk is read back and everything the manifest says of it is checked."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from indexvault.errors import IndexvaultError, IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk, Digest, add_digests, content_digest, document_lines, key_reader
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import ChunkFolder, SnapshotReference, manifest_name
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.summary import from_metadata, summarise

DEFAULT_CONCURRENCY = 8

Progress = Callable[[Chunk], None]
"""Called after each chunk that was read, whether it is damaged or not."""


class Damage(msgspec.Struct, frozen=True):
    """A blob that is not what was stored, and what is wrong with it in words."""

    blob: str
    what: str


class VerifyReport(msgspec.Struct, frozen=True):
    """What reading a snapshot back showed. Chunks, documents and uncompressed bytes count what was found sound."""

    snapshot: SnapshotReference
    chunks: int
    documents: int
    bytes: int
    damage: tuple[Damage, ...]

    def raise_for_damage(self) -> None:
        """Raise IntegrityError, naming the damaged blobs, unless everything was sound."""
        if not self.damage:
            return
        raise IntegrityError(
            "; ".join(f"{found.blob}: {found.what}" for found in self.damage),
            on=f"snapshot {self.snapshot}",
            do="Use another snapshot or a replica of this one",
        )


async def verify_snapshot(
    blobs: SnapshotReader,
    manifest: Manifest,
    *,
    progress: Progress | None = None,
    concurrency: int = DEFAULT_CONCURRENCY,
) -> VerifyReport:
    """Read every chunk back and report what is not as the manifest says.

    Checked: that each chunk is there, its framing, size and SHA-256, the number of documents, that keys rise within and
    across chunks and so are unique, the content digest over all, and the summary in the manifest's metadata. Holds at
    most `concurrency` chunks at a time. Raises RemoteError when the store can't be read; damage is never raised.
    """
    waiting = iter(manifest.chunks)
    damage: list[Damage] = []
    sound: list[tuple[Chunk, Digest]] = []

    async def work() -> None:
        for chunk in waiting:
            try:
                sound.append((chunk, await check_chunk(blobs, manifest.folder, chunk, manifest.key_field)))
            except (IntegrityError, NotFoundError) as error:
                damage.append(Damage(blob=manifest.folder.blob(chunk.sha256), what=error.what))
            if progress is not None:
                progress(chunk)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(manifest.chunks))):
                group.create_task(work())
    except* IndexvaultError as errors:
        raise errors.exceptions[0] from None
    damage.sort(key=lambda found: found.blob)
    damage.extend(await _check_manifest(blobs, manifest, [digest for _, digest in sound]))
    return VerifyReport(
        snapshot=summarise(manifest).reference,
        chunks=len(sound),
        documents=sum(chunk.documents for chunk, _ in sound),
        bytes=sum(chunk.bytes for chunk, _ in sound),
        damage=tuple(damage),
    )


async def check_chunk(blobs: SnapshotReader, folder: ChunkFolder, chunk: Chunk, key_field: str) -> Digest:
    """Read one chunk back, prove it and its keys, and give the content digest of its documents.

    Raises NotFoundError and IntegrityError as `read_chunk` does; the latter also when a document has no key or keys do
    not rise from the chunk's first to its last.
    """
    data = await read_chunk(blobs, folder, chunk)
    return await asyncio.to_thread(_check_documents, chunk, data, key_field, folder.blob(chunk.sha256))


def _check_documents(chunk: Chunk, data: bytes, key_field: str, blob_name: str) -> Digest:
    lines = document_lines(data)
    read_key = key_reader(key_field)
    try:
        keys = [read_key(line) for line in lines]
    except msgspec.DecodeError as error:
        raise _not_as_named(f"a document is not JSON with a {key_field!r} in it: {error}", blob_name) from error
    if keys[0] != chunk.first or keys[-1] != chunk.last:
        raise _not_as_named("its first and last keys are not those the manifest names", blob_name)
    if any(before >= after for before, after in pairwise(keys)):
        raise _not_as_named("its documents are not in key order, or a key is there twice", blob_name)
    return content_digest(lines)


async def _check_manifest(blobs: SnapshotReader, manifest: Manifest, digests: Sequence[Digest]) -> list[Damage]:
    name = manifest_name(manifest.service, manifest.index, manifest.id)
    found = []
    summary = summarise(manifest)
    properties = await blobs.properties(name)
    if properties is None:
        found.append(Damage(blob=name, what="the manifest is gone"))
    elif from_metadata(summary.reference, properties.metadata) != summary:
        found.append(Damage(blob=name, what="the summary in its metadata is not that of the manifest"))
    if len(digests) == len(manifest.chunks) and add_digests(digests) != manifest.content_digest:
        found.append(Damage(blob=name, what="its content digest is not that of its chunks' documents"))
    return found


def _not_as_named(what: str, blob_name: str) -> IntegrityError:
    return IntegrityError(what, on=blob_name, do="Use another snapshot, or a replica of this one")
