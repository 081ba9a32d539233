"""Compare the target with the source as it is now, not with a snapshot of it."""

from contextlib import aclosing
from itertools import pairwise

from indexvault.errors import ConflictError
from indexvault.move.job import DigestComparison, MoveRun, SourceDivision, SourceRange
from indexvault.move.state import require_move_state, state_of
from indexvault.restore.compare import Comparison, Tally, differing
from indexvault.restore.projection import Projection, readable
from indexvault.restore.read_target import scanned
from indexvault.restore.report import Difference, StretchCompared
from indexvault.restore.selection import Selection
from indexvault.restore.stretch_source import manifest_of
from indexvault.restore.stretches import stretches
from indexvault.search.scan import KeyRange
from indexvault.search.schema import read_schema
from indexvault.snapshots.chunks import key_reader
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources

COMPARISONS = 3
_REST_SECONDS = 2


async def divide(resources: Resources, run: MoveRun) -> SourceDivision:
    """Return the ranges of keys in which to compare source and target."""
    store = resources.clients.store_of(run.source.service)
    move_state = await require_move_state(store.runs, run.source, run.records)
    manifest = await manifest_of(store, run.source.service, run.source.index, move_state.snapshot or "")
    definition = await resources.clients.service(run.source.service).index_definition(run.source.index)
    if not read_schema(definition.body, on=str(run.source)).has_key_order:
        return SourceDivision(ranges=[], by_digest=True)
    ends = [manifest.chunks[end - 1].last for _start, end in stretches(manifest.chunks) if end][:-1]
    edges: list[str | None] = [None, *ends, None]
    resources.report(ProgressUpdate(stage="compare", expected=manifest.counts.documents))
    return SourceDivision(ranges=list(pairwise(edges)), by_digest=False)


async def compare_source(resources: Resources, stretch: SourceRange) -> StretchCompared:
    """Compare a range of the source's keys with the target, document by document."""
    compared = await _compare(resources, stretch)
    for _ in range(COMPARISONS - 1):
        if not compared.different + compared.missing + compared.extra:
            break
        await resources.sleep(_REST_SECONDS)
        compared = await _compare(resources, stretch)
    resources.report(ProgressUpdate(stage="compare", documents=compared.identical + compared.equal))
    return compared


async def compare_digests(resources: Resources, given: DigestComparison) -> StretchCompared:
    """Compare two snapshots of the source by their content digests, for keys that have no order.

    The target was proved to hold the first. Raises ConflictError if it has changed since.
    """
    target = given.run.target
    store = resources.clients.store_of(given.run.source.service)
    move_state = await require_move_state(store.runs, given.run.source, given.run.records)
    if await state_of(resources.clients.service(target.service), target.index) != move_state.proved:
        raise ConflictError(
            "it was changed since it was proved; nothing was switched over and the source is untouched",
            on=str(target),
            do="Look at who writes to it, delete it, then move again with --forget",
        )
    service, index = given.run.source.service, given.run.source.index
    before = await manifest_of(store, service, index, given.before)
    after = await manifest_of(store, service, index, given.after)
    same = before.content_digest == after.content_digest
    return StretchCompared(
        identical=after.counts.documents if same else 0,
        equal=0,
        different=0 if same else 1,
        missing=0,
        extra=0,
        differences=[] if same else [Difference(key="", kind="different")],
    )


async def _compare(resources: Resources, stretch: SourceRange) -> StretchCompared:
    run = stretch.run
    source = resources.clients.service(run.source.service)
    target = resources.clients.service(run.target.service)
    before = read_schema((await source.index_definition(run.source.index)).body, on=str(run.source))
    after = read_schema((await target.index_definition(run.target.index)).body, on=str(run.target))
    schema = readable(after)
    by = Comparison(
        schema=schema, projection=Projection(before, schema), selection=Selection(), key_of=key_reader(after.key.name)
    )
    keys = KeyRange(after=stretch.after, until=stretch.until)
    tally = Tally(differences=[])
    here = scanned(source, run.source.index, before, keys, average_document_bytes=1000)
    there = scanned(target, run.target.index, after, keys, average_document_bytes=1000)
    async with aclosing(here), aclosing(there), aclosing(differing(here, there, by, tally)) as found:
        async for _deviation in found:
            pass
    return StretchCompared(
        identical=tally.identical,
        equal=tally.equal,
        different=tally.different,
        missing=tally.missing,
        extra=tally.extra,
        differences=tally.differences,
    )


DIVIDE = Activity("divide_source", MoveRun, SourceDivision, divide, lambda run: run.work)
COMPARE_SOURCE = Activity(
    "compare_source", SourceRange, StretchCompared, compare_source, lambda stretch: stretch.run.work
)
COMPARE_DIGESTS = Activity(
    "compare_digests", DigestComparison, StretchCompared, compare_digests, lambda given: given.run.work
)
