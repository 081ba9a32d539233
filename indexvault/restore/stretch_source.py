"""What the activities of a restore need of the snapshot, in records of the run.

The manifest is read once and its tree is walked once. Each stretch then reads its own chunks from a checkpoint, which
must be what was derived from the manifest: the workflow carries its digest. So what was loaded can still be proved by
the hashes of its chunks when the snapshot is gone.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.restore.selection import chunks_holding
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import Chunk, Digest, Size
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder, SnapshotReference
from indexvault.snapshots.store import SnapshotReader, StoreReader
from indexvault.snapshots.tree_keys import PositionedChunk, chunks_with_keys
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import altered, digest_of

RECORD_CHUNKS = 8192
"""Chunks of one record at most. A longer stretch has several records, read one after the other."""
_RECORD_KEY_CHARACTERS = 2 * 1024 * 1024
"""Characters of the keys in one record, about: a key may have a thousand."""
_SNAPSHOT = "snapshot"
_WRITES_AT_ONCE = 16


class SnapshotSource(msgspec.Struct, frozen=True, kw_only=True):
    """What every stretch needs of the manifest. `definition` is the fullest version; sizes are in bytes."""

    snapshot: str
    folder: PackFolder
    key_field: str
    definition: msgspec.Raw
    average_document_bytes: float

    @property
    def schema(self) -> Schema:
        """The schema that stored documents have."""
        return read_schema(self.definition, on=f"snapshot {self.snapshot}")

    @property
    def digest(self) -> str:
        """The digest of this record."""
        return digest_of(self)


class StretchChunks(msgspec.Struct, frozen=True, kw_only=True):
    """The first chunks of a stretch, and the keys it covers: above `after`, where the one before ends, up to `until`.

    The first stretch has no `after` and the last no `until`, so that no key falls between two stretches. If only some
    documents are restored, these are the chunks that may hold them. `documents` counts those of all its chunks; `rest`
    are the digests of the records that hold the chunks that follow.
    """

    chunks: tuple[Chunk, ...]
    after: str | None
    until: str | None
    documents: Size
    rest: tuple[Digest, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of this record."""
        return digest_of(self)


class MoreChunks(msgspec.Struct, frozen=True):
    """Further chunks of a long stretch."""

    chunks: tuple[Chunk, ...]


class WrittenSources(msgspec.Struct, frozen=True):
    """The digests of the records of a snapshot and of each stretch, and how many documents all their chunks have."""

    source: Digest
    stretches: list[Digest]
    stored: Size


type OnStretchChunk = Callable[[int, Chunk], None]
"""Called with the number of a stretch and each of its chunks."""


async def manifest_of(store: StoreReader, service: str, index: str, snapshot: str) -> Manifest:
    """Read a snapshot's manifest, proved. Raises NotFoundError if there is none, IntegrityError if it is damaged."""
    return await read_manifest(store.snapshots, SnapshotReference(service=service, index=index, id=snapshot))


@contextmanager
def packs_required() -> Iterator[None]:
    """Raise IntegrityError for a pack that is gone: the snapshot's manifest is there."""
    try:
        yield
    except NotFoundError as error:
        raise IntegrityError(error.what, on=error.on, do=error.do) from error


def snapshot_source(manifest: Manifest) -> SnapshotSource:
    """Return what every stretch needs of a manifest."""
    return SnapshotSource(
        snapshot=manifest.id,
        folder=manifest.folder,
        key_field=manifest.key_field,
        definition=manifest.definition.fullest.body,
        average_document_bytes=manifest.bytes / max(1, manifest.counts.documents),
    )


async def has_sources(records: Checkpoints, stretches: Sequence[tuple[int, int]]) -> bool:
    """Return whether `write_sources` has written the records of a run."""
    return await records.read(_part(*stretches[-1]), StretchChunks) is not None


async def write_sources(
    records: Checkpoints,
    blobs: SnapshotReader,
    manifest: Manifest,
    stretches: Sequence[tuple[int, int]],
    *,
    keys: Collection[str] = (),
    on_chunk: OnStretchChunk | None = None,
) -> WrittenSources:
    """Write the records of a run: that of the snapshot, and those of each stretch, the last stretch's last.

    If `keys` are listed, only chunks that may hold them are noted. Raises IntegrityError if the tree can't be read.
    """
    source = snapshot_source(manifest)
    await records.write(_SNAPSHOT, source)
    writer = _StretchWriter(records, manifest, stretches)
    with packs_required():
        async with aclosing(_all_chunks(blobs, manifest, keys)) as chunks:
            async for each in chunks:
                number = await writer.add(each)
                if on_chunk is not None:
                    on_chunk(number, each.chunk)
    await writer.finish()
    return WrittenSources(source.digest, writer.digests, writer.stored)


