"""What the activities of a stretch need of the snapshot's manifest, in small records of the run.

A manifest may have hundreds of megabytes. It is read once, and each stretch then reads its own few chunks from a
checkpoint, which must be what was derived from the manifest: the workflow carries its digest.
"""

import asyncio
from collections.abc import Sequence
from itertools import batched

import msgspec

from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import ChunkFolder, SnapshotReference
from indexvault.snapshots.store import StoreReader
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import altered, digest_of

_SNAPSHOT = "snapshot"
_WRITES_AT_ONCE = 16


class SnapshotSource(msgspec.Struct, frozen=True, kw_only=True):
    """What every stretch needs of the manifest. `definition` is the fullest version; sizes are in bytes."""

    snapshot: str
    folder: ChunkFolder
    key_field: str
    definition: msgspec.Raw
    average_document_bytes: float

    @property
    def schema(self) -> Schema:
        """The schema that stored documents have."""
        return read_schema(self.definition, on=f"snapshot {self.snapshot}")

    @property
    def digest(self) -> str:
        """The digest of this record."""
        return digest_of(self)


class StretchChunks(msgspec.Struct, frozen=True, kw_only=True):
    """The chunks of a stretch, and the keys it covers: above `after`, where the one before ends, up to `until`.

    The first stretch has no `after` and the last no `until`, so that no key falls between two stretches.
    """

    chunks: tuple[Chunk, ...]
    after: str | None
    until: str | None

    @property
    def digest(self) -> str:
        """The digest of this record."""
        return digest_of(self)


async def manifest_of(store: StoreReader, service: str, index: str, snapshot: str) -> Manifest:
    """Read a snapshot's manifest, proved. Raises NotFoundError if there is none, IntegrityError if it is damaged."""
    return await read_manifest(store.snapshots, SnapshotReference(service=service, index=index, id=snapshot))


def snapshot_source(manifest: Manifest) -> SnapshotSource:
    """Return what every stretch needs of a manifest."""
    return SnapshotSource(
        snapshot=manifest.id,
        folder=manifest.folder,
        key_field=manifest.key_field,
        definition=manifest.definition.fullest.body,
        average_document_bytes=manifest.bytes / max(1, manifest.counts.documents),
    )


def stretch_chunks(manifest: Manifest, start: int, end: int) -> StretchChunks:
    """Return the chunks from position `start` to before `end`, and the keys they cover."""
    chunks = manifest.chunks
    return StretchChunks(
        chunks=chunks[start:end],
        after=chunks[start - 1].last if start else None,
        until=chunks[end - 1].last if end < len(chunks) else None,
    )


async def has_sources(records: Checkpoints, stretches: Sequence[tuple[int, int]]) -> bool:
    """Return whether `write_sources` has written the records of a run."""
    return await records.read(_part(*stretches[-1]), StretchChunks) is not None


async def write_sources(
    records: Checkpoints, manifest: Manifest, stretches: Sequence[tuple[int, int]]
) -> tuple[str, list[str]]:
    """Write the records of a run: that of the snapshot, and one for each stretch, the last stretch's last.

    Return their digests.
    """
    source = snapshot_source(manifest)
    await records.write(_SNAPSHOT, source)
    digests: list[str] = []
    for some in batched(stretches[:-1], _WRITES_AT_ONCE, strict=False):
        digests += await asyncio.gather(*(_write(records, manifest, start, end) for start, end in some))
    digests.append(await _write(records, manifest, *stretches[-1]))
    return source.digest, digests


async def read_source(records: Checkpoints, digest: str | None, on: str) -> SnapshotSource | None:
    """Return what is noted of a snapshot, or None if nothing is. Raises IntegrityError if it has another digest."""
    source = await records.read(_SNAPSHOT, SnapshotSource)
    if source is not None and digest is not None and source.digest != digest:
        raise altered("its record of the snapshot is not what this restore wrote", on)
    return source


async def read_sources(
    records: Checkpoints,
    store: StoreReader,
    snapshot: SnapshotReference,
    start: int,
    end: int,
    *,
    digests: tuple[str, str] | None = None,
) -> tuple[SnapshotSource, StretchChunks]:
    """Return what a stretch needs of its snapshot's manifest; where a record is gone, the manifest is read.

    `digests` are those of the two records. Raises IntegrityError if one is another.
    """
    on = str(snapshot)
    source = await read_source(records, digests and digests[0], on)
    stretch = await records.read(_part(start, end), StretchChunks)
    if stretch is not None and digests is not None and stretch.digest != digests[1]:
        raise altered(f"its record of chunks {start} to {end} is not what this restore wrote", on)
    if source is None or stretch is None:
        manifest = await read_manifest(store.snapshots, snapshot)
        source, stretch = snapshot_source(manifest), stretch_chunks(manifest, start, end)
        await records.write(_SNAPSHOT, source)
        await records.write(_part(start, end), stretch)
    return source, stretch


async def _write(records: Checkpoints, manifest: Manifest, start: int, end: int) -> str:
    stretch = stretch_chunks(manifest, start, end)
    await records.write(_part(start, end), stretch)
    return stretch.digest


def _part(start: int, end: int) -> str:
    return f"stretch-{start}-{end}"
