"""What a step of a restore has around it: order, snapshot, target, and how documents go from one to the other."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from engine.checkpoints import Checkpoints
from engine.step import Progress, Resources
from restore.compare import Comparison, Documents
from restore.job import RestoreRun, Stretch
from restore.reading import has_key_order, looked_up, scanned
from restore.selection import Selection
from restore.shape import Shape, readable
from restore.undertaking import MADE, ORDER, Made, Order, require
from search.scan import KeyRange
from search.schema import Schema, read_schema
from search.service import SearchService
from snapshots.catalogue import read_manifest
from snapshots.chunks import Chunk, document_lines, key_reader
from snapshots.manifest import Manifest
from snapshots.names import SnapshotReference
from snapshots.reader import read_ahead, read_chunk
from snapshots.store import RunBlobs, Store


@dataclass(frozen=True)
class Scene:
    """One restore, as a step of it sees it."""

    resources: Resources
    run: RestoreRun
    order: Order
    manifest: Manifest
    store: Store
    runs: RunBlobs
    records: Checkpoints
    target: SearchService

    @property
    def on(self) -> str:
        """What errors call the target."""
        return f"{self.target.name} index {self.order.into}"

    @cached_property
    def selection(self) -> Selection:
        """Which documents the restore is about."""
        return Selection(self.order.job.keys, self.order.job.filter)

    @cached_property
    def source_schema(self) -> Schema:
        """The schema that stored documents have."""
        return source_schema(self.manifest)

    def chunks(self, stretch: Stretch) -> tuple[Chunk, ...]:
        """Give the chunks of a stretch."""
        return self.manifest.chunks[stretch.start : stretch.end]

    def keys(self, stretch: Stretch) -> KeyRange:
        """Give the keys that a stretch answers for: from where the one before ended, so that none falls between."""
        chunks = self.manifest.chunks
        return KeyRange(
            after=chunks[stretch.start - 1].last if stretch.start else None,
            until=chunks[stretch.end - 1].last if stretch.end < len(chunks) else None,
        )

    async def read(self, chunk: Chunk) -> bytes:
        """Give a chunk's uncompressed bytes, proved."""
        return await read_chunk(self.store.snapshots, self.manifest.folder, chunk)

    async def stored(self, stretch: Stretch, after: str | None, *, stage: str) -> AsyncGenerator[tuple[str, bytes]]:
        """Give the selected documents of a stretch with keys above `after`, each chunk proved before its first."""
        key_of = key_reader(self.manifest.key_field)
        done = [chunk for chunk in self.chunks(stretch) if after is not None and chunk.last <= after]
        for chunk in done:
            self.resources.report(Progress(stage=stage, documents=chunk.documents, bytes=chunk.bytes))
        async with aclosing(read_ahead(self.chunks(stretch)[len(done) :], self.read)) as reading:
            async for chunk, data in reading:
                for line in document_lines(data):
                    key = key_of(line)
                    if (after is None or key > after) and self.selection.takes(key, line):
                        yield key, line
                self.resources.report(Progress(stage=stage, documents=chunk.documents, bytes=chunk.bytes))

    async def present(self, stretch: Stretch) -> Documents:
        """Give the target's documents over the keys of a stretch.

        Where the key gives no order they are looked up one by one, by the snapshot's keys.
        """
        made = await require(self.records, MADE, Made, self.on)
        schema = read_schema(made.body, on=self.on)
        if not has_key_order(schema):
            return looked_up(self.target, self.order.into, await self._stored_keys(stretch))
        return scanned(
            self.target,
            self.order.into,
            schema,
            self.keys(stretch),
            average_document_bytes=self.manifest.bytes / max(1, self.manifest.counts.documents),
        )

    async def _stored_keys(self, stretch: Stretch) -> list[str]:
        key_of = key_reader(self.manifest.key_field)
        async with aclosing(read_ahead(self.chunks(stretch), self.read)) as reading:
            return [
                key
                async for _chunk, data in reading
                for line in document_lines(data)
                if self.selection.takes(key := key_of(line), line)
            ]

    async def comparison(self) -> Comparison:
        """Give how the target's documents are compared with the snapshot's: by the fields it returns."""
        made = await require(self.records, MADE, Made, self.on)
        schema = readable(read_schema(made.body, on=self.on))
        return Comparison(
            schema=schema,
            shape=Shape(self.source_schema, schema),
            selection=self.selection,
            key_of=key_reader(self.manifest.key_field),
        )


async def open_scene(resources: Resources, run: RestoreRun) -> Scene:
    """Read what a step stands on. Raises IntegrityError if the records are gone, or the manifest is damaged."""
    runs = resources.connections.store_of(run.target.service).runs
    records = Checkpoints(runs, run.records)
    order = await require(records, ORDER, Order, f"run {run.records}")
    store = resources.connections.source_store(order.job.service, order.store)
    return Scene(
        resources=resources,
        run=run,
        order=order,
        manifest=await manifest_of(store, order.job.service, order.job.index, order.job.snapshot),
        store=store,
        runs=runs,
        records=records,
        target=resources.connections.service(run.target.service),
    )


def beside(index: str, started: datetime) -> str:
    """Give the name of an index beside another one: at most 128 characters, never with two dashes in a row."""
    return f"{index[:113].rstrip('-_')}-{started:%Y%m%d%H%M%S}"


async def manifest_of(store: Store, service: str, index: str, snapshot: str) -> Manifest:
    """Read a snapshot's manifest, proved."""
    return await read_manifest(store.snapshots, SnapshotReference(service=service, index=index, id=snapshot))


def source_schema(manifest: Manifest) -> Schema:
    """Give the schema that a snapshot's documents have, from the api-version that tells most."""
    return read_schema((manifest.definition.preview or manifest.definition.stable).body, on=f"snapshot {manifest.id}")
