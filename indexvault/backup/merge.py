"""Merge the documents of all partitions into chunks, in key order."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from indexvault.backup.chunking import ChunkStore, scanned_range, store_chunks
from indexvault.backup.external_sort import SortedRun, SortedRunStore, merge, run_name
from indexvault.backup.job import MergeInput, ScanSummary
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.round import read_round
from indexvault.backup.state import Plan, ScannedRange, SortedSet, merged_record, partition_reader, require_plan
from indexvault.backup.stored import is_stored
from indexvault.errors import OutdatedReadingError
from indexvault.search.page import Document
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import ChunkCutter
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import digest_of

_EVERY_KEY = KeyRange(after=None, until=None)


async def merge_partitions(resources: Resources, given: MergeInput, *, limits: Limits = LIMITS) -> ScanSummary:
    """Merge the sorted runs of all partitions into chunks and store them.

    Raises OutdatedReadingError if that gives another number of documents than were read.
    """
    job = given.job
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    merged = await checkpoints.read(merged_record(plan), ScannedRange)
    read = partition_reader(checkpoints, job, plan, given.read)
    known = (await read_round(read, len(plan.partitions))).known
    if merged is None or _documents(merged) != known or not await is_stored(store, job, plan, merged, _EVERY_KEY):
        sets: list[SortedSet] = []
        for position in range(len(plan.partitions)):
            sets += (await read(position)).sets
        newest_first = sorted(sets, key=lambda each: (each.round, each.finished), reverse=True)
        runs: dict[str, SortedRun] = {
            run_name(each.name, number): each.runs[number]
            for each in newest_first
            for number in reversed(range(len(each.runs)))
        }
        sorted_store = SortedRunStore(store.runs, job.run, plan.key_field, limits)
        chunk_store = await ChunkStore.open(store, job, plan, merged_record(plan))
        stored = await store_chunks(
            _pages(resources, sorted_store, runs, plan), ChunkCutter(plan.boundary_bits), chunk_store.store
        )
        merged = scanned_range(stored)
        if _documents(merged) != known:
            raise OutdatedReadingError(
                f"{known} documents were read, and {_documents(merged)} of them are in the runs container",
                on=f"{job.service} index {job.index}",
                do="Find out who can write to the runs container",
            )
        await checkpoints.write(merged_record(plan), merged)
    return ScanSummary(
        documents=_documents(merged), bytes=sum(chunk.bytes for chunk in merged.chunks), digest=digest_of(merged)
    )


def _documents(merged: ScannedRange) -> int:
    return sum(chunk.documents for chunk in merged.chunks)


async def _pages(
    resources: Resources, store: SortedRunStore, runs: dict[str, SortedRun], plan: Plan
) -> AsyncGenerator[list[Document]]:
    resources.report(ProgressUpdate(stage="sort", expected=plan.found))
    async with aclosing(merge(store, runs, name=f"{plan.id}-merging")) as pages:
        async for page in pages:
            yield page
            size = sum(len(document.line) + 1 for document in page)
            resources.report(ProgressUpdate(stage="sort", documents=len(page), bytes=size))
