"""One stretch of a restore: its stored documents, the target's documents over the same keys, and how they compare."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, fields

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.restore.compare import Comparison, Documents
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.job import Stretch
from indexvault.restore.projection import Projection, readable
from indexvault.restore.read_target import scanned
from indexvault.restore.stretch_source import SnapshotSource, StretchChunks, read_sources
from indexvault.search.lookup import KeyLookup
from indexvault.search.scan import KeyRange
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.chunks import Chunk, document_lines, key_reader
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_ahead, read_chunk
from indexvault.workflow.activity import ProgressUpdate, Resources


@dataclass(frozen=True)
class StretchContext(RestoreContext):
    """One stretch of a restore, as an activity sees it."""

    source: SnapshotSource
    stretch: StretchChunks

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The stored chunks of the stretch."""
        return self.stretch.chunks

    async def read(self, chunk: Chunk) -> bytes:
        """Return a chunk's uncompressed bytes, proved. Raises IntegrityError if it is damaged or gone."""
        data = await self.read_unless_gone(chunk)
        if data is None:
            raise IntegrityError(
                "the chunk is gone, and documents in it are still to be written",
                on=self.source.folder.blob(chunk.sha256),
                do="See with `indexvault verify` what else is gone, and whether `indexvault repair` brings it back",
            )
        return data

    async def read_unless_gone(self, chunk: Chunk) -> bytes | None:
        """Return a chunk's uncompressed bytes, proved, or None if no store has it."""
        try:
            return await read_chunk(self.store.snapshots, self.source.folder, chunk)
        except NotFoundError:
            return None

    async def stored(self, after: str | None, *, stage: str) -> AsyncGenerator[tuple[str, bytes]]:
        """Yield the selected documents with keys above `after`; each chunk is proved before its first document."""
        key_of = key_reader(self.source.key_field)
        done = [chunk for chunk in self.chunks if after is not None and chunk.last <= after]
        for chunk in done:
            self.resources.report(ProgressUpdate(stage=stage, documents=chunk.documents, bytes=chunk.bytes))
        async with aclosing(read_ahead(self.chunks[len(done) :], self.read)) as reading:
            async for chunk, data in reading:
                for key, line in await self.selection.selected(document_lines(data), key_of):
                    if after is None or key > after:
                        yield key, line
                self.resources.report(ProgressUpdate(stage=stage, documents=chunk.documents, bytes=chunk.bytes))

    async def target_schema(self) -> Schema:
        """Return the schema of the index that is written. Raises IntegrityError if its record is gone."""
        return read_schema((await self.target_index()).body, on=self.on)

    async def projection(self) -> Projection:
        """Return how stored documents become documents of the index that is written."""
        return Projection(self.source.schema, await self.target_schema())

    async def present(self) -> Documents:
        """Return the target's documents over the keys of the stretch.

        If keys have no order they are looked up by the snapshot's keys.
        """
        schema = await self.target_schema()
        if not schema.has_key_order:
            lookup = KeyLookup(
                self.target,
                self.plan.written_index,
                schema,
                average_document_bytes=self.source.average_document_bytes,
                elevated=schema.is_protected,
            )
            return lookup.find(await self._stored_keys())
        return scanned(
            self.target,
            self.plan.written_index,
            schema,
            KeyRange(after=self.stretch.after, until=self.stretch.until),
            average_document_bytes=self.source.average_document_bytes,
        )

    async def comparison(self) -> Comparison:
        """Return how to compare the target's documents with the snapshot's: by the fields that the target returns."""
        schema = readable(await self.target_schema())
        return Comparison(
            schema=schema,
            projection=Projection(self.source.schema, schema),
            selection=self.selection,
            key_of=key_reader(self.source.key_field),
        )

    async def _stored_keys(self) -> list[str]:
        key_of = key_reader(self.source.key_field)
        async with aclosing(read_ahead(self.chunks, self.read_unless_gone)) as reading:
            return [
                key
                async for _chunk, data in reading
                if data is not None
                for key, _line in await self.selection.selected(document_lines(data), key_of)
            ]


async def open_stretch(resources: Resources, stretch: Stretch) -> StretchContext:
    """Read what an activity needs to work on a stretch. Raises IntegrityError if the plan is gone."""
    context = await open_context(resources, stretch.run)
    job = context.plan.job
    snapshot = SnapshotReference(service=job.service, index=job.index, id=job.snapshot)
    digests = stretch.run.source, stretch.digest
    source, chunks = await read_sources(
        context.records, context.store, snapshot, stretch.start, stretch.end, digests=digests
    )
    shared = {field.name: getattr(context, field.name) for field in fields(context)}
    return StretchContext(**shared, source=source, stretch=chunks)
