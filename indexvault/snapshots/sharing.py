"""What a snapshot shares with the others of its index, and what only it needs."""

from collections.abc import AsyncGenerator, Iterable

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.summary import Summary


class Sharing(msgspec.Struct, frozen=True):
    """Chunks that a snapshot shares with others, chunks that it alone names (`own`), and the stored bytes of both.

    `with_snapshots` counts the snapshots that it shares any with. Its own chunks go when it is removed.
    """

    shared: int
    shared_stored: int
    with_snapshots: int
    own: int
    own_stored: int


def sharing(manifest: Manifest, others: Iterable[Manifest]) -> Sharing:
    """Compare one manifest with all others of its index."""
    stored = {manifest.folder.blob(chunk.sha256): chunk.stored for chunk in manifest.chunks}
    shared: set[str] = set()
    number = 0
    for other in others:
        if other.id != manifest.id and other.folder == manifest.folder:
            common = stored.keys() & {other.folder.blob(chunk.sha256) for chunk in other.chunks}
            shared |= common
            number += bool(common)
    return Sharing(
        shared=len(shared),
        shared_stored=sum(stored[name] for name in shared),
        with_snapshots=number,
        own=len(stored) - len(shared),
        own_stored=sum(size for name, size in stored.items() if name not in shared),
    )


async def read_sharing(blobs: SnapshotReader, manifest: Manifest) -> Sharing:
    """Compare one manifest with all others of its index in a store. Those that can't be read are ignored."""
    same = [
        summary
        for summary in await list_snapshots(blobs, manifest.service, manifest.index)
        if summary.id != manifest.id and summary.generation == manifest.generation
    ]
    return sharing(manifest, [each async for each in _readable(blobs, same)])


async def stored_only_in(blobs: SnapshotReader, going: Iterable[Summary], staying: Iterable[Summary]) -> int:
    """Return the stored bytes of the chunks that some snapshots name and others don't. Unreadable ones are ignored."""
    stored: dict[str, int] = {}
    async for manifest in _readable(blobs, going):
        stored |= {manifest.folder.blob(chunk.sha256): chunk.stored for chunk in manifest.chunks}
    if stored:
        async for manifest in _readable(blobs, staying):
            for chunk in manifest.chunks:
                stored.pop(manifest.folder.blob(chunk.sha256), None)
    return sum(stored.values())


async def _readable(blobs: SnapshotReader, snapshots: Iterable[Summary]) -> AsyncGenerator[Manifest]:
    """Yield the manifests of snapshots, without those that can't be read."""
    for summary in snapshots:
        if summary.state != "damaged":
            try:
                manifest = await read_manifest(blobs, summary)
            except (IntegrityError, NotFoundError):
                continue
            yield manifest
