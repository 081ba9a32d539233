"""Import a folder of plain files as a snapshot, so that dumps made elsewhere can be restored.

See `snapshots.export` for the files. Documents may come in any order; they are sorted in bounded memory. Each key must
be unique: of two documents with the same key, nothing tells which is meant.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec

from indexvault.backup.chunking import EVERY_KEY, Earlier, stored_parts
from indexvault.backup.definitions import definition_without_secrets, withheld_from_index
from indexvault.backup.external_sort import SortedRun, SortedRunStore, Sorter, merge, run_name
from indexvault.backup.import_lines import CheckedLines, ImportFindings
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.losses import lost_content
from indexvault.errors import AccountingError, IntegrityError, NotFoundError, SettingsError
from indexvault.model import Clock, IndexName, is_index_name
from indexvault.search.page import Document
from indexvault.search.schema import read_schema
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.chunk_writer import ChunkWriter, SegmentStore, added_of, digest_of_stored, sum_added
from indexvault.snapshots.chunks import add_digests, boundary_bits
from indexvault.snapshots.export import Dump, read_dump
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.manifest import Added, Counts, Etags, Manifest, Reading, SynonymMap, state_of
from indexvault.snapshots.names import PackFolder, SnapshotReference, snapshot_id
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary
from indexvault.snapshots.tree_writer import TreeWriter
from indexvault.snapshots.used_packs import UsedPacks
from indexvault.snapshots.writer import commit_announced
from indexvault.version import VERSION
from indexvault.workflow.activity import ProgressUpdate
from indexvault.workflow.checkpoints import Checkpoints

_LINES = 500
_SET = "imported"


class _SortedDump(msgspec.Struct, frozen=True):
    """The documents of a dump in sorted runs, by name; their number and bytes."""

    documents: int
    bytes: int
    runs: dict[str, SortedRun]


class Importer:
    """Imports folders as snapshots into one store. `report` is told of documents read and stored."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        rng: random.Random,
        report: Callable[[ProgressUpdate], None],
        limits: Limits = LIMITS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._report = report
        self._limits = limits

    async def import_folder(
        self, folder: Path, index: IndexName, *, run: str, findings: ImportFindings | None = None
    ) -> Summary:
        """Make a snapshot from a folder, under the names of a service and an index that need not exist.

        What no service would take is refused. With `findings` it goes there and into the snapshot, as long as each
        document has a key.

        Raises NotFoundError if the folder lacks a file, SettingsError for a name that no index can have, and, naming
        file, line and member, for what no service would take, AccountingError for a duplicate key. Then there is no
        snapshot.
        """
        if not is_index_name(index.index):
            raise SettingsError(
                "no index can have this name: it has lower-case letters, digits, single dashes and underscores",
                on=repr(index.index),
                do="Import it under another name",
            )
        started = self._clock()
        dump = await asyncio.to_thread(read_dump, folder)
        key_field = _key_field(dump, on=str(folder))
        lines = CheckedLines(dump, key_field, self._limits.longest_line, findings, on=str(folder))
        await self._store.prepare()
        sorted_store = SortedRunStore(self._store.runs, run, key_field, self._limits)
        try:
            found = await self._sort(lines, Sorter(sorted_store, _SET))
            manifest, used = await self._store_chunks(dump, index, key_field, found, sorted_store)
            manifest = msgspec.structs.replace(manifest, started=started, run=run, reading=_reading(dump, findings))
            if manifest.counts.documents != found.documents:
                raise AccountingError(
                    f"it holds {found.documents:,} documents under {manifest.counts.documents:,} keys",
                    on=str(folder),
                    do="Remove the duplicate documents",
                )
            _require_as_exported(dump, manifest, on=str(folder))
            committed = await commit_announced(self._store, manifest, used, clock=self._clock)
            await note_snapshot(self._store.runs, committed)
            return committed
        finally:
            await Checkpoints(self._store.runs, run).clear()

    async def _sort(self, lines: CheckedLines, sorter: Sorter) -> _SortedDump:
        """Read all documents and write them in sorted runs."""
        count = size = 0
        for file in lines.files:
            batches = _batches(lines.read(file), self._limits.sorted_run_bytes)
            while (documents := await asyncio.to_thread(next, batches, None)) is not None:
                await sorter.add(documents)
                read = sum(len(document.line) + 1 for document in documents)
                self._report(ProgressUpdate(stage="sort", documents=len(documents), bytes=read))
                count, size = count + len(documents), size + read
        await sorter.finish()
        runs = {run_name(_SET, number): segments for number, segments in enumerate(sorter.runs)}
        return _SortedDump(documents=count, bytes=size, runs=runs)

    async def _store_chunks(
        self, dump: Dump, index: IndexName, key_field: str, found: _SortedDump, sorted_store: SortedRunStore
    ) -> tuple[Manifest, UsedPacks]:
        previous = await self._previous(index, key_field)
        bits = previous.boundary_bits if previous else boundary_bits(found.bytes / max(1, found.documents))
        generation = previous.generation if previous else ""
        blobs, packs = self._store.snapshots, PackFolder(index.service, index.index, generation)
        earlier, writer, segments = (
            Earlier(blobs, previous),
            ChunkWriter(blobs, packs, pack_bytes=self._limits.pack_bytes),
            SegmentStore(blobs, packs),
        )
        pages = self._reported(merge(sorted_store, found.runs, name=f"{_SET}-merging"))
        digest, added = add_digests(()), Added()
        try:
            building = TreeWriter(segments.store, bits, previous=earlier.tree(bits), reader=earlier.reader)
            async with building, earlier.within(EVERY_KEY) as there:
                parts = stored_parts(pages, bits, writer, there, self._limits.largest_range_bytes)
                async with aclosing(parts):
                    async for part in parts:
                        await building.add_all([entry.chunk for entry in part])
                        digest = add_digests((digest, digest_of_stored(part)))
                        added = sum_added(added, added_of(part))
                tree = await building.finish()
        finally:
            await writer.close()
        now = self._clock()
        definition = definition_without_secrets(dump.definition)
        synonym_maps = tuple(
            SynonymMap(entry.name, definition_without_secrets(entry.definition)) for entry in dump.synonym_maps
        )
        withheld = withheld_from_index(index.index, definition, synonym_maps)
        before = dump.origin.losses if dump.origin else ()
        unsettled = dump.origin.unsettled if dump.origin else None
        losses = (*before, *(loss for loss in lost_content(withheld) if loss not in before))
        manifest = Manifest(
            id=snapshot_id(now, self._rng.randbytes(3)),
            service=index.service,
            index=index.index,
            state=state_of(losses=losses, unsettled=unsettled),
            losses=losses,
            unsettled=unsettled,
            created=now,
            started=now,
            finished=now,
            tool=f"indexvault {VERSION}",
            run="",
            key_field=key_field,
            definition=definition,
            synonym_maps=synonym_maps,
            withheld=tuple(withheld),
            counts=Counts(before=None, after=None, documents=tree.documents),
            etag=Etags(before=None, after=None),
            boundary_bits=bits,
            generation=generation,
            bytes=tree.bytes,
            stored=tree.stored,
            added=sum_added(added, segments.added),
            content_digest=digest,
            tree=tree,
        )
        return manifest, building.used

    async def _reported(self, pages: AsyncGenerator[list[Document]]) -> AsyncGenerator[list[Document]]:
        async with aclosing(pages):
            async for documents in pages:
                yield documents
                size = sum(len(document.line) + 1 for document in documents)
                self._report(ProgressUpdate(stage="store", documents=len(documents), bytes=size))

    async def _previous(self, index: IndexName, key_field: str) -> Manifest | None:
        """Return the newest snapshot of the index, whose chunks the new one may share, or None."""
        try:
            reference = SnapshotReference(service=index.service, index=index.index)
            manifest = await resolve_manifest(self._store.snapshots, reference, now=self._clock())
        except (NotFoundError, IntegrityError):  # a damaged snapshot must not prevent a new one
            return None
        return manifest if manifest.key_field == key_field else None


