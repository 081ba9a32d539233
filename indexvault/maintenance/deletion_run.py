"""Delete snapshots as a run of the app: an index is an item. A sweep of an index keeps others off by itself."""

from collections.abc import Sequence

import msgspec

from indexvault.maintenance.deletion import Deletion, delete_snapshots, failure_of, plan_deletion
from indexvault.model import IndexName
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.prune import PruneReport
from indexvault.workflow.activity import Activity, Resources, Work
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.reported_run import item_workflow, reported_run
from indexvault.workflow.reports import Written, write_report
from indexvault.workflow.unless_cancelled import unless_cancelled


class DeletionJob(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshots of one index to delete, as an operator names them; with `dry_run` nothing is deleted."""

    service: str
    index: str
    snapshots: tuple[str, ...]
    run: str
    dry_run: bool

    @property
    def work(self) -> Work:
        """What the activity of this job works for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.service, self.index))


class DeletionResult(msgspec.Struct, frozen=True):
    """What was planned for each store of an index, and done there: no `reports` if nothing was to be deleted."""

    planned: list[Deletion]
    reports: list[PruneReport]


async def delete_of_index(resources: Resources, job: DeletionJob) -> Written:
    """Delete snapshots of an index, and write the report.

    Raises NotFoundError, ConflictError if one may not go: then nothing of the index is deleted. CancelledError if the
    run was cancelled.
    """
    references = [SnapshotReference.parse(each) for each in job.snapshots]
    return await unless_cancelled(resources, job.work, _delete(resources, job, references))


async def _delete(resources: Resources, job: DeletionJob, references: Sequence[SnapshotReference]) -> Written:
    planned = await plan_deletion(resources, references)
    reports = [] if job.dry_run else [await delete_snapshots(resources, deletion) for deletion in planned]
    await write_report(resources, job.work, DeletionResult(planned, reports))
    failure = failure_of(zip(planned, reports, strict=False), references)
    return Written(failure=None if failure is None else failure.record())


DELETE = Activity(
    "delete_snapshots_of_index", DeletionJob, Written, delete_of_index, work=lambda job: job.work, locks=False
)
DELETE_OF_INDEX = item_workflow("delete_of_one_index", DELETE)
RUN_DELETE = reported_run("run_delete", DELETE_OF_INDEX)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, DELETE)
WORKFLOWS = (DELETE_OF_INDEX, RUN_DELETE)
