"""Merge changes into a tree: touched chunks are made anew, and the rest is taken over without being read.

A chunk ends where its last key says so, whatever is in it, and so does a segment. So a change of a document changes the
chunk it is in, and the segments above that; deleting the last key of a chunk, or adding a key that ends one, changes
the chunk next to it too. Everything else is taken over as it lies: whole segments where no change is below them and
the tree so far has come to an end of its own at their level, else entry by entry.
"""

import asyncio
import hashlib
from bisect import bisect_right
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple

from indexvault.backup.changes.base import Base, Documents
from indexvault.bounds import MEBIBYTE
from indexvault.errors import AccountingError
from indexvault.snapshots.chunk_check import DIGESTS
from indexvault.snapshots.chunk_writer import ChunkWriter, SegmentStore, added_of, sum_added
from indexvault.snapshots.chunks import (
    Chunk,
    ChunkCutter,
    CutChunk,
    Digest,
    SealedChunk,
    content_digest,
    ends_chunk,
    zero_bits,
)
from indexvault.snapshots.manifest import Added
from indexvault.snapshots.tree import SEGMENT_BITS, Entries, Node, Tree, as_chunks, as_nodes, ends_segment
from indexvault.snapshots.tree_reader import NODES_AT_ONCE
from indexvault.snapshots.tree_writer import TreeWriter, lowered
from indexvault.snapshots.used_packs import UsedPacks

HELD_BYTES = 4 * MEBIBYTE
"""Bytes of new chunks that are held at most before they are stored."""
HELD_STEPS = 50_000
"""Entries that wait for a new chunk before them to get its place, at most: about 12 MB."""
_EDITS_AT_ONCE = 500
_READ_BYTES = 8 * MEBIBYTE


class Edit(NamedTuple):
    """A document as it is now, or a key that is gone."""

    key: str
    line: bytes | None


@dataclass(frozen=True, slots=True)
class Edited:
    """The tree with all changes in it, its content digest, what it added to the store, and the packs it uses anew."""

    tree: Tree
    digest: Digest
    added: Added
    used: UsedPacks


