"""Store chunks in packs: those that the previous snapshot has stay where they are, and the others fill packs."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk, Digest, SealedChunk, digest_of_total
from indexvault.snapshots.manifest import Added
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import PACK_TARGET, Pack, Packer, members_of
from indexvault.snapshots.store import SnapshotWriter

UPLOADS_AT_ONCE = 1
"""Packs of a range that are uploaded at once, while the next is filled: other ranges upload theirs meanwhile.

This bounds the memory that a range takes.
"""

_COMPRESSED_AT_ONCE = MEBIBYTE
_COMPRESSED_HERE = 4 * MEBIBYTE


@dataclass(slots=True)
class StoredChunk:
    """A chunk, the sum of its documents' SHA-256, and whether it was not there before, as far as is known.

    Once its pack is stored, `chunk` says where it lies.
    """

    chunk: Chunk
    total: int
    added: bool


class PreviousChunks:
    """The chunks of the previous snapshot, asked for in key order.

    `batches` are those of `TreeReader.chunks`. A snapshot that is damaged has no chunks any more from there on: it must
    not prevent a new one.
    """

    def __init__(self, batches: AsyncIterator[Sequence[Chunk]] | None = None) -> None:
        self._batches = batches
        self._batch: Sequence[Chunk] = ()
        self._at = 0
        self._is_found = False
        self._found_all = batches is not None

    async def find(self, chunk: Chunk) -> Chunk | None:
        """Return the same chunk of the previous snapshot, or None. Keys rise from call to call."""
        (found,) = await self.find_all((chunk,))
        return found

    async def find_all(self, chunks: Iterable[Chunk]) -> list[Chunk | None]:
        """Return for each chunk the same one of the previous snapshot, or None. Keys rise from call to call."""
        found: list[Chunk | None] = []
        for chunk in chunks:
            there = self._held(chunk.last)
            while there is None and self._batches is not None:
                await self._read(self._batches)
                there = self._held(chunk.last)
            self._is_found = there is not None and _are_same(there, chunk)
            self._found_all = self._found_all and self._is_found
            found.append(there if self._is_found else None)
        return found

    async def found_all(self) -> bool:
        """Return whether the chunks that were asked for are all that there are, one after the other. Ask for no more.

        False if there is no previous snapshot, or it is damaged.
        """
        self._pass_over(len(self._batch))
        if self._found_all and self._batches is not None:
            await self._read(self._batches)
        return self._found_all and not self._batch

    def _held(self, last: str) -> Chunk | None:
        """Return the first chunk in memory, from here on, that does not end before a key."""
        while self._at < len(self._batch):
            there = self._batch[self._at]
            if there.last >= last:
                return there
            self._pass_over(self._at + 1)
        return None

    def _pass_over(self, until: int) -> None:
        """Go on to a place in memory. Of what is passed over, only the first may have been found."""
        if until - self._at > int(self._is_found):
            self._found_all = False
        if until > self._at:
            self._is_found = False
        self._at = until

    async def _read(self, batches: AsyncIterator[Sequence[Chunk]]) -> None:
        try:
            batch = await anext(batches, None)
        except (IntegrityError, NotFoundError):
            batch, self._found_all = None, False
        self._batch, self._at = batch or (), 0
        if not self._batch:
            self._batches = None


def _are_same(there: Chunk, chunk: Chunk) -> bool:
    """Return whether two chunks are listed alike but for their places. Another key field lists other keys."""
    return (there.sha256, there.first, there.last, there.documents, there.bytes) == (
        chunk.sha256,
        chunk.first,
        chunk.last,
        chunk.documents,
        chunk.bytes,
    )


class ChunkWriter:
    """Stores chunks as they come, several packs under way at once. Don't use it any more after an error.

    A writer that is given the same chunks as one that was interrupted fills the same packs, so it does not send those
    that are there. It asks for them until it has missed as many in a row as are uploaded at once: then the interrupted
    one has not come further. A pack is full with `pack_bytes`.
    """

    def __init__(self, blobs: SnapshotWriter, folder: PackFolder, *, pack_bytes: int = PACK_TARGET) -> None:
        self._blobs = blobs
        self._folder = folder
        self._missed = 0
        self._fresh: list[tuple[StoredChunk, SealedChunk]] = []
        self._fresh_bytes = 0
        self._packer = Packer(pack_bytes)
        self._packed: list[StoredChunk] = []
        self._room = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._uploads: set[asyncio.Task[None]] = set()

    async def add(self, sealed: SealedChunk, previous: PreviousChunks | None = None) -> StoredChunk:
        """Store a chunk, unless the previous snapshot has it. Raises what went wrong with an earlier one."""
        (stored,) = await self.add_all((sealed,), previous)
        return stored

    async def add_all(self, chunks: Sequence[SealedChunk], previous: PreviousChunks | None = None) -> list[StoredChunk]:
        """Store several chunks, about a megabyte, as `add` does each."""
        found = [None] * len(chunks) if previous is None else await previous.find_all([each.chunk for each in chunks])
        stored: list[StoredChunk] = []
        for sealed, known in zip(chunks, found, strict=True):
            entry = StoredChunk(known or sealed.chunk, sealed.total, added=known is None)
            stored.append(entry)
            if known is None:
                self._fresh.append((entry, sealed))
                self._fresh_bytes += sealed.chunk.bytes
        if self._fresh_bytes >= _COMPRESSED_AT_ONCE:
            await self._pack()
        return stored

    async def finish(self) -> None:
        """Store what is left, and wait until everything is stored and has its place."""
        await self._pack()
        if (pack := self._packer.finish()) is not None:
            await self._upload(pack)
        await self._settled()

    async def leave(self, least: int) -> bytes:
        """Store what is left if it fills a pack of `least` bytes, and return it otherwise, to be stored with others.

        Chunks in what is returned have no pack, and their offsets are those in it.
        """
        await self._pack()
        pack = self._packer.finish()
        left = b""
        if pack is not None and len(pack.data) >= least:
            await self._upload(pack)
        elif pack is not None:
            left = pack.data
            self._place(pack, "", self._taken())
        await self._settled()
        return left

    async def close(self) -> None:
        """Cancel what is under way."""
        for task in self._uploads:
            task.cancel()
        await asyncio.gather(*self._uploads, return_exceptions=True)

    async def _pack(self) -> None:
        fresh, self._fresh, self._fresh_bytes = self._fresh, [], 0
        if not fresh:
            return
        sealed = [sealed for _stored, sealed in fresh]
        # Small members cost less here than in a thread, which would wait for the interpreter lock after each of them;
        # and a thread's own memory pool holds on to what it freed.
        small = sum(each.chunk.bytes for each in sealed) <= _COMPRESSED_HERE
        members = members_of(sealed) if small else await asyncio.to_thread(members_of, sealed)
        await asyncio.sleep(0)
        for (stored, _sealed), member in zip(fresh, members, strict=True):
            self._packed.append(stored)
            if (pack := self._packer.add(stored.chunk.sha256, member)) is not None:
                await self._upload(pack)

    async def _upload(self, pack: Pack) -> None:
        await self._room.acquire()
        self._raise_failed()
        self._uploads.add(asyncio.create_task(self._store(pack, self._taken())))

    async def _store(self, pack: Pack, chunks: list[StoredChunk]) -> None:
        try:
            asks = self._missed < UPLOADS_AT_ONCE
            added = await store_pack(self._blobs, self._folder.pack, pack, may_be_there=asks)
            self._missed = self._missed + 1 if added else 0
            self._place(pack, pack.name, chunks)
            for stored in chunks:
                stored.added = added
        finally:
            self._room.release()

    def _taken(self) -> list[StoredChunk]:
        chunks, self._packed = self._packed, []
        return chunks

    def _place(self, pack: Pack, name: str, chunks: list[StoredChunk]) -> None:
        for stored, member in zip(chunks, pack.members, strict=True):
            stored.chunk = stored.chunk.placed(name, member.offset, member.stored)

    def _raise_failed(self) -> None:
        done = {task for task in self._uploads if task.done()}
        self._uploads -= done
        for task in done:
            task.result()

    async def _settled(self) -> None:
        try:
            await asyncio.gather(*self._uploads)
        except BaseException:
            await self.close()
            raise
        self._uploads.clear()


class SegmentStore:
    """Stores packs of segments, for `TreeWriter`, and counts what they added to the store."""

    def __init__(self, blobs: SnapshotWriter, folder: PackFolder) -> None:
        self._blobs = blobs
        self._folder = folder
        self.added = Added()

    async def store(self, pack: Pack) -> None:
        """Store a pack of segments."""
        if await store_pack(self._blobs, self._folder.segments, pack, may_be_there=True):
            self.added = Added(stored=self.added.stored + len(pack.data))


def added_of(stored: Iterable[StoredChunk]) -> Added:
    """Return what stored chunks added to the store."""
    new = [each.chunk for each in stored if each.added]
    return Added(chunks=len(new), bytes=sum(chunk.bytes for chunk in new), stored=sum(chunk.stored for chunk in new))


def sum_added(one: Added, other: Added) -> Added:
    """Return what two parts of a snapshot added to the store together."""
    return Added(chunks=one.chunks + other.chunks, bytes=one.bytes + other.bytes, stored=one.stored + other.stored)


def digest_of_stored(stored: Iterable[StoredChunk]) -> Digest:
    """Return the content digest of stored chunks' documents together."""
    return digest_of_total(sum(each.total for each in stored))
