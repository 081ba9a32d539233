"""Places where the bytes of damaged blobs may still exist."""

from typing import Protocol

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.fetch import read_member
from indexvault.snapshots.manifest import MANIFEST_LIMIT, Manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.packs import open_member
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree import SEGMENT_LIMIT, Node


class Source(Protocol):
    """A place where bytes may still exist. What it returns need not be right: whoever asks compares hashes."""

    @property
    def name(self) -> str:
        """The place, in words."""
        ...

    async def blob(self, name: str, limit: int) -> bytes | None:
        """Return the bytes of a blob of this name, of `limit` bytes at most, or None if this source has none."""
        ...

    async def chunk(self, manifest: Manifest, chunk: Chunk) -> bytes | None:
        """Return the uncompressed bytes of a chunk of the manifest, or None if this source does not have them."""
        ...

    async def segment(self, manifest: Manifest, node: Node) -> bytes | None:
        """Return the uncompressed bytes of a segment of the manifest's tree, or None if this source has none."""
        ...

    async def manifest(self, reference: SnapshotReference) -> bytes | None:
        """Return the bytes of this snapshot's manifest, proved, or None if this source does not have them."""
        ...


class ReplicaSource:
    """Another store that holds the same snapshots."""

    def __init__(self, name: str, blobs: SnapshotReader) -> None:
        self.name = name
        self.snapshots = blobs

    async def blob(self, name: str, limit: int) -> bytes | None:
        """See `Source.blob`."""
        try:
            return await self.snapshots.read(name, limit)
        except (NotFoundError, IntegrityError):
            return None

    async def chunk(self, manifest: Manifest, chunk: Chunk) -> bytes | None:
        """See `Source.chunk`."""
        try:
            return await read_chunk(self.snapshots, manifest.folder, chunk)
        except (NotFoundError, IntegrityError):
            return None

    async def segment(self, manifest: Manifest, node: Node) -> bytes | None:
        """See `Source.segment`."""
        try:
            stored = await read_member(self.snapshots, manifest.folder, manifest.folder.segments, node)
            return open_member(node.sha256, stored.data, SEGMENT_LIMIT, stored.blob)
        except (NotFoundError, IntegrityError):
            return None

    async def manifest(self, reference: SnapshotReference) -> bytes | None:
        """See `Source.manifest`."""
        try:
            if reference.index == SERVICE_OBJECTS:
                await read_service_manifest(self.snapshots, reference)
            else:
                await read_manifest(self.snapshots, reference)
            name = manifest_name(reference.service, reference.index, reference.id or "")
            return await self.snapshots.read(name, MANIFEST_LIMIT)
        except (NotFoundError, IntegrityError):
            return None
