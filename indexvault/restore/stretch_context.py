"""One stretch of a restore: its stored documents, the target's documents over the same keys, and how they compare."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.restore.compare import Chunks, Comparison
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.job import Stretch
from indexvault.restore.projection import Projection, readable
from indexvault.restore.read_target import looked_up, scanned, scanned_unsplit
from indexvault.restore.stretch_source import SnapshotSource, StretchSource, packs_required, read_sources
from indexvault.restore.windows import Documents
from indexvault.search.lookup import KeyLookup
from indexvault.search.scan import KeyRange
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.chunk_documents import KeyedLine, ReadDocuments, ReadKeys, document_reader, keys_reader
from indexvault.snapshots.chunks import Chunk, document_lines
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_batches, try_chunks
from indexvault.workflow.activity import ProgressUpdate, Resources

type MakeAll[Made] = Callable[[bytes, int], list[Made] | None]
"""Makes something of each of so many documents, one a line; returns None if it can't do so at once."""

_WINDOW = 2 * MEBIBYTE
"""Stored bytes of chunks that a stretch fetches at once; several stretches are at work at the same time."""


@dataclass(frozen=True, kw_only=True)
class StretchContext(RestoreContext):
    """One stretch of a restore, as an activity sees it."""

    source: SnapshotSource
    stretch: StretchSource

    async def read[Used](
        self, chunks: Chunks | Iterable[Sequence[Chunk]], use: Callable[[Chunk, bytes], Used]
    ) -> AsyncGenerator[tuple[Chunk, Used]]:
        """Yield chunks with what `use` makes of their bytes, proved. Raises IntegrityError if one is not there."""
        async with aclosing(self._read_batches(chunks, use)) as reading:
            async for some in reading:
                for each in some:
                    yield each

    async def documents(
        self, chunks: Chunks | Iterable[Sequence[Chunk]]
    ) -> AsyncGenerator[tuple[Chunk, list[KeyedLine]]]:
        """Yield chunks with their documents, proved. Raises IntegrityError if one is damaged or gone."""
        async with aclosing(self.read(chunks, self._split)) as reading:
            async for chunk, documents in reading:
                yield chunk, documents

    async def documents_unless_gone(
        self, chunks: Chunks | Iterable[Sequence[Chunk]]
    ) -> AsyncGenerator[tuple[Chunk, list[KeyedLine] | None]]:
        """Yield chunks with their documents, proved, or None if no store has them."""
        async with aclosing(
            try_chunks(self.store.snapshots, self.source.folder, chunks, self._split, window=_WINDOW)
        ) as reading:
            async for chunk, found in reading:
                if isinstance(found, IntegrityError):
                    raise found
                yield chunk, None if isinstance(found, NotFoundError) else found

    async def selected[Made](
        self, after: str | None, make: Callable[[bytes], Made], make_all: MakeAll[Made], *, stage: str
    ) -> AsyncGenerator[list[tuple[str, Made]]]:
        """Yield the selected documents with keys above `after`, by their keys, with what is made of each.

        `make_all` makes the same of all documents of a chunk at once, where it can. Each chunk is proved before its
        first document.
        """
        documents = 0
        async with aclosing(self.stretch.batches(after=after)) as batches:
            made = self._all_made(batches, make, make_all) if self.selection.everything else self._made(batches, make)
            async with aclosing(made) as coming:
                async for chunks, found in coming:
                    is_begun = after is not None and chunks[0].first <= after
                    yield [each for each in found if each[0] > (after or "")] if is_begun else found
                    read = sum([chunk.documents for chunk in chunks])
                    documents += read
                    size = sum([chunk.bytes for chunk in chunks])
                    self.resources.report(ProgressUpdate(stage=stage, documents=read, bytes=size))
        if before := self.stretch.stretch.documents - documents:
            self.resources.report(ProgressUpdate(stage=stage, documents=before))

    async def _all_made[Made](
        self, batches: Chunks, make: Callable[[bytes], Made], make_all: MakeAll[Made]
    ) -> AsyncGenerator[tuple[list[Chunk], list[tuple[str, Made]]]]:
        """Yield chunks with what is made of all their documents, by key."""
        keys_of = self._keys

        def use(chunk: Chunk, data: bytes) -> list[tuple[str, Made]]:
            keys = keys_of(chunk, data)
            made = make_all(data, len(keys)) or list(map(make, document_lines(data)))
            return list(zip(keys, made, strict=True))

        async with aclosing(self._read_batches(batches, use)) as reading:
            async for some in reading:
                yield [chunk for chunk, _made in some], list(chain.from_iterable([made for _chunk, made in some]))

    async def _made[Made](
        self, batches: Chunks, make: Callable[[bytes], Made]
    ) -> AsyncGenerator[tuple[list[Chunk], list[tuple[str, Made]]]]:
        """Yield chunks with what is made of their selected documents, by key."""
        async with aclosing(self._read_batches(batches, self._split)) as reading:
            async for some in reading:
                documents = await self.selection.selected(list(chain.from_iterable([each for _chunk, each in some])))
                yield [chunk for chunk, _each in some], [(key, make(line)) for key, line in documents]

    async def target_schema(self) -> Schema:
        """Return the schema of the index that is written. Raises IntegrityError if its record is gone."""
        return read_schema((await self.target_index()).body, on=self.on)

    async def projection(self) -> Projection:
        """Return how stored documents become documents of the index that is written."""
        return Projection(self.source.schema, await self.target_schema())

    async def present(self, *, unsplit: bool = False) -> Documents:
        """Return the target's documents over the keys of the stretch.

        If keys have no order they are looked up by the snapshot's keys. With `unsplit`, most are UnsplitBatches: that
        pays where few chunks differ and those that don't are compared by their hash.
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
            return looked_up(lookup, await self._stored_keys())
        scan = scanned_unsplit if unsplit else scanned
        return scan(
            self.target,
            self.plan.written_index,
            schema,
            KeyRange(after=self.stretch.stretch.after, until=self.stretch.stretch.until),
            average_document_bytes=self.source.average_document_bytes,
        )

    async def comparison(self) -> Comparison:
        """Return how to compare the target's documents with the snapshot's: by the fields that the target returns."""
        schema = readable(await self.target_schema())
        return Comparison(
            schema=schema,
            projection=Projection(self.source.schema, schema),
            selection=self.selection,
        )

    async def _read_batches[Used](
        self, chunks: Chunks | Iterable[Sequence[Chunk]], use: Callable[[Chunk, bytes], Used]
    ) -> AsyncGenerator[list[tuple[Chunk, Used]]]:
        """Yield what `read` does, some megabytes of chunks at once."""
        with packs_required():
            async with aclosing(
                read_batches(self.store.snapshots, self.source.folder, chunks, use, window=_WINDOW)
            ) as reading:
                async for some in reading:
                    yield some

    @cached_property
    def _keys(self) -> ReadKeys:
        return keys_reader(self.source.key_field, self.source.folder)

    @cached_property
    def _split(self) -> ReadDocuments:
        return document_reader(self.source.key_field, self.source.folder)

    async def _stored_keys(self) -> list[str]:
        """Return the keys of the selected documents, of chunks that are not gone."""
        async with (
            aclosing(self.stretch.batches()) as batches,
            aclosing(self.documents_unless_gone(batches)) as reading,
        ):
            return [
                key
                async for _chunk, documents in reading
                if documents is not None
                for key, _line in await self.selection.selected(documents)
            ]


async def open_stretch(resources: Resources, stretch: Stretch) -> StretchContext:
    """Read what an activity needs to work on a stretch. Raises IntegrityError if the plan is gone."""
    context = await open_context(resources, stretch.run)
    job = context.plan.job
    snapshot = SnapshotReference(service=job.service, index=job.index, id=job.snapshot)
    digests = stretch.run.source, stretch.digest
    noted = await read_sources(
        context.records, context.store, snapshot, stretch.start, stretch.end, digests=digests, keys=job.keys
    )
    shared = {field.name: getattr(context, field.name) for field in fields(context)}
    return StretchContext(**shared, source=noted.source, stretch=noted)
