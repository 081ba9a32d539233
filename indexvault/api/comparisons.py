"""`POST /comparisons`: what changed from a snapshot to another one, or to an index as it is now."""

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import IndexName, ServiceName, SnapshotName
from indexvault.api.snapshots import read_reference
from indexvault.api.start_run import STARTED, start_run
from indexvault.backup.comparison import RUN_DIFF, CompareJob
from indexvault.errors import RequestError
from indexvault.model import IndexName as Index
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.runs import Item, RunRecord
from indexvault.workflow.submit import item_run, run_name

OWNER = "POST /comparisons"


class LiveIndexName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An index as it is now."""

    service: ServiceName
    index: IndexName


class ComparisonRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A snapshot, and what to compare it with: the snapshot `after`, or the index `live` as it is now.

    `fields` names the fields that changed, too.
    """

    before: SnapshotName
    after: SnapshotName | None = None
    live: LiveIndexName | None = None
    fields: bool = False


async def compare(call: Call[ComparisonRequest, Nothing, Nothing]) -> Reply:
    """Start a run. Raises NotFoundError for an unknown service or snapshot, RequestError."""
    asked, resources = call.body, call.resources
    if (asked.after is None) == (asked.live is None):
        raise RequestError("it is to be compared with one of after and live", on="body.after", do="Name one of them")
    before = await _resolved(call, asked.before)
    after = None if asked.after is None else await _resolved(call, asked.after)
    live = None if asked.live is None else Index(asked.live.service, asked.live.index)
    if live is not None:
        service_settings(resources.clients.settings, live.service)
    now = resources.clock()
    run = run_name(now, "diff", resources.rng.randbytes(3))
    job = CompareJob(before=before, after=after, live=live, fields=asked.fields, run=item_run(run, 0))
    record = RunRecord(
        run=run,
        kind="diff",
        workflow=RUN_DIFF.name,
        service=before.service,
        asked=f"{before} and {after or live}",
        owner=OWNER,
        created=now,
        items=[Item(index=job.work.index, run=job.run, job=job)],
    )
    return await start_run(call, record, [])


async def _resolved(call: Call[ComparisonRequest, Nothing, Nothing], text: str) -> SnapshotReference:
    reference = read_reference(text)
    clients = call.resources.clients
    blobs = clients.reading_store(reference.service).snapshots
    return (await resolve(blobs, reference, now=call.resources.clock())).reference


ENDPOINTS = (
    Endpoint(
        name="compare",
        method="POST",
        route="comparisons",
        summary="Say what changed from a snapshot to another one, or to an index as it is now",
        handle=compare,
        body=ComparisonRequest,
        answers={202: STARTED},
    ),
)
