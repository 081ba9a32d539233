"""Rewrite packs of which little is alive: copy what is alive to new packs, and record where it lies now.

A pack goes as a whole, so what is dead in it stays until everything in it is. Where that wastes too much, the members
that are alive are read, proved and copied as they are; the new packs are stored; then, for each old pack, a record of
locations is written, create-only; only then may a sweep remove the old pack. Killed before the records, it leaves new
packs that nothing names, which are removed after the grace period or found there by the next try, since the same
members make the same pack. Killed after them, it leaves old packs that records supersede, which the next sweep removes.

Small packs are joined: those of about one size, once they are many or fill a pack together. So a member is moved once
for each eightfold size that it grows through, and not with every prune.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import batched

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import LARGEST_CHUNK
from indexvault.snapshots.fetch import StoredMember, fetch_members
from indexvault.snapshots.live_members import LiveMembers
from indexvault.snapshots.locations import MOST_HOPS, Location, encode_locations, read_locations
from indexvault.snapshots.names import PackName, repair_advice
from indexvault.snapshots.pack_store import CONTENT_TYPE, store_pack
from indexvault.snapshots.packs import PACK_LIMIT, PACK_TARGET, Member, Pack, Packer, open_member, scan_members
from indexvault.snapshots.store import SnapshotReader, SnapshotWriter
from indexvault.snapshots.tree import SEGMENT_LIMIT
from indexvault.snapshots.used_packs import WithoutBlobs

ALIVE_ENOUGH = 0.66
"""The share of a pack that must be alive for it to stay as it is. Source: benchmarks/waste.py."""

MANY = 16
"""Small packs of about one size that are joined, even if they don't fill a pack together."""

MOST_MOVES = MOST_HOPS - 4
"""How often a member is moved at most: readers follow no more records than MOST_HOPS."""

_SMALL = 2
_NEGLIGIBLE = 32
_PACKS_AT_ONCE = 64  # packs, and _BYTES_AT_ONCE times the bytes of a full pack, that are copied before they are removed
_BYTES_AT_ONCE = 16
_COMPARED_AT_ONCE = 256


class Fill(msgspec.Struct, frozen=True):
    """How full a pack is: its bytes, those that are alive, and how often they have been moved at most."""

    pack: PackName
    size: int
    live: int
    hops: int = 0


def choose(fills: Iterable[Fill], *, target: int = PACK_TARGET, enough: float = ALIVE_ENOUGH) -> list[Fill]:
    """Return the packs that are worth rewriting, in the order given. They are of one kind and one generation."""
    chosen: set[str] = set()
    joined: dict[int, list[Fill]] = {}
    movable = [each for each in fills if each.live > 0 and each.hops < MOST_MOVES]
    for each in movable:
        is_small = each.size * _SMALL < target
        wasted = each.size - each.live
        if each.live < enough * each.size and (not is_small or wasted * _NEGLIGIBLE >= target):
            chosen.add(each.pack.sha256)
        elif is_small:
            joined.setdefault(_tier(each.live), []).append(each)
    for some in joined.values():
        if len(some) >= MANY or (len(some) > 1 and sum(each.live for each in some) >= target):
            chosen.update(each.pack.sha256 for each in some)
    return [each for each in movable if each.pack.sha256 in chosen]


def in_batches(chosen: Sequence[Fill], *, target: int = PACK_TARGET) -> list[list[Fill]]:
    """Cut packs into batches, each of which is copied and removed before the next."""
    batches: list[list[Fill]] = []
    size = 0
    for each in chosen:
        if not batches or size >= _BYTES_AT_ONCE * target or len(batches[-1]) == _PACKS_AT_ONCE:
            batches.append([])
            size = 0
        batches[-1].append(each)
        size += each.live
    return batches


def _tier(size: int) -> int:
    return int(math.log(max(1, size), 8))


class Copies(msgspec.Struct, frozen=True):
    """The result of copying: packs whose records are written, new blobs with their sizes, and what is damaged."""

    rewritten: list[PackName]
    stored: dict[str, int]
    damaged: list[IntegrityError]


async def copy_live(
    blobs: SnapshotWriter,
    packs: Sequence[PackName],
    live: LiveMembers,
    *,
    taken: Collection[str] = (),
    target: int = PACK_TARGET,
) -> Copies:
    """Copy what is alive of some packs of one kind and generation to new packs, and write the records of locations.

    An old pack of which something alive is damaged stays as it is, and so does one that is gone. `taken` are the packs
    that have a record already: none is made anew, since its record would lead in a circle. Holds an old pack and a new
    one.
    """
    copying = _Copying(blobs, {*taken, *(pack.sha256 for pack in packs)}, target)
    for pack in packs:
        try:
            data = await blobs.read(pack.blob, PACK_LIMIT)
            members = await asyncio.to_thread(_live_of, pack, data, live)
        except NotFoundError:
            continue
        except IntegrityError as error:
            copying.damaged.append(error)
            continue
        await copying.add(pack, members)
    await copying.finish()
    return Copies(copying.rewritten, copying.stored, copying.damaged)


