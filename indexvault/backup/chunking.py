"""Cut pages of documents into chunks and store them, with few chunks in memory."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Self

import msgspec

from indexvault.backup.job import BackupJob
from indexvault.backup.state import Plan, ScannedRange
from indexvault.search.page import Document
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import ChunkCutter, SealedChunk, add_digests
from indexvault.snapshots.manifest import Added, known_chunks
from indexvault.snapshots.names import ChunkFolder
from indexvault.snapshots.store import Store
from indexvault.snapshots.writer import StoredChunk, store_chunk
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.exception_groups import first_error

UPLOADS_AT_ONCE = 4
"""Chunks that are uploaded at once. With the page being cut, this bounds the memory that a range takes."""


class _Begun(msgspec.Struct, frozen=True):
    """The record that a range, or the merge, has begun to store chunks."""


class ChunkStore:
    """Stores the chunks of a range, or of the merge.

    Chunks that the previous snapshot names are not sent, nor those that an interrupted attempt has stored.
    """

    def __init__(self, store: Store, folder: ChunkFolder, known: Mapping[str, int], *, may_be_there: bool) -> None:
        self._blobs = store.snapshots
        self._folder = folder
        self._known = known
        self._may_be_there = may_be_there

    @classmethod
    async def open(cls, store: Store, job: BackupJob, plan: Plan, record: str) -> Self:
        """Open it for what a record will describe, and write down that this has begun."""
        checkpoints = Checkpoints(store.runs, job.run)
        begun = await checkpoints.read(f"{record}-begun", _Begun)
        if begun is None:
            await checkpoints.write(f"{record}-begun", _Begun())
        trusted = plan.previous if plan.trusting else None
        previous = await read_manifest(store.snapshots, trusted) if trusted is not None else None
        folder = ChunkFolder(service=job.service, index=job.index, generation=plan.generation)
        return cls(store, folder, known_chunks(previous), may_be_there=begun is not None or not plan.trusting)

    async def store(self, sealed: SealedChunk) -> StoredChunk:
        """Store a chunk."""
        return await store_chunk(self._blobs, self._folder, sealed, self._known, may_be_there=self._may_be_there)


def scanned_range(stored: Sequence[StoredChunk], *, again: int = 0, requests: int = 0) -> ScannedRange:
    """Return the record of stored chunks."""
    added = [entry.chunk for entry in stored if entry.added]
    return ScannedRange(
        chunks=[entry.chunk for entry in stored],
        digest=add_digests(entry.digest for entry in stored),
        added=Added(
            chunks=len(added),
            bytes=sum(chunk.bytes for chunk in added),
            stored=sum(chunk.stored for chunk in added),
        ),
        again=again,
        requests=requests,
    )


async def store_chunks(
    pages: AsyncGenerator[list[Document]], cutter: ChunkCutter, store: Callable[[SealedChunk], Awaitable[StoredChunk]]
) -> list[StoredChunk]:
    """Cut the documents of all pages into chunks, store each and return them in key order.

    The next page is read while chunks are being stored. The first error of reading or storing stops both.
    """
    room = asyncio.Semaphore(UPLOADS_AT_ONCE)
    stored: list[asyncio.Task[StoredChunk]] = []

    async def store_one(sealed: SealedChunk) -> StoredChunk:
        try:
            return await store(sealed)
        finally:
            room.release()

    try:
        async with contextlib.aclosing(pages), asyncio.TaskGroup() as group:

            async def hand_over(sealed: SealedChunk | None) -> None:
                if sealed is not None:
                    await room.acquire()
                    stored.append(group.create_task(store_one(sealed)))

            async for documents in pages:
                for document in documents:
                    await hand_over(cutter.add(document.key, document.line))
            await hand_over(cutter.finish())
    except BaseExceptionGroup as failures:
        raise first_error(failures) from None
    return [task.result() for task in stored]
