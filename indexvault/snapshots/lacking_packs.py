"""Find which packs and records of locations a second store lacks of a snapshot."""

from collections.abc import Collection, Mapping
from contextlib import aclosing
from typing import Literal

import msgspec

from indexvault.snapshots.locations import MOST_HOPS, MovedPacks
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder, PackKind, PackName
from indexvault.snapshots.packs import Placed
from indexvault.snapshots.store import BlobProperties, SnapshotReader
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.used_packs import UsedPacks

_KINDS: tuple[PackKind, ...] = ("packs", "segments")


class WantedPacks(msgspec.Struct, frozen=True):
    """The packs that a snapshot uses, and how many of its documents lie in each pack of chunks."""

    used: UsedPacks
    documents: dict[str, int]


class Copy(msgspec.Struct, frozen=True):
    """Something to copy: a `pack`, a `record` of locations, or only those `members` of a pack that the snapshot needs.

    `documents` are those that it brings.
    """

    name: PackName
    how: Literal["pack", "record", "members"]
    documents: int


async def wanted_packs(blobs: SnapshotReader, manifest: Manifest) -> WantedPacks:
    """Return what a snapshot uses. Raises IntegrityError and NotFoundError if its tree can't be read."""
    wanted = WantedPacks(UsedPacks(), {})
    async with aclosing(TreeReader(blobs, manifest.folder).unseen(manifest.tree, set())) as found:
        async for level, entries in found:
            wanted.used.add(entries)
            for entry in entries if not level else ():
                wanted.documents[entry.pack] = wanted.documents.get(entry.pack, 0) + entry.documents
    return wanted


async def listed_packs(blobs: SnapshotReader, folder: PackFolder) -> dict[str, BlobProperties]:
    """Return the packs, segments and records of a generation by name."""
    kinds: tuple[PackKind, ...] = (*_KINDS, "locations")
    return {blob.name: blob for kind in kinds async for blob in blobs.list(folder.prefix(kind))}


async def lacking_packs(
    source: SnapshotReader, replica: SnapshotReader, manifest: Manifest, wanted: WantedPacks
) -> list[Copy]:
    """Return what to copy: packs, and instead of those that the source has rewritten, where their members lie now.

    New packs come before the records that lead to them.
    """
    lacking = _Lacking(source, replica, manifest, wanted)
    await lacking.look()
    return lacking.copies


class _Lacking:
    def __init__(
        self, source: SnapshotReader, replica: SnapshotReader, manifest: Manifest, wanted: WantedPacks
    ) -> None:
        self._source = source
        self._replica = replica
        self._manifest = manifest
        self._folder = manifest.folder
        self._wanted = wanted
        self._moved = MovedPacks(source, manifest.folder)
        self._here: Mapping[str, BlobProperties] = {}
        self._there: Mapping[str, BlobProperties] = {}
        self._misled: Collection[str] = ()
        self._copies: dict[str, Copy] = {}

    @property
    def copies(self) -> list[Copy]:
        return list(self._copies.values())

    async def look(self) -> None:
        self._here = await listed_packs(self._source, self._folder)
        self._there = await listed_packs(self._replica, self._folder)
        self._misled = await self._look_where_it_leads()
        for kind, packs in zip(_KINDS, (self._wanted.used.chunks, self._wanted.used.segments), strict=True):
            for pack in packs:
                await self._add(PackName(kind, self._folder, pack), 0)

    async def _add(self, pack: PackName, depth: int) -> None:
        blob = pack.blob
        if blob in self._there or blob in self._copies:
            return
        record = PackName("locations", self._folder, pack.sha256)
        if record.blob in self._there and blob not in self._misled:
            return
        documents = self._wanted.documents.get(pack.sha256, 0) if pack.kind == "packs" else 0
        if blob not in self._here and blob in self._misled:
            # Each store has rewritten it in its own way, and there can be only one record.
            self._copies[blob] = Copy(pack, "members", documents)
            return
        moved = None if blob in self._here or depth > MOST_HOPS else await self._moved.find(pack.sha256)
        if moved is None:
            # If it is gone here too, reading it says so.
            self._copies[blob] = Copy(pack, "pack", documents)
            return
        for new in moved.packs:
            await self._add(PackName(pack.kind, self._folder, new), depth + 1)
        self._copies[record.blob] = Copy(record, "record", documents)

    async def _look_where_it_leads(self) -> Collection[str]:
        """Return the packs whose record in the replica does not lead to all that this snapshot needs of them."""
        misled: set[str] = set()
        packs = [(self._folder.pack(pack), pack) for pack in self._wanted.used.chunks]
        packs += [(self._folder.segments(pack), pack) for pack in self._wanted.used.segments]
        if all(name in self._there or self._folder.locations(pack) not in self._there for name, pack in packs):
            return misled
        moved = MovedPacks(self._replica, self._folder)
        walk = TreeReader(self._source, self._folder).unseen(self._manifest.tree, set())
        async with aclosing(walk) as found:
            async for level, entries in found:
                kind: PackKind = "segments" if level else "packs"
                for entry in entries:
                    name = self._folder.blob(kind, entry.pack)
                    if name in misled or name in self._there:
                        continue
                    if self._folder.locations(entry.pack) in self._there and not await self._leads(kind, entry, moved):
                        misled.add(name)
        return misled

    async def _leads(self, kind: PackKind, entry: Placed, moved: MovedPacks) -> bool:
        pack, offset, stored = entry.pack, entry.offset, entry.stored
        for _hop in range(MOST_HOPS):
            if (blob := self._there.get(self._folder.blob(kind, pack))) is not None:
                return blob.size >= offset + stored
            record = await moved.find(pack)
            place = record.find(offset) if record is not None else None
            if place is None:
                return False
            pack, offset, stored = place
        return False
