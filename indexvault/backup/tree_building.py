"""Build a snapshot's tree from the records of what was read, one record at a time."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import batched

from indexvault.backup.accounting import RisingChunks
from indexvault.backup.changes.records import MERGED_PART, MergedChanges
from indexvault.backup.chunking import Earlier, folder_of
from indexvault.backup.job import BackupJob
from indexvault.backup.key_ranges import ranges_a_scan
from indexvault.backup.leftovers import Leftovers
from indexvault.backup.limits import Limits
from indexvault.backup.state import (
    Merged,
    Plan,
    ScannedRange,
    Settling,
    changes_record,
    merged_part_record,
    merged_record,
    range_record,
    require,
    require_same,
)
from indexvault.errors import OutdatedReadingError
from indexvault.snapshots.chunk_writer import SegmentStore, sum_added
from indexvault.snapshots.chunks import Chunk, Digest, add_digests
from indexvault.snapshots.manifest import Added
from indexvault.snapshots.store import Store
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_writer import TreeWriter
from indexvault.snapshots.used_packs import UsedPacks
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import digest_of


@dataclass(frozen=True, slots=True)
class Built:
    """The tree of everything that was read, the packs it uses, and sums over the records.

    `again` is how many subranges were read again, `open` how many documents the counts of ranges leave open, `added`
    what chunks and segments added to the store, `found` how many documents only the counts of a reading by changes
    showed.
    """

    tree: Tree
    used: UsedPacks
    digest: Digest
    added: Added
    again: int
    open: int
    requests: int
    found: int = 0


async def build_tree(store: Store, job: BackupJob, plan: Plan, settling: Settling | None, limits: Limits) -> Built:
    """Store what ranges left over and the segments above all chunks. May be called again: it makes the same packs.

    Raises OutdatedReadingError if a record is not the one that was proved, AccountingError if ranges overlap.
    """
    checkpoints = Checkpoints(store.runs, job.run)
    leftovers = await Leftovers.join(store, job, plan, limits.pack_bytes)
    earlier = await Earlier.open(store, plan)
    segments = SegmentStore(store.snapshots, folder_of(job, plan))
    rising = RisingChunks()
    added, again, left_open = Added(), 0, 0
    digest = add_digests([job.kept.digest] if job.kept.digest else [])
    requests = job.kept.requests
    records = (
        _merged(checkpoints, job, plan, settling) if settling is not None else _ranges(checkpoints, job, plan, earlier)
    )
    building = TreeWriter(
        segments.store, plan.boundary_bits, previous=earlier.tree(plan.boundary_bits), reader=earlier.reader
    )
    async with building, aclosing(records):
        async for position, scanned in records:
            if isinstance(scanned, list):
                rising.note(scanned)
                await building.add_all(scanned)
                continue
            chunks: Sequence[Chunk] = leftovers.placed(position, scanned.chunks, scanned.leftover)
            rising.note(chunks)
            await building.add_all(chunks)
            digest = add_digests((digest, scanned.digest))
            added = sum_added(added, scanned.added)
            again, left_open = again + scanned.again, left_open + scanned.open
            requests += scanned.requests
        # By now the records are known to be those of the run.
        rising.require(on=f"{job.service} index {job.index}")
        tree = await building.finish()
    return Built(
        tree=tree,
        used=building.used,
        digest=digest,
        added=sum_added(added, segments.added),
        again=again,
        open=left_open,
        requests=requests,
    )


async def merged_tree(checkpoints: Checkpoints, job: BackupJob, plan: Plan) -> Built:
    """Return the tree that the changes were merged into, from its record.

    Raises OutdatedReadingError if the record is not the one that was proved.
    """
    merged = await require(checkpoints, changes_record(plan, MERGED_PART), MergedChanges, job)
    require_same(job, "the record of the changes that were merged", merged, job.read)
    return Built(
        tree=merged.tree,
        used=merged.used,
        digest=merged.digest,
        added=merged.added,
        again=merged.again,
        open=merged.open,
        requests=merged.requests,
        found=merged.found,
    )


async def _ranges(
    checkpoints: Checkpoints, job: BackupJob, plan: Plan, earlier: Earlier
) -> AsyncGenerator[tuple[int, ScannedRange | list[Chunk]]]:
    """Yield the records of all ranges in key order, or chunks of the last snapshot for those that are as there.

    After the last it raises OutdatedReadingError if the records are not those of the run, or that snapshot has others.
    """
    scans: list[str] = []
    kept = 0
    for positions in batched(range(len(plan.ranges)), ranges_a_scan(len(plan.ranges)), strict=False):
        digests: list[str] = []
        for position in positions:
            if job.kept.has(position):
                async with aclosing(earlier.chunks(plan.ranges[position])) as batches:
                    async for batch in batches:
                        kept += sum(chunk.documents for chunk in batch)
                        yield position, list(batch)
                continue
            scanned = await require(checkpoints, range_record(plan, position), ScannedRange, job)
            digests.append(digest_of(scanned))
            yield position, scanned
        scans.append(digest_of(digests))
    require_same(job, "a record of what was read", scans, job.read)
    if kept != job.kept.documents:
        raise OutdatedReadingError(
            "the last snapshot has other documents where the index was found to be as in it",
            on=f"{job.service} index {job.index}",
            do="Run the backup again",
        )


async def _merged(
    checkpoints: Checkpoints, job: BackupJob, plan: Plan, settling: Settling
) -> AsyncGenerator[tuple[int, ScannedRange | list[Chunk]]]:
    """Yield the records of the parts that all partitions were merged into, in key order."""
    merged = await require(checkpoints, merged_record(plan), Merged, job)
    require_same(job, "a record of what was read", [digest_of(merged), digest_of(settling)], job.read)
    for position, digest in enumerate(merged.parts):
        part = await require(checkpoints, merged_part_record(plan, position), ScannedRange, job)
        require_same(job, "a record of what was merged", part, digest)
        yield position, part
