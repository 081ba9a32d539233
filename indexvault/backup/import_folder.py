"""A folder of plain files as a snapshot, so that dumps made elsewhere can be restored.

See `snapshots.folder` for the files. Documents may come in any order; they are sorted in bounded memory. Each key must
be there once: a dump that holds two documents under one key does not say which of them is meant.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec

from indexvault.backup.chunking import scanned_range, store_chunks
from indexvault.backup.definitions import kept, withheld_from_index
from indexvault.backup.external_sort import RUN_BYTES, SetAside, SortedRun, Sorter, merge, run_name
from indexvault.backup.losses import lost_content
from indexvault.errors import AccountingError, IntegrityError, NotFoundError, SettingsError
from indexvault.model import Clock, IndexName
from indexvault.search.page import Document, document_line
from indexvault.search.schema import read_schema
from indexvault.snapshots.announcements import announced
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import ChunkCutter, boundary_bits, chunk_target, key_reader
from indexvault.snapshots.export import Dump, read_dump
from indexvault.snapshots.manifest import Counts, Etags, Manifest, SynonymMap, known_chunks
from indexvault.snapshots.names import ChunkFolder, SnapshotReference, snapshot_id
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary
from indexvault.snapshots.writer import commit, store_chunk
from indexvault.version import VERSION
from indexvault.workflow.activity import ProgressUpdate
from indexvault.workflow.checkpoints import Checkpoints

_LINES = 500
_LONGEST_LINE = 64 * 1024 * 1024
"""Bytes; a request to the service, and so a document, has 16 MiB at most. Source: service limits, 2026-09."""
_SET = "imported"


class _Sorted(msgspec.Struct, frozen=True):
    """Documents that were set aside, how many and how large, in sorted runs by their names."""

    documents: int
    bytes: int
    runs: dict[str, SortedRun]


class Importer:
    """Imports folders as snapshots into one store. `report` hears of the documents read and stored."""

    def __init__(
        self, store: Store, *, clock: Clock, rng: random.Random, report: Callable[[ProgressUpdate], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._report = report

    async def import_folder(self, folder: Path, index: IndexName, *, run: str) -> Summary:
        """Make a folder a snapshot of an index, under the names of a service and an index that need not exist.

        Raises NotFoundError when the folder lacks something, SettingsError naming file and line of what is no document,
        AccountingError when a key is there twice. Then there is no snapshot.
        """
        started = self._clock()
        dump = await asyncio.to_thread(read_dump, folder)
        key_field = _key_field(dump, on=str(folder))
        await self._store.prepare()
        aside = SetAside(self._store.runs, run, key_field)
        try:
            found = await self._sort(dump, key_field, Sorter(aside, _SET))
            manifest = await self._store_chunks(dump, index, key_field, found, aside)
            manifest = msgspec.structs.replace(manifest, started=started, run=run)
            if manifest.counts.documents != found.documents:
                raise AccountingError(
                    f"it holds {found.documents:,} documents under {manifest.counts.documents:,} keys",
                    on=str(folder),
                    do="Take out the documents that are there twice",
                )
            _require_as_exported(dump, manifest, on=str(folder))
            async with announced(self._store.runs, manifest, self._clock()):
                return await commit(self._store.snapshots, manifest)
        finally:
            await Checkpoints(self._store.runs, run).clear()

    async def _sort(self, dump: Dump, key_field: str, sorter: Sorter) -> _Sorted:
        """Read all documents and set them aside in sorted runs."""
        key_of = key_reader(key_field)
        count = size = 0
        for file in dump.files:
            batches = _batches(_lines(file, key_of))
            while (documents := await asyncio.to_thread(next, batches, None)) is not None:
                await sorter.add(documents)
                read = sum(len(document.line) + 1 for document in documents)
                self._report(ProgressUpdate(stage="sort", documents=len(documents), bytes=read))
                count, size = count + len(documents), size + read
        await sorter.finish()
        runs = {run_name(_SET, number): segments for number, segments in enumerate(sorter.runs)}
        return _Sorted(documents=count, bytes=size, runs=runs)

    async def _store_chunks(
        self, dump: Dump, index: IndexName, key_field: str, found: _Sorted, aside: SetAside
    ) -> Manifest:
        previous = await self._previous(index, key_field)
        average = found.bytes / max(1, found.documents)
        bits = previous.boundary_bits if previous else boundary_bits(average, chunk_target(found.bytes))
        generation = previous.generation if previous else ""
        place = ChunkFolder(service=index.service, index=index.index, generation=generation)
        known = known_chunks(previous)
        stored = await store_chunks(
            self._reported(merge(aside, found.runs, name=f"{_SET}-merging")),
            ChunkCutter(bits),
            lambda sealed: store_chunk(self._store.snapshots, place, sealed, known),
        )
        scanned = scanned_range(stored)
        now = self._clock()
        definition = kept(dump.definition)
        synonym_maps = tuple(SynonymMap(entry.name, kept(entry.definition)) for entry in dump.synonym_maps)
        withheld = withheld_from_index(index.index, definition, synonym_maps)
        before = dump.origin.losses if dump.origin else ()
        losses = (*before, *(loss for loss in lost_content(withheld) if loss not in before))
        return Manifest(
            id=snapshot_id(now, self._rng.randbytes(3)),
            service=index.service,
            index=index.index,
            state="lossy" if losses else "complete",
            losses=losses,
            created=now,
            started=now,
            finished=now,
            tool=f"indexvault {VERSION}",
            run="",
            key_field=key_field,
            definition=definition,
            synonym_maps=synonym_maps,
            withheld=tuple(withheld),
            counts=Counts(before=None, after=None, documents=sum(chunk.documents for chunk in scanned.chunks)),
            etag=Etags(before=None, after=None),
            boundary_bits=bits,
            generation=generation,
            bytes=sum(chunk.bytes for chunk in scanned.chunks),
            stored=sum(chunk.stored for chunk in scanned.chunks),
            added=scanned.added,
            content_digest=scanned.digest,
            chunks=tuple(scanned.chunks),
        )

    async def _reported(self, pages: AsyncGenerator[list[Document]]) -> AsyncGenerator[list[Document]]:
        async with aclosing(pages):
            async for documents in pages:
                yield documents
                size = sum(len(document.line) + 1 for document in documents)
                self._report(ProgressUpdate(stage="store", documents=len(documents), bytes=size))

    async def _previous(self, index: IndexName, key_field: str) -> Manifest | None:
        """Return the newest snapshot of the index there is, whose chunks the new one may share."""
        try:
            reference = SnapshotReference(service=index.service, index=index.index)
            manifest = await read_manifest(self._store.snapshots, reference)
        except (NotFoundError, IntegrityError):  # a damaged one is no reason not to make a new one
            return None
        return manifest if manifest.key_field == key_field else None


def _key_field(dump: Dump, *, on: str) -> str:
    """Return the key field that all the definitions have. Raises SettingsError when they do not agree."""
    keys = {read_schema(version.body, on=on).key.name for version in dump.definition.versions}
    if len(keys) > 1:
        raise SettingsError(
            f"its definitions name different key fields: {', '.join(sorted(keys))}",
            on=on,
            do="Leave definition.preview.json out, or take both from the same index",
        )
    return keys.pop()


def _require_as_exported(dump: Dump, manifest: Manifest, *, on: str) -> None:
    """Compare with what was exported. Raises AccountingError when documents were lost or changed on the way."""
    origin = dump.origin
    if origin is None or origin.content_digest is None or origin.content_digest == manifest.content_digest:
        return
    raise AccountingError(
        f"its documents are not those that were exported: {manifest.counts.documents:,} are there"
        + ("" if origin.documents is None else f", and {origin.documents:,} were exported"),
        on=on,
        do="Copy or export it again; if they were changed on purpose, take content_digest out of snapshot.json",
    )


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    held: list[Document] = []
    size = 0
    for document in documents:
        held.append(document)
        size += len(document.line)
        if len(held) == _LINES or size >= RUN_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _lines(file: Path, key_of: Callable[[bytes], str]) -> Iterator[Document]:
    """Return the documents of a file; empty lines are passed over."""
    with file.open("rb") as opened:
        for number, raw in enumerate(iter(lambda: opened.readline(_LONGEST_LINE + 1), b""), start=1):
            if len(raw) > _LONGEST_LINE:
                raise SettingsError(
                    f"line {number} is longer than any document can be",
                    on=str(file),
                    do="Write each document as one JSON object on a line of its own",
                )
            line = raw.removeprefix(b"\xef\xbb\xbf").strip()
            if not line:
                continue
            try:
                msgspec.json.decode(line, type=dict[str, msgspec.Raw])
                line = document_line(line)
                yield Document(key_of(line), line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise SettingsError(
                    f"line {number} is not a document with a key ({type(error).__name__})",
                    on=str(file),
                    do="Write each document as one JSON object on a line of its own",
                ) from None
