"""Build the tree of a snapshot from its chunks in key order, and store the segments that are new."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import NamedTuple, Self

from indexvault.errors import AccountingError, IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.packs import Pack, Packer, member
from indexvault.snapshots.tree import (
    ROOT_ENTRIES,
    SEGMENT_ENTRIES,
    Entry,
    Node,
    Tree,
    encode_segment,
    ends_segment,
    node_of,
)
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.used_packs import UsedPacks

type StorePack = Callable[[Pack], Awaitable[None]]

MOST_OPENED = 10_000
"""Segments that were opened and may come out as they were: a few megabytes."""


class _Shared(NamedTuple):
    """A segment taken over with everything under it, on its way up to the level that lists it."""

    node: Node
    level: int


class TreeWriter:
    """Takes chunks in key order and stores the segments above them that the previous snapshot does not have.

    `previous` is the tree of the last snapshot of the same generation, whose segments stay where they are. Segments of
    one level lie together in packs, stored with `store`. `used` are the packs that the tree uses, without those that
    are used below segments taken over by `share`. With `least_level`, the root is of that level at least: give it that
    of the tree whose segments are shared. Use it as an
    asynchronous context, and no more after an error. Holds a segment and a pack for each level.
    """

    def __init__(
        self,
        store: StorePack,
        boundary_bits: int,
        *,
        previous: Tree | None = None,
        reader: TreeReader | None = None,
        least_level: int = 0,
    ) -> None:
        self._store = store
        self._bits = boundary_bits
        self._previous = previous
        self._reader = reader
        self._levels: list[_Level] = []
        self._least_level = least_level
        self._opened_nodes: dict[str, Node] = {}
        self.used = UsedPacks()
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._opened.aclose()

    async def add(self, chunk: Chunk) -> None:
        """Add the next chunk, which is stored already."""
        await self.add_all((chunk,))

    async def add_all(self, chunks: Sequence[Chunk]) -> None:
        """Add the next chunks, which are stored already."""
        self.used.add(chunks)
        await self._level(0).add_all(chunks)

    async def share(self, node: Node, level: int) -> None:
        """Take over a segment that an entry of `level` stands for, with everything under it, without reading it.

        Use it only where the levels below hold no entry that waits for its segment to end: after an entry whose key
        ends a segment of each of them, or at the beginning. It must itself end with such a key, or be the last entry.
        """
        await self._level(0).share(_Shared(node, level))

    def note_opened(self, node: Node) -> None:
        """Note a stored segment whose entries are added one by one: if it comes out the same, it stays where it is."""
        if len(self._opened_nodes) >= MOST_OPENED:
            del self._opened_nodes[next(iter(self._opened_nodes))]
        self._opened_nodes[node.sha256] = node

    def opened(self, sha256: str) -> Node | None:
        """Return the segment noted by `note_opened` that has a hash, or None."""
        return self._opened_nodes.pop(sha256, None)

    async def finish(self) -> Tree:
        """Return the root, once all segments are stored."""
        number = 0
        while number < len(self._levels):
            level = self._levels[number]
            if level.is_root:
                return _root(number, level.held)
            await level.finish()
            number += 1
        return Tree()

    def _level(self, number: int) -> "_Level":
        while len(self._levels) <= number:
            number_of_next = len(self._levels)
            self._levels.append(_Level(self, number_of_next, cutting=number_of_next < self._least_level))
        return self._levels[number]

    async def store(self, pack: Pack) -> None:
        """Store a pack of segments."""
        await self._store(pack)

    async def hand_up(self, number: int, node: Node) -> None:
        """Give a placed node to the level above."""
        self.used.add((node,))
        await self._level(number + 1).add_all((node,))

    async def pass_on(self, number: int, shared: _Shared) -> None:
        """Take a shared segment from a level to the next one, which lists it or passes it on."""
        if shared.level == number + 1:
            await self.hand_up(number, shared.node)
        else:
            await self._level(number + 1).share(shared)

    def ends(self, last: str, number: int) -> bool:
        """Return whether a segment ends after an entry."""
        return ends_segment(last, number, self._bits)

    async def earlier(self, number: int) -> AsyncGenerator[Node]:
        """Return the previous snapshot's segments whose entries are of a level, in key order."""
        if self._previous is None or self._reader is None:
            return _no_nodes()
        return await self._opened.enter_async_context(aclosing(self._reader.nodes(self._previous, number + 1)))


