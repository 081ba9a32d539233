"""The tree of a snapshot's chunks: lists of consecutive chunks, cut by content, and lists of these lists, up to a root.

A **segment** lists consecutive chunks (level 0) or consecutive segments of the level below. Where it ends depends only
on the last key in it, by the rule that ends a chunk, with more zero bits the higher the level. So where two snapshots
hold the same documents, they have the same segments, and a change of a document changes the segments from its chunk to
the root and no other. The root's entries stand in the manifest. Segments are members of packs of their own.

A segment is JSON Lines, an entry a line, each a JSON array in the order of the fields of `Chunk` or `Node`.
"""

import hashlib
from collections.abc import Sequence
from itertools import islice, pairwise
from operator import le, lt
from typing import cast

import msgspec

from indexvault.bounds import MEBIBYTE, check_levels
from indexvault.errors import UNDECODABLE, IntegrityError
from indexvault.snapshots.chunks import CHUNK_CAP, Chunk, Digest, Size, low_bits, size_fault
from indexvault.snapshots.names import repair_advice
from indexvault.snapshots.packs import PACK_LIMIT, SMALLEST_MEMBER

ROOT_ENTRIES = 32
"""Entries that the manifest itself holds at most: some kilobytes."""

SEGMENT_BITS = 5
"""Zero bits that a segment's last key has beyond those of the level below: 32 entries on average.

A changed document costs a snapshot the segments above it. Source: benchmarks/storage.py.
"""

SEGMENT_ENTRIES = 1024
"""Entries of a segment at most."""

SEGMENT_LIMIT = 32 * MEBIBYTE
"""Uncompressed bytes of the largest segment that is read: keys have 1,024 characters at most."""

MOST_LEVELS = 8
"""Levels of segments at most: a thousand billion chunks."""


