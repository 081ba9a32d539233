"""Verify snapshots as a run of the app: the snapshots of each index are an item, and none of them is locked."""

import contextlib
from collections.abc import Sequence

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError, IntegrityError, UnauthenticError
from indexvault.maintenance.targets import Target, find_target
from indexvault.model import IndexName
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.slices import WHOLE, Slice
from indexvault.snapshots.verify import (
    STRETCH_BYTES,
    StretchFound,
    VerifyPlan,
    VerifyReport,
    conclude,
    plan_verification,
    verify_stretch,
)
from indexvault.workflow.activity import Activity, Orchestration, ProgressUpdate, Resources, Work, Workflow
from indexvault.workflow.calls import call, call_all
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.reported_run import reported_run
from indexvault.workflow.reports import Written, write_report
from indexvault.workflow.resume import altered, digest_of
from indexvault.workflow.runs import Item
from indexvault.workflow.submit import item_run
from indexvault.workflow.unless_cancelled import unless_cancelled

STRETCHES_AT_ONCE = 2
"""Stretches of an index that are verified at once: each has windows of chunks in memory."""


class VerifyJob(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshots of an index in the store of a name, or the one with the id `snapshot`.

    `sample` is a slice such as `1/12`, which limits what is read; `sizes` reads nothing and compares sizes. Each
    activity checks about `stretch_bytes` uncompressed bytes.
    """

    service: str
    index: str
    store: str
    run: str
    snapshot: str | None = None
    sample: str | None = None
    sizes: bool = False
    stretch_bytes: int = STRETCH_BYTES

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


class Planned(msgspec.Struct, frozen=True):
    """The digest of the record of a plan, and the number of its stretches."""

    digest: str
    stretches: int


class StretchToVerify(msgspec.Struct, frozen=True):
    """One stretch of a plan, by its number."""

    job: VerifyJob
    plan: str
    number: int

    @property
    def work(self) -> Work:
        """What the activity works for."""
        return self.job.work


class StretchVerified(msgspec.Struct, frozen=True):
    """The digest of the record of what was found in a stretch."""

    digest: str


class ToConclude(msgspec.Struct, frozen=True):
    """A plan, and the digests of the records of its stretches."""

    job: VerifyJob
    plan: str
    stretches: list[str]

    @property
    def work(self) -> Work:
        """What the activity works for."""
        return self.job.work


async def plan_stretches(resources: Resources, job: VerifyJob) -> Planned:
    """Read the manifests, divide the keys into stretches, and note both."""
    target = await find_target(resources.clients, job.store, _asked(job), resources.clock())
    if target.summary is not None:
        resources.report(ProgressUpdate("verify", expected=target.summary.documents))
    blobs = resources.clients.store(job.store).snapshots
    planning = plan_verification(
        blobs, job.service, job.index, only=target.only, missing=target.missing, most=job.stretch_bytes
    )
    plan = await unless_cancelled(resources, job.work, planning)
    await _records(resources, job).write(_PLAN, plan)
    return Planned(digest_of(plan), len(plan.stretches))


async def verify_one_stretch(resources: Resources, given: StretchToVerify) -> StretchVerified:
    """Verify a stretch and note what was found. Damage is in the note. Raises CancelledError if the run was cancelled.

    A stretch that was noted for this plan is not read again.
    """
    job, records = given.job, _records(resources, given.job)
    part = _part(given.number)
    before = await records.read(part, _FoundByPlan)
    if before is not None and before.plan == given.plan:
        return StretchVerified(digest_of(before))
    checking = verify_stretch(
        resources.clients.store(job.store).snapshots,
        await _plan(records, given.plan, job),
        given.number,
        depth="sizes" if job.sizes else "content",
        sample=WHOLE if job.sample is None else Slice.parse(job.sample),
        progress=lambda chunk: resources.report(ProgressUpdate("verify", documents=chunk.documents, bytes=chunk.bytes)),
    )
    found = _FoundByPlan(given.plan, await unless_cancelled(resources, job.work, checking))
    await records.write(part, found)
    return StretchVerified(digest_of(found))


async def conclude_verification(resources: Resources, given: ToConclude) -> Written:
    """Add up what was found, and write the report. Damage is in the report."""
    job, records = given.job, _records(resources, given.job)
    plan = await _plan(records, given.plan, job)
    found = [await _found(records, number, digest, job) for number, digest in enumerate(given.stretches)]
    report = await conclude(resources.clients.store(job.store).snapshots, plan, found)
    await write_report(resources, job.work, Verification(str(_asked(job)), report))
    failure = failure_of(report)
    return Written(
        documents=report.documents, bytes=report.bytes, failure=None if failure is None else failure.record()
    )


async def forget_stretches(resources: Resources, job: VerifyJob) -> Written:
    """Remove the notes of a verification that has its report."""
    await _records(resources, job).clear()
    return Written()


class _FoundByPlan(msgspec.Struct, frozen=True):
    """What was found in a stretch of the plan whose record has this digest."""

    plan: str
    found: StretchFound


def _asked(job: VerifyJob) -> IndexName | SnapshotReference:
    name = IndexName(job.service, job.index)
    return name if job.snapshot is None else SnapshotReference(service=job.service, index=job.index, id=job.snapshot)


def _records(resources: Resources, job: VerifyJob) -> Checkpoints:
    return Checkpoints(resources.clients.store_of(job.service).runs, job.run)


async def _plan(records: Checkpoints, digest: str, job: VerifyJob) -> VerifyPlan:
    plan = await records.read(_PLAN, VerifyPlan)
    if plan is None or digest_of(plan) != digest:
        raise altered("its record of what to verify is not what this run wrote", str(_asked(job)))
    return plan


async def _found(records: Checkpoints, number: int, digest: str, job: VerifyJob) -> StretchFound:
    noted = await records.read(_part(number), _FoundByPlan)
    if noted is None or digest_of(noted) != digest:
        raise altered("its record of what was found is not what this run wrote", str(_asked(job)))
    return noted.found


def _part(number: int) -> str:
    return f"verified-{number}"


def verify_by_stretches(ctx: OrchestrationContext, job: VerifyJob) -> Orchestration[Written]:
    """Verify the snapshots of an index stretch by stretch, so that no activity takes longer than an app allows."""
    planned = yield from call(ctx, PLAN, job)
    stretches = [StretchToVerify(job, planned.digest, number) for number in range(planned.stretches)]
    verified = yield from call_all(ctx, VERIFY, stretches, at_once=STRETCHES_AT_ONCE)
    written = yield from call(ctx, CONCLUDE, ToConclude(job, planned.digest, [each.digest for each in verified]))
    with contextlib.suppress(IndexvaultError):
        yield from call(ctx, FORGET, job)
    return written


_PLAN = "plan"
PLAN = Activity("plan_verification", VerifyJob, Planned, plan_stretches, work=lambda job: job.work, locks=False)
VERIFY = Activity(
    "verify_stretch", StretchToVerify, StretchVerified, verify_one_stretch, work=lambda given: given.work, locks=False
)
CONCLUDE = Activity(
    "conclude_verification", ToConclude, Written, conclude_verification, work=lambda given: given.work, locks=False
)
FORGET = Activity("forget_stretches", VerifyJob, Written, forget_stretches, work=lambda job: job.work, locks=False)
VERIFY_INDEX = Workflow("verify_index", VerifyJob, Written, verify_by_stretches)
RUN_VERIFY = reported_run("run_verify", VERIFY_INDEX)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, PLAN, VERIFY, CONCLUDE, FORGET)
WORKFLOWS = (VERIFY_INDEX, RUN_VERIFY)
