"""Compare the target with the source as it is now, document by document.

If the source's keys have an order, both are read side by side, in ranges of keys. If not, a new snapshot shows the
source as it is now, and the target is compared with that, stretch by stretch. Where the target's keys have no order,
its documents are looked up by the source's keys, and those with other keys are found by the target's count.

An earlier proof counts for nothing here: the target may have been changed since.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise

from indexvault.backup.definitions import read_index_definition
from indexvault.errors import VerificationError
from indexvault.move.job import (
    FoundInTarget,
    MoveRun,
    SnapshotDivision,
    SnapshotStretch,
    SourceDivision,
    SourceRange,
)
from indexvault.move.state import excepted_keys, follow_move_state, require_own_snapshot
from indexvault.restore.compare import Chunks, Comparison, ComparisonTally, Deviation, deviations, differing
from indexvault.restore.definition import target_definition
from indexvault.restore.job import ClaimedStretch
from indexvault.restore.not_compared import fields_not_compared
from indexvault.restore.projection import Projection, readable
from indexvault.restore.proof import COMPARE_SECONDS
from indexvault.restore.read_target import count_all, looked_up, scanned, scanned_unsplit
from indexvault.restore.report import StretchCompared
from indexvault.restore.selection import Selection
from indexvault.restore.stretch_source import manifest_of, packs_required, read_sources, write_sources
from indexvault.restore.stretches import stretch_keys, stretches
from indexvault.restore.windows import Documents
from indexvault.search.client import SearchService
from indexvault.search.lookup import KeyLookup
from indexvault.search.scan import KeyRange
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.chunk_documents import KeyedLine, document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Definition
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_chunks
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.patience import Patience

_AVERAGE_DOCUMENT_BYTES = 1000
_MOST_KEY_BYTES = 256 * 1024
"""The keys at which a comparison is divided are passed in one payload, each twice."""


async def divide(resources: Resources, run: MoveRun) -> SourceDivision:
    """Return the ranges of keys in which to compare source and target, if the source's keys have an order.

    Raises VerificationError if the source has fields by now that the target lacks: documents are compared by those of
    the target.
    """
    store = resources.clients.store_of(run.source.service)
    move_state = await follow_move_state(store.runs, run)
    definition, _etag = await read_index_definition(resources.clients.service(run.source.service), run.source.index)
    await _require_fields(resources, run, definition, move_state.job.patch)
    source = read_schema(definition.fullest.body, on=str(run.source))
    if not source.has_key_order:
        return SourceDivision(ranges=[], by_snapshot=True)
    manifest = await manifest_of(store, run.source.service, run.source.index, move_state.snapshot or "")
    with packs_required():
        ends = _within_payload(await stretch_keys(TreeReader(store.snapshots, manifest.folder), manifest.tree))
    edges: list[str | None] = [None, *ends, None]
    resources.report(ProgressUpdate(stage="compare", expected=manifest.counts.documents))
    target = await _schema_of(resources.clients.service(run.target.service), run.target.index)
    read = {path for path, _field in readable(source).walk()} & {path for path, _field in readable(target).walk()}
    left_out = fields_not_compared(source, target, compared=read)
    return SourceDivision(ranges=list(pairwise(edges)), by_snapshot=False, not_compared=left_out)


async def _require_fields(resources: Resources, run: MoveRun, source: Definition, patch: str | None) -> None:
    """Raise VerificationError if the target lacks a field of the source that the patch does not drop."""
    wanted = read_schema(target_definition(source, run.target.index, patch).body, on=str(run.source))
    present = await _schema_of(resources.clients.service(run.target.service), run.target.index)
    there = {path for path, _field in present.walk()}
    lacking = [path for path, _field in wanted.walk() if path not in there]
    if lacking:
        raise VerificationError(
            f"the target lacks the fields {', '.join(lacking)}, which the source has by now; nothing was switched over"
            " and the source is untouched",
            on=f"{run.source} to {run.target}",
            do=f"Add them to {run.target} and give the same command again, or delete it and move with --forget and no"
            " --snapshot",
        )


def _within_payload(ends: list[str]) -> list[str]:
    """Return every end, or every second, fourth and so on if keys are so long that all would not fit into a payload."""
    while sum(map(len, ends)) > _MOST_KEY_BYTES:
        ends = ends[1::2]
    return ends


async def divide_snapshot(resources: Resources, run: MoveRun) -> SnapshotDivision:
    """Return the stretches of the move's last snapshot, and write down what each needs of its manifest."""
    store = resources.clients.store_of(run.source.service)
    move_state = await follow_move_state(store.runs, run)
    manifest = await manifest_of(store, run.source.service, run.source.index, move_state.snapshot or "")
    require_own_snapshot(move_state, manifest)
    with packs_required():
        cut = await stretches(TreeReader(store.snapshots, manifest.folder), manifest.tree)
    written = await write_sources(_records(resources, run), store.snapshots, manifest, cut)
    resources.report(ProgressUpdate(stage="compare", expected=manifest.counts.documents))
    target = await _schema_of(resources.clients.service(run.target.service), run.target.index)
    stored = read_schema(manifest.definition.fullest.body, on=f"{run.source} snapshot {manifest.id}")
    read = {path for path, _field in readable(target).walk()}
    return SnapshotDivision(
        source=written.source,
        stretches=[ClaimedStretch(*ends, digest) for ends, digest in zip(cut, written.stretches, strict=True)],
        documents=manifest.counts.documents,
        not_compared=fields_not_compared(stored, target, compared=read),
    )


