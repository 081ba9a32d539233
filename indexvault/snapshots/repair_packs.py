"""Replace damaged and missing packs: as a whole, or member by member in a new pack with a record of locations.

A pack is named by its bytes, so only the very same bytes can be put back under its name. Where they can't be had, what
the snapshots need of it is gathered: from what is sound of it, from other packs that hold the same members, from
replicas, from the live index. That goes into a new pack, and a record of locations leads there from the old name.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.snapshots.chunks import LARGEST_CHUNK
from indexvault.snapshots.locations import (
    Location,
    MovedPack,
    encode_locations,
    read_locations,
)
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackName
from indexvault.snapshots.pack_store import CONTENT_TYPE, store_pack
from indexvault.snapshots.packs import PACK_LIMIT, Member, Packer, is_sound, member, open_member, scan_members
from indexvault.snapshots.repair_sources import Source
from indexvault.snapshots.store import SnapshotReader, SnapshotWriter
from indexvault.snapshots.sweep_declaration import TAKEN_OVER, Declaration
from indexvault.snapshots.tree import SEGMENT_LIMIT, Entry, Node
from indexvault.snapshots.tree_reader import TreeReader

_OTHER_PACKS = "other packs"


async def remove_if_there(blobs: SnapshotWriter, name: str) -> None:
    """Remove a damaged blob. One that is missing is put back without any right to delete."""
    if await blobs.properties(name) is not None:
        await blobs.delete(name)


class UngatheredError(Exception):
    """Some of what the snapshots need of a pack exists nowhere. The text says what."""


@dataclass(frozen=True, slots=True)
class _Needed:
    """A member that snapshots need: the entry that lists it, the manifest it is from, where it begins in the pack."""

    entry: Entry
    manifest: Manifest
    offset: int


class PackRepairer:
    """Repairs packs of one index. `walked` reads trees, from replicas where this store's segments are damaged.

    With the `declaration`, no sweep removes a pack to which a new record leads.
    """

    def __init__(
        self,
        blobs: SnapshotWriter,
        walked: SnapshotReader,
        manifests: Sequence[Manifest],
        sources: Sequence[Source],
        declaration: Declaration,
    ) -> None:
        self._blobs = blobs
        self._walked = walked
        self._manifests = manifests
        self._sources = sources
        self._declaration = declaration

    async def put_back(self, name: str, pack: PackName) -> str | None:
        """Put a whole pack back under its name, from the first source that has it. Return the source, or None."""
        for source in self._sources:
            data = await source.blob(name, PACK_LIMIT)
            if data is not None and await asyncio.to_thread(is_sound, pack.sha256, data):
                await remove_if_there(self._blobs, name)
                await self._blobs.create(name, data, content_type=CONTENT_TYPE)
                return source.name
        return None

    async def gather(self, name: str, pack: PackName) -> str:
        """Gather what the snapshots need of a pack, and lead there from its name. Return the sources in words.

        The old pack is removed last. Raises UngatheredError, and changes nothing, if something can't be had;
        ConflictError if the old pack or a damaged record may not be removed, or a sweep has taken over.
        """
        await self._declaration.declare([name, pack.folder.locations(pack.sha256)])
        needed = await self._needed(pack)
        if not needed:  # what was needed of it has been found elsewhere by now
            return _OTHER_PACKS
        gathered = _Gathered(needed)
        there = await self._read(name)
        if there is not None:
            await asyncio.to_thread(gathered.keep_sound, there, pack)
        elif gathered.lacking():
            await self._find_elsewhere(pack, gathered)
        for each in gathered.lacking():
            await self._ask(each, gathered)
        if there is not None and gathered.lacking():
            await self._find_elsewhere(pack, gathered)
        if missing := len(gathered.lacking()):
            what = "segments, which can't be made again from chunks," if pack.kind == "segments" else "chunks"
            raise UngatheredError(f"{missing:,} of {len(needed):,} {what} can't be had")
        await self._lead(pack, name, gathered)
        return ", ".join(sorted(gathered.sources)) or "what is sound of it"

    async def _needed(self, pack: PackName) -> dict[int, _Needed]:
        """Return the members of a pack that snapshots need, by their offsets, also those that records lead to."""
        leading = await self._leading(pack)
        needed: dict[int, _Needed] = {}
        seen: set[bytes] = set()
        reader = TreeReader(self._walked, pack.folder)
        for manifest in self._manifests:
            if manifest.folder != pack.folder:
                continue
            walk = reader.unseen(manifest.tree, seen, lambda _node, _failure: None)
            async with aclosing(walk) as found:
                async for level, entries in found:
                    if bool(level) != (pack.kind == "segments"):
                        continue
                    for entry in entries:
                        offset = _offset_in(pack.sha256, entry, leading)
                        if offset is not None:
                            needed[offset] = _Needed(entry, manifest, offset)
        return needed

    async def _leading(self, pack: PackName) -> dict[str, MovedPack]:
        """Return the records that lead to a pack, in one step or more."""
        records: dict[str, MovedPack] = {}
        async for blob in self._blobs.list(pack.folder.prefix("locations")):
            old = blob.name.rpartition("/")[2].partition(".")[0]
            if blob.name != pack.folder.locations(old) or old == pack.sha256:
                continue
            try:
                locations = await read_locations(self._blobs, pack.folder, old)
            except IntegrityError:
                continue
            records[old] = MovedPack((locations or {}).values())
        found: dict[str, MovedPack] = {}
        targets = {pack.sha256}
        while more := {old: each for old, each in records.items() if old not in found and targets & set(each.packs)}:
            found |= more
            targets |= more.keys()
        return found

    async def _read(self, name: str) -> bytes | None:
        try:
            return await self._blobs.read(name, PACK_LIMIT)
        except (NotFoundError, IntegrityError):
            return None

    async def _find_elsewhere(self, pack: PackName, gathered: "_Gathered") -> None:
        """Look for members in all other packs, as when a pack was rewritten and its record of locations is lost."""
        lacking = {each.entry.sha256 for each in gathered.lacking()}
        async with aclosing(self._other_packs(pack)) as packs:
            async for other, data in packs:
                for found in _members_in(data):
                    if found.sha256 in lacking and await asyncio.to_thread(_is_sound_member, found, data, pack):
                        lacking.remove(found.sha256)
                        gathered.locate(found, other)
                if not lacking:
                    return

    async def _other_packs(self, pack: PackName) -> AsyncGenerator[tuple[str, bytes]]:
        prefix = pack.folder.prefix(pack.kind)
        async for blob in self._blobs.list(prefix):
            other = blob.name.rpartition("/")[2].partition(".")[0]
            if blob.name != pack.folder.blob(pack.kind, other) or other == pack.sha256:
                continue
            if self._declaration.may_vanish(blob.name):
                continue
            data = await self._read(blob.name)
            if data is not None:
                yield other, data

    async def _ask(self, each: _Needed, gathered: "_Gathered") -> None:
        for source in self._sources:
            if isinstance(each.entry, Node):
                data = await source.segment(each.manifest, each.entry)
            else:
                data = await source.chunk(each.manifest, each.entry)
            if data is not None and hashlib.sha256(data).hexdigest() == each.entry.sha256:
                made = await asyncio.to_thread(member, each.entry.sha256, data)
                gathered.keep(each.entry.sha256, made)
                gathered.sources.add(source.name)
                return

    async def _lead(self, pack: PackName, name: str, gathered: "_Gathered") -> None:
        """Store what was gathered, lead there from the old pack, then remove that."""
        folder = pack.folder
        locations = list(gathered.located.values())
        packer = Packer(1 << 60)
        for _offset, (sha256, data) in sorted(gathered.members.items()):
            packer.add(sha256, data)
        new = packer.finish()
        if new is not None and new.name == pack.sha256:
            await remove_if_there(self._blobs, name)
            await store_pack(self._blobs, lambda sha256: folder.blob(pack.kind, sha256), new)
            return
        if new is not None:
            if self._declaration.may_vanish(folder.blob(pack.kind, new.name)):
                raise _taken_over(name)
            await store_pack(self._blobs, lambda sha256: folder.blob(pack.kind, sha256), new)
            for offset, place in zip(sorted(gathered.members), new.members, strict=True):
                locations.append(Location(offset, new.name, place.offset, place.stored))
        record = folder.locations(pack.sha256)
        data = await asyncio.to_thread(encode_locations, locations)
        await self._declaration.declare([name, record])
        if not await self._blobs.create(record, data, content_type=CONTENT_TYPE):
            await remove_if_there(self._blobs, record)
            await self._blobs.create(record, data, content_type=CONTENT_TYPE)
        # A sweep that has taken over may not have seen the record: it may take what that leads to for unneeded.
        await self._declaration.declare([name, record])
        await remove_if_there(self._blobs, name)


class _Gathered:
    """What was found of a pack, by the offsets in it: members for a new pack, or where they lie in others."""

    def __init__(self, needed: dict[int, _Needed]) -> None:
        self._needed = needed
        self._offsets: dict[str, list[int]] = {}
        for each in needed.values():
            self._offsets.setdefault(each.entry.sha256, []).append(each.offset)
        self.members: dict[int, tuple[str, bytes]] = {}
        self.located: dict[int, Location] = {}
        self.sources: set[str] = set()

    def lacking(self) -> list[_Needed]:
        """Return what is needed and was not found, each content once."""
        return [
            self._needed[offsets[0]]
            for offsets in self._offsets.values()
            if any(offset not in self.members and offset not in self.located for offset in offsets)
        ]

    def keep(self, sha256: str, data: bytes) -> None:
        """Keep a member wherever it is needed."""
        for offset in self._offsets[sha256]:
            self.members.setdefault(offset, (sha256, data))

    def locate(self, found: Member, pack: str) -> None:
        """Note where a member lies in another pack."""
        for offset in self._offsets[found.sha256]:
            self.located[offset] = Location(offset, pack, found.offset, found.stored)
        self.sources.add(_OTHER_PACKS)

    def keep_sound(self, data: bytes, pack: PackName) -> None:
        """Keep the members of a damaged pack that are sound, also those that nobody is known to need."""
        found: dict[int, Member] = {}
        listed = [Member(each.entry.sha256, each.offset, each.entry.stored) for each in self._needed.values()]
        for start in (0, *(each.offset for each in listed), *(each.offset + each.stored for each in listed)):
            if start not in found:
                found |= {each.offset: each for each in _members_in(data, start)}
        for offset, each in found.items():
            if _is_sound_member(each, data, pack):
                self.members[offset] = (each.sha256, data[offset : offset + each.stored])


def _taken_over(name: str) -> ConflictError:
    return ConflictError(f"{TAKEN_OVER}; it stays as it is", on=name, do="Repair again once that has finished")


def _offset_in(pack: str, entry: Entry, leading: dict[str, MovedPack]) -> int | None:
    """Return where an entry's member begins in a pack, or None if it does not lie there."""
    at, offset = entry.pack, entry.offset
    seen: set[str] = set()
    while at != pack:
        moved = leading.get(at)
        place = moved.find(offset) if moved is not None and at not in seen else None
        if place is None:
            return None
        seen.add(at)
        at, offset, _stored = place
    return offset


def _members_in(data: bytes, start: int = 0) -> list[Member]:
    """Return the members of a pack from byte `start` up to the first that does not begin as one does."""
    members: list[Member] = []
    with suppress(IntegrityError):
        members.extend(scan_members(data, "a pack", start))
    return members


def _is_sound_member(found: Member, data: bytes, pack: PackName) -> bool:
    """Return whether a member holds what it says."""
    most = SEGMENT_LIMIT if pack.kind == "segments" else LARGEST_CHUNK
    try:
        open_member(found.sha256, data[found.offset : found.offset + found.stored], most, "a pack")
    except IntegrityError:
        return False
    return True
