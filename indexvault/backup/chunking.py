"""Cut pages of documents into chunks and hand them to a writer, with few of them in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from indexvault.backup.job import BackupJob
from indexvault.backup.state import Leftover, Plan, ScannedRange
from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, NotFoundError, OutdatedReadingError
from indexvault.search.page import Document
from indexvault.search.scan import KeyRange
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunk_writer import ChunkWriter, PreviousChunks, StoredChunk, added_of, digest_of_stored
from indexvault.snapshots.chunks import Chunk, ChunkCutter, CutChunk, seal_all
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.store import SnapshotReader, Store
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.workflow.resume import digest_of

EVERY_KEY = KeyRange(after=None, until=None)

_SEALED_AT_ONCE = MEBIBYTE
_SEALED_HERE = 4 * MEBIBYTE


class Earlier:
    """The previous snapshot, as far as a new one may share its chunks."""

    def __init__(self, blobs: SnapshotReader, manifest: Manifest | None, *, trusting: bool = True) -> None:
        self._manifest = manifest
        self._trusting = trusting
        self._reader = TreeReader(blobs, manifest.folder) if manifest is not None else None

    @classmethod
    async def open(cls, store: Store, plan: Plan) -> "Earlier":
        """Open what a plan names. A snapshot that was damaged, replaced or removed meanwhile is passed over."""
        try:
            manifest = await read_manifest(store.snapshots, plan.previous) if plan.previous is not None else None
        except (IntegrityError, NotFoundError):
            manifest = None
        if manifest is not None and (manifest.authenticity == "unauthentic" or manifest.generation != plan.generation):
            manifest = None
        if manifest is not None and digest_of(manifest.tree) != plan.previous_tree:
            manifest = None
        return cls(store.snapshots, manifest, trusting=plan.trusting)

    def tree(self, bits: int) -> Tree | None:
        """Return the tree whose segments can be shared by one with so many boundary bits, or None."""
        if self._manifest is None or not self._trusting or self._manifest.boundary_bits != bits:
            return None
        return self._manifest.tree

    @property
    def reader(self) -> TreeReader | None:
        """What reads that tree."""
        return self._reader

    @property
    def is_relied_on(self) -> bool:
        """Whether a range that is as in that snapshot needs no record: its chunks are then read from there again."""
        return self._manifest is not None and self._trusting

    async def chunks(self, keys: KeyRange) -> AsyncGenerator[Sequence[Chunk]]:
        """Yield the chunks that may hold keys of a range, in batches.

        Raises OutdatedReadingError if there is no such snapshot any more, or it is damaged there.
        """
        if self._manifest is None or self._reader is None:
            raise OutdatedReadingError(
                "the last snapshot is gone or damaged, and the index was read as having the same chunks",
                on="the last snapshot",
                do="Run the backup again",
            )
        batches = self._reader.chunks(self._manifest.tree, after=keys.after, until=keys.until)
        try:
            async with aclosing(batches):
                async for batch in batches:
                    yield batch
        except (IntegrityError, NotFoundError) as error:
            raise OutdatedReadingError(error.what, on=error.on, do=error.do) from error

    async def chunks_in(self, keys: KeyRange) -> list[Chunk]:
        """Return the chunks of that snapshot that may hold keys of a range. Raises as `chunks`."""
        async with aclosing(self.chunks(keys)) as batches:
            return [chunk async for batch in batches for chunk in batch]

    @asynccontextmanager
    async def within(self, keys: KeyRange) -> AsyncIterator[PreviousChunks]:
        """Open the chunks that may hold keys of a range.

        A run that started over does not trust the trees: it asks for each pack.
        """
        if self._manifest is None or self._reader is None:
            yield PreviousChunks()
            return
        batches = self._reader.chunks(self._manifest.tree, after=keys.after, until=keys.until)
        async with aclosing(batches):
            if self._trusting:
                yield PreviousChunks(batches)
                return
            async with aclosing(_stored(self._reader, batches)) as there:
                yield PreviousChunks(there)


async def _stored(reader: TreeReader, batches: AsyncGenerator[Sequence[Chunk]]) -> AsyncGenerator[Sequence[Chunk]]:
    """Yield the chunks whose packs are there. Those of packs that were rewritten are stored again."""
    sizes: dict[str, int] = {}
    async for batch in batches:
        for pack in {chunk.pack for chunk in batch} - sizes.keys():
            properties = await reader.blobs.properties(reader.folder.pack(pack))
            sizes[pack] = properties.size if properties is not None else 0
        there = [chunk for chunk in batch if chunk.offset + chunk.stored <= sizes[chunk.pack]]
        if there:
            yield there


def folder_of(job: BackupJob, plan: Plan) -> PackFolder:
    """Return where the packs of a plan's snapshot lie."""
    return PackFolder(service=job.service, index=job.index, generation=plan.generation)


