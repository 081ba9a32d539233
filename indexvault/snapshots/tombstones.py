"""Tombstones: that a snapshot is being removed, since when, and which chunks it named.

Written before the manifest goes, so that the chunks keep their grace period and a pin set at the same moment is seen.
"""

from collections.abc import Iterable

import msgspec

from indexvault.snapshots.chunks import Digest
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import tombstone_name, tombstones_prefix
from indexvault.snapshots.records import read_records
from indexvault.snapshots.store import RunBlobs


class Tombstone(msgspec.Struct, frozen=True):
    """A removed snapshot. `chunks` is None when its manifest could not be read."""

    removed: AwareTime
    reason: str
    generation: str = ""
    chunks: tuple[Digest, ...] | None = None


async def raise_tombstone(runs: RunBlobs, service: str, index: str, snapshot: str, tombstone: Tombstone) -> None:
    """Write a snapshot's tombstone. Again it starts the grace period anew."""
    await runs.put(tombstone_name(service, index, snapshot), msgspec.json.encode(tombstone))


async def read_tombstones(runs: RunBlobs, service: str, index: str) -> dict[str, Tombstone]:
    """Return the tombstones of an index's snapshots by their ids."""
    prefix = tombstones_prefix(service, index)
    return {snapshot: record async for snapshot, record in read_records(runs, prefix, Tombstone)}


async def bury(runs: RunBlobs, service: str, index: str, snapshots: Iterable[str]) -> None:
    """Remove tombstones that have done their duty."""
    for snapshot in snapshots:
        await runs.delete(tombstone_name(service, index, snapshot))