async def read_source(records: Checkpoints, digest: str | None, on: str) -> SnapshotSource | None:
    """Return what is noted of a snapshot, or None if nothing is. Raises IntegrityError if it has another digest."""
    source = await records.read(_SNAPSHOT, SnapshotSource)
    if source is not None and digest is not None and source.digest != digest:
        raise altered("its record of the snapshot is not what this restore wrote", on)
    return source


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchSource:
    """One stretch of a snapshot, whose chunks are read in batches."""

    source: SnapshotSource
    stretch: StretchChunks
    place: "_Place"

    async def batches(self, *, after: str | None = None) -> AsyncGenerator[Sequence[Chunk]]:
        """Yield the chunks of the stretch in key order, without those that end at or before a key."""
        for number in range(len(self.stretch.rest) + 1):
            chunks = self.stretch.chunks if not number else (await self._more(number)).chunks
            if after is not None:
                chunks = chunks[bisect_right(chunks, after, key=lambda chunk: chunk.last) :]
            if chunks:
                yield chunks

    async def _more(self, number: int) -> MoreChunks:
        place = self.place
        part = _part(place.start, place.end, number)
        digest, another = self.stretch.rest[number - 1], _altered_stretch(place)
        more = await place.records.read_exactly(part, MoreChunks, digest, otherwise=another)
        if more is None:
            await _rewrite(place)
            more = await place.records.read_exactly(part, MoreChunks, digest, otherwise=another)
        if more is None:
            raise another
        return more


async def read_sources(
    records: Checkpoints,
    store: StoreReader,
    snapshot: SnapshotReference,
    start: int,
    end: int,
    *,
    digests: tuple[str, str] | None = None,
    keys: Collection[str] = (),
) -> StretchSource:
    """Return what a stretch needs of its snapshot; where a record is gone, manifest and tree are read.

    `digests` are those of the two records, `keys` as for `write_sources`. Raises IntegrityError if a record is another,
    or if the tree can't be read.
    """
    place = _Place(records, store, snapshot, start, end, tuple(keys))
    source = await read_source(records, digests and digests[0], str(snapshot))
    part = _part(start, end)
    if digests is None:
        stretch = await records.read(part, StretchChunks)
    else:
        stretch = await records.read_exactly(part, StretchChunks, digests[1], otherwise=_altered_stretch(place))
    if source is None or stretch is None:
        source = await _rewrite(place)
        stretch = await records.read(_part(start, end), StretchChunks)
    if stretch is None:
        raise _altered_stretch(place)
    return StretchSource(source=source, stretch=stretch, place=place)


