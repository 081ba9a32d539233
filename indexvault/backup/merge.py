"""Merge the documents of all partitions into chunks, in key order."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from indexvault.backup.chunking import EVERY_KEY, Earlier, folder_of, scanned_range, stored_parts
from indexvault.backup.external_sort import SortedRun, SortedRunStore, merge, run_name
from indexvault.backup.job import BackupJob, MergeInput, ScanSummary
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.round import read_round
from indexvault.backup.state import (
    Merged,
    Plan,
    ScannedRange,
    SortedSet,
    merged_part_record,
    merged_record,
    partition_reader,
    require_plan,
)
from indexvault.backup.stored import is_stored
from indexvault.errors import OutdatedReadingError
from indexvault.search.page import Document
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunk_writer import ChunkWriter
from indexvault.snapshots.store import Store
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import digest_of


async def merge_partitions(resources: Resources, given: MergeInput, *, limits: Limits = LIMITS) -> ScanSummary:
    """Merge the sorted runs of all partitions into chunks and store them.

    Raises OutdatedReadingError if that gives another number of documents than were read.
    """
    job = given.job
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    merged = await checkpoints.read(merged_record(plan), Merged)
    read = partition_reader(checkpoints, job, plan, given.read)
    known = (await read_round(read, len(plan.partitions))).known
    if merged is None or merged.documents != known or not await _is_stored(store, job, plan, merged):
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
        pages = _pages(resources, sorted_store, runs, plan)
        merged = await _store(store, job, plan, pages, limits)
        if merged.documents != known:
            raise OutdatedReadingError(
                f"{known} documents were read, and {merged.documents} of them are in the runs container",
                on=f"{job.service} index {job.index}",
                do="Find out who can write to the runs container",
            )
        await checkpoints.write(merged_record(plan), merged)
    return ScanSummary(documents=merged.documents, bytes=merged.bytes, digest=digest_of(merged))


async def _store(
    store: Store, job: BackupJob, plan: Plan, pages: AsyncGenerator[list[Document]], limits: Limits
) -> Merged:
    """Store the documents of pages in key order, a record for each part."""
    checkpoints = Checkpoints(store.runs, job.run)
    writer = ChunkWriter(store.snapshots, folder_of(job, plan), pack_bytes=limits.pack_bytes)
    digests: list[str] = []
    documents = size = 0
    try:
        async with (await Earlier.open(store, plan)).within(EVERY_KEY) as previous:
            parts = stored_parts(pages, plan.boundary_bits, writer, previous, limits.largest_range_bytes)
            async with aclosing(parts):
                async for part in parts:
                    record = scanned_range(part)
                    await checkpoints.write(merged_part_record(plan, len(digests)), record)
                    digests.append(digest_of(record))
                    documents += sum(entry.chunk.documents for entry in part)
                    size += sum(entry.chunk.bytes for entry in part)
    finally:
        await writer.close()
    return Merged(documents=documents, bytes=size, parts=digests)


async def _is_stored(store: Store, job: BackupJob, plan: Plan, merged: Merged) -> bool:
    """Return whether the chunks of all parts are stored as an earlier attempt recorded them."""
    checkpoints = Checkpoints(store.runs, job.run)
    last: str | None = None
    documents = size = 0
    for position, digest in enumerate(merged.parts):
        part = await checkpoints.read(merged_part_record(plan, position), ScannedRange)
        if part is None or not part.chunks or part.leftover is not None or digest_of(part) != digest:
            return False
        if not await is_stored(store, job, plan, part, KeyRange(after=last, until=None)):
            return False
        last = part.chunks[-1].last
        documents += sum(chunk.documents for chunk in part.chunks)
        size += sum(chunk.bytes for chunk in part.chunks)
    return (documents, size) == (merged.documents, merged.bytes)


async def _pages(
    resources: Resources, store: SortedRunStore, runs: dict[str, SortedRun], plan: Plan
) -> AsyncGenerator[list[Document]]:
    resources.report(ProgressUpdate(stage="sort", expected=plan.found))
    async with aclosing(merge(store, runs, name=f"{plan.id}-merging")) as pages:
        async for page in pages:
            yield page
            size = sum(len(document.line) + 1 for document in page)
            resources.report(ProgressUpdate(stage="sort", documents=len(page), bytes=size))