class TreeEditor:
    """Merges edits into the tree of a base. `keys` are those of all edits, in order; use it once."""

    def __init__(self, base: Base, keys: Sequence[str], writer: ChunkWriter, segments: SegmentStore) -> None:
        self._base = base
        self._bits = base.manifest.boundary_bits
        self._keys = keys
        self._at = 0
        self._writer = writer
        self._segments = segments
        self._tree = TreeWriter(segments.store, self._bits, least_level=base.tree.level)
        self._cutter = ChunkCutter(self._bits)
        self._pending = False
        self._last: str | None = None
        self._steps: list[Chunk | CutChunk | tuple[Node, int]] = []
        self._cut_bytes = 0
        self._replaced: dict[str, Chunk] = {}
        self._digest = int(base.manifest.content_digest, 16)
        self._added = Added()

    async def merge(self, edits: AsyncGenerator[Edit]) -> Edited:
        """Return the tree with edits merged in, which come in the order of their keys.

        Raises IntegrityError and NotFoundError if something of the base can't be read.
        """
        async with self._tree, aclosing(edits):
            self._edits = edits
            base = self._base.tree
            await self._visit(base.level, base.entries, is_last=True)
            await self._feed({}, None)
            self._end_chunk()
            await self._store()
            tree = await lowered(await self._tree.finish(), self._base.reader)
        added = sum_added(self._added, self._segments.added)
        return Edited(tree, f"{self._digest % DIGESTS:064x}", added, self._tree.used)

    async def _visit(self, level: int, entries: Entries, *, is_last: bool) -> None:
        """Take over or merge consecutive entries; with `is_last`, those at the end of the tree."""
        if not level:
            await self._visit_chunks(as_chunks(entries), is_last=is_last)
            return
        nodes = as_nodes(entries)
        opened: dict[str, Entries] = {}
        for at, node in enumerate(nodes):
            ends_tree = is_last and at == len(nodes) - 1
            if not self._is_touched(node.last, ends_tree=ends_tree) and self._fits(node, level, ends_tree=ends_tree):
                self._steps.append((node, level))
                self._last = node.last
            else:
                if node.sha256 not in opened:
                    wanted = [nodes[place] for place in self._touched_from(nodes, at, is_last=is_last)]
                    found = await self._base.open(wanted, level)
                    opened = {each.sha256: below for each, below in zip(wanted, found, strict=True)}
                self._tree.note_opened(node)
                await self._visit(level - 1, opened.pop(node.sha256), is_last=ends_tree)
            await self._store_some()

    async def _visit_chunks(self, chunks: Sequence[Chunk], *, is_last: bool) -> None:
        read: dict[str, Documents] = {}
        for at, chunk in enumerate(chunks):
            goes_on = is_last and at == len(chunks) - 1 and not ends_chunk(chunk.last, self._bits)
            if not self._pending and not self._is_touched(chunk.last, ends_tree=goes_on):
                self._steps.append(chunk)
                self._last = chunk.last
                continue
            if chunk.sha256 not in read:
                wanted = [chunks[place] for place in self._touched_from(chunks, at, is_last=is_last)]
                async with aclosing(self._base.documents(wanted)) as reading:
                    read = {found.sha256: documents async for found, documents in reading}
            documents = read.pop(chunk.sha256)
            self._replaced[chunk.sha256] = chunk
            await self._feed(documents, chunk.last)

    def _touched_from(self, entries: Entries, start: int, *, is_last: bool) -> list[int]:
        """Return the position of an entry that is needed, and with it those of the next ones that edits lie in."""
        wanted, size = [start], 0
        place = bisect_right(self._keys, entries[start].last, self._at)
        for at in range(start + 1, len(entries)):
            size += entries[at].stored
            if place >= len(self._keys) or len(wanted) == NODES_AT_ONCE or size > _READ_BYTES:
                break
            if self._keys[place] <= entries[at].last or (is_last and at == len(entries) - 1):
                wanted.append(at)
                place = bisect_right(self._keys, entries[at].last, place)
        return wanted

    async def _feed(self, documents: Mapping[str, bytes], until: str | None) -> None:
        """Take the documents of a chunk and the edits with keys up to one, or all that are left, some at once."""
        waiting = list(documents)
        while True:
            edits: dict[str, bytes | None] = {}
            size = 0
            while self._has_edit(until) and len(edits) < _EDITS_AT_ONCE and size < HELD_BYTES:
                edit = await anext(self._edits)
                size += len(edit.line or b"")
                edits[edit.key] = edit.line
                self._at += 1
                self._note(documents.get(edit.key), edit.line)
            ends = not self._has_edit(until)
            place = len(waiting) if ends else bisect_right(waiting, next(reversed(edits)))
            merged: dict[str, bytes | None] = {key: documents[key] for key in waiting[:place]}
            merged.update(edits)
            self._cut([(key, line) for key, line in sorted(merged.items()) if line is not None])
            waiting = waiting[place:]
            await self._store_some()
            if ends:
                return

    def _note(self, before: bytes | None, now: bytes | None) -> None:
        """Count a document in the content digest in place of another. Those that stay as they are cancel out."""
        if before is not None:
            self._digest -= int(content_digest((before,)), 16)
        if now is not None:
            self._digest += int(content_digest((now,)), 16)

    def _has_edit(self, until: str | None) -> bool:
        return self._at < len(self._keys) and (until is None or self._keys[self._at] <= until)

    def _cut(self, documents: Sequence[tuple[str, bytes]]) -> None:
        if not documents:
            return
        for cut in self._cutter.cut([key for key, _line in documents], [line for _key, line in documents]):
            self._cut_off(cut)
        self._pending = True
        if ends_chunk(documents[-1][0], self._bits):
            self._end_chunk()

    def _end_chunk(self) -> None:
        if (cut := self._cutter.rest()) is not None:
            self._cut_off(cut)
        self._pending = False

    def _cut_off(self, cut: CutChunk) -> None:
        self._steps.append(cut)
        self._cut_bytes += cut.bytes
        self._last = cut.last

    def _is_touched(self, last: str, *, ends_tree: bool) -> bool:
        """Return whether an edit belongs before a key, or, at the end of the tree, after it."""
        return self._at < len(self._keys) and (ends_tree or self._keys[self._at] <= last)

    def _fits(self, node: Node, level: int, *, ends_tree: bool) -> bool:
        """Return whether a segment can be taken over here: what is below its level has come to an end, as it does."""
        if self._pending or (self._last is not None and _levels_ended(self._last, self._bits) < level):
            return False
        return ends_tree or ends_segment(node.last, level - 1, self._bits)

    async def _store_some(self) -> None:
        if self._cut_bytes >= HELD_BYTES or len(self._steps) >= HELD_STEPS:
            await self._store()

    async def _store(self) -> None:
        """Store the new chunks, and add everything so far to the tree."""
        steps, self._steps, self._cut_bytes = self._steps, [], 0
        cuts = [step for step in steps if isinstance(step, CutChunk)]
        sealed = await asyncio.to_thread(_sealed, cuts)
        # One that comes out as it was stays where it is.
        fresh = [each for each in sealed if each.chunk.sha256 not in self._replaced]
        stored = await self._writer.add_all(fresh)
        await self._writer.finish()
        self._added = sum_added(self._added, added_of(stored))
        placed = iter([each.chunk for each in stored])
        chunks = iter([self._replaced.get(each.chunk.sha256) or next(placed) for each in sealed])
        self._replaced.clear()
        for step in steps:
            if isinstance(step, tuple):
                await self._tree.share(*step)
            else:
                await self._tree.add(next(chunks) if isinstance(step, CutChunk) else step)


def _sealed(cuts: Sequence[CutChunk]) -> list[SealedChunk]:
    """Return chunks with their bytes and hashes, but no sum of documents, which are counted singly. Use a thread."""
    sealed: list[SealedChunk] = []
    for cut in cuts:
        data = b"\n".join([*cut.lines, b""])
        if data.count(b"\n") != len(cut.lines):
            raise AccountingError(
                "a document's JSON holds a line feed, so it is not one line",
                on=f"documents between {cut.first!r} and {cut.last!r}",
                do="Hand documents over as compact JSON",
            )
        sha256 = hashlib.sha256(data).hexdigest()
        sealed.append(SealedChunk(Chunk(sha256, cut.first, cut.last, len(cut.lines), len(data)), 0, data))
    return sealed


def _levels_ended(last: str, bits: int) -> int:
    """Return of how many levels, from the lowest, a segment ends after an entry with this last key."""
    zeros = zero_bits(last)
    return 0 if zeros < bits else (zeros - bits) // SEGMENT_BITS
