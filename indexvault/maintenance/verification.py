"""Verify snapshots as a run of the app: the snapshots of each index are an item, and none of them is locked."""

from collections.abc import Sequence

import msgspec

from indexvault.errors import IndexvaultError, IntegrityError, UnauthenticError
from indexvault.maintenance.targets import Target, find_target
from indexvault.model import IndexName
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.slices import WHOLE, Slice
from indexvault.snapshots.verify import VerifyReport, verify_index
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources, Work
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.reported_run import item_workflow, reported_run
from indexvault.workflow.reports import Written, write_report
from indexvault.workflow.runs import Item
from indexvault.workflow.submit import item_run
from indexvault.workflow.unless_cancelled import unless_cancelled


class VerifyJob(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshots of an index in the store of a name, or the one with the id `snapshot`.

    `sample` is a slice such as `1/12`, which limits what is read; `sizes` reads nothing and compares sizes.
    """

    service: str
    index: str
    store: str
    run: str
    snapshot: str | None = None
    sample: str | None = None
    sizes: bool = False

    @property
    def work(self) -> Work:
        """What the activity of this job works for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.service, self.index))


class Verification(msgspec.Struct, frozen=True):
    """What was verified, an index or a snapshot by its id, and what was found."""

    reference: str
    report: VerifyReport


def failure_of(report: VerifyReport) -> IndexvaultError | None:
    """Return what is wrong with the snapshots that were verified: damage, else that some are not authentic."""
    try:
        report.raise_for_damage()
    except IntegrityError as error:
        return error
    if not report.unauthentic:
        return None
    return UnauthenticError(
        "no record key has signed it, and nobody has accepted it: anybody may have written it",
        on=", ".join(f"{report.service}/{report.index}@{snapshot}" for snapshot in report.unauthentic),
        do="If you know where it is from: `indexvault accept`; see docs/security.md",
    )


def verify_items(run: str, store: str, targets: Sequence[Target], *, sample: str | None, sizes: bool) -> list[Item]:
    """Return the items of a run that verifies these targets."""
    items = []
    for position, target in enumerate(targets):
        job = VerifyJob(
            service=target.index.service,
            index=target.index.index,
            store=store,
            run=item_run(run, position),
            snapshot=None if target.summary is None else target.summary.id,
            sample=sample,
            sizes=sizes,
        )
        items.append(Item(index=target.index, run=job.run, job=job))
    return items


async def verify_snapshots(resources: Resources, job: VerifyJob) -> Written:
    """Verify, and write the report. Damage is in the report. Raises CancelledError if the run was cancelled."""
    clients = resources.clients
    name = IndexName(job.service, job.index)
    asked = name if job.snapshot is None else SnapshotReference(service=job.service, index=job.index, id=job.snapshot)
    target = await find_target(clients, job.store, asked, resources.clock())
    if target.summary is not None:
        resources.report(ProgressUpdate("verify", expected=target.summary.documents))
    report = await unless_cancelled(
        resources,
        job.work,
        verify_index(
            clients.store(job.store).snapshots,
            job.service,
            job.index,
            only=target.only,
            missing=target.missing,
            depth="sizes" if job.sizes else "content",
            sample=WHOLE if job.sample is None else Slice.parse(job.sample),
            progress=lambda chunk: resources.report(
                ProgressUpdate("verify", documents=chunk.documents, bytes=chunk.bytes)
            ),
        ),
    )
    await write_report(resources, job.work, Verification(str(asked), report))
    failure = failure_of(report)
    return Written(
        documents=report.documents, bytes=report.bytes, failure=None if failure is None else failure.record()
    )


VERIFY = Activity(
    "verify_stored", VerifyJob, Written, verify_snapshots, work=lambda job: job.work, locks=False
)  # fmt: skip
VERIFY_INDEX = item_workflow("verify_index", VERIFY)
RUN_VERIFY = reported_run("run_verify", VERIFY_INDEX)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, VERIFY)
WORKFLOWS = (VERIFY_INDEX, RUN_VERIFY)
