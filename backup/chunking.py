"""Pages in, stored chunks out, with as few chunks in memory as keep the store busy."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from engine.groups import first_error
from search.page import Document
from snapshots.chunks import ChunkCutter, SealedChunk
from snapshots.writer import StoredChunk

UPLOADS_AT_ONCE = 4
"""Chunks on their way to the store at once: with the page being cut, this bounds the memory of a range."""


async def store_chunks(
    pages: AsyncGenerator[list[Document]], cutter: ChunkCutter, store: Callable[[SealedChunk], Awaitable[StoredChunk]]
) -> list[StoredChunk]:
    """Cut the documents of all pages into chunks and store each, giving them in key order.

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
