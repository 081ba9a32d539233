"""Compare a live index with a snapshot, and recover from it the documents that a damaged snapshot has lost."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from indexvault.backup.definitions import read_index_definition
from indexvault.backup.messages import without_key_order
from indexvault.errors import UnreadableIndexError
from indexvault.search.client import SearchService
from indexvault.search.scan import KeyRange, scan_range
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.chunks import Chunk, ChunkCutter, SealedChunk, document_lines, key_reader, seal_all
from indexvault.snapshots.diff import DiffTally, DocumentChange, diff_spans, require_same_key
from indexvault.snapshots.manifest import Definition, Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.spans import Documents, Span, snapshot_spans
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree import Node


class LiveIndex:
    """An index whose documents can be read in key order. Made by `open`."""

    def __init__(self, service: SearchService, index: str, definition: Definition, schema: Schema) -> None:
        self.name = f"index {service.name}/{index}"
        self.definition = definition
        self.key_field = schema.key.name
        self._elevated = schema.is_protected
        self._service = service
        self._index = index

    @classmethod
    async def open(cls, service: SearchService, index: str) -> "LiveIndex":
        """Open an index of a service.

        Raises NotFoundError if there is none of that name, UnreadableIndexError if its key has no order: a new snapshot
        of it can still be compared.
        """
        definition, _etag = await read_index_definition(service, index)
        on = f"{service.name} index {index}"
        schema = read_schema(definition.fullest.body, on=on)
        if not schema.has_key_order:
            raise UnreadableIndexError(
                f"its documents can't be read in the order of their keys: {without_key_order(schema)}",
                on=on,
                do="Back it up, and compare the new snapshot",
            )
        return cls(service, index, definition, schema)

    async def spans(self, manifest: Manifest) -> AsyncGenerator[Span]:
        """Yield the index in spans cut like a snapshot's chunks, so that unchanged spans have the chunks' hashes."""
        cutter, key_of = ChunkCutter(manifest.boundary_bits), key_reader(self.key_field)
        async with aclosing(self._pages(KeyRange(None, None), manifest)) as pages:
            async for documents in pages:
                cuts = cutter.cut([key for key, _line in documents], [line for _key, line in documents])
                for sealed in await asyncio.to_thread(seal_all, cuts):
                    yield _span(sealed, key_of)
        last = cutter.finish()
        if last is not None:
            yield _span(last, key_of)

    async def changes_since(
        self, blobs: SnapshotReader, manifest: Manifest, tally: DiffTally
    ) -> AsyncGenerator[DocumentChange]:
        """Yield the documents in which the index differs from a snapshot. See `snapshots.diff`."""
        require_same_key(manifest, self.key_field)
        one, other = snapshot_spans(blobs, manifest), self.spans(manifest)
        async with aclosing(one), aclosing(other), aclosing(diff_spans(one, other, tally)) as changes:
            async for change in changes:
                yield change

    async def chunk(self, manifest: Manifest, chunk: Chunk) -> bytes | None:
        """See `snapshots.repair.Source.chunk`: the current documents between a chunk's first and last key."""
        lines: list[bytes] = []
        size = 0
        async with aclosing(self._pages(KeyRange(key_before(chunk.first), chunk.last), manifest)) as pages:
            async for documents in pages:
                found = [line for key, line in documents if key >= chunk.first]
                size += sum(len(line) + 1 for line in found)
                if size > chunk.bytes:
                    return None
                lines += found
        return b"".join(line + b"\n" for line in lines)

    async def segment(self, manifest: Manifest, node: Node) -> bytes | None:  # noqa: ARG002 - the contract has it
        """See `snapshots.repair.Source.segment`: an index has none."""
        return None

    async def blob(self, name: str, limit: int) -> bytes | None:  # noqa: ARG002 - the contract has it
        """See `snapshots.repair.Source.blob`: an index has none."""
        return None

    async def manifest(self, reference: SnapshotReference) -> bytes | None:  # noqa: ARG002 - the contract has it
        """See `snapshots.repair.Source.manifest`: an index has none."""
        return None

    async def _pages(self, keys: KeyRange, manifest: Manifest) -> AsyncGenerator[Documents]:
        average = manifest.bytes / max(1, manifest.counts.documents)
        pages = scan_range(
            self._service, self._index, self.key_field, keys, average_document_bytes=average, elevated=self._elevated
        )
        async with aclosing(pages):
            async for documents in pages:
                yield [(document.key, document.line) for document in documents]


def key_before(key: str) -> str | None:
    """Return a text that comes right before a key, after every other key before it: None if nothing does.

    A key has letters, digits, `-`, `_` and `=`; a `~` comes after all of these. Source: Naming rules for Azure AI
    Search, 2026-09.
    """
    return f"{key[:-1]}{chr(ord(key[-1]) - 1)}~" if key and ord(key[-1]) else None


def _span(sealed: SealedChunk, key_of: Callable[[bytes], str]) -> Span:
    async def documents() -> Documents:
        return [(key_of(line), line) for line in document_lines(sealed.data)]

    return Span(sealed.chunk.sha256, sealed.chunk.first, documents)
