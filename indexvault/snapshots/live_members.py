"""Find which members of an index's packs are alive: those that the trees of its snapshots name.

Trees are walked segment by segment, each segment once, and what they name is marked (see `member_marks`). An address
whose pack was rewritten marks the member in the place where it lies now, too, by the records of locations.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import batched

from indexvault.snapshots.locations import MOST_HOPS, Location, read_locations
from indexvault.snapshots.member_marks import MemberMarks
from indexvault.snapshots.names import PackFolder, PackKind, PackName
from indexvault.snapshots.packs import SMALLEST_MEMBER
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree import Entries, Node, Tree, as_chunks, as_nodes
from indexvault.snapshots.tree_reader import NODES_AT_ONCE, TreeReader

_RECORDS_AT_ONCE = 8


class LiveMembers:
    """The members of one index's packs that some trees name."""

    def __init__(self, blobs: SnapshotReader, service: str, index: str) -> None:
        self._blobs = blobs
        self._service = service
        self._index = index
        self._kinds: dict[tuple[str, PackKind], _Kind] = {}

    async def walk(self, generation: str, tree: Tree) -> None:
        """Mark what a tree names. Segments that another tree named in the same place are not read again.

        Raises IntegrityError and NotFoundError if a segment can't be read. Then some of what lies under it is not
        marked, now or by a later walk: don't take anything for dead any more.
        """
        walk = _Walk(
            TreeReader(self._blobs, self._folder(generation)),
            self._kind(generation, "packs").named,
            self._kind(generation, "segments").named,
        )
        await walk.below(tree.level, tree.entries)

    async def resolve(self, records: Iterable[PackName]) -> None:
        """Mark where the members of rewritten packs lie now; `records` are the names of all records of locations.

        Call it again after more has been walked, or more been rewritten: only what is new is read. Raises
        IntegrityError if a record that is needed can't be read.
        """
        rewritten: dict[str, set[str]] = {}
        for name in records:
            rewritten.setdefault(name.folder.generation, set()).add(name.sha256)
        for (generation, _kind), marks in self._kinds.items():
            await marks.resolve(self._blobs, self._folder(generation), rewritten.get(generation, set()))

    def has(self, pack: PackName, offset: int) -> bool:
        """Return whether the member of a pack that begins there is alive."""
        kind = self._of(pack)
        return kind is not None and kind.has(pack.sha256, offset)

    def number(self, pack: PackName) -> int:
        """Return how many members of a pack are alive."""
        kind = self._of(pack)
        return 0 if kind is None else kind.number(pack.sha256)

    def size(self, pack: PackName) -> int:
        """Return the stored bytes of the members of a pack that are alive."""
        kind = self._of(pack)
        return 0 if kind is None else kind.named.size(pack.sha256) + kind.moved.size(pack.sha256)

    def is_needed(self, record: PackName) -> bool:
        """Return whether something alive is found by a record of locations."""
        return any(self.number(PackName(kind, record.folder, record.sha256)) for kind in _KINDS)

    def is_superseded(self, pack: PackName) -> bool:
        """Return whether a record of locations has another place for all that is alive of a pack."""
        kind = self._of(pack)
        placed = 0 if kind is None else kind.placed.get(pack.sha256, 0)
        return placed > 0 and placed == self.number(pack)

    def hops(self, pack: PackName) -> int:
        """Return how often what is alive in a pack has been moved, at most."""
        kind = self._of(pack)
        return 0 if kind is None else kind.hops.get(pack.sha256, 0)

    def are_there(self, sizes: Mapping[str, int]) -> bool:
        """Return whether everything alive is there, by the sizes of all blobs: in its pack, or where that moved.

        Records that lead in a circle, with none of its packs there, lead nowhere.
        """
        for (generation, name), kind in self._kinds.items():
            folder = self._folder(generation)
            missing: set[str] = set()
            for pack in {*kind.named, *kind.moved}:
                blob = PackName(name, folder, pack).blob
                bits = kind.bits(pack)
                least = max(bits.bit_length() * SMALLEST_MEMBER, kind.ends.get(pack, 0))
                is_long_enough = sizes.get(blob, 0) >= least
                if is_long_enough:
                    continue
                if kind.placed.get(pack, 0) < bits.bit_count():
                    return False
                missing.add(pack)
            while missing:
                led = {pack for pack in missing if not kind.leads[pack] & missing}
                if not led:
                    return False
                missing -= led
        return True

    def lost(self, there: Collection[str]) -> PackName | None:
        """Return a pack that is not among the blobs that are there, and whose live members no record leads from.

        What it held may lie in any other pack.
        """
        for (generation, name), kind in self._kinds.items():
            folder = self._folder(generation)
            for pack in (*kind.named, *kind.moved):
                found = PackName(name, folder, pack)
                if found.blob not in there and kind.placed.get(pack, 0) < kind.number(pack):
                    return found
        return None

    @property
    def named_bytes(self) -> int:
        """The stored bytes of everything that the trees name, chunks and segments."""
        return sum(kind.named.total for kind in self._kinds.values())

    def _of(self, pack: PackName) -> "_Kind | None":
        return self._kinds.get((pack.folder.generation, pack.kind))

    def _kind(self, generation: str, kind: PackKind) -> "_Kind":
        return self._kinds.setdefault((generation, kind), _Kind())

    def _folder(self, generation: str) -> PackFolder:
        return PackFolder(service=self._service, index=self._index, generation=generation)


