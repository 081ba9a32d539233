"""Packs: blobs of several megabytes that hold the members of many chunks, or of many segments of the tree.

A member is one gzip file. Its header carries an extra field that says how long the member is and what its contents hash
to, so that a pack describes itself. Members stand one behind the other: a pack is a gzip file of many members, and
`zcat` prints what they hold. A pack is named by the SHA-256 of its bytes.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec
from isal import igzip, igzip_lib, isal_zlib

from indexvault.bounds import MEBIBYTE, occurrences
from indexvault.errors import IntegrityError
from indexvault.snapshots.chunks import LARGEST_CHUNK, Chunk, Digest, SealedChunk, size_fault
from indexvault.snapshots.names import repair_advice

PACK_TARGET = 8 * MEBIBYTE
"""Bytes at which a pack is full. A pack may have a member more than that, and the last one of a run may have less."""

PACK_LIMIT = PACK_TARGET + LARGEST_CHUNK + MEBIBYTE
"""Bytes of the largest pack that is read: a full one whose last member is the largest chunk, not compressible."""

SMALLEST_MEMBER = 64
"""Fewer bytes than any member has: no two members of a pack begin in the same stretch of this length."""

_LEVEL = 2
"""ISA-L's level. On chunks of 8 KiB, level 3 writes 0.1 % less for a third more CPU time, level 0 half more."""

_HEADER = bytes.fromhex("1f8b08040000000000ff")
_FIELD = b"IV"
_FIELD_BYTES = 4 + 32
_EXTRA = (4 + _FIELD_BYTES).to_bytes(2, "little") + _FIELD + _FIELD_BYTES.to_bytes(2, "little")
_PREFIX = _HEADER + _EXTRA
_LENGTH_AT = len(_PREFIX)
_HASH_AT = _LENGTH_AT + 4
_DATA_AT = _HASH_AT + 32
_TRAILER_BYTES = 8
_GZIP_WINDOW = 31
_CRC_BYTES = _SIZE_BYTES = 4
_MODULUS = 1 << 32


class Placed(Protocol):
    """What lies in a pack: its hash, and where its member is."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of its contents."""
        ...

    @property
    def pack(self) -> str:
        """The name of its pack."""
        ...

    @property
    def offset(self) -> int:
        """Its first byte in the pack."""
        ...

    @property
    def stored(self) -> int:
        """The bytes of its member."""
        ...


class Member(msgspec.Struct, frozen=True):
    """A member as it describes itself: the hash of its contents, its first byte in the pack, and its size."""

    sha256: Digest
    offset: int
    stored: int


class Pack(msgspec.Struct, frozen=True):
    """A finished pack, not yet stored: its name, its bytes and its members in order."""

    name: Digest
    data: bytes
    members: tuple[Member, ...]


class Packer:
    """Puts members together to packs.

    `add` returns the pack that is full with a member, `finish` what is left. Holds at most one pack.
    """

    def __init__(self, target: int = PACK_TARGET) -> None:
        self._target = target
        self._parts: list[bytes] = []
        self._members: list[Member] = []
        self.size = 0

    def add(self, sha256: str, member: bytes) -> Pack | None:
        """Add a member. Return the pack if it is full with it."""
        self._members.append(Member(sha256, self.size, len(member)))
        self._parts.append(member)
        self.size += len(member)
        return self._seal() if self.size >= self._target else None

    def finish(self) -> Pack | None:
        """Return what is left, or None if nothing is."""
        return self._seal() if self._parts else None

    def _seal(self) -> Pack:
        data, members = b"".join(self._parts), tuple(self._members)
        self._parts, self._members, self.size = [], [], 0
        return Pack(hashlib.sha256(data).hexdigest(), data, members)


def member(sha256: str, data: bytes) -> bytes:
    """Return the gzip member that stores these bytes, whose SHA-256 is given."""
    deflated = igzip_lib.compress(data, _LEVEL, igzip_lib.COMP_DEFLATE)
    size = _DATA_AT + len(deflated) + _TRAILER_BYTES
    trailer = isal_zlib.crc32(data).to_bytes(_CRC_BYTES, "little") + (len(data) % _MODULUS).to_bytes(4, "little")
    return b"".join((_PREFIX, size.to_bytes(4, "little"), bytes.fromhex(sha256), deflated, trailer))


def members_of(sealed: list[SealedChunk]) -> list[bytes]:
    """Return the members of several chunks. Use a thread, with about a megabyte of chunks at once."""
    return [member(each.chunk.sha256, each.data) for each in sealed]


