"""Where the members of packs lie that were rewritten.

Trees name the pack of each chunk and segment, and are never changed. When a prune rewrites a pack that is mostly dead,
it stores what is alive in a new pack, writes a record of where each member lies now, and then removes the old one.
Whoever does not find a pack looks for its record. A record is JSON Lines in gzip, a member a line, named after the old
pack: `[offset in the old pack, new pack, offset in it, size]`. The pack that it names may have been rewritten too.

A record need not be believed: what is read in the place that it names is proved by its hash. It can be made again from
the packs, since members describe themselves.
"""

import zlib
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import msgspec
from isal import igzip

from indexvault.bounds import MEBIBYTE
from indexvault.errors import UNDECODABLE, IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Digest, Size
from indexvault.snapshots.names import PackFolder, repair_advice
from indexvault.snapshots.packs import PACK_LIMIT, PACK_TARGET, SMALLEST_MEMBER
from indexvault.snapshots.store import SnapshotReader

MOST_HOPS = 64
"""How often what is looked for can have been moved."""

_MOST_HELD = 1_000_000
"""Locations that a reader keeps in memory: 20 bytes each."""

_LINE_BYTES = 160
_RECORD_LIMIT = (PACK_TARGET // SMALLEST_MEMBER + 1) * _LINE_BYTES
_STORED_LIMIT = 32 * MEBIBYTE
_GZIP_WINDOW = 31
_LEVEL = 2


class Location(msgspec.Struct, frozen=True, array_like=True):
    """Where the member that began at `was` lies now. `stored` is its size."""

    was: Size
    pack: Digest
    offset: Size
    stored: Size


def encode_locations(locations: list[Location]) -> bytes:
    """Return the bytes of a record."""
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in locations)
    return igzip.compress(lines, _LEVEL, mtime=0)


def decode_locations(data: bytes, on: str) -> dict[int, Location]:
    """Return a record's locations by the offset in the old pack. Raises IntegrityError if it can't be read."""
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        lines = stream.decompress(data, _RECORD_LIMIT)
        found = {each.was: each for each in _DECODER.decode_lines(lines)}
    except (zlib.error, *UNDECODABLE) as error:
        raise _unreadable(on) from error
    fits = all(each.stored >= SMALLEST_MEMBER and each.offset + each.stored <= PACK_LIMIT for each in found.values())
    if not stream.eof or stream.unused_data or not fits:
        raise _unreadable(on)
    return found


async def read_locations(blobs: SnapshotReader, folder: PackFolder, pack: str) -> Mapping[int, Location] | None:
    """Return where the members of a pack lie now, by their offsets in it, or None if it was not rewritten.

    Of several replicas, the first that has a record that can be read is used. Raises IntegrityError if none can.
    """
    name = folder.locations(pack)

    async def read(one: SnapshotReader) -> Mapping[int, Location]:
        try:
            data = await one.read(name, _STORED_LIMIT)
        except IntegrityError as error:
            raise IntegrityError(error.what, on=name, do=repair_advice(name)) from error
        return decode_locations(data, name)

    try:
        return await blobs.first_sound(read)
    except NotFoundError:
        return None


class MovedPack:
    """Where the members of one rewritten pack lie now."""

    def __init__(self, locations: Iterable[Location]) -> None:
        in_order = sorted(locations, key=lambda each: each.was)
        names = {name: number for number, name in enumerate(dict.fromkeys(each.pack for each in in_order))}
        self.packs = tuple(names)
        self._was = array("Q", (each.was for each in in_order))
        self._pack = array("I", (names[each.pack] for each in in_order))
        self._offset = array("I", (each.offset for each in in_order))
        self._stored = array("I", (each.stored for each in in_order))

    def __len__(self) -> int:
        return len(self._was)

    def find(self, offset: int) -> tuple[str, int, int] | None:
        """Return the pack, the offset and the size of the member that began at `offset`, or None if that is not said.

        The size differs from the one before if the member was compressed again.
        """
        at = bisect_left(self._was, offset)
        if at == len(self._was) or self._was[at] != offset:
            return None
        return self.packs[self._pack[at]], self._offset[at], self._stored[at]


class MovedPacks:
    """The records of one index's rewritten packs, each read once; those used last are kept."""

    def __init__(self, blobs: SnapshotReader, folder: PackFolder) -> None:
        self._blobs = blobs
        self._folder = folder
        self._known: OrderedDict[str, MovedPack] = OrderedDict()
        self._size = 0

    @property
    def are_none_known(self) -> bool:
        """Whether nothing was read before about any pack."""
        return not self._known

    def known(self, pack: str) -> MovedPack | None:
        """Return what was read before about a pack, or None."""
        found = self._known.get(pack)
        if found is not None:
            self._known.move_to_end(pack)
        return found

    async def find(self, pack: str) -> MovedPack | None:
        """Return where the members of a pack lie now, or None if it was not rewritten.

        Raises IntegrityError if its record can't be read.
        """
        if (known := self.known(pack)) is not None:
            return known
        locations = await read_locations(self._blobs, self._folder, pack)
        if locations is None:
            return None
        moved = self._known[pack] = MovedPack(locations.values())
        self._size += len(moved)
        while self._size > _MOST_HELD and len(self._known) > 1:
            self._size -= len(self._known.popitem(last=False)[1])
        return moved


def gone_pack(name: str) -> NotFoundError:
    """Return the error for a pack that is gone and was not rewritten."""
    return NotFoundError("the pack is gone", on=name, do=repair_advice(name))


def misled(folder: PackFolder, pack: str) -> IntegrityError:
    """Return the error for a pack's record that does not lead to where a member lies."""
    name = folder.locations(pack)
    return IntegrityError("it does not lead to where a member of its pack lies", on=name, do=repair_advice(name))


_DECODER = msgspec.json.Decoder(Location)


def _unreadable(on: str) -> IntegrityError:
    return IntegrityError("it is no record of locations", on=on, do=repair_advice(on))
