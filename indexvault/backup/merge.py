"""Turning the documents of all parts into chunks, in key order."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from indexvault.backup.chunking import ChunkStore, scanned_range, store_chunks
from indexvault.backup.collect import sorted_runs
from indexvault.backup.external_sort import SetAside, SortedRun, merge, run_name
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import BackupJob, Recounted, ScanSummary
from indexvault.backup.state import CollectedPart, Plan, ScannedRange, merged_record, part_record, require, require_plan
from indexvault.search.page import Document
from indexvault.snapshots.chunks import ChunkCutter
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints


async def recount(resources: Resources, job: BackupJob) -> Recounted:
    """Count every part again, and name those that no longer hold as many documents as were read of them.

    A document whose fields change can move from a part that is yet to be read to one that has been. So what counts is
    that, after the last part was read, each still has as many as it had.
    """
    checkpoints = Checkpoints(resources.clients.store_of(job.service).runs, job.run)
    plan = await require_plan(checkpoints, job)
    probe = ServiceIndexProbe(resources.clients.service(job.service), job.index, plan.key_field, elevated=plan.elevated)
    changed = []
    for position, part in enumerate(plan.parts):
        collected = await require(checkpoints, part_record(plan, position), CollectedPart, job)
        if not part.partial and await probe.count(part) != collected.documents:
            changed.append(position)
    return Recounted(changed=changed)


async def merge_parts(resources: Resources, job: BackupJob) -> ScanSummary:
    """Merge what was set aside of all parts into chunks and store them."""
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    merged = await checkpoints.read(merged_record(plan), ScannedRange)
    if merged is None:
        runs: dict[str, SortedRun] = {}
        for position in range(len(plan.parts)):
            collected = await require(checkpoints, part_record(plan, position), CollectedPart, job)
            name = sorted_runs(plan, position, collected)
            runs |= {run_name(name, number): run for number, run in enumerate(collected.runs)}
        aside = SetAside(store.runs, job.run, plan.key_field)
        chunk_store = await ChunkStore.open(store, job, plan, merged_record(plan))
        stored = await store_chunks(
            _pages(resources, aside, runs, plan), ChunkCutter(plan.boundary_bits), chunk_store.store
        )
        merged = scanned_range(stored)
        await checkpoints.write(merged_record(plan), merged)
    return ScanSummary(
        documents=sum(chunk.documents for chunk in merged.chunks), bytes=sum(chunk.bytes for chunk in merged.chunks)
    )


async def _pages(
    resources: Resources, aside: SetAside, runs: dict[str, SortedRun], plan: Plan
) -> AsyncGenerator[list[Document]]:
    resources.report(ProgressUpdate(stage="sort", expected=plan.found))
    async with aclosing(merge(aside, runs, name=f"{plan.id}-merging")) as pages:
        async for page in pages:
            yield page
            size = sum(len(document.line) + 1 for document in page)
            resources.report(ProgressUpdate(stage="sort", documents=len(page), bytes=size))
