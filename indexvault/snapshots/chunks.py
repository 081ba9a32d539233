"""Chunks: consecutive documents, cut at boundaries that the keys decide, named by their content.

A chunk is JSON Lines, one document a line in key order, each line ended by one line feed. Its name is the SHA-256 of
those bytes; gzip is only how it is stored. Where a chunk ends depends only on the key of its last document. So an
insert or a delete moves no other boundary, and where an index has not changed, its chunks exist already.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, pairwise
from operator import lt
from typing import Annotated

import msgspec

from indexvault.bounds import DOCUMENT_LIMIT, MEBIBYTE, check_levels
from indexvault.errors import AccountingError

CHUNK_TARGET = 6 * 1024
"""Uncompressed bytes of an average chunk, at any size of index; the number of documents being a power of two, it is
between 4 and 9 KiB.

A changed document costs a snapshot its whole chunk, and a large chunk is hit more often than a small one. So small
chunks save the most; smaller ones than this lose it to worse compression and more entries in the tree. Source:
benchmarks/storage.py.
"""

CHUNK_CAP = 4 * 1024 * 1024
"""Uncompressed bytes of a chunk at most, unless a single document is larger."""

LARGEST_CHUNK = DOCUMENT_LIMIT + 1
"""Uncompressed bytes of a chunk of a single document at most, its line feed included."""

MAX_BOUNDARY_BITS = 14
"""2**14 documents a chunk: no shorter documents fill a chunk with more."""

BoundaryBits = Annotated[int, msgspec.Meta(ge=0, le=MAX_BOUNDARY_BITS)]
"""How many low bits of a key's hash must be zero for a chunk to end there."""

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
"""256 bits in lower-case hex."""

Size = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A number of bytes or pieces, no larger than every reader of JSON takes."""

_TAIL_BYTES = 8


class Chunk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A chunk as the tree lists it.

    `sha256` is the hash of the uncompressed bytes in lower-case hex, `first` and `last` are the keys at its ends,
    `bytes` is its uncompressed size. `pack`, `offset` and `stored` say where its member lies: the pack's name, and the
    member's first byte and size in it. A chunk that is not stored yet has no pack.
    """

    sha256: Digest
    first: str
    last: str
    documents: Size
    bytes: Size
    pack: str = ""
    offset: Size = 0
    stored: Size = 0

    def placed(self, pack: str, offset: int, stored: int) -> "Chunk":
        """Return the chunk as it lies in a pack."""
        return Chunk(self.sha256, self.first, self.last, self.documents, self.bytes, pack, offset, stored)


type OnChunk = Callable[[Chunk], None]
"""Called with each chunk once the work on it is done, to report progress."""


class SealedChunk(msgspec.Struct, frozen=True):
    """A finished chunk with its bytes, not yet stored.

    `total` is the sum of the SHA-256 of its documents, `digest` their content digest (see `content_digest`); `data` is
    uncompressed.
    """

    chunk: Chunk
    total: int
    data: bytes

    @property
    def digest(self) -> str:
        """The content digest of its documents."""
        return digest_of_total(self.total)


def boundary_bits(average_document_bytes: float, target: int = CHUNK_TARGET) -> int:
    """Return the number of zero bits that make a chunk hold `target` uncompressed bytes on average."""
    if average_document_bytes <= 0:
        return MAX_BOUNDARY_BITS
    return min(max(round(math.log2(target / average_document_bytes)), 0), MAX_BOUNDARY_BITS)


def zero_bits(key: str) -> int:
    """Return how many low bits of SHA-256(key), a big-endian number, are zero; 64 at most."""
    tail = low_bits(key)
    return (tail & -tail).bit_length() - 1 if tail else 8 * _TAIL_BYTES