class Node(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A segment as the level above lists it.

    `sha256` is the hash of its uncompressed bytes, `last` the last key under it. `chunks`, `documents`, `bytes` and
    `chunks_stored` are sums over the chunks under it. `pack`, `offset` and `stored` say where its own member lies.
    """

    sha256: Digest
    last: str
    chunks: Size
    documents: Size
    bytes: Size
    chunks_stored: Size
    pack: str = ""
    offset: Size = 0
    stored: Size = 0

    def placed(self, pack: str, offset: int, stored: int) -> "Node":
        """Return the node as its segment lies in a pack."""
        return msgspec.structs.replace(self, pack=pack, offset=offset, stored=stored)


type Entry = Chunk | Node
type Entries = Sequence[Entry]
"""Consecutive entries of one level, so of one kind."""


class Tree(msgspec.Struct, frozen=True):
    """The root: entries of `level`, which are `chunks` at level 0 and `nodes`, segments of the level below, above it.

    An index without documents has neither.
    """

    level: int = 0
    chunks: tuple[Chunk, ...] = ()
    nodes: tuple[Node, ...] = ()

    @property
    def entries(self) -> Entries:
        """The entries, whatever their kind."""
        return self.nodes if self.level else self.chunks

    @property
    def count(self) -> int:
        """The number of chunks in the tree."""
        return len(self.chunks) if not self.level else sum(node.chunks for node in self.nodes)

    @property
    def documents(self) -> int:
        """The number of documents in the tree."""
        return sum(entry.documents for entry in self.entries)

    @property
    def bytes(self) -> int:
        """The uncompressed bytes of all chunks."""
        return sum(entry.bytes for entry in self.entries)

    @property
    def stored(self) -> int:
        """The stored bytes of all chunks. What segments take is not in it."""
        return sum(stored_below(entry) for entry in self.entries)


def stored_below(entry: Entry) -> int:
    """Return the stored bytes of a chunk, or of all chunks under a node."""
    return entry.chunks_stored if isinstance(entry, Node) else entry.stored


def chunks_below(entry: Entry) -> int:
    """Return the number of chunks under an entry, 1 for a chunk itself."""
    return entry.chunks if isinstance(entry, Node) else 1


def as_chunks(entries: Entries) -> Sequence[Chunk]:
    """Return entries of level 0 as what they are."""
    return cast("Sequence[Chunk]", entries)


def as_nodes(entries: Entries) -> Sequence[Node]:
    """Return entries of a level above 0 as what they are."""
    return cast("Sequence[Node]", entries)


def ends_segment(last: str, level: int, boundary_bits: int) -> bool:
    """Return whether a segment of a level, whose entries are of that level, ends after an entry with this last key."""
    return not low_bits(last) & ((1 << boundary_bits + SEGMENT_BITS * (level + 1)) - 1)


def encode_segment(entries: Sequence[Entry]) -> bytes:
    """Return the bytes of a segment."""
    return b"".join(_ENCODER.encode(entry) + b"\n" for entry in entries)


def node_of(entries: Sequence[Entry], data: bytes) -> Node:
    """Return the node for a segment, whose bytes are given, not yet placed."""
    return Node(
        sha256=hashlib.sha256(data).hexdigest(),
        last=entries[-1].last,
        chunks=sum([entry.chunks if isinstance(entry, Node) else 1 for entry in entries]),
        documents=sum([entry.documents for entry in entries]),
        bytes=sum([entry.bytes for entry in entries]),
        chunks_stored=sum([entry.chunks_stored if isinstance(entry, Node) else entry.stored for entry in entries]),
    )


def decode_segment(node: Node, level: int, data: bytes, on: str) -> Entries:
    """Return the entries of the segment that a node of `level` stands for, whose bytes are proved already.

    Raises IntegrityError about `on` if it contradicts the node or itself: then it was not made by a writer.
    """
    try:
        check_levels(data)
        data.decode()
        entries: Entries = _CHUNKS.decode_lines(data) if level == 1 else _NODES.decode_lines(data)
    except UNDECODABLE as error:
        raise _damaged(f"a segment is not what it should be: {error}", on) from error
    if not entries or len(entries) > SEGMENT_ENTRIES:
        raise _damaged(f"a segment has {len(entries)} entries", on)
    if fault := entries_fault(entries):
        raise _damaged(f"in a segment, {fault}", on)
    if node_of(entries, data) != msgspec.structs.replace(node, pack="", offset=0, stored=0):
        raise _damaged("a segment does not add up to what the level above lists", on)
    return entries


def entries_fault(entries: Sequence[Entry]) -> str | None:
    """Return what is wrong with consecutive entries, or None: they are in key order, none is empty or not stored."""
    return None if _are_sound(entries) else _first_fault(entries)


def _first_fault(entries: Sequence[Entry]) -> str | None:
    for entry in entries:
        if isinstance(entry, Chunk):
            if entry.first > entry.last:
                return "a chunk ends before it begins"
            if (fault := size_fault(entry)) is not None:
                return f"a chunk can't be right: {fault}"
        if min(entry.documents, entry.bytes, chunks_below(entry)) <= 0:
            return "an entry is empty"
        if entry.stored < SMALLEST_MEMBER or entry.offset + entry.stored > PACK_LIMIT or not is_pack(entry.pack):
            return "an entry does not lie in a pack"
    for before, after in pairwise(entries):
        if before.last >= (after.first if isinstance(after, Chunk) else after.last):
            return "entries are not in key order"
    return None


def _are_sound(entries: Sequence[Entry]) -> bool:
    """Return whether `entries_fault` has nothing to find, quickly for entries of one kind; in doubt return False."""
    if not entries:
        return True
    if isinstance(entries[0], Chunk):
        if not all(isinstance(entry, Chunk) for entry in entries):
            return False
        chunks = as_chunks(entries)
        firsts = [chunk.first for chunk in chunks]
        smallest = 1
        largest = max([chunk.bytes for chunk in chunks])
    else:
        if not all(isinstance(entry, Node) for entry in entries):
            return False
        nodes = as_nodes(entries)
        firsts = [node.last for node in nodes]
        smallest = min([node.chunks for node in nodes])
        largest = 0
    lasts = [entry.last for entry in entries]
    return (
        all(map(le, firsts, lasts))
        and all(map(lt, lasts, islice(firsts, 1, None)))
        and largest <= CHUNK_CAP
        and smallest > 0
        and min([entry.documents for entry in entries]) > 0
        and min([entry.bytes for entry in entries]) > 0
        and min([entry.stored for entry in entries]) >= SMALLEST_MEMBER
        and max([entry.offset + entry.stored for entry in entries]) <= PACK_LIMIT
        and all(map(is_pack, {entry.pack for entry in entries}))
    )


def tree_fault(tree: Tree) -> str | None:
    """Return what is wrong with a root, or None."""
    if not 0 <= tree.level <= MOST_LEVELS or len(tree.entries) > SEGMENT_ENTRIES:
        return "its tree can't be right"
    if (tree.nodes and not tree.level) or (tree.chunks and tree.level):
        return "its tree has entries of two kinds"
    return entries_fault(tree.entries)


def is_pack(name: str) -> bool:
    """Return whether this is the name of a pack: 64 lower-case hex digits."""
    return len(name) == _HEX_DIGITS and not name.strip(_DIGITS)


_HEX_DIGITS = 64
_DIGITS = "0123456789abcdef"
_ENCODER = msgspec.json.Encoder()
_CHUNKS = msgspec.json.Decoder(Chunk)
_NODES = msgspec.json.Decoder(Node)


def _damaged(what: str, on: str) -> IntegrityError:
    return IntegrityError(what, on=on, do=repair_advice(on))
