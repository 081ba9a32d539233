"""Compare two states of an index, and make one as the other if asked to, under its lock."""

from durabletask.task import OrchestrationContext

from indexvault.clients import Clients
from indexvault.model import IndexName
from indexvault.recovery.compare import Wait, compare, turned
from indexvault.recovery.job import DriftJob, DriftReport, parse_state
from indexvault.recovery.mend import mend, require_other
from indexvault.recovery.pair_drift import drift_kept
from indexvault.recovery.sides import LiveSide, Side, SnapshotSide
from indexvault.restore.checks import failure
from indexvault.restore.regions import Regions, region_check
from indexvault.settings.load import service_settings
from indexvault.settings.model import Settings
from indexvault.settings.pairs import pair_of
from indexvault.settings.residency import residencies
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.workflow.activity import Activity, Orchestration, ProgressUpdate, Resources, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.lock_activities import ACTIVITIES as LOCK_ACTIVITIES
from indexvault.workflow.lock_activities import Claim, locked
from indexvault.workflow.patience import Patience
from indexvault.workflow.reported_run import reported_run
from indexvault.workflow.reports import Written, write_report
from indexvault.workflow.unless_cancelled import unless_cancelled

SETTLE_SECONDS = 30.0
"""How long documents that deviate are looked up again: writers reach two services at different times."""


async def open_side(clients: Clients, text: str, resources: Resources) -> Side:
    """Open one side. Raises NotFoundError for an unknown service, index or snapshot, SettingsError for no name."""
    state = parse_state(text)
    if isinstance(state, IndexName):
        return await LiveSide.open(clients.service(state.service), state.index)
    blobs = clients.reading_store(state.service).snapshots
    return SnapshotSide(blobs, await resolve_manifest(blobs, state, now=resources.clock()))


def settling(resources: Resources) -> Wait:
    """Return the rests between look-ups of documents that deviate."""
    return Patience(SETTLE_SECONDS, resources.sleep)


def require_region(settings: Settings, job: DriftJob) -> None:
    """Raise ConflictError if a repair would take documents out of their region, which nothing allows.

    The job can allow it, the settings, and those of the pair that both services are.
    """
    if job.repair_from is None or job.target is None:
        return
    source = parse_state(job.repair_from)
    home = service_settings(settings, source.service)
    store = None if isinstance(source, IndexName) else settings.stores[home.store].region
    regions = Regions(
        source=home.region,
        store=store,
        target=service_settings(settings, job.target.service).region,
        kept=residencies(settings, source.service, source.index),
    )
    ours, theirs = pair_of(settings, source.service), pair_of(settings, job.target.service)
    by_pair = ours is not None and ours == theirs and ours[1].allow_cross_region
    allowed = job.allow_cross_region or settings.allow_cross_region or by_pair
    error = failure([region_check(regions, allowed=allowed)], str(job.target))
    if error is not None:
        raise error


async def compare_and_mend(resources: Resources, job: DriftJob) -> DriftReport:
    """Compare the two sides of a job, and make one as the other if it says so."""
    require_region(resources.clients.settings, job)
    one, other = [await open_side(resources.clients, text, resources) for text in (job.one, job.other)]
    drift = await compare(one, other, wait=lambda: settling(resources), by_counts=job.by_counts)
    resources.report(ProgressUpdate(stage="compare", documents=drift.identical + drift.equal))
    if job.repair_from is None or not drift.found:
        return DriftReport(drift)
    source, against = (one, other) if job.repair_from == job.one else (other, one)
    target = require_other(source, against)
    mended = await mend(
        source,
        target,
        drift.found if source is one else [turned(each) for each in drift.found],
        rng=resources.rng,
        sleep=resources.sleep,
        fence=resources.fence,
        accept_loss=job.accept_loss,
    )
    resources.report(ProgressUpdate(stage="upload", documents=mended.written + mended.deleted))
    left = await compare(one, other, wait=lambda: settling(resources))
    return DriftReport(drift, mended, left)


async def _measure(resources: Resources, job: DriftJob) -> Written:
    return await unless_cancelled(resources, job.work, _repair(resources, job))


async def _repair(resources: Resources, job: DriftJob) -> Written:
    if job.pair is not None:
        async with drift_kept(resources, job) as keep:
            report = await compare_and_mend(resources, job)
            await keep(report)
    else:
        report = await compare_and_mend(resources, job)
    await write_report(resources, job.work, report)
    return Written(documents=report.drift.identical + report.drift.equal)


def compare_indexes(ctx: OrchestrationContext, job: DriftJob) -> Orchestration[Written]:
    """Compare under no lock; make one side as the other under its lock."""
    if job.repair_from is None:
        return (yield from call(ctx, MEASURE, job))
    return (yield from locked(ctx, Claim(job.work, job.owner), call(ctx, REPAIR, job)))


MEASURE = Activity("compare_sides", DriftJob, Written, _measure, work=lambda job: job.work, locks=False)
REPAIR = Activity("repair_side", DriftJob, Written, _repair, work=lambda job: job.work)
COMPARE_INDEXES = Workflow("compare_indexes", DriftJob, Written, compare_indexes)
RUN_COMPARE = reported_run("run_compare", COMPARE_INDEXES)
OWN_ACTIVITIES = (MEASURE, REPAIR)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, *LOCK_ACTIVITIES, *OWN_ACTIVITIES)
WORKFLOWS = (COMPARE_INDEXES, RUN_COMPARE)
