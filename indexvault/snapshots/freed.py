"""Add up what the removal of snapshots frees."""

from collections.abc import Iterable

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.live_members import LiveMembers
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.summary import Summary


async def stored_only_in(blobs: SnapshotReader, going: Iterable[Summary], staying: Iterable[Summary]) -> int:
    """Return the stored bytes of what only some snapshots of an index need, and others don't: chunks and segments.

    What can't be read is ignored.
    """
    manifests = [each for summary in going if (each := await _readable(blobs, summary)) is not None]
    if not manifests:
        return 0
    live = LiveMembers(blobs, manifests[0].service, manifests[0].index)
    for summary in staying:
        if (manifest := await _readable(blobs, summary)) is not None:
            await _walk_readable(live, manifest)
    before = live.named_bytes
    for manifest in manifests:
        await _walk_readable(live, manifest)
    return live.named_bytes - before


async def _walk_readable(live: LiveMembers, manifest: Manifest) -> None:
    try:
        await live.walk(manifest.generation, manifest.tree)
    except (IntegrityError, NotFoundError):
        return


async def _readable(blobs: SnapshotReader, summary: Summary) -> Manifest | None:
    if summary.state == "damaged":
        return None
    try:
        return await read_manifest(blobs, summary)
    except (IntegrityError, NotFoundError):
        return None