def low_bits(key: str) -> int:
    """Return the low 64 bits of SHA-256(key), a big-endian number."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[-_TAIL_BYTES:])


def ends_chunk(key: str, bits: int) -> bool:
    """Return whether a chunk ends after this key: the low `bits` bits of SHA-256(key), big-endian, are all zero."""
    return zero_bits(key) >= bits


def content_digest(lines: Iterable[bytes]) -> str:
    """Return the digest of a set of documents, whatever their order.

    It is the sum of the SHA-256 of each document's bytes (without line feed), as big-endian integers, modulo 2**256,
    in lower-case hex of 64 digits. It shows that two readings hold the same documents. It does not guard against
    forgery; the SHA-256 of the chunks and of the manifest do.
    """
    return digest_of_total(_total(lines))


def add_digests(digests: Iterable[str]) -> str:
    """Return the content digest of several sets of documents together, from the digests of the sets."""
    return digest_of_total(sum(int(digest, 16) for digest in digests))


def digest_of_total(total: int) -> str:
    """Return the content digest of documents whose SHA-256 add up to a total."""
    return f"{total % 2**256:064x}"


def _total(lines: Iterable[bytes]) -> int:
    sha256 = hashlib.sha256
    return sum(map(int.from_bytes, [sha256(line).digest() for line in lines]))


class CutChunk(msgspec.Struct, frozen=True):
    """The documents of a chunk, cut off but not looked at yet: the keys at its ends, its lines, its bytes."""

    first: str
    last: str
    lines: list[bytes]
    bytes: int


class ChunkCutter:
    """Cuts a stream of documents in key order into chunks.

    Key order is ordinal: that of the keys' UTF-8 bytes, which is how Python compares strings. A chunk ends after a key
    that `ends_chunk`, and before a document that would take it past CHUNK_CAP.

    Holds at most one chunk. Don't use it any more after `cut` or `add` has raised.
    """

    def __init__(self, bits: int) -> None:
        self._mask = (1 << bits) - 1
        self._lines: list[bytes] = []
        self._size = 0
        self._first = ""
        self._held_last = ""
        self._last = ""
        self._complete: CutChunk | None = None

    def cut(self, keys: Sequence[str], lines: list[bytes]) -> list[CutChunk]:
        """Add the next documents. Return the chunks that are complete, except one that ends with the last of them.

        Raises AccountingError if a key does not come after the one before.
        """
        if not keys:
            return []
        if (self._last and keys[0] <= self._last) or not all(map(lt, keys, islice(keys, 1, None))):
            raise self._not_rising(keys)
        done: list[CutChunk] = []
        start = 0
        for end in self._ends(keys):
            if self._complete is not None:
                done.append(self._complete)
            some = lines[start:end]
            size = sum(map(len, some)) + end - start
            if not self._lines and size <= CHUNK_CAP:
                self._complete = CutChunk(keys[start], keys[end - 1], some, size)
            else:
                self._take(keys[start:end], some, size, done)
                self._complete = self._cut_off()
            start = end
        if start < len(keys):
            if self._complete is not None:
                done.append(self._complete)
                self._complete = None
            some = lines[start:]
            self._take(keys[start:], some, sum(map(len, some)) + len(some), done)
        self._last = keys[-1]
        return done

    def rest(self) -> CutChunk | None:
        """Return the last chunk, or None if no document is left."""
        rest, self._complete = self._complete, None
        return self._cut_off() if self._lines else rest

    def add(self, key: str, line: bytes) -> SealedChunk | None:
        """Add the next document. Return the chunk that was complete before it, if any.

        Raises as `cut` and `seal` do.
        """
        if b"\n" in line:
            raise _two_lines(repr(key))
        cut = self.cut([key], [line])
        return seal(cut[0]) if cut else None

    def finish(self) -> SealedChunk | None:
        """Return the last chunk, sealed, or None if no document is left."""
        cut = self.rest()
        return None if cut is None else seal(cut)

    def _ends(self, keys: Sequence[str]) -> Iterable[int]:
        """Return the positions after the keys that end chunks."""
        mask = self._mask
        if not mask:
            return range(1, len(keys) + 1)
        sha256, number = hashlib.sha256, int.from_bytes
        return [at for at, key in enumerate(keys, 1) if not number(sha256(key.encode()).digest()[-2:]) & mask]

    def _take(self, keys: Sequence[str], lines: list[bytes], size: int, done: list[CutChunk]) -> None:
        """Take documents of which at most the last ends a chunk."""
        if self._size + size <= CHUNK_CAP:
            self._hold(keys[0], keys[-1], lines, size)
            return
        for key, line in zip(keys, lines, strict=True):
            size = len(line) + 1
            if self._lines and self._size + size > CHUNK_CAP:
                done.append(self._cut_off())
            self._hold(key, key, (line,), size)

    def _hold(self, first: str, last: str, lines: Iterable[bytes], size: int) -> None:
        if not self._lines:
            self._first = first
        self._lines.extend(lines)
        self._size += size
        self._held_last = last

    def _cut_off(self) -> CutChunk:
        cut = CutChunk(self._first, self._held_last, self._lines, self._size)
        self._lines, self._size = [], 0
        return cut

    def _not_rising(self, keys: Sequence[str]) -> AccountingError:
        held = (self._last, *keys) if self._last else keys
        before, after = next((one, other) for one, other in pairwise(held) if other <= one)
        return AccountingError(
            f"key {after!r} came after {before!r}, so documents were repeated or are out of order",
            on="the documents read",
            do="Read the index again; when it happens again, report how the index's key is defined",
        )


def seal(cut: CutChunk) -> SealedChunk:
    """Return a chunk that was cut off with its bytes and hashes. Raises as `seal_all`."""
    return seal_all((cut,))[0]


def seal_all(cuts: Iterable[CutChunk]) -> list[SealedChunk]:
    """Return several chunks, sealed. Use a thread, with about a megabyte at once.

    Raises AccountingError if a line holds a line feed.
    """
    sha256 = hashlib.sha256
    sealed = []
    for cut in cuts:
        lines = cut.lines
        for line in lines:
            if b"\n" in line:
                raise _two_lines(f"between {cut.first!r} and {cut.last!r}")
        data = b"\n".join([*lines, b""])
        chunk = Chunk(sha256(data).hexdigest(), cut.first, cut.last, len(lines), len(data))
        sealed.append(SealedChunk(chunk, _total(lines), data))
    return sealed


def _two_lines(which: str) -> AccountingError:
    return AccountingError(
        "the document's JSON holds a line feed, so it is not one line",
        on=f"document {which}",
        do="Hand documents over as compact JSON",
    )


def size_fault(chunk: Chunk) -> str | None:
    """Return why a chunk can't have the size that it is listed with, or None if it can.

    It has CHUNK_CAP bytes at most, or LARGEST_CHUNK if it holds a single document.
    """
    most = LARGEST_CHUNK if chunk.documents == 1 else CHUNK_CAP
    if chunk.bytes <= most:
        return None
    return f"it is listed with {chunk.bytes} bytes, and is larger than the {most / MEBIBYTE:.0f} MiB that it can have"


def document_lines(data: bytes) -> list[bytes]:
    """Split a chunk's uncompressed bytes into its documents, without line feeds."""
    return data.removesuffix(b"\n").split(b"\n") if data else []


def key_reader(key_field: str) -> Callable[[bytes], str]:
    """Return a function that reads the key out of a document's bytes, skipping everything else.

    The function raises msgspec.DecodeError (msgspec.ValidationError is one) for anything but an object with that key.
    """
    shape = msgspec.defstruct("Key", [("key", str)], rename={"key": key_field})
    decoder = msgspec.json.Decoder(shape)

    def read(line: bytes) -> str:
        check_levels(line)
        document = decoder.decode(line)
        key: str = document.key  # type: ignore[attr-defined]  # the struct is made above, where mypy can't see it
        return key

    return read