def _key_field(dump: Dump, *, on: str) -> str:
    """Return the key field that all definitions name. Raises SettingsError if they name different ones."""
    keys = {read_schema(version.body, on=on).key.name for version in dump.definition.versions}
    if len(keys) > 1:
        raise SettingsError(
            f"its definitions name different key fields: {', '.join(sorted(keys))}",
            on=on,
            do="Leave definition.preview.json out, or take both from the same index",
        )
    return keys.pop()


def _reading(dump: Dump, findings: ImportFindings | None) -> Reading | None:
    """Return the note on what no service would take, or None if there is nothing of the kind."""
    if findings is None or not findings.count:
        return None
    return Reading(
        method="a lenient import",
        reason=f"{findings.count:,} findings, and no service would take them: {findings.words()}",
        parts=len(dump.files),
        requests=0,
    )


def _require_as_exported(dump: Dump, manifest: Manifest, *, on: str) -> None:
    """Raise AccountingError if documents differ from those that were exported."""
    origin = dump.origin
    if origin is None or origin.content_digest is None or origin.content_digest == manifest.content_digest:
        return
    raise AccountingError(
        f"its documents are not those that were exported: {manifest.counts.documents:,} are there"
        + ("" if origin.documents is None else f", and {origin.documents:,} were exported"),
        on=on,
        do="Copy or export it again; if they were changed on purpose, take content_digest out of snapshot.json",
    )


def _batches(documents: Iterator[Document], most_bytes: int) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.line)
        if len(batch) == _LINES or size >= most_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