class _Copying:
    """Members on their way to new packs."""

    def __init__(self, blobs: SnapshotWriter, taken: Collection[str], target: int) -> None:
        self._blobs = blobs
        self._taken = taken
        self._packer = Packer(target)
        self._waiting: deque[tuple[PackName, int, bool]] = deque()
        self._locations: dict[PackName, list[Location]] = {}
        self.rewritten: list[PackName] = []
        self.stored: dict[str, int] = {}
        self.damaged: list[IntegrityError] = []

    async def add(self, pack: PackName, members: list[tuple[Member, bytes]]) -> None:
        """Copy members of an old pack."""
        self._locations[pack] = []
        for position, (member, data) in enumerate(members, 1):
            self._waiting.append((pack, member.offset, position == len(members)))
            if (new := self._packer.add(member.sha256, data)) is not None:
                await self._store(new)

    async def finish(self) -> None:
        """Store what is left."""
        if (new := self._packer.finish()) is not None:
            await self._store(new)

    async def _store(self, new: Pack) -> None:
        places = [(self._waiting.popleft(), member) for member in new.members]
        kind = places[0][0][0]
        if new.name in self._taken:
            for (pack, _was, _last), _member in places:
                self._locations.pop(pack, None)
            return
        await store_pack(self._blobs, name_of(kind), new)
        self.stored[name_of(kind)(new.name)] = len(new.data)
        for (pack, was, last), member in places:
            locations = self._locations.get(pack)
            if locations is None:  # another part of it was not stored
                continue
            locations.append(Location(was, new.name, member.offset, member.stored))
            if last and await self._record(pack, self._locations.pop(pack)):
                self.rewritten.append(pack)

    async def _record(self, pack: PackName, locations: list[Location]) -> bool:
        """Write a record, and return whether it is this one that is there."""
        name = pack.folder.locations(pack.sha256)
        data = encode_locations(locations)
        if await self._blobs.create(name, data, content_type=CONTENT_TYPE):
            return True
        return await self._blobs.read(name, len(data)) == data


def _live_of(pack: PackName, data: bytes, live: LiveMembers) -> list[tuple[Member, bytes]]:
    """Return what is alive of a pack, each member proved. Use a thread."""
    name = pack.blob
    most = SEGMENT_LIMIT if pack.kind == "segments" else LARGEST_CHUNK
    found: list[tuple[Member, bytes]] = []
    for member in scan_members(data, name):
        if live.has(pack, member.offset):
            stored = data[member.offset : member.offset + member.stored]
            open_member(member.sha256, stored, most, name)
            found.append((member, stored))
    if len(found) != live.number(pack):
        raise IntegrityError("a snapshot names members that it does not have", on=name, do=repair_advice(name))
    return found


class _Place(msgspec.Struct, frozen=True):
    """Where a copy lies."""

    sha256: str
    pack: str
    offset: int
    stored: int


async def is_copied(blobs: SnapshotReader, pack: PackName, live: LiveMembers, *, without: Collection[str] = ()) -> bool:
    """Return whether everything alive of a pack lies, byte for byte, where its record of locations says.

    `without` are blobs that are about to be removed: what lies in them is no copy.

    Raises IntegrityError if the pack itself or a record can't be read, NotFoundError if the pack is gone.
    """
    name = pack.blob
    data = await blobs.read(name, PACK_LIMIT)
    record = await read_locations(blobs, pack.folder, pack.sha256) or {}
    alive = await asyncio.to_thread(lambda: [each for each in scan_members(data, name) if live.has(pack, each.offset)])
    if len(alive) != live.number(pack):
        return False
    others = WithoutBlobs(blobs, frozenset({name, *without}))  # a record that leads back to the pack proves nothing
    for some in batched(alive, _COMPARED_AT_ONCE, strict=False):
        places = [
            _Place(each.sha256, where.pack, where.offset, each.stored)
            for each in some
            if (where := record.get(each.offset)) is not None
        ]
        if len(places) < len(some):
            return False
        copies = await fetch_members(others, pack.folder, name_of(pack), places)
        for each, copy in zip(some, copies, strict=True):
            if not isinstance(copy, StoredMember) or copy.data != data[each.offset : each.offset + each.stored]:
                return False
    return True


def name_of(pack: PackName) -> Callable[[str], str]:
    """Return what gives the blobs of packs of the same kind and folder."""
    return pack.folder.segments if pack.kind == "segments" else pack.folder.pack