_KINDS: Sequence[PackKind] = ("packs", "segments")


class _Kind:
    """What is alive in the packs of one kind of a generation.

    `named` is what trees name, `moved` where records say that some of it lies now. `placed` says for rewritten packs
    how many of their members have another place, `leads` in which packs, `hops` how often what lies in a pack has been
    moved, `ends` how many bytes a pack has at least by what has moved to it.
    """

    def __init__(self) -> None:
        self.named = MemberMarks()
        self.moved = MemberMarks()
        self.placed: dict[str, int] = {}
        self.leads: dict[str, set[str]] = {}
        self.hops: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self._followed: dict[str, tuple[int, int]] = {}

    def has(self, pack: str, offset: int) -> bool:
        return self.named.has(pack, offset) or self.moved.has(pack, offset)

    def bits(self, pack: str) -> int:
        return self.named.bits(pack) | self.moved.bits(pack)

    def number(self, pack: str) -> int:
        return self.bits(pack).bit_count()

    async def resolve(self, blobs: SnapshotReader, folder: PackFolder, rewritten: Collection[str]) -> None:
        for pack in self.placed.keys() - rewritten:
            del self.placed[pack], self.leads[pack], self._followed[pack]
        while pending := sorted(pack for pack in rewritten if self._is_news(pack)):
            for some in batched(pending, _RECORDS_AT_ONCE, strict=False):
                records = await asyncio.gather(*(read_locations(blobs, folder, pack) for pack in some))
                for pack, record in zip(some, records, strict=True):
                    self._follow(pack, record or {})

    def _state(self, pack: str) -> tuple[int, int]:
        return self.number(pack), self.hops.get(pack, 0)

    def _is_news(self, pack: str) -> bool:
        is_alive = pack in self.named or pack in self.moved
        return is_alive and self._followed.get(pack) != self._state(pack)

    def _follow(self, pack: str, record: Mapping[int, Location]) -> None:
        self._followed[pack] = self._state(pack)
        hops = min(self.hops.get(pack, 0) + 1, MOST_HOPS)
        alive = [where for was, where in record.items() if self.has(pack, was)]
        self.placed[pack] = len(alive)
        self.leads[pack] = {where.pack for where in alive}
        for where in alive:
            if not self.named.has(where.pack, where.offset):
                self.moved.mark(where)
            self.ends[where.pack] = max(self.ends.get(where.pack, 0), where.offset + where.stored)
            self.hops[where.pack] = max(self.hops.get(where.pack, 0), hops)


class _Walk:
    """One walk through a tree."""

    def __init__(self, reader: TreeReader, chunks: MemberMarks, segments: MemberMarks) -> None:
        self._reader = reader
        self._chunks = chunks
        self._segments = segments

    async def below(self, level: int, entries: Entries) -> None:
        """Mark entries of a level and all under them."""
        if not level:
            self._chunks.mark_all(as_chunks(entries))
            return
        new = [node for node in as_nodes(entries) if self._segments.mark(node)]
        # As they lie, not in key order: after many snapshots, that takes a fraction of the requests.
        new.sort(key=_place)
        for nodes in batched(new, NODES_AT_ONCE, strict=False):
            opened = await self._reader.open(nodes, level)
            if level == 1:
                for chunks in opened:
                    self._chunks.mark_all(as_chunks(chunks))
            else:
                await self.below(level - 1, [node for some in opened for node in as_nodes(some)])


def _place(node: Node) -> tuple[str, int]:
    return node.pack, node.offset
