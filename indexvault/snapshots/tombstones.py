"""Tombstones record that a snapshot is being removed, since when, and the root of its tree.

A tombstone is written before the manifest is deleted, so that the packs keep their grace period and a pin set at the
same moment is seen.
"""

from collections.abc import Iterable

import msgspec

from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore, id_of
from indexvault.snapshots.run_names import tombstone_name, tombstones_prefix
from indexvault.snapshots.store import RunBlobs
from indexvault.snapshots.tree import Tree


class Tombstone(msgspec.Struct, frozen=True):
    """A removed snapshot. `tree` is None when its manifest could not be read."""

    removed: AwareTime
    reason: str
    generation: str = ""
    tree: Tree | None = None


async def write_tombstone(runs: RunBlobs, service: str, index: str, snapshot: str, tombstone: Tombstone) -> None:
    """Write a snapshot's tombstone. Writing it again restarts the grace period."""
    await RecordStore(runs, Tombstone).write(tombstone_name(service, index, snapshot), tombstone)


async def read_tombstones(runs: RunBlobs, service: str, index: str) -> dict[str, Tombstone]:
    """Return the tombstones of an index's snapshots by their ids. Raises IntegrityError if one can't be read."""
    tombstones = RecordStore(runs, Tombstone).list(tombstones_prefix(service, index))
    return {id_of(name): record async for name, record in tombstones}


async def remove_tombstones(runs: RunBlobs, service: str, index: str, snapshots: Iterable[str]) -> None:
    """Remove the tombstones of these snapshots: their grace period is over."""
    for snapshot in snapshots:
        await runs.delete(tombstone_name(service, index, snapshot))