async def store_chunks(
    pages: AsyncGenerator[Sequence[Document]], bits: int, writer: ChunkWriter, previous: PreviousChunks
) -> AsyncGenerator[list[StoredChunk]]:
    """Cut the documents of all pages into chunks, hand them to the writer and yield them in key order, some at once.

    A chunk that is yielded may have no place yet (see `ChunkWriter`). The next page is read while chunks are hashed.
    """
    cutter = ChunkCutter(bits)
    cuts: list[CutChunk] = []
    handed: asyncio.Task[list[StoredChunk]] | None = None
    try:
        async with aclosing(pages):
            async for documents in pages:
                cuts += cutter.cut([document.key for document in documents], [document.line for document in documents])
                if sum(cut.bytes for cut in cuts) >= _SEALED_AT_ONCE:
                    if handed is not None:
                        yield await handed
                    handed = asyncio.create_task(_hand_over(cuts, writer, previous))
                    cuts = []
        if handed is not None:
            yield await handed
            handed = None
        if (rest := cutter.rest()) is not None:
            cuts.append(rest)
        if cuts:
            yield await _hand_over(cuts, writer, previous)
    finally:
        if handed is not None:
            handed.cancel()
            await asyncio.gather(handed, return_exceptions=True)


async def stored_parts(
    pages: AsyncGenerator[Sequence[Document]], bits: int, writer: ChunkWriter, previous: PreviousChunks, part_bytes: int
) -> AsyncGenerator[list[StoredChunk]]:
    """Store the documents of all pages, and yield the chunks in key order, in parts of about so many bytes.

    Chunks that are yielded are stored and have their places.
    """
    part: list[StoredChunk] = []
    size = 0
    async with aclosing(store_chunks(pages, bits, writer, previous)) as storing:
        async for stored in storing:
            part += stored
            size += sum(entry.chunk.bytes for entry in stored)
            if size >= part_bytes:
                await writer.finish()
                yield part
                part, size = [], 0
    await writer.finish()
    if part:
        yield part


async def _hand_over(cuts: list[CutChunk], writer: ChunkWriter, previous: PreviousChunks) -> list[StoredChunk]:
    """Hash chunks, about a megabyte at once, and hand them to the writer.

    Hashing that takes two milliseconds costs less here than in a thread: for each chunk, that would let the interpreter
    lock go and wait for it again. The event loop goes on in between.
    """
    stored: list[StoredChunk] = []
    start = size = 0
    for position, cut in enumerate(cuts, 1):
        size += cut.bytes
        if size >= _SEALED_AT_ONCE or position == len(cuts):
            some = cuts[start:position]
            sealed = seal_all(some) if size <= _SEALED_HERE else await asyncio.to_thread(seal_all, some)
            stored += await writer.add_all(sealed, previous)
            await asyncio.sleep(0)
            start, size = position, 0
    return stored


def scanned_range(
    stored: Sequence[StoredChunk],
    *,
    again: int = 0,
    left_open: int = 0,
    leftover: Leftover | None = None,
    requests: int = 0,
) -> ScannedRange:
    """Return the record of chunks that have their places."""
    return ScannedRange(
        chunks=[entry.chunk for entry in stored],
        digest=digest_of_stored(stored),
        added=added_of(stored),
        leftover=leftover,
        again=again,
        open=left_open,
        requests=requests,
    )