class _Level:
    """The entries of one level that are not in a finished segment yet, and the finished ones that wait for a place."""

    def __init__(self, tree: TreeWriter, number: int, *, cutting: bool) -> None:
        self._tree = tree
        self._number = number
        self.held: list[Entry] = []
        self._cutting = cutting
        self._packer = Packer()
        self._waiting: deque[Node | _Shared] = deque()
        self._earlier: AsyncGenerator[Node] | None = None
        self._next_earlier: Node | None = None

    @property
    def is_root(self) -> bool:
        """Whether all entries of this level fit the manifest."""
        return not self._cutting

    async def add_all(self, entries: Sequence[Entry]) -> None:
        if not self._cutting:
            if len(self.held) + len(entries) <= ROOT_ENTRIES:
                self.held.extend(entries)
                return
            self._cutting = True
            entries, self.held = [*self.held, *entries], []
        for entry in entries:
            self.held.append(entry)
            if self._tree.ends(entry.last, self._number) or len(self.held) == SEGMENT_ENTRIES:
                await self._seal()

    async def share(self, shared: _Shared) -> None:
        """Pass a segment on that is taken over, after those that wait for a place here."""
        if self.held:
            raise _not_aligned(shared.node)
        self._cutting = True
        self._waiting.append(shared)
        await self._hand_up()

    async def finish(self) -> None:
        """Finish the last segment, and store what is left."""
        if self.held:
            await self._seal()
        if (pack := self._packer.finish()) is not None:
            await self._place(pack)
        await self._hand_up()

    async def _seal(self) -> None:
        entries, self.held = self.held, []
        data = encode_segment(entries)
        node = node_of(entries, data)
        earlier = self._tree.opened(node.sha256) or await self._find_earlier(node.last)
        if earlier is not None and earlier.sha256 == node.sha256:
            # Only the place: a damaged tree may list wrong sums.
            self._waiting.append(node.placed(earlier.pack, earlier.offset, earlier.stored))
        else:
            self._waiting.append(node)
            if (pack := self._packer.add(node.sha256, member(node.sha256, data))) is not None:
                await self._place(pack)
        await self._hand_up()

    async def _place(self, pack: Pack) -> None:
        """Store a pack, and note for the nodes in it where they lie."""
        await self._tree.store(pack)
        places = iter(pack.members)
        self._waiting = deque(
            each
            if isinstance(each, _Shared) or each.pack
            else each.placed(pack.name, (place := next(places)).offset, place.stored)
            for each in self._waiting
        )

    async def _hand_up(self) -> None:
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, _Shared):
                self._waiting.popleft()
                await self._tree.pass_on(self._number, first)
            elif first.pack:
                self._waiting.popleft()
                await self._tree.hand_up(self._number, first)
            else:
                return

    async def _find_earlier(self, last: str) -> Node | None:
        """Return the previous snapshot's segment that ends with a key, or None. Keys rise from call to call."""
        if self._earlier is None:
            self._earlier = await self._tree.earlier(self._number)
            await self._advance()
        while self._next_earlier is not None and self._next_earlier.last < last:
            await self._advance()
        found = self._next_earlier
        return found if found is not None and found.last == last else None

    async def _advance(self) -> None:
        assert self._earlier is not None  # noqa: S101 - opened by the only caller
        try:
            self._next_earlier = await anext(self._earlier, None)
        except (IntegrityError, NotFoundError):  # a damaged snapshot must not prevent a new one
            self._next_earlier = None


def _root(level: int, entries: list[Entry]) -> Tree:
    chunks = tuple(entry for entry in entries if isinstance(entry, Chunk))
    nodes = tuple(entry for entry in entries if isinstance(entry, Node))
    return Tree(level=level, chunks=chunks, nodes=nodes)


def _not_aligned(node: Node) -> AccountingError:
    return AccountingError(
        f"the segment that ends with key {node.last!r} was taken over within another one",
        on="the tree of a snapshot",
        do="Report this; meanwhile, read the whole index",
    )


async def lowered(tree: Tree, reader: TreeReader) -> Tree:
    """Return a tree whose segments are stored with as low a root as fits the manifest, as `TreeWriter.finish` makes it.

    A tree from which very much was removed has a root with few entries, above others that would fit.
    """
    while tree.level and len(tree.nodes) <= _FEW_NODES:
        if tree.level == 1 and tree.count > ROOT_ENTRIES:
            break
        below = [entry for some in await reader.open(tree.nodes, tree.level) for entry in some]
        if len(below) > ROOT_ENTRIES:
            break
        tree = _root(tree.level - 1, below)
    return tree


_FEW_NODES = 4
"""Entries of a root at most below which fewer than ROOT_ENTRIES are looked for."""


async def _no_nodes() -> AsyncGenerator[Node]:
    return
    yield
