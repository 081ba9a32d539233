"""Where the members of packs lie that were rewritten.

Trees name the pack of each chunk and segment, and are never changed. When a prune rewrites a pack that is mostly dead,
it stores what is alive in a new pack, writes a record of where each member lies now, and then removes the old one.
Whoever does not find a pack looks for its record. A record is JSON Lines in gzip, a member a line, named after the old
pack: `[offset in the old pack, new pack, offset in it, size]`. The pack that it names may have been rewritten too.

A record need not be believed: what is read in the place that it names is proved by its hash. It can be made again from
the packs, since members describe themselves.
"""

import zlib
from collections.abc import Mapping

import msgspec
from isal import igzip

from indexvault.bounds import MEBIBYTE
from indexvault.errors import UNDECODABLE, IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Digest, Size
from indexvault.snapshots.names import PackFolder, repair_advice
from indexvault.snapshots.packs import PACK_LIMIT, SMALLEST_MEMBER
from indexvault.snapshots.store import SnapshotReader

MOST_HOPS = 64
"""How often what is looked for can have been moved."""

_LINE_BYTES = 160
_RECORD_LIMIT = PACK_LIMIT // SMALLEST_MEMBER * _LINE_BYTES
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
    if not stream.eof or stream.unused_data:
        raise _unreadable(on)
    return found


async def read_locations(blobs: SnapshotReader, folder: PackFolder, pack: str) -> Mapping[int, Location] | None:
    """Return where the members of a pack lie now, by their offsets in it, or None if it was not rewritten.

    Raises IntegrityError if the record can't be read.
    """
    name = folder.locations(pack)
    try:
        data = await blobs.read(name, _STORED_LIMIT)
    except NotFoundError:
        return None
    return decode_locations(data, name)


_DECODER = msgspec.json.Decoder(Location)


def _unreadable(on: str) -> IntegrityError:
    return IntegrityError("it is no record of locations", on=on, do=repair_advice(on))