def open_member(sha256: str, stored: bytes | memoryview, most: int, on: str) -> bytes:
    """Return the contents of a member, proved by their hash. Use a thread, with about a megabyte of members at once.

    Never decompresses more than `most` bytes and one, whatever the member claims to hold. Raises IntegrityError about
    `on` if anything is wrong: header, length, gzip framing, checksum, SHA-256. Bits without meaning to gzip, such as
    the padding of its last byte, may differ.
    """
    if not _begins_as_listed(sha256, stored):
        raise _damaged("a member does not begin as it is listed", on)
    stream = isal_zlib.decompressobj(_GZIP_WINDOW)
    try:
        data = stream.decompress(stored, most + 1)
    except isal_zlib.error as error:  # type: ignore[misc]  # the stub declares the class as an instance
        raise _damaged("a member can't be decompressed", on) from error
    if not stream.eof or len(data) > most:
        raise _damaged(f"a member does not hold the {most} bytes at most that are listed", on)
    if stream.unused_data:
        raise _damaged("bytes follow the end of a member", on)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _damaged("the SHA-256 of a member's contents is not the one that is listed", on)
    return data


def open_chunk(chunk: Chunk, stored: bytes | memoryview, on: str) -> bytes:
    """Return the uncompressed bytes of a chunk, proved to be what was stored, from its member.

    Raises IntegrityError about `on`, as `open_member` does, and for another number of bytes or lines.
    """
    if (fault := size_fault(chunk)) is not None:
        raise _damaged(fault, on)
    data = open_member(chunk.sha256, stored, chunk.bytes, on)
    if len(data) != chunk.bytes:
        raise _damaged(f"a chunk does not hold the {chunk.bytes} bytes that are listed", on)
    if not _holds_documents(chunk, data):
        raise _damaged(f"a chunk does not hold the {chunk.documents} documents that are listed", on)
    return data


def open_chunks(chunks: Sequence[Chunk], stored: Sequence[bytes | memoryview]) -> list[bytes] | None:
    """Return the uncompressed bytes of several chunks, each proved, or None if any is not as `open_chunk` wants it.

    They are decompressed in one call, as a gzip file of many members. Each call lets other threads have the GIL and
    has to get it back, which for members of 6 KiB takes as long as their decompression. Use a thread, with some
    hundred KiB of chunks at once, which stay in the processor's cache.
    """
    if any(size_fault(chunk) is not None for chunk in chunks):
        return None
    # What ends with its size is not padded: gzip would read over zeros behind a member.
    if not all(
        _begins_as_listed(chunk.sha256, each) and each[-_SIZE_BYTES:] == chunk.bytes.to_bytes(_SIZE_BYTES, "little")
        for chunk, each in zip(chunks, stored, strict=True)
    ):
        return None
    size = sum([chunk.bytes for chunk in chunks])
    try:
        joined = io.BytesIO(b"".join(stored))
        with igzip.IGzipFile(fileobj=joined, mode="rb") as members:  # type: ignore[no-untyped-call]  # no stub has it
            data = members.read(size + 1)
    except (OSError, EOFError, isal_zlib.error):  # type: ignore[misc]  # the stub declares the class as an instance
        return None
    if len(data) != size:
        return None
    opened: list[bytes] = []
    start = 0
    for chunk in chunks:
        part = data[start : start + chunk.bytes]
        if hashlib.sha256(part).hexdigest() != chunk.sha256 or not _holds_documents(chunk, part):
            return None
        opened.append(part)
        start += chunk.bytes
    return opened


def scan_members(data: bytes, on: str, start: int = 0) -> Iterator[Member]:
    """Yield the members of a pack from byte `start` on as they describe themselves; their contents are not looked at.

    Raises IntegrityError where a member does not begin as one does.
    """
    at = start
    while at < len(data):
        size = int.from_bytes(data[at + _LENGTH_AT : at + _HASH_AT], "little")
        fits = _DATA_AT + _TRAILER_BYTES < size <= len(data) - at
        if not data.startswith(_PREFIX, at) or not fits:
            raise _damaged(f"no member begins at byte {at}", on)
        yield Member(data[at + _HASH_AT : at + _DATA_AT].hex(), at, size)
        at += size


def is_sound(name: str, data: bytes) -> bool:
    """Return whether these are the bytes of the pack with this name. Use a thread."""
    return hashlib.sha256(data).hexdigest() == name


def _begins_as_listed(sha256: str, stored: bytes | memoryview) -> bool:
    listed = b"".join((_PREFIX, len(stored).to_bytes(_SIZE_BYTES, "little"), bytes.fromhex(sha256)))
    return stored[: len(listed)] == listed


def _holds_documents(chunk: Chunk, data: bytes) -> bool:
    return occurrences(data, b"\n") == chunk.documents and data.endswith(b"\n")


def _damaged(what: str, on: str) -> IntegrityError:
    return IntegrityError(what, on=on, do=repair_advice(on))
