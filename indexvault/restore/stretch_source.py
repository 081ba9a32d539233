"""What the activities of a stretch need of the snapshot's manifest, in small records of the run.

A manifest may have hundreds of megabytes. It is read once, and each stretch then reads its own few chunks from a
checkpoint.
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


class StretchChunks(msgspec.Struct, frozen=True, kw_only=True):
    """The chunks of a stretch, and the keys it covers: above `after`, where the one before ends, up to `until`.

    The first stretch has no `after` and the last no `until`, so that no key falls between two stretches.
    """

    chunks: tuple[Chunk, ...]
    after: str | None
    until: str | None


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


async def write_sources(records: Checkpoints, manifest: Manifest, stretches: Sequence[tuple[int, int]]) -> None:
    """Write the records of a run: that of the snapshot, and one for each stretch, the last stretch's last."""
    await records.write(_SNAPSHOT, snapshot_source(manifest))
    for some in batched(stretches[:-1], _WRITES_AT_ONCE, strict=False):
        await asyncio.gather(*(_write(records, manifest, start, end) for start, end in some))
    await _write(records, manifest, *stretches[-1])


async def read_sources(
    records: Checkpoints, store: StoreReader, snapshot: SnapshotReference, start: int, end: int
) -> tuple[SnapshotSource, StretchChunks]:
    """Return what a stretch needs of its snapshot's manifest.

    A run of an earlier version has no such records: the manifest is read then, and the stretch's record written.
    """
    source = await records.read(_SNAPSHOT, SnapshotSource)
    stretch = await records.read(_part(start, end), StretchChunks)
    if source is None or stretch is None:
        manifest = await read_manifest(store.snapshots, snapshot)
        source, stretch = snapshot_source(manifest), stretch_chunks(manifest, start, end)
        await records.write(_SNAPSHOT, source)
        await records.write(_part(start, end), stretch)
    return source, stretch


async def _write(records: Checkpoints, manifest: Manifest, start: int, end: int) -> None:
    await records.write(_part(start, end), stretch_chunks(manifest, start, end))


def _part(start: int, end: int) -> str:
    return f"stretch-{start}-{end}"
