"""A live index as a source of repairs."""

from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.tree import Node


class Live:
    """The documents of a snapshot, as an index has them: chunks, and nothing else."""

    name = "index contoso-east/hotels"

    def __init__(self, lines: dict[str, bytes]) -> None:
        self._lines = lines

    async def chunk(self, manifest: Manifest, chunk: Chunk) -> bytes | None:
        assert manifest.index == "hotels"
        return b"".join(self._lines[key] + b"\n" for key in sorted(self._lines) if chunk.first <= key <= chunk.last)

    async def segment(self, manifest: Manifest, node: Node) -> bytes | None:
        assert (manifest.index, node.chunks > 0) == ("hotels", True)
        return None

    async def blob(self, name: str, limit: int) -> bytes | None:
        assert name.startswith("contoso-east")
        assert limit > 0
        return None

    async def manifest(self, reference: SnapshotReference) -> bytes | None:
        assert reference.index == "hotels"
        return None
