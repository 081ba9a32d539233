"""Scrub stored chunks: read a slice of them back at each turn, so that damage is found while another copy exists."""

import logging
from datetime import datetime, timedelta

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError
from indexvault.maintenance.pass_over import passed_over
from indexvault.maintenance.stock import take_stock
from indexvault.maintenance.verified import verified_after, verified_records
from indexvault.settings.load import service_settings
from indexvault.settings.policies import policies_covering, replica_stores
from indexvault.snapshots.damage import Finding
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.run_names import verified_name
from indexvault.snapshots.slices import due_slices, turn_of
from indexvault.snapshots.verify import verify_index
from indexvault.workflow.activity import Activity, Orchestration, ProgressUpdate, Resources, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.fan_out import RunOrder

EVERY = timedelta(days=7)
"""The time between two turns."""

WITHIN = timedelta(days=91)
"""The period in which every chunk is read back once, unless a policy says otherwise."""

_LOG = logging.getLogger(__name__)


class IndexToVerify(msgspec.Struct, frozen=True):
    """The snapshots of one index in one store."""

    store: str
    service: str
    index: str


class IndexesToVerify(msgspec.Struct, frozen=True):
    """The indexes to scrub, in each store."""

    indexes: list[IndexToVerify]


class VerifiedSlices(msgspec.Struct, frozen=True):
    """What was found in the due slices of an index. `slices` is empty if none was due.

    `failure` says why the index could not be verified; it is empty otherwise.
    """

    store: str
    service: str
    index: str
    slices: list[str]
    chunks: int
    bytes: int
    damage: list[Finding]
    failure: str = ""


class ScrubReport(msgspec.Struct, frozen=True):
    """What one turn found, index by index."""

    verified: list[VerifiedSlices]


def scrub_run(service: str, now: datetime) -> str:
    """Return the name of a service's run for this turn: the same at every tick, so only one run is started."""
    return f"verify-{turn_of(now, EVERY)}-{service}"


async def list_indexes(resources: Resources, job: RunOrder) -> IndexesToVerify:
    """Return the indexes that have snapshots, or should have, in each store that holds some of the service's.

    `$service` is among them, for the snapshots of the service's other objects.
    """
    settings = resources.clients.settings
    own = service_settings(settings, job.service).store
    found = []
    for name in [own, *replica_stores(settings, job.service)]:
        with passed_over(f"verification of store {name}"):
            stock = await take_stock(resources.clients, name, job.service)
            indexes = {summary.index for summary in stock.listed()}
            found += [IndexToVerify(name, job.service, index) for index in sorted(indexes)]
    return IndexesToVerify(found)


async def verify_due(resources: Resources, job: IndexToVerify) -> VerifiedSlices:
    """Read back the slices of an index that are due, then record durably that this turn was done.

    A snapshot whose manifest has vanished is damage. Snapshots that no record says were committed get one.

    Damage is logged as an error and returned, not raised: one damaged chunk does not keep others from being read.
    """
    store = resources.clients.store(job.store)
    now = resources.clock()
    name = verified_name(job.service, job.index)
    records = verified_records(store.runs)
    last = None
    with passed_over("the note of the slices that were verified last, which counts as absent"):
        last = await records.read(name)
    within = _within(resources, job)
    due = due_slices(last.turn if last else None, now, every=EVERY, period=within)
    stock = await take_stock(resources.clients, job.store, job.service, job.index)
    for summary in stock.unrecorded:
        await note_snapshot(store.runs, summary)
    chunks = size = 0
    damage: dict[str, Finding] = {}
    unauthentic: set[str] = set()
    for part in due:
        report = await verify_index(
            store.snapshots,
            job.service,
            job.index,
            sample=part,
            missing={each.reference.id or "": each.what for each in stock.missing},
            progress=lambda chunk: resources.report(
                ProgressUpdate(stage="verify", documents=chunk.documents, bytes=chunk.bytes)
            ),
        )
        chunks, size = chunks + report.chunks, size + report.bytes
        damage |= {finding.blob: finding for finding in report.damage}
        unauthentic.update(report.unauthentic)
    for finding in damage.values():
        _LOG.error("store %s: %s: %s (in %s)", job.store, finding.blob, finding.what, ", ".join(finding.snapshots))
    if unauthentic:
        _LOG.warning(
            "store %s: no record key has signed %s of %s/%s, and nobody has accepted it: anybody may have written it",
            *(job.store, ", ".join(sorted(unauthentic)), job.service, job.index),
        )
    if due:
        harmful = [finding for finding in damage.values() if finding.kind != "foreign"]
        await records.write(name, verified_after(last, turn_of(now, EVERY), due, harmful, now))
    return VerifiedSlices(
        store=job.store,
        service=job.service,
        index=job.index,
        slices=[str(part) for part in due],
        chunks=chunks,
        bytes=size,
        damage=list(damage.values()),
    )


def _within(resources: Resources, job: IndexToVerify) -> timedelta:
    policies = policies_covering(resources.clients.settings, job.service, job.index)
    return min((policy.verify_within for policy in policies.values() if policy.verify_within), default=WITHIN)


LIST_INDEXES = Activity("list_indexes_to_verify", RunOrder, IndexesToVerify, list_indexes)
VERIFY_DUE = Activity("verify_due_slices", IndexToVerify, VerifiedSlices, verify_due)
ACTIVITIES = (LIST_INDEXES, VERIFY_DUE)


def verify_service(ctx: OrchestrationContext, job: RunOrder) -> Orchestration[ScrubReport]:
    """Verify the due slices of every index of a service, one index after the other, whatever becomes of the others."""
    found = yield from call(ctx, LIST_INDEXES, job)
    verified = []
    for each in found.indexes:
        try:
            verified.append((yield from call(ctx, VERIFY_DUE, each)))
        except IndexvaultError as error:
            verified.append(
                VerifiedSlices(
                    store=each.store,
                    service=each.service,
                    index=each.index,
                    slices=[],
                    chunks=0,
                    bytes=0,
                    damage=[],
                    failure=f"{error.on}: {error.what}",
                )
            )
    return ScrubReport(verified)


VERIFY_SERVICE = Workflow("verify_service", RunOrder, ScrubReport, verify_service)
