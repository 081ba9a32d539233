"""Prune snapshots as a run of the app: each index is an item. A sweep of an index keeps others off by itself."""

from collections.abc import Iterable, Sequence

import msgspec

from indexvault.errors import IndexvaultError, IntegrityError, from_record
from indexvault.maintenance.retention import MaintenanceJob, PrunePlan, prune_stores
from indexvault.model import IndexName
from indexvault.workflow.activity import Activity, Resources, Work
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.reported_run import item_workflow, reported_run
from indexvault.workflow.reports import Written, write_report
from indexvault.workflow.runs import Item
from indexvault.workflow.submit import item_run
from indexvault.workflow.unless_cancelled import unless_cancelled


class PruneJob(msgspec.Struct, frozen=True, kw_only=True):
    """An index whose snapshots are pruned by the policies; with `dry_run` nothing is removed."""

    service: str
    index: str
    run: str
    dry_run: bool

    @property
    def work(self) -> Work:
        """What the activity of this job works for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.service, self.index))


class PruneResult(msgspec.Struct, frozen=True):
    """What was decided and done in each store of an index."""

    plans: list[PrunePlan]


def prune_failure(plans: Iterable[tuple[MaintenanceJob, PrunePlan]]) -> IndexvaultError | None:
    """Return what kept packs from being removed, an IntegrityError, else the first error of a store, else None."""
    known = list(plans)
    failures = [from_record(plan.failure) for _job, plan in known if plan.failure is not None]
    hindered = [
        (f"{job.service}/{job.index}", f"{plan.report.sweep.hindrance} (store {plan.store})")
        for job, plan in known
        if plan.failure is None and plan.report.sweep.hindrance
    ]
    if hindered:
        indexes = list(dict.fromkeys(index for index, _why in hindered))
        repair = " and ".join(f"indexvault repair {index}" for index in indexes)
        return IntegrityError(
            "; ".join(why for _index, why in hindered),
            on=f"packs of {', '.join(indexes)}",
            do=f"Repair the manifest ({repair}), or find out who wrote it: until then no pack of the index is removed",
        )
    return failures[0] if failures else None


def prune_items(run: str, service: str, indexes: Sequence[str], *, dry_run: bool) -> list[Item]:
    """Return the items of a run that prunes these indexes."""
    jobs = [
        PruneJob(service=service, index=index, run=item_run(run, position), dry_run=dry_run)
        for position, index in enumerate(indexes)
    ]
    return [Item(index=IndexName(service, job.index), run=job.run, job=job) for job in jobs]


async def prune(resources: Resources, job: PruneJob) -> Written:
    """Prune an index, and write the report. Raises CancelledError if the run was cancelled."""
    index = MaintenanceJob(service=job.service, index=job.index)
    plans = await unless_cancelled(
        resources, job.work, prune_stores(resources, index, dry_run=job.dry_run, measure=True)
    )
    await write_report(resources, job.work, PruneResult(plans))
    failure = prune_failure((index, plan) for plan in plans)
    return Written(failure=None if failure is None else failure.record())


PRUNE = Activity("prune_index", PruneJob, Written, prune, work=lambda job: job.work, locks=False)
PRUNE_INDEX = item_workflow("prune_one_index", PRUNE)
RUN_PRUNE = reported_run("run_prune", PRUNE_INDEX)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, PRUNE)
WORKFLOWS = (PRUNE_INDEX, RUN_PRUNE)
