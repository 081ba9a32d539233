"""What was found damaged, blob by blob, and which snapshots it belongs to."""

from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Literal

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk, Digest
from indexvault.snapshots.fetch import Failure
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.seen_members import SeenMembers
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree import Entries, Node, Tree, as_chunks, as_nodes
from indexvault.snapshots.tree_reader import NODES_AT_ONCE, WHOLE_KEYS, KeyStretch, TreeReader


class Finding(msgspec.Struct, frozen=True):
    """A blob that is wrong, what is wrong with it in words, and the ids of the snapshots it belongs to.

    `foreign` blobs belong to no snapshot and do no harm.
    """

    kind: Literal["missing", "damaged", "foreign"]
    blob: str
    what: str
    snapshots: tuple[str, ...]


class CheckedSnapshot(msgspec.Struct, frozen=True):
    """What a verification needs of a manifest."""

    id: str
    folder: PackFolder
    tree: Tree
    key_field: str
    content_digest: Digest


class BadBlob(msgspec.Struct, frozen=True):
    """A blob at fault: what is wrong first, with how many chunks and segments, and in which snapshots, by their ids."""

    kind: Literal["missing", "damaged"]
    blob: str
    what: str
    chunks: int
    segments: int
    snapshots: tuple[str, ...]

    @property
    def finding(self) -> Finding:
        """What a report says of it."""
        number = self.chunks + self.segments
        of = "chunks" if not self.segments else "segments" if not self.chunks else "chunks and segments"
        what = f"{self.what} ({number:,} {of} of it)" if number > 1 and self.kind == "damaged" else self.what
        return Finding(self.kind, self.blob, what, self.snapshots)


def united(found: Iterable[BadBlob]) -> list[BadBlob]:
    """Return blobs at fault that were found in several stretches of the keys, each once."""
    blobs: dict[str, BadBlob] = {}
    for each in found:
        before = blobs.get(each.blob)
        blobs[each.blob] = (
            each
            if before is None
            else BadBlob(
                before.kind,
                before.blob,
                before.what,
                before.chunks + each.chunks,
                before.segments + each.segments,
                tuple(sorted({*before.snapshots, *each.snapshots})),
            )
        )
    return list(blobs.values())


class Damage:
    """Collects chunks and segments that can't be had, by the blob that is at fault."""

    def __init__(self) -> None:
        self._blobs: dict[str, _BadBlob] = {}
        self._chunks: dict[tuple[PackFolder, str], dict[str, SeenMembers]] = {}
        self._segments: dict[tuple[PackFolder, str], str] = {}

    def __bool__(self) -> bool:
        return bool(self._blobs)

    @property
    def segments(self) -> int:
        """How many segments can't be had: what is under them is not known."""
        return len(self._segments)

    def add_chunk(self, folder: PackFolder, chunk: Chunk, failure: Failure) -> None:
        """Note what is wrong with a chunk. The failure names the blob at fault."""
        self._note(failure).chunks += 1
        self._chunks.setdefault((folder, chunk.pack), {}).setdefault(failure.on, SeenMembers()).add(chunk)

    def add_segment(self, folder: PackFolder, node: Node, failure: Failure) -> None:
        """Note what is wrong with a segment. The failure names the blob at fault."""
        self._note(failure).segments += 1
        self._segments[folder, node.sha256] = failure.on

    async def found(
        self, blobs: SnapshotReader, snapshots: Iterable[CheckedSnapshot], within: KeyStretch = WHOLE_KEYS
    ) -> list[BadBlob]:
        """Return the damage with every snapshot it belongs to. Walks the trees again, in a stretch of the keys."""
        owners: dict[str, set[str]] = {}
        walks: dict[PackFolder, _Walk] = {}
        for snapshot in snapshots:
            walk = walks.setdefault(snapshot.folder, _Walk(self, TreeReader(blobs, snapshot.folder), within))
            for blob in await walk.below(snapshot.tree.level, snapshot.tree.entries):
                owners.setdefault(blob, set()).add(snapshot.id)
        return [
            BadBlob(bad.kind, name, bad.what, bad.chunks, bad.segments, tuple(sorted(owners.get(name, ()))))
            for name, bad in self._blobs.items()
        ]

    async def findings(self, blobs: SnapshotReader, snapshots: Iterable[CheckedSnapshot]) -> list[Finding]:
        """Return the damage as a report names it, with every snapshot it belongs to."""
        return [bad.finding for bad in await self.found(blobs, snapshots)]

    def of_chunks(self, folder: PackFolder, chunks: Sequence[Chunk]) -> set[str]:
        """Return the blobs at fault for what is wrong with chunks."""
        found: set[str] = set()
        for chunk in chunks:
            for blob, members in self._chunks.get((folder, chunk.pack), {}).items():
                if chunk in members:
                    found.add(blob)
        return found

    def of_segment(self, folder: PackFolder, node: Node) -> str | None:
        """Return the blob at fault for a segment that can't be had, or None."""
        return self._segments.get((folder, node.sha256))

    def _note(self, failure: Failure) -> "_BadBlob":
        kind: Literal["missing", "damaged"] = "missing" if isinstance(failure, NotFoundError) else "damaged"
        return self._blobs.setdefault(failure.on, _BadBlob(kind, failure.what))


class _BadBlob:
    """One blob at fault: what is wrong first, and how many chunks and segments it is wrong with."""

    def __init__(self, kind: Literal["missing", "damaged"], what: str) -> None:
        self.kind = kind
        self.chunks = self.segments = 0
        self.what = what


class _Walk:
    """Looks for damage under entries of one generation's trees. Segments without any are looked at once."""

    def __init__(self, damage: Damage, reader: TreeReader, within: KeyStretch) -> None:
        self._damage = damage
        self._within = within
        self._reader = reader
        self._clean: set[bytes] = set()

    async def below(self, level: int, entries: Entries) -> set[str]:
        """Return the blobs at fault for what can't be had under entries."""
        folder = self._reader.folder
        if not level:
            return self._damage.of_chunks(folder, as_chunks(entries))
        found: set[str] = set()
        wanted: list[Node] = []
        for node in self._met(as_nodes(entries)):
            if (blob := self._damage.of_segment(folder, node)) is not None:
                found.add(blob)
            elif bytes.fromhex(node.sha256) not in self._clean:
                wanted.append(node)
        for nodes in batched(wanted, NODES_AT_ONCE, strict=False):
            opened = await self._reader.try_open(nodes, level)
            for node, segment in zip(nodes, opened, strict=True):
                if isinstance(segment, IntegrityError | NotFoundError):
                    if self._within.has(node.last):
                        self._damage.add_segment(folder, node, segment)
                        found.add(segment.on)
                    continue
                under = await self.below(level - 1, segment)
                found |= under
                if not under:
                    self._clean.add(bytes.fromhex(node.sha256))
        return found

    def _met(self, nodes: Sequence[Node]) -> list[Node]:
        """Return the nodes that may have keys in the stretch."""
        lasts = [None, *(node.last for node in nodes)]
        return [node for before, node in zip(lasts, nodes, strict=False) if self._within.meets(before, node.last)]
