"""Check the trees of an index's snapshots: each segment, that every pack is there, and what the chunks hold."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Literal

import msgspec

from indexvault.errors import IntegrityError
from indexvault.snapshots.chunk_check import DIGESTS, document_check
from indexvault.snapshots.chunks import Chunk, OnChunk
from indexvault.snapshots.damage import CheckedSnapshot, Damage
from indexvault.snapshots.fetch import Failure
from indexvault.snapshots.locations import MOST_HOPS, MovedPacks, gone_pack, misled
from indexvault.snapshots.names import PackFolder, repair_advice
from indexvault.snapshots.reader import try_batches
from indexvault.snapshots.seen_members import SeenMembers
from indexvault.snapshots.slices import WHOLE, Slice
from indexvault.snapshots.store import BlobProperties, SnapshotReader
from indexvault.snapshots.tree import Node, as_chunks
from indexvault.snapshots.tree_reader import WHOLE_KEYS, KeyStretch, TreeReader
from indexvault.snapshots.used_packs import UsedPacks

Depth = Literal["content", "sizes"]
"""`content` reads chunks back; `sizes` reads only the trees, and compares where chunks lie with the sizes of packs."""


class PacksOfFolder(msgspec.Struct, frozen=True):
    """The packs of one generation that trees use: of chunks, and of segments."""

    folder: PackFolder
    chunks: list[str]
    segments: list[str]


class TreeChecker:
    """Checks the trees of several snapshots, each segment and each chunk that they share once.

    `there` are the blobs of the index as listed, `within` limits it to chunks whose last keys are in a stretch. `named`
    counts the distinct chunks that were found in the trees; `chunks`, `documents` and `bytes` count those that were
    checked and are sound. `sums` are the sums of documents by the ids of the snapshots of which one was made, None if a
    chunk or a segment is missing in it.
    """

    def __init__(
        self,
        blobs: SnapshotReader,
        there: Mapping[str, BlobProperties],
        depth: Depth,
        sample: Slice,
        progress: OnChunk | None,
        *,
        within: KeyStretch = WHOLE_KEYS,
    ) -> None:
        self._within = within
        self._blobs = blobs
        self._there = there
        self._depth = depth
        self._sample = sample
        self._progress = progress
        self._generations: dict[PackFolder, _Generation] = {}
        self._met_damage = False
        self.damage = Damage()
        self.sums: dict[str, int | None] = {}
        self.named = self.chunks = self.documents = self.bytes = 0

    async def check(self, snapshot: CheckedSnapshot, *, is_last: bool = False) -> None:
        """Check what no snapshot before had, and sum up the documents of the first snapshot of each generation.

        `is_last` says that no other snapshot of its generation follows: then what it has need not be remembered.
        """
        generation = self._generations.get(snapshot.folder)
        summed = generation is None and self._depth == "content" and self._sample == WHOLE
        if generation is None:
            generation = _Generation(self._blobs, snapshot.folder, self._there)
            self._generations[snapshot.folder] = generation
        check = document_check(snapshot.folder, snapshot.key_field, summed=summed)
        total = missed = 0
        async with (
            aclosing(self._to_read(snapshot, generation, is_last=is_last)) as batches,
            aclosing(try_batches(self._blobs, snapshot.folder, batches, check)) as reading,
        ):
            async for some in reading:
                for chunk, found in some:
                    if isinstance(found, int):
                        total += found
                        self._is_sound(chunk)
                    else:
                        missed += 1
                        self._is_bad(snapshot.folder, chunk, found)
        if summed:
            self.sums[snapshot.id] = None if missed or self._met_damage else total % DIGESTS

    def used(self) -> list[PacksOfFolder]:
        """Return the packs that the trees use, each once."""
        return [
            PacksOfFolder(folder, sorted(generation.used.chunks), sorted(generation.used.segments))
            for folder, generation in self._generations.items()
        ]

    def add_used(self, used: Iterable[PacksOfFolder]) -> None:
        """Add packs that trees use, which were found in other stretches."""
        for each in used:
            generation = self._generations.setdefault(each.folder, _Generation(self._blobs, each.folder, self._there))
            generation.used.chunks.update(dict.fromkeys(each.chunks, 0))
            generation.used.segments.update(dict.fromkeys(each.segments, 0))

    async def used_names(self) -> set[str]:
        """Return the names of all packs that the trees use, and of those into which they were rewritten."""
        names: set[str] = set()
        for generation in self._generations.values():
            names |= await generation.used_names()
        return names

    async def _to_read(
        self, snapshot: CheckedSnapshot, generation: "_Generation", *, is_last: bool
    ) -> AsyncGenerator[Sequence[Chunk]]:
        """Yield the new chunks that are to be read, in key order; look for the others."""

        def on_failure(node: Node, failure: Failure) -> None:
            self._met_damage = True
            if self._within.has(node.last):  # else it counts in the stretch that has its last key
                self.damage.add_segment(snapshot.folder, node, failure)

        walk = generation.reader.unseen(snapshot.tree, generation.segments, on_failure, within=self._within)
        async with aclosing(walk) as found:
            async for level, entries in found:
                if level:
                    generation.used.add(entries)
                    continue
                chunks = self._in_stretch(as_chunks(entries))
                new = generation.seen.new(chunks) if is_last else generation.seen.add_all(chunks)
                generation.used.add(new)
                self.named += len(new)
                read = self._to_be_read(new)
                if len(read) < len(new):
                    passed_over = set(new).difference(read)
                    await self._look(generation, [chunk for chunk in new if chunk in passed_over])
                if read:
                    yield read

    def _in_stretch(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        return chunks if self._within == WHOLE_KEYS else [chunk for chunk in chunks if self._within.has(chunk.last)]

    def _to_be_read(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        """Return the chunks that are read back."""
        if self._depth != "content":
            return []
        return chunks if self._sample == WHOLE else [chunk for chunk in chunks if self._sample.has(chunk.pack)]

    async def _look(self, generation: "_Generation", chunks: Sequence[Chunk]) -> None:
        """Look for chunks in the listing: whether their packs are there, and are large enough."""
        for chunk in chunks:
            failure = await generation.failure(chunk)
            if failure is not None:
                self._is_bad(generation.folder, chunk, failure)
            elif self._depth == "sizes":
                self._is_sound(chunk)

    def _is_sound(self, chunk: Chunk) -> None:
        self.chunks += 1
        self.documents += chunk.documents
        self.bytes += chunk.bytes
        if self._progress is not None:
            self._progress(chunk)

    def _is_bad(self, folder: PackFolder, chunk: Chunk, failure: Failure) -> None:
        self.damage.add_chunk(folder, chunk, failure)
        if self._progress is not None:
            self._progress(chunk)


class _Generation:
    """One generation's packs, and what of them was seen in trees."""

    def __init__(self, blobs: SnapshotReader, folder: PackFolder, there: Mapping[str, BlobProperties]) -> None:
        self._blobs = blobs
        self._there = there
        self._sizes: dict[str, int | None] = {}
        self._moved = MovedPacks(blobs, folder)
        self.folder = folder
        self.reader = TreeReader(blobs, folder)
        self.segments: set[bytes] = set()
        self.seen = SeenMembers()
        self.used = UsedPacks()

    async def failure(self, chunk: Chunk) -> Failure | None:
        """Return why a chunk can't be where its tree or a record of locations says, or None."""
        pack, offset, stored = chunk.pack, chunk.offset, chunk.stored
        for _hop in range(MOST_HOPS):
            name = self.folder.pack(pack)
            if (size := await self._size(pack)) is not None:
                until = offset + stored
                what = f"it ends before byte {until}"
                return IntegrityError(what, on=name, do=repair_advice(name)) if size < until else None
            try:
                moved = await self._moved.find(pack)
            except IntegrityError as error:
                return error
            if moved is None:
                return gone_pack(name)
            place = moved.find(offset)
            if place is None:
                return misled(self.folder, pack)
            pack, offset, stored = place
        return misled(self.folder, pack)

    async def used_names(self) -> set[str]:
        """Return the names of the packs that the trees use, and of those into which they were rewritten."""
        names: set[str] = set()
        for packs, name_of in ((self.used.chunks, self.folder.pack), (self.used.segments, self.folder.segments)):
            names |= {name_of(pack) for pack in packs}
            names |= {name_of(pack) for pack in await self._rewritten(list(packs))}
        return names

    async def _rewritten(self, packs: list[str]) -> set[str]:
        """Return the packs that hold now what was in others."""
        found: set[str] = set()
        while packs:
            pack = packs.pop()
            if self.folder.locations(pack) not in self._there:
                continue
            try:
                moved = await self._moved.find(pack)
            except IntegrityError:
                continue
            new = set(moved.packs if moved is not None else ()) - found
            found |= new
            packs += new
        return found

    async def _size(self, pack: str) -> int | None:
        """Return the size of a pack of chunks, or None if there is none."""
        if pack not in self._sizes:
            name = self.folder.pack(pack)
            # The pack and its manifest may both have been written while the listing was between their names.
            blob = self._there.get(name) or await self._blobs.properties(name)
            self._sizes[pack] = None if blob is None else blob.size
        return self._sizes[pack]