async def compare_source(resources: Resources, stretch: SourceRange) -> StretchCompared:
    """Compare a range of the source's keys with the target, document by document."""
    sides = await _open_sides(resources, stretch.run)
    source = resources.clients.service(stretch.run.source.service)
    before = await _schema_of(source, stretch.run.source.index)
    by = sides.comparison(before)
    keys = KeyRange(after=stretch.after, until=stretch.until)

    async def compare(tally: ComparisonTally) -> AsyncGenerator[Deviation]:
        here = scanned(source, stretch.run.source.index, before, keys, average_document_bytes=_AVERAGE_DOCUMENT_BYTES)
        async with aclosing(here):
            async for deviation in _against_source(here, sides, keys, by, tally):
                yield deviation

    return await _compared(resources, compare, sides.excepted)


async def compare_snapshot(resources: Resources, stretch: SnapshotStretch) -> StretchCompared:
    """Compare a stretch of the snapshot that shows the source as it is now with the target, document by document."""
    run = stretch.run
    store = resources.clients.store_of(run.source.service)
    move_state = await follow_move_state(store.runs, run)
    snapshot = SnapshotReference(service=run.source.service, index=run.source.index, id=move_state.snapshot or "")
    chunks, digests = stretch.chunks, (stretch.source, stretch.chunks.digest)
    noted = await read_sources(_records(resources, run), store, snapshot, chunks.start, chunks.end, digests=digests)
    source, part = noted.source, noted.stretch
    sides = await _open_sides(resources, run)
    by = sides.comparison(source.schema)

    split = document_reader(source.key_field, source.folder)

    async def read(some: Chunks | Iterable[Sequence[Chunk]]) -> AsyncGenerator[tuple[Chunk, list[KeyedLine]]]:
        async with aclosing(read_chunks(store.snapshots, source.folder, some, split)) as reading:
            async for chunk, documents in reading:
                yield chunk, documents

    async def stored_keys() -> list[str]:
        async with aclosing(noted.batches()) as batches, aclosing(read(batches)) as reading:
            return [key async for _chunk, documents in reading for key, _line in documents]

    async def compare(tally: ComparisonTally) -> AsyncGenerator[Deviation]:
        if sides.schema.has_key_order:
            keys = KeyRange(after=part.after, until=part.until)
            present: Documents = sides.scan_unsplit(keys) if by.by_hash else sides.scan(keys)
        else:
            present = looked_up(sides.lookup(), await stored_keys())
        async with (
            aclosing(noted.batches()) as batches,
            aclosing(deviations(batches, read, present, by, tally)) as found,
        ):
            async for deviation in found:
                yield deviation

    return await _compared(resources, compare, sides.excepted)


async def count_others(resources: Resources, given: FoundInTarget) -> StretchCompared:
    """Count the target's documents with keys that the source lacks, if looking up could not find them.

    The target may take minutes to count what was deleted last.
    """
    run = given.run
    target = resources.clients.service(run.target.service)
    others = 0
    schema = await _schema_of(target, run.target.index)
    if not schema.has_key_order:
        wait = Patience(COMPARE_SECONDS, resources.sleep)
        while others := max(0, await count_all(target, run.target.index, schema) - given.found):
            if not await wait():
                break
    return StretchCompared(identical=0, equal=0, different=0, missing=0, extra=others, differences=[])


