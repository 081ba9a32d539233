"""Walk the trees of snapshots: all chunks, those of a range, those that were not seen before."""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from hashlib import sha256
from itertools import batched

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.fetch import Failure, StoredMember, fetch_members, read_member
from indexvault.snapshots.locations import MovedPacks
from indexvault.snapshots.names import PackFolder, repair_advice
from indexvault.snapshots.packs import open_member
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree import SEGMENT_LIMIT, Entries, Entry, Node, Tree, as_chunks, as_nodes, decode_segment

NODES_AT_ONCE = 256
"""Segments that are read and held at once: about 8,000 chunks, some 4 MB in memory, of 64 MiB of documents.

After many snapshots they lie in many packs, of which each takes a request.
"""


class KeyStretch(msgspec.Struct, frozen=True):
    """The keys above `after` and up to `until`, in ordinal order. None means no bound."""

    after: str | None = None
    until: str | None = None

    def has(self, key: str) -> bool:
        """Return whether a key is in it."""
        return (self.after is None or key > self.after) and (self.until is None or key <= self.until)

    def meets(self, before: str | None, last: str) -> bool:
        """Return whether it has some of the keys above `before` and up to `last`."""
        return (self.after is None or last > self.after) and (
            self.until is None or before is None or before < self.until
        )


WHOLE_KEYS = KeyStretch()
"""All keys."""

type _Group = tuple[Entries, str | None]
"""Entries of one segment, and the last key before them."""

type OnFailure = Callable[[Node, Failure], None]
"""Called with a segment that can't be had, and what is wrong."""


