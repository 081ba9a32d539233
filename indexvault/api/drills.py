"""`POST /drills`: restore a snapshot under a temporary name, prove it, and remove it again."""

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import IndexName, ServiceName
from indexvault.api.regions import check_region_request
from indexvault.api.start_run import STARTED, start_run
from indexvault.errors import RequestError
from indexvault.recovery.drill import RUN_DRILL, drill_for, item_of
from indexvault.recovery.drill_job import DrillJob
from indexvault.settings.load import service_settings
from indexvault.workflow.runs import RunRecord
from indexvault.workflow.submit import item_run, run_name

OWNER = "POST /drills"


class DrillRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The index whose newest snapshot, or the one with the id `snapshot`, is restored on `target_service`.

    What is left out is as the drill of the settings has it that covers the index, if there is one.
    """

    service: ServiceName
    index: IndexName
    target_service: ServiceName | None = None
    snapshot: str | None = None
    allow_cross_region: bool = False


async def drill(call: Call[DrillRequest, Nothing, Nothing]) -> Reply:
    """Start a run. Raises NotFoundError for an unknown service, RequestError if no target is known."""
    asked, resources = call.body, call.resources
    settings = resources.clients.settings
    service_settings(settings, asked.service)
    check_region_request(settings, asks_to_leave=asked.allow_cross_region)
    now = resources.clock()
    run = run_name(now, "drill", resources.rng.randbytes(3))
    job = drill_for(
        settings,
        DrillJob(
            service=asked.service,
            index=asked.index,
            target_service=asked.target_service or "",
            run=item_run(run, 0),
            snapshot=asked.snapshot,
            allow_cross_region=asked.allow_cross_region,
            owner=OWNER,
        ),
    )
    if not job.target_service:
        raise RequestError(
            "no drill of the settings covers the index",
            on="body.target_service",
            do="Name the service to restore it on",
        )
    service_settings(settings, job.target_service)
    record = RunRecord(
        run=run,
        kind="drill",
        workflow=RUN_DRILL.name,
        service=asked.service,
        asked=f"{asked.service}/{asked.index} on {job.target_service}",
        owner=OWNER,
        created=now,
        items=[item_of(job)],
    )
    return await start_run(call, record, [])


ENDPOINTS = (
    Endpoint(
        name="start_drill",
        method="POST",
        route="drills",
        summary="Restore a snapshot under a temporary name, prove it, and remove it again",
        handle=drill,
        body=DrillRequest,
        answers={202: STARTED},
    ),
)
