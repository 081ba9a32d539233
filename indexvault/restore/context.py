"""What a step of a restore has around it: order, snapshot, target, and how documents go from one to the other."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from indexvault.restore.compare import Comparison, Documents
from indexvault.restore.job import RestoreRun, Stretch
from indexvault.restore.projection import Projection, readable
from indexvault.restore.read_target import looked_up, scanned
from indexvault.restore.selection import Selection
from indexvault.restore.state import TARGET_INDEX, PLAN, TargetIndex, RestorePlan, require
from indexvault.search.client import SearchService
from indexvault.search.scan import KeyRange
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import Chunk, document_lines, key_reader
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_ahead, read_chunk
from indexvault.snapshots.store import RunBlobs, StoreReader
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints


@dataclass(frozen=True)
class RestoreContext:
    """One restore, as a step of it sees it."""

    resources: Resources
    run: RestoreRun
    plan: RestorePlan
    manifest: Manifest
    store: StoreReader
    runs: RunBlobs
    records: Checkpoints
    target: SearchService

    @property
    def on(self) -> str:
        """What errors call the target."""
        return f"{self.target.name} index {self.plan.into}"

    @cached_property
    def selection(self) -> Selection:
        """Which documents the restore is about."""
        return Selection(self.plan.job.keys, self.plan.job.filter)

    @cached_property
    def source_schema(self) -> Schema:
        """The schema that stored documents have."""
        return source_schema(self.manifest)

    def chunks(self, stretch: Stretch) -> tuple[Chunk, ...]:
        """Return the chunks of a stretch."""
        return self.manifest.chunks[stretch.start : stretch.end]

    def keys(self, stretch: Stretch) -> KeyRange:
        """Return the keys that a stretch answers for: from where the one before ended, so that none falls between."""
        chunks = self.manifest.chunks
        return KeyRange(
            after=chunks[stretch.start - 1].last if stretch.start else None,
            until=chunks[stretch.end - 1].last if stretch.end < len(chunks) else None,
        )

    async def read(self, chunk: Chunk) -> bytes:
        """Return a chunk's uncompressed bytes, proved."""
        return await read_chunk(self.store.snapshots, self.manifest.folder, chunk)

    async def stored(self, stretch: Stretch, after: str | None, *, stage: str) -> AsyncGenerator[tuple[str, bytes]]:
        """Return the selected documents of a stretch with keys above `after`, each chunk proved before its first."""
        key_of = key_reader(self.manifest.key_field)
        done = [chunk for chunk in self.chunks(stretch) if after is not None and chunk.last <= after]
        for chunk in done:
            self.resources.report(ProgressUpdate(stage=stage, documents=chunk.documents, bytes=chunk.bytes))
        async with aclosing(read_ahead(self.chunks(stretch)[len(done) :], self.read)) as reading:
            async for chunk, data in reading:
                for line in document_lines(data):
                    key = key_of(line)
                    if (after is None or key > after) and self.selection.takes(key, line):
                        yield key, line
                self.resources.report(ProgressUpdate(stage=stage, documents=chunk.documents, bytes=chunk.bytes))

    async def present(self, stretch: Stretch) -> Documents:
        """Return the target's documents over the keys of a stretch.

        Where the key gives no order they are looked up one by one, by the snapshot's keys.
        """
        made = await require(self.records, TARGET_INDEX, TargetIndex, self.on)
        schema = read_schema(made.body, on=self.on)
        if not schema.has_key_order:
            return looked_up(self.target, self.plan.into, await self._stored_keys(stretch))
        return scanned(
            self.target,
            self.plan.into,
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
        """Return how the target's documents are compared with the snapshot's: by the fields it returns."""
        made = await require(self.records, TARGET_INDEX, TargetIndex, self.on)
        schema = readable(read_schema(made.body, on=self.on))
        return Comparison(
            schema=schema,
            projection=Projection(self.source_schema, schema),
            selection=self.selection,
            key_of=key_reader(self.manifest.key_field),
        )


async def open_context(resources: Resources, run: RestoreRun) -> RestoreContext:
    """Read what a step stands on. Raises IntegrityError if the records are gone, or the manifest is damaged."""
    runs = resources.clients.store_of(run.target.service).runs
    records = Checkpoints(runs, run.records)
    plan = await require(records, PLAN, RestorePlan, f"run {run.records}")
    store = resources.clients.source_store(plan.job.service, plan.store)
    return RestoreContext(
        resources=resources,
        run=run,
        plan=plan,
        manifest=await manifest_of(store, plan.job.service, plan.job.index, plan.job.snapshot),
        store=store,
        runs=runs,
        records=records,
        target=resources.clients.service(run.target.service),
    )


def beside(index: str, started: datetime) -> str:
    """Return the name of an index beside another one: at most 128 characters, never with two dashes in a row."""
    return f"{index[:113].rstrip('-_')}-{started:%Y%m%d%H%M%S}"


async def manifest_of(store: StoreReader, service: str, index: str, snapshot: str) -> Manifest:
    """Read a snapshot's manifest, proved."""
    return await read_manifest(store.snapshots, SnapshotReference(service=service, index=index, id=snapshot))


def source_schema(manifest: Manifest) -> Schema:
    """Return the schema that a snapshot's documents have, from the api-version that tells most."""
    return read_schema(manifest.definition.fullest.body, on=f"snapshot {manifest.id}")