class TreeReader:
    """Reads the segments of one index's trees. Of several replicas, the first that has a segment sound is used."""

    def __init__(self, blobs: SnapshotReader, folder: PackFolder) -> None:
        self.blobs = blobs
        self.folder = folder
        self._moved = MovedPacks(blobs, folder)

    async def open(self, nodes: Sequence[Node], level: int) -> list[Entries]:
        """Return the entries of the segments that nodes of `level` stand for.

        Raises IntegrityError and NotFoundError, naming the pack of segments, for the first that can't be had.
        """
        opened: list[Entries] = []
        for entries in await self.try_open(nodes, level):
            if isinstance(entries, IntegrityError | NotFoundError):
                raise entries
            opened.append(entries)
        return opened

    async def open_in_order(self, nodes: Sequence[Node], level: int, before: Sequence[str | None]) -> list[Entries]:
        """Return the entries of segments as `open` does, each after the last key before it, which is in `before`.

        Raises IntegrityError for a segment whose chunks begin earlier: those of a tree don't overlap.
        """
        opened = await self.open(nodes, level)
        for node, last, entries in zip(nodes, before, opened, strict=True):
            if _begins_before(entries, last):
                raise self._not_in_order(node)
        return opened

    async def try_open(self, nodes: Sequence[Node], level: int) -> list[Entries | Failure]:
        """Return the entries of the segments that nodes of `level` stand for, or what is wrong with each.

        A failure names the blob at fault: a pack of segments, or a record of locations.
        """
        stored = await fetch_members(self.blobs, self.folder, self.folder.segments, nodes, self._moved)
        opened = await asyncio.to_thread(self._open_all, nodes, level, stored)
        return [
            await self._again(node, level) if isinstance(entries, IntegrityError | NotFoundError) else entries
            for node, entries in zip(nodes, opened, strict=True)
        ]

    async def chunks(
        self, tree: Tree, *, after: str | None = None, until: str | None = None
    ) -> AsyncGenerator[Sequence[Chunk]]:
        """Yield a tree's chunks in key order, in batches: those that may hold keys above `after` and up to `until`."""
        async with aclosing(self._below(tree.level, [(tree.entries, None)], after, until)) as batches:
            async for batch in batches:
                yield batch

    async def chunks_between(self, tree: Tree, start: int, end: int) -> AsyncGenerator[Sequence[Chunk]]:
        """Yield the chunks from position `start` to before `end`, in key order, in batches."""
        async with aclosing(self._between(tree.level, tree.entries, start, end, None)) as batches:
            async for batch in batches:
                yield batch

    async def find(self, tree: Tree, key: str, known: dict[str, Chunk | None]) -> Chunk | None:
        """Return the chunk that holds a key if the tree does, or None if it can't; read only the segments above it.

        `known` holds what was found under segments for this key, by their hashes, and is added to: so of several trees,
        no segment is read twice.
        """
        level, entries = tree.level, tree.entries
        before: str | None = None
        path: list[str] = []
        found: Chunk | None = None
        while (at := bisect_left(entries, key, key=_last_of)) < len(entries):
            entry = entries[at]
            if isinstance(entry, Chunk):
                found = entry if entry.first <= key else None
                break
            if entry.sha256 in known:
                found = known[entry.sha256]
                break
            path.append(entry.sha256)
            before = entries[at - 1].last if at else before
            (entries,) = await self.open_in_order([entry], level, [before])
            level -= 1
        known.update(dict.fromkeys(path, found))
        return found

    async def nodes(self, tree: Tree, level: int) -> AsyncGenerator[Node]:
        """Yield the nodes of a level in key order, those that stand for segments with entries of the level below."""
        async with aclosing(self._nodes(tree.level, tree.entries, level)) as found:
            async for node in found:
                yield node

    async def unseen(
        self,
        tree: Tree,
        seen: set[bytes],
        on_failure: OnFailure | None = None,
        *,
        within: KeyStretch = WHOLE_KEYS,
    ) -> AsyncGenerator[tuple[int, Entries]]:
        """Yield the entries of the root and of each segment under it that is not in `seen`, with their level.

        Segments are added to `seen`, each with the key before it, after which its own must come: so of several trees,
        what they share is read once. An entry comes before the entries under it. With `on_failure`, a segment that
        can't be had is passed to it, with what is wrong, and the walk goes on without it; otherwise that is raised.
        Segments that have no keys `within` a stretch are not read.
        """
        async with aclosing(self._unseen(tree.level, [(tree.entries, None)], seen, on_failure, within)) as found:
            async for level, entries in found:
                yield level, entries

    def _open_all(
        self, nodes: Sequence[Node], level: int, stored: Sequence[StoredMember | Failure]
    ) -> list[Entries | Failure]:
        opened: list[Entries | Failure] = []
        for node, found in zip(nodes, stored, strict=True):
            try:
                opened.append(self._open(node, level, found) if isinstance(found, StoredMember) else found)
            except IntegrityError as error:
                opened.append(error)
        return opened

    def _open(self, node: Node, level: int, stored: StoredMember) -> Entries:
        data = open_member(node.sha256, stored.data, SEGMENT_LIMIT, stored.blob)
        return decode_segment(node, level, data, stored.blob)

    async def _again(self, node: Node, level: int) -> Entries | Failure:
        async def read(one: SnapshotReader) -> Entries:
            stored = await read_member(one, self.folder, self.folder.segments, node)
            return await asyncio.to_thread(self._open, node, level, stored)

        try:
            return await self.blobs.first_sound(read)
        except (IntegrityError, NotFoundError) as error:
            return error

    async def _below(
        self, level: int, groups: Sequence[_Group], after: str | None, until: str | None
    ) -> AsyncGenerator[Sequence[Chunk]]:
        wanted: list[tuple[Node, str | None]] = []
        for entries, before in groups:
            start, end = _bounds(entries, after, until)
            if level:
                lasts = [before, *(node.last for node in entries[:end])]
                wanted += zip(as_nodes(entries[start:end]), lasts[start:end], strict=True)
            elif start < end:
                yield as_chunks(entries[start:end])
        for nodes in batched(wanted, NODES_AT_ONCE, strict=False):
            lasts = [last for _node, last in nodes]
            opened = await self.open_in_order([node for node, _last in nodes], level, lasts)
            below = list(zip(opened, lasts, strict=True))
            async with aclosing(self._below(level - 1, below, after, until)) as batches:
                async for batch in batches:
                    yield batch

    async def _between(
        self, level: int, entries: Entries, start: int, end: int, before: str | None
    ) -> AsyncGenerator[Sequence[Chunk]]:
        if not level:
            if some := as_chunks(entries)[max(0, start) : max(0, end)]:
                yield some
            return
        at = 0
        wanted: list[tuple[Node, int, str | None]] = []
        for node in as_nodes(entries):
            if at < end and at + node.chunks > start:
                wanted.append((node, at, before))
            at, before = at + node.chunks, node.last
        for nodes in batched(wanted, NODES_AT_ONCE, strict=False):
            opened = await self.open_in_order([each[0] for each in nodes], level, [each[2] for each in nodes])
            for (_node, begin, last), below in zip(nodes, opened, strict=True):
                async with aclosing(self._between(level - 1, below, start - begin, end - begin, last)) as batches:
                    async for batch in batches:
                        yield batch

    async def _nodes(self, level: int, entries: Entries, wanted: int) -> AsyncGenerator[Node]:
        if level < wanted:
            return
        if level == wanted:
            for node in as_nodes(entries):
                yield node
            return
        for nodes in batched(as_nodes(entries), NODES_AT_ONCE, strict=False):
            for below in await self.open(nodes, level):
                async with aclosing(self._nodes(level - 1, below, wanted)) as found:
                    async for node in found:
                        yield node

    async def _unseen(
        self,
        level: int,
        groups: Sequence[_Group],
        seen: set[bytes],
        on_failure: OnFailure | None,
        within: KeyStretch,
    ) -> AsyncGenerator[tuple[int, Entries]]:
        new: list[tuple[Node, str | None]] = []
        for entries, before in groups:
            yield level, entries
            if not level:
                continue
            after = before
            for node in as_nodes(entries):
                if within.meets(after, node.last) and _mark(node, after) not in seen:
                    new.append((node, after))
                after = node.last
        for some in batched(new, NODES_AT_ONCE, strict=False):
            opened = await self.try_open([node for node, _after in some], level)
            walked: list[bytes] = []
            below: list[_Group] = []
            for (node, last), found in zip(some, opened, strict=True):
                if isinstance(found, IntegrityError | NotFoundError) or _begins_before(found, last):
                    failure = found if isinstance(found, IntegrityError | NotFoundError) else self._not_in_order(node)
                    if on_failure is None:
                        raise failure
                    on_failure(node, failure)
                    continue
                walked.append(_mark(node, last))
                below.append((found, last))
            async with aclosing(self._unseen(level - 1, below, seen, on_failure, within)) as walk:
                async for each in walk:
                    yield each
            # After what is under them: a walk that fails in between leaves them to be walked again.
            seen.update(walked)

    def _not_in_order(self, node: Node) -> IntegrityError:
        name = self.folder.segments(node.pack)
        return IntegrityError("the chunks in a segment are not in key order", on=name, do=repair_advice(name))


def _mark(node: Node, after: str | None) -> bytes:
    """Return what tells a segment, and the key before it, from others."""
    return sha256(f"{node.sha256}{after or ''}".encode()).digest()


def _last_of(entry: Entry) -> str:
    return entry.last


def _begins_before(entries: Entries, last: str | None) -> bool:
    """Return whether chunks do not come after the last key of what is before them."""
    return last is not None and isinstance(first := entries[0], Chunk) and first.first <= last


def within(entries: Entries, after: str | None, until: str | None) -> Entries:
    """Return the consecutive entries that may hold keys above `after` and up to `until`."""
    start, end = _bounds(entries, after, until)
    return entries[start:end]


def _bounds(entries: Entries, after: str | None, until: str | None) -> tuple[int, int]:
    """Return the position of the first entry that may hold keys above `after` and up to `until`, and past the last."""
    start = 0 if after is None else next((at for at, each in enumerate(entries) if each.last > after), len(entries))
    if until is None:
        return start, len(entries)
    end = next((at + 1 for at, each in enumerate(entries) if each.last >= until), len(entries))
    if start < end and isinstance(last := entries[end - 1], Chunk) and last.first > until:
        end -= 1
    return start, end