async def stretch_of(
    blobs: SnapshotReader, manifest: Manifest, start: int, end: int
) -> AsyncGenerator[Sequence[Chunk]]:
    """Yield the chunks of a stretch in batches, from the tree. Raises IntegrityError if it can't be read."""
    with packs_required():
        async with aclosing(TreeReader(blobs, manifest.folder).chunks_between(manifest.tree, start, end)) as batches:
            async for batch in batches:
                yield batch


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the records of a stretch lie, and where they can be read again."""

    records: Checkpoints
    store: StoreReader
    snapshot: SnapshotReference
    start: int
    end: int
    keys: tuple[str, ...]


async def _rewrite(place: _Place) -> SnapshotSource:
    """Write the records of one stretch from manifest and tree, and return that of the snapshot."""
    manifest = await read_manifest(place.store.snapshots, place.snapshot)
    source = snapshot_source(manifest)
    await place.records.write(_SNAPSHOT, source)
    writer = _StretchWriter(place.records, manifest, [(place.start, place.end)])
    with packs_required():
        async with aclosing(_chunks_between(place, manifest)) as chunks:
            async for each in chunks:
                await writer.add(each)
    await writer.finish()
    return source


async def _chunks_between(place: _Place, manifest: Manifest) -> AsyncGenerator[PositionedChunk]:
    wanted = sorted(set(place.keys))
    # The chunk before tells the key that the stretch begins after.
    position, before = max(0, place.start - 1), None
    reader = TreeReader(place.store.snapshots, manifest.folder)
    async with aclosing(reader.chunks_between(manifest.tree, position, place.end)) as batches:
        async for batch in batches:
            for chunk in batch:
                if position >= place.start and (not wanted or chunks_holding((chunk,), wanted)):
                    yield PositionedChunk(position, before, chunk)
                position, before = position + 1, chunk.last


async def _all_chunks(
    blobs: SnapshotReader, manifest: Manifest, keys: Collection[str]
) -> AsyncGenerator[PositionedChunk]:
    reader = TreeReader(blobs, manifest.folder)
    if keys:
        async with aclosing(chunks_with_keys(reader, manifest.tree, keys)) as found:
            async for each in found:
                yield each
        return
    position, before = 0, None
    async with aclosing(reader.chunks(manifest.tree)) as batches:
        async for batch in batches:
            for chunk in batch:
                yield PositionedChunk(position, before, chunk)
                position, before = position + 1, chunk.last


class _StretchWriter:
    """Takes the chunks of stretches in their order and writes the records of each. Holds two records' chunks."""

    def __init__(self, records: Checkpoints, manifest: Manifest, stretches: Sequence[tuple[int, int]]) -> None:
        self._records = records
        self._count = manifest.tree.count
        self._stretches = stretches
        self._waiting: list[tuple[str, StretchChunks]] = []
        self._waiting_chunks = 0
        self.digests: list[Digest] = []
        self.stored = 0
        self._begin()

    def _begin(self) -> None:
        self._first: tuple[Chunk, ...] | None = None
        self._chunks: list[Chunk] = []
        self._key_size = 0
        self._after: str | None = None
        self._documents = 0
        self._rest: list[Digest] = []

    async def add(self, each: PositionedChunk) -> int:
        """Add a chunk and return the number of its stretch. Chunks before the first stretch are not added."""
        while each.position >= self._stretches[len(self.digests)][1]:
            await self._end()
        if not self._chunks and self._first is None:
            self._after = each.before
        if len(self._chunks) == RECORD_CHUNKS or self._key_size >= _RECORD_KEY_CHARACTERS:
            await self._seal()
        self._chunks.append(each.chunk)
        self._key_size += len(each.chunk.first) + len(each.chunk.last)
        self._documents += each.chunk.documents
        return len(self.digests)

    async def finish(self) -> None:
        """Write what is left."""
        while len(self.digests) < len(self._stretches) - 1:
            await self._end()
        await self._flush()
        await self._end()
        await self._flush()

    async def _end(self) -> None:
        start, end = self._stretches[len(self.digests)]
        last = self._chunks[-1].last if self._chunks else None
        if self._first is not None:
            await self._seal()
        stretch = StretchChunks(
            chunks=self._first if self._first is not None else tuple(self._chunks),
            after=self._after,
            until=last if end < self._count else None,
            documents=self._documents,
            rest=tuple(self._rest),
        )
        self.digests.append(stretch.digest)
        self.stored += stretch.documents
        self._begin()
        self._waiting.append((_part(start, end), stretch))
        self._waiting_chunks += len(stretch.chunks)
        if len(self._waiting) >= _WRITES_AT_ONCE or self._waiting_chunks >= RECORD_CHUNKS:
            await self._flush()

    async def _seal(self) -> None:
        """Finish a record of a stretch that has several; the first one is written last, with the others' digests."""
        chunks, self._chunks, self._key_size = tuple(self._chunks), [], 0
        if self._first is None:
            self._first = chunks
            return
        more = MoreChunks(chunks)
        self._rest.append(digest_of(more))
        await self._records.write(_part(*self._stretches[len(self.digests)], len(self._rest)), more)

    async def _flush(self) -> None:
        waiting, self._waiting, self._waiting_chunks = self._waiting, [], 0
        await asyncio.gather(*(self._records.write(part, stretch) for part, stretch in waiting))


def _part(start: int, end: int, number: int = 0) -> str:
    return f"stretch-{start}-{end}" + (f"-{number}" if number else "")


def _altered_stretch(place: _Place) -> IntegrityError:
    return altered(
        f"its record of chunks {place.start} to {place.end} is not what this restore wrote", str(place.snapshot)
    )
