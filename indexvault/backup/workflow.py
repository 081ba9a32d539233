"""The workflow of a backup: the order of its activities, under the index's lock.

Each activity may be killed or run twice: it finds what it had finished. Durable, in this order: that fields will be
revealed; the plan; for each range its packs, what it left over, then its record, or for those that are as in the last
snapshot a record now and then; or for each partition its sorted runs, then its record, in each round, what is known of
the whole after it, and last the packs they are merged into; or the changed documents in sorted runs, their record, the
packs and segments they are merged into, then the record of that; packs of what was left over; the tree's segments; the
announcement, with the snapshot's id; the manifest, which makes the snapshot. Then the run's records are removed, and
the announcement after them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.backup.changes.merge import merge_changes
from indexvault.backup.changes.read import read_changes
from indexvault.backup.collect import collect
from indexvault.backup.commit import commit_snapshot, require_definition
from indexvault.backup.hidden_fields import prepare_fields, restore_fields
from indexvault.backup.job import (
    BackupJob,
    BackupReport,
    ChangesInput,
    CollectInput,
    Kept,
    KeptInput,
    KeptRange,
    MergeInput,
    PlanSummary,
    Prepared,
    ScanInput,
    ScanSummary,
    Settled,
    SettleInput,
    StartOverInput,
)
from indexvault.backup.key_ranges import ranges_a_scan
from indexvault.backup.limits import Limits
from indexvault.backup.merge import merge_partitions
from indexvault.backup.plan import plan_backup
from indexvault.backup.scan import keep, scan
from indexvault.backup.settle import settle_partitions
from indexvault.backup.start_over import start_over
from indexvault.errors import IndexvaultError, OutdatedReadingError
from indexvault.maintenance.retention import ACTIVITIES as MAINTENANCE_ACTIVITIES
from indexvault.maintenance.retention import MaintenanceJob, maintain
from indexvault.snapshots.chunks import add_digests
from indexvault.workflow.activity import Activity, Orchestration, Workflow
from indexvault.workflow.calls import call, call_all
from indexvault.workflow.lock_activities import ACTIVITIES as LOCK_ACTIVITIES
from indexvault.workflow.lock_activities import Claim, Done, locked
from indexvault.workflow.resume import digest_of

PREPARE = Activity("prepare_fields", BackupJob, Prepared, prepare_fields, lambda job: job.work)
PLAN = Activity("plan_backup", BackupJob, PlanSummary, plan_backup, lambda job: job.work)
SCAN = Activity("scan_range", ScanInput, ScanSummary, scan, lambda given: given.job.work)
KEEP = Activity("keep_ranges", KeptInput, Done, keep, lambda given: given.job.work)
COLLECT = Activity("collect_partition", CollectInput, ScanSummary, collect, lambda given: given.job.work)
SETTLE = Activity("settle_partitions", SettleInput, Settled, settle_partitions, lambda given: given.job.work)
MERGE = Activity("merge_partitions", MergeInput, ScanSummary, merge_partitions, lambda given: given.job.work)
READ_CHANGES = Activity("read_changes", BackupJob, ScanSummary, read_changes, lambda job: job.work)
MERGE_CHANGES = Activity("merge_changes", ChangesInput, ScanSummary, merge_changes, lambda given: given.job.work)
REQUIRE_DEFINITION = Activity("require_held_definition", BackupJob, Done, require_definition, lambda job: job.work)
RESTORE_FIELDS = Activity("restore_fields", BackupJob, Done, restore_fields, lambda job: job.work)
START_OVER = Activity("start_over", StartOverInput, Done, start_over, lambda given: given.job.work)
COMMIT = Activity("commit_snapshot", BackupJob, BackupReport, commit_snapshot, lambda job: job.work)
ACTIVITIES: tuple[Activity[Any, Any], ...] = (
    *LOCK_ACTIVITIES,
    PREPARE,
    PLAN,
    SCAN,
    KEEP,
    COLLECT,
    SETTLE,
    MERGE,
    READ_CHANGES,
    MERGE_CHANGES,
    REQUIRE_DEFINITION,
    RESTORE_FIELDS,
    START_OVER,
    COMMIT,
    *MAINTENANCE_ACTIVITIES,
)


def activities_within(limits: Limits) -> tuple[Activity[Any, Any], ...]:
    """Return ACTIVITIES with other limits than the usual ones."""
    limited: dict[str, Activity[Any, Any]] = {
        PLAN.name: replace(PLAN, run=partial(plan_backup, limits=limits)),
        SCAN.name: replace(SCAN, run=partial(scan, limits=limits)),
        COLLECT.name: replace(COLLECT, run=partial(collect, limits=limits)),
        SETTLE.name: replace(SETTLE, run=partial(settle_partitions, limits=limits)),
        MERGE.name: replace(MERGE, run=partial(merge_partitions, limits=limits)),
        READ_CHANGES.name: replace(READ_CHANGES, run=partial(read_changes, limits=limits)),
        MERGE_CHANGES.name: replace(MERGE_CHANGES, run=partial(merge_changes, limits=limits)),
        COMMIT.name: replace(COMMIT, run=partial(commit_snapshot, limits=limits)),
    }
    return tuple(limited.get(activity.name, activity) for activity in ACTIVITIES)


def back_up_index(ctx: OrchestrationContext, job: BackupJob) -> Orchestration[BackupReport]:
    """Make a snapshot of one index, while no other run writes to it or backs it up.

    With a policy, then replicate and prune the index's snapshots; results go into the notes.
    """
    report = yield from locked(ctx, Claim(job.work, job.owner, job.process), _back_up(ctx, job))
    if job.policy is None:
        return report
    job_of_index = MaintenanceJob(service=job.service, index=job.index)
    # Where nothing was added there is nothing new to prune; a copy that failed before is made up for all the same.
    maintained = yield from maintain(ctx, job_of_index, prunes=not report.unchanged)
    return msgspec.structs.replace(report, notes=[*report.notes, *maintained.notes])


def _back_up(ctx: OrchestrationContext, job: BackupJob) -> Orchestration[BackupReport]:
    try:
        return (yield from _attempt(ctx, job))
    except OutdatedReadingError as error:
        yield from call(ctx, START_OVER, StartOverInput(job, error.what))
    return (yield from _attempt(ctx, job))


def _attempt(ctx: OrchestrationContext, job: BackupJob) -> Orchestration[BackupReport]:
    job, notes = yield from _read(ctx, job)
    report = yield from call(ctx, COMMIT, job)
    return msgspec.structs.replace(report, notes=[*notes, *report.notes])


def _read(ctx: OrchestrationContext, job: BackupJob) -> Orchestration[tuple[BackupJob, list[str]]]:
    """Plan and read, and return the job with the digests of what there is, and notes.

    Fields that are revealed for this are hidden again, however it ends.
    """
    try:
        prepared = yield from call(ctx, PREPARE, job)
        job = msgspec.structs.replace(job, revealed=tuple(prepared.revealed))
        plan = yield from call(ctx, PLAN, job)
        job = msgspec.structs.replace(job, plan=plan.digest, planned=plan.planned)
        if plan.by_changes:
            changed = yield from call(ctx, READ_CHANGES, job)
            merged = yield from call(ctx, MERGE_CHANGES, ChangesInput(job, changed.digest))
            job = msgspec.structs.replace(job, read=merged.digest)
        elif plan.partitions:
            job = yield from _collect(ctx, job, plan)
        else:
            job = yield from _scan(ctx, job, plan)
        if job.hidden_fields == "reveal":
            yield from call(ctx, REQUIRE_DEFINITION, job)
    except IndexvaultError:
        if job.hidden_fields == "reveal":
            yield from call(ctx, RESTORE_FIELDS, job)
        raise
    if job.hidden_fields == "reveal":
        yield from call(ctx, RESTORE_FIELDS, job)
    return job, [*prepared.notes, *plan.notes]


def _scan(ctx: OrchestrationContext, job: BackupJob, plan: PlanSummary) -> Orchestration[BackupJob]:
    """Read every range. Each time enough was found to be as in the last snapshot, that is recorded."""
    unrecorded: list[KeptRange] = []

    def record(scanned: ScanSummary) -> Orchestration[None]:
        unrecorded.extend(scanned.kept)
        if sum(each.bytes for each in unrecorded) >= plan.checkpoint_bytes:
            ranges = tuple(unrecorded)
            unrecorded.clear()
            yield from call(ctx, KEEP, KeptInput(job, ranges))

    inputs = scans(job, plan.ranges, resumed=plan.resumed)
    scanned = yield from call_all(ctx, SCAN, inputs, at_once=job.parallel, after_each=record)
    return msgspec.structs.replace(
        job,
        read=digest_of([each.digest for each in scanned]),
        left=tuple(position for each in scanned for position in each.left),
        kept=sum_kept([kept for each in scanned for kept in each.kept]),
    )


def sum_kept(ranges: Sequence[KeptRange]) -> Kept:
    """Return what ranges that are as in the last snapshot come to."""
    return Kept(
        positions=f"{sum(1 << each.position for each in ranges):x}",
        documents=sum(each.documents for each in ranges),
        digest=add_digests(each.digest for each in ranges),
        requests=sum(each.requests for each in ranges),
    )


def scans(job: BackupJob, ranges: int, *, resumed: bool = False) -> list[ScanInput]:
    """Return what the activities that read ranges are given: all ranges, as evenly as possible."""
    each = ranges_a_scan(ranges)
    return [
        ScanInput(job=job, position=position, ranges=min(each, ranges - position), resumed=resumed)
        for position in range(0, ranges, each)
    ]


def _collect(ctx: OrchestrationContext, job: BackupJob, plan: PlanSummary) -> Orchestration[BackupJob]:
    """Read every partition, check them until every document is accounted for or the limits are reached, and merge."""
    known, settled = [""] * plan.partitions, Settled(ended=False)
    for number in itertools.count():
        inputs = [
            CollectInput(job=job, position=position, round=number, before=before)
            for position, before in enumerate(known)
        ]
        known = [each.digest for each in (yield from call_all(ctx, COLLECT, inputs, at_once=job.parallel))]
        settled = yield from call(ctx, SETTLE, SettleInput(job, number, before=settled.digest, read=known))
        if settled.ended:
            break
    merged = yield from call(ctx, MERGE, MergeInput(job, known))
    return msgspec.structs.replace(job, read=digest_of([merged.digest, settled.digest]))


BACK_UP_INDEX = Workflow("back_up_index", BackupJob, BackupReport, back_up_index)
