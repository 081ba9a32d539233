"""The two sides of a comparison: an index as it is now, or a snapshot of one."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Protocol

from indexvault.backup.definitions import read_index_definition
from indexvault.restore.compare import Chunks
from indexvault.restore.read_target import looked_up, scanned
from indexvault.restore.stretches import stretch_keys
from indexvault.search.client import SearchService
from indexvault.search.lookup import KeyLookup
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery, key_range
from indexvault.search.scan import KeyRange
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.chunk_documents import KeyedLine, document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Definition, Manifest
from indexvault.snapshots.reader import read_chunks
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree_reader import TreeReader

_AVERAGE_DOCUMENT_BYTES = 1000


class Side(Protocol):
    """What is compared. `moves` says whether a writer may change it meanwhile."""

    name: str
    definition: Definition
    schema: Schema
    moves: bool

    def documents(self, keys: KeyRange) -> AsyncGenerator[list[KeyedLine]]:
        """Yield its documents over a range of keys, in key order."""
        ...

    async def find(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return those of its documents that have these keys."""
        ...

    async def count(self, keys: KeyRange) -> int:
        """Return how many documents it has in a range of keys."""
        ...


class LiveSide:
    """An index as it is now. Made by `open`."""

    moves = True

    def __init__(self, service: SearchService, index: str, definition: Definition, schema: Schema) -> None:
        self.name = f"{service.name}/{index}"
        self.service = service
        self.index = index
        self.definition = definition
        self.schema = schema

    @classmethod
    async def open(cls, service: SearchService, index: str) -> "LiveSide":
        """Open an index of a service. Raises NotFoundError if there is none of that name."""
        definition, _etag = await read_index_definition(service, index)
        return cls(service, index, definition, read_schema(definition.fullest.body, on=f"{service.name} index {index}"))

    def documents(self, keys: KeyRange) -> AsyncGenerator[list[KeyedLine]]:
        """See `Side.documents`."""
        return scanned(self.service, self.index, self.schema, keys, average_document_bytes=_AVERAGE_DOCUMENT_BYTES)

    def lookup(self) -> KeyLookup:
        """Return how to look its documents up by their keys."""
        return KeyLookup(
            self.service,
            self.index,
            self.schema,
            average_document_bytes=_AVERAGE_DOCUMENT_BYTES,
            elevated=self.schema.is_protected,
        )

    async def find(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `Side.find`."""
        async with aclosing(looked_up(self.lookup(), keys)) as found:
            return {key: line async for some in found for key, line in some}

    async def count(self, keys: KeyRange) -> int:
        """See `Side.count`."""
        key_field = self.schema.key.name
        query = DocumentQuery(filter=key_range(key_field, keys.after, keys.until))
        return await self.service.count_found(
            self.index, query, PageReader(key_field), elevated=self.schema.is_protected
        )


class SnapshotSide:
    """A snapshot, read from a store that has it."""

    moves = False

    def __init__(self, blobs: SnapshotReader, manifest: Manifest) -> None:
        self.name = f"{manifest.service}/{manifest.index}@{manifest.id}"
        self.definition = manifest.definition
        self.schema = read_schema(manifest.definition.fullest.body, on=f"snapshot {self.name}")
        self.manifest = manifest
        self._blobs = blobs
        self._reader = TreeReader(blobs, manifest.folder)
        self._split = document_reader(manifest.key_field, manifest.folder)

    async def edges(self) -> list[str]:
        """Return keys between which its documents are about as many bytes."""
        return await stretch_keys(self._reader, self.manifest.tree)

    async def chunks(self, keys: KeyRange) -> AsyncGenerator[Sequence[Chunk]]:
        """Yield its chunks over a range of keys that begins and ends between chunks."""
        found = self._reader.chunks(self.manifest.tree, after=keys.after, until=keys.until)
        async with aclosing(found) as batches:
            async for batch in batches:
                yield batch

    async def read(
        self, chunks: Chunks | Iterable[Sequence[Chunk]]
    ) -> AsyncGenerator[tuple[Chunk, list[KeyedLine] | None]]:
        """Yield chunks with their documents, proved."""
        async with aclosing(read_chunks(self._blobs, self.manifest.folder, chunks, self._split)) as reading:
            async for chunk, documents in reading:
                yield chunk, documents

    async def documents(self, keys: KeyRange) -> AsyncGenerator[list[KeyedLine]]:
        """See `Side.documents`."""
        async with aclosing(self.read(self.chunks(keys))) as reading:
            async for _chunk, documents in reading:
                yield [each for each in documents or () if _is_within(each[0], keys)]

    async def find(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `Side.find`."""
        found: dict[str, bytes] = {}
        chunks: dict[str, Chunk] = {}
        for key in sorted(keys):
            chunk = await self._reader.find(self.manifest.tree, key, {})
            if chunk is not None:
                chunks[chunk.sha256] = chunk
        wanted = set(keys)
        async with aclosing(self.read([list(chunks.values())])) as reading:
            async for _chunk, documents in reading:
                found |= {key: line for key, line in documents or () if key in wanted}
        return found

    async def count(self, keys: KeyRange) -> int:
        """See `Side.count`."""
        if keys == KeyRange(None, None):
            return self.manifest.counts.documents
        total, partly = 0, list[Chunk]()
        async with aclosing(self.chunks(keys)) as batches:
            async for batch in batches:
                for chunk in batch:
                    if _is_within(chunk.first, keys) and _is_within(chunk.last, keys):
                        total += chunk.documents
                    else:
                        partly.append(chunk)
        async with aclosing(self.read([partly])) as reading:
            async for _chunk, documents in reading:
                total += sum(_is_within(key, keys) for key, _line in documents or ())
        return total


def _is_within(key: str, keys: KeyRange) -> bool:
    return (keys.after is None or key > keys.after) and (keys.until is None or key <= keys.until)
