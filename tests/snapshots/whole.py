"""Read a snapshot as a restore does, and compare it with what its manifest says."""

from contextlib import aclosing

from indexvault.snapshots.chunks import add_digests, content_digest, document_lines
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.reader import as_bytes, read_chunks
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree_reader import TreeReader


async def require_whole(blobs: SnapshotReader, manifest: Manifest) -> None:
    """Raise whatever is wrong with a snapshot: a blob that is gone or damaged, documents that are not those it had."""
    digests: list[str] = []
    documents = 0
    chunks = TreeReader(blobs, manifest.folder).chunks(manifest.tree)
    async with aclosing(read_chunks(blobs, manifest.folder, chunks, as_bytes)) as reading:
        async for _chunk, data in reading:
            lines = document_lines(data)
            documents += len(lines)
            digests.append(content_digest(lines))
    assert documents == manifest.counts.documents, f"{documents} documents"
    assert add_digests(digests) == manifest.content_digest, "other documents"
