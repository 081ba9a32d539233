"""Back up several indexes of a service. They are chosen when the run begins; one's failure does not stop the others.

If every index is meant, so is everything else that belongs to the service: its synonym maps, data sources, indexers and
so on are one more item, the last.
"""

import msgspec
from durabletask.task import OrchestrationContext
from msgspec.structs import replace

from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.service_objects import BACK_UP_SERVICE, OBJECTS, ServiceJob, ServiceReport
from indexvault.backup.workflow import BACK_UP_INDEX
from indexvault.errors import IndexvaultError, NotFoundError
from indexvault.model import IndexName
from indexvault.settings.model import PolicySettings
from indexvault.settings.patterns import plain_names, select
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Activity, Orchestration, Resources, Work, Workflow
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.fan_out import FanOut, ItemWorkflow, OpenItems, RunOrder, fan_out, open_items, runs_of
from indexvault.workflow.lock_activities import Claim, Done
from indexvault.workflow.runs import Item, Outcome, RunRecord
from indexvault.workflow.submit import item_run

_NOTHING = "no index fits, so there was nothing to back up"


def item_for(
    record: RunRecord, index: str, position: int, *, named: bool = True, policy: PolicySettings | None = None
) -> Item:
    """Return the item of a run that backs up one index, with the options of the policy if there is one."""
    job = BackupJob(
        service=record.service,
        index=index,
        run=item_run(record.run, position),
        owner=record.owner,
        policy=record.policy,
        hidden_fields=policy.hidden_fields if policy is not None else "report",
        changes=policy.changes if policy is not None else record.changes,
        full_every=policy.full_every if policy is not None else None,
        labels=record.labels,
    )
    return Item(index=IndexName(record.service, index), run=job.run, job=job, named=named)


def objects_item(record: RunRecord, position: int) -> Item:
    """Return the item of a run that backs up the objects of the service."""
    job = ServiceJob(
        service=record.service,
        run=item_run(record.run, position),
        owner=record.owner,
        policy=record.policy,
        labels=record.labels,
    )
    return Item(index=job.work.index, run=job.run, job=job, named=False)


def claim_of(record: RunRecord, item: Item) -> Claim:
    """Return the claim of an item on its index."""
    return Claim(Work(run=item.run, service=record.service, index=item.index), record.owner)


def choose(record: RunRecord, names: list[str], policy: PolicySettings | None = None) -> RunRecord:
    """Return the record with an item for each index that its patterns match, if it has no items yet.

    An index that is named in full is an item even if it does not exist: then the item fails.
    """
    if record.items or not record.choose:
        return record
    selection = select(names, record.choose)
    named = plain_names(record.choose)
    items = [
        item_for(record, index, position, named=index in named, policy=policy)
        for position, index in enumerate([*selection.found, *selection.missing])
    ]
    if "*" in record.choose:
        items.append(objects_item(record, len(items)))
    return replace(record, items=items, notes=record.notes if items else [*record.notes, _NOTHING])


async def open_backup(resources: Resources, order: RunOrder) -> OpenItems:
    """Begin a backup: choose its indexes among those that the service has now."""
    record = await runs_of(resources, order.service).read(order.run)
    names: list[str] = []
    if record is not None and record.choose and not record.items:
        names = await resources.clients.service(order.service).index_names()
    policy = resources.clients.settings.policies.get(record.policy or "") if record is not None else None
    return await open_items(resources, order, lambda record: choose(record, names, policy))


def index_outcome(report: BackupReport) -> Outcome:
    """Return the outcome of the item whose snapshot is finished."""
    presumed = [f"presumed: builds on the full reading {report.presumption.proved}"] if report.presumption else []
    unchanged = [f"nothing had changed since, at {report.started:%Y-%m-%d %H:%M:%S} UTC"] if report.unchanged else []
    return Outcome(
        state="unsettled" if report.unsettled else "lossy" if report.losses else "done",
        documents=report.documents,
        bytes=report.bytes,
        snapshot=report.snapshot,
        losses=[*report.losses, *report.unsettled],
        unchanged=report.unchanged,
        notes=[*presumed, *unchanged, *report.notes],
    )


def objects_outcome(report: ServiceReport) -> Outcome:
    """Return the outcome of the item for the service's objects."""
    is_lossy = report.state == "lossy"
    return Outcome(
        state="lossy" if is_lossy else "done",
        snapshot=report.snapshot,
        losses=[*report.withheld, *report.not_kept] if is_lossy else [],
        notes=report.notes if is_lossy else [*report.withheld, *report.not_kept, *report.notes],
        report=msgspec.to_builtins(report),
    )


def failed_outcome(item: Item, error: IndexvaultError) -> Outcome:
    """Return the outcome of a failed item. A deleted index fails the run only if it was asked for by name."""
    if (
        isinstance(error, NotFoundError)
        and not item.named
        and error.on == f"{item.index.service} index {item.index.index}"
    ):
        return Outcome(state="gone", failure=error.record())
    return Outcome(state="failed", failure=error.record())


OPEN_BACKUP = Activity("open_backup", RunOrder, OpenItems, open_backup)
_FAN_OUT = FanOut(
    opening=OPEN_BACKUP,
    each=ItemWorkflow(BACK_UP_INDEX, index_outcome),
    special={SERVICE_OBJECTS: ItemWorkflow(BACK_UP_SERVICE, objects_outcome)},
    failed=failed_outcome,
)


def run_backup(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Back up the indexes of a run."""
    return (yield from fan_out(ctx, order, _FAN_OUT))


RUN_BACKUP = Workflow("run_backup", RunOrder, Done, run_backup)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, OPEN_BACKUP, OBJECTS)