@dataclass(frozen=True, slots=True)
class _Sides:
    """The target, and which of the source's documents it need not have."""

    target: SearchService
    index: str
    schema: Schema
    excepted: frozenset[str]

    def scan(self, keys: KeyRange) -> AsyncGenerator[list[KeyedLine]]:
        """Yield the target's documents over a range of keys."""
        return scanned(self.target, self.index, self.schema, keys, average_document_bytes=_AVERAGE_DOCUMENT_BYTES)

    def scan_unsplit(self, keys: KeyRange) -> AsyncGenerator[Sequence[KeyedLine]]:
        """Yield the same, to be compared by the hashes of chunks."""
        return scanned_unsplit(
            self.target, self.index, self.schema, keys, average_document_bytes=_AVERAGE_DOCUMENT_BYTES
        )

    def lookup(self) -> KeyLookup:
        """Return how to look the target's documents up by their keys."""
        return KeyLookup(
            self.target,
            self.index,
            self.schema,
            average_document_bytes=_AVERAGE_DOCUMENT_BYTES,
            elevated=self.schema.is_protected,
        )

    def comparison(self, source: Schema) -> Comparison:
        """Return how to compare documents of the source's schema with the target's, by all that the target returns."""
        schema = readable(self.schema)
        return Comparison(
            schema=schema,
            projection=Projection(source, schema),
            selection=Selection(),
        )


async def _open_sides(resources: Resources, run: MoveRun) -> _Sides:
    clients = resources.clients
    move_state = await follow_move_state(clients.store_of(run.source.service).runs, run)
    target = clients.service(run.target.service)
    schema = await _schema_of(target, run.target.index)
    excepted = await excepted_keys(clients.store_of(run.target.service).runs, move_state)
    return _Sides(target, run.target.index, schema, excepted)


async def _against_source(
    here: Documents, sides: _Sides, keys: KeyRange, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Yield what differs between the source's documents over a range of keys and the target's."""
    if sides.schema.has_key_order:
        there = sides.scan(keys)
        async with aclosing(there), aclosing(differing(here, there, by, tally)) as found:
            async for deviation in found:
                yield deviation
        return
    lookup = sides.lookup()
    async for page in here:
        async for deviation in _looked_up(page, lookup, by, tally):
            yield deviation


async def _looked_up(
    some: Sequence[KeyedLine], lookup: KeyLookup, by: Comparison, tally: ComparisonTally
) -> AsyncGenerator[Deviation]:
    """Yield what differs between a page of the source's documents and those that the target has under their keys."""

    async def given() -> AsyncGenerator[Sequence[KeyedLine]]:
        yield some

    there = looked_up(lookup, [key for key, _line in some])
    async with aclosing(there), aclosing(differing(given(), there, by, tally)) as found:
        async for deviation in found:
            yield deviation


async def _compared(
    resources: Resources, compare: Callable[[ComparisonTally], AsyncGenerator[Deviation]], excepted: frozenset[str]
) -> StretchCompared:
    """Compare until the two are the same, for COMPARE_SECONDS: replicas show documents at different times."""
    compared = await _once(compare, excepted)
    wait = Patience(COMPARE_SECONDS, resources.sleep)
    while compared.different + compared.missing + compared.extra and await wait():
        compared = await _once(compare, excepted)
    resources.report(ProgressUpdate(stage="compare", documents=compared.identical + compared.equal))
    return compared


async def _once(
    compare: Callable[[ComparisonTally], AsyncGenerator[Deviation]], excepted: frozenset[str]
) -> StretchCompared:
    tally = ComparisonTally(differences=[])
    lacking = 0
    async with aclosing(compare(tally)) as found:
        async for deviation in found:
            lacking += deviation.kind == "missing" and deviation.key in excepted
    return StretchCompared(
        identical=tally.identical,
        equal=tally.equal,
        different=tally.different,
        missing=tally.missing - lacking,
        extra=tally.extra,
        differences=[each for each in tally.differences if each.kind != "missing" or each.key not in excepted],
        refused=lacking,
    )


async def _schema_of(service: SearchService, index: str) -> Schema:
    """Return an index's schema in the fullest api-version: the stable one does not tell of access lists."""
    definition, _etag = await read_index_definition(service, index)
    return read_schema(definition.fullest.body, on=f"{service.name} index {index}")


def _records(resources: Resources, run: MoveRun) -> Checkpoints:
    """Return where the stretches of the last snapshot are written down, until the move ends."""
    return Checkpoints(resources.clients.store_of(run.source.service).runs, run.execution)


DIVIDE = Activity("divide_source", MoveRun, SourceDivision, divide, lambda run: run.work)
DIVIDE_SNAPSHOT = Activity("divide_snapshot", MoveRun, SnapshotDivision, divide_snapshot, lambda run: run.work)
COMPARE_SOURCE = Activity(
    "compare_source", SourceRange, StretchCompared, compare_source, lambda stretch: stretch.run.work
)
COMPARE_SNAPSHOT = Activity(
    "compare_snapshot", SnapshotStretch, StretchCompared, compare_snapshot, lambda stretch: stretch.run.work
)
COUNT_OTHERS = Activity("count_others", FoundInTarget, StretchCompared, count_others, lambda given: given.run.work)
