"""Copy single members of packs to a second store, where the packs themselves can't be copied.

Packs are named by their bytes. So one that is damaged where no snapshot needs it, or that each store has rewritten in
its own way, can't be had under its name. What a snapshot needs of it is proved, stored in new packs, and the second
store's record of locations leads there.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing

from indexvault.errors import IntegrityError
from indexvault.model import Clock
from indexvault.snapshots.chunks import LARGEST_CHUNK
from indexvault.snapshots.fetch import Failure, StoredMember, fetch_members
from indexvault.snapshots.locations import Location, encode_locations, read_locations
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackName
from indexvault.snapshots.pack_store import CONTENT_TYPE, store_pack
from indexvault.snapshots.packs import Pack, Packer, Placed, open_member
from indexvault.snapshots.repack import name_of
from indexvault.snapshots.run_names import sweep_name
from indexvault.snapshots.store import SnapshotReader, Store
from indexvault.snapshots.sweep_declaration import REPAIR_FOR, declared
from indexvault.snapshots.tree import SEGMENT_LIMIT
from indexvault.snapshots.tree_reader import TreeReader


class MemberCopier:
    """Copies what one snapshot needs of some packs. `packs` and `bytes` count what was stored."""

    def __init__(self, source: SnapshotReader, replica: Store, manifest: Manifest, clock: Clock) -> None:
        self._source = source
        self._replica = replica
        self._manifest = manifest
        self._clock = clock
        self.packs = 0
        self.bytes = 0

    async def copy(self, packs: Collection[PackName]) -> None:
        """Copy what is needed of these packs, and lead there in the second store. Holds the entries of their members.

        Raises IntegrityError or NotFoundError if a needed member can't be had, ConflictError if a prune of the second
        store runs, or a record may not be replaced.
        """
        needed: dict[PackName, dict[int, Placed]] = {pack: {} for pack in packs}
        walk = TreeReader(self._source, self._manifest.folder).unseen(self._manifest.tree, set())
        async with aclosing(walk) as found:
            async for level, entries in found:
                for entry in entries:
                    name = PackName("segments" if level else "packs", self._manifest.folder, entry.pack)
                    if name in needed:
                        needed[name][entry.offset] = entry
        for pack, members in needed.items():
            await self._copy(pack, [members[offset] for offset in sorted(members)])

    async def _copy(self, pack: PackName, members: Sequence[Placed]) -> None:
        there = await self._fetch(self._replica.snapshots, pack, members)
        lacking = [each for each, found in zip(members, there, strict=True) if not isinstance(found, StoredMember)]
        if not lacking:
            return
        packer = Packer()
        waiting = list(lacking)
        locations: dict[int, Location] = {}
        for each, found in zip(lacking, await self._fetch(self._source, pack, lacking), strict=True):
            if not isinstance(found, StoredMember):
                raise found
            if (new := packer.add(each.sha256, bytes(found.data))) is not None:
                locations |= await self._store(pack, new, waiting)
        if (new := packer.finish()) is not None:
            locations |= await self._store(pack, new, waiting)
        await self._lead(pack, locations)

    async def _fetch(
        self, blobs: SnapshotReader, pack: PackName, members: Sequence[Placed]
    ) -> list[StoredMember | Failure]:
        """Return members, each proved, or what is wrong with it."""
        stored = await fetch_members(blobs, pack.folder, name_of(pack), members)
        return await asyncio.to_thread(_proved, pack, members, stored)

    async def _store(self, pack: PackName, new: Pack, waiting: list[Placed]) -> dict[int, Location]:
        """Store a new pack, and return where it holds those that wait for a place, whose members it begins with."""
        await store_pack(self._replica.snapshots, name_of(pack), new)
        self.packs += 1
        self.bytes += len(new.data)
        places = [(waiting.pop(0).offset, each) for each in new.members]
        return {was: Location(was, new.name, each.offset, each.stored) for was, each in places}

    async def _lead(self, pack: PackName, locations: Mapping[int, Location]) -> None:
        """Have the second store's record lead to these places too."""
        blobs, name = self._replica.snapshots, pack.folder.locations(pack.sha256)
        if await blobs.create(name, _record(locations), content_type=CONTENT_TYPE):
            return
        # Two sweeps, or a sweep and this, must not replace a record at once, or remove what it leads to.
        sweep = sweep_name(self._manifest.service, self._manifest.index)
        async with declared(self._replica.runs, sweep, [name], self._clock, lasts=REPAIR_FOR):
            earlier = await read_locations(blobs, pack.folder, pack.sha256)
            await blobs.delete(name)
            await blobs.create(name, _record({**(earlier or {}), **locations}), content_type=CONTENT_TYPE)


def _record(locations: Mapping[int, Location]) -> bytes:
    return encode_locations([locations[was] for was in sorted(locations)])


def _proved(
    pack: PackName, members: Sequence[Placed], stored: Sequence[StoredMember | Failure]
) -> list[StoredMember | Failure]:
    most = SEGMENT_LIMIT if pack.kind == "segments" else LARGEST_CHUNK
    proved: list[StoredMember | Failure] = []
    for each, found in zip(members, stored, strict=True):
        try:
            if isinstance(found, StoredMember):
                open_member(each.sha256, found.data, most, found.blob)
            proved.append(found)
        except IntegrityError as error:
            proved.append(error)
    return proved
