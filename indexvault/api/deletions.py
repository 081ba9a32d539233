"""`POST /deletions`: delete snapshots by their ids."""

from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import KeptName, ServiceName, SnapshotId
from indexvault.api.removal import check_removal_request
from indexvault.api.start_run import STARTED, start_run
from indexvault.maintenance.deletion_run import RUN_DELETE, DeletionJob
from indexvault.settings.load import service_settings
from indexvault.workflow.runs import Item, RunRecord
from indexvault.workflow.submit import item_run, run_name

OWNER = "POST /deletions"


class DeletionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshots of an index, or of `$service`, to delete from the service's store and from its replicas.

    All go or none: not if one of them is pinned, needed by an unfinished restore or move, or the last complete one.
    With `dry_run` the run only says what would go and what that frees.
    """

    service: ServiceName
    index: KeptName
    snapshots: Annotated[list[SnapshotId], msgspec.Meta(min_length=1, max_length=100)]
    dry_run: bool = False


async def delete(call: Call[DeletionRequest, Nothing, Nothing]) -> Reply:
    """Start a run. Raises NotFoundError for an unknown service, RequestError if the settings don't allow it."""
    asked, resources = call.body, call.resources
    settings, now = resources.clients.settings, resources.clock()
    service_settings(settings, asked.service)
    if not asked.dry_run:
        check_removal_request(settings, "body.dry_run")
    names = tuple(dict.fromkeys(f"{asked.service}/{asked.index}@{each}" for each in asked.snapshots))
    run = run_name(now, "delete", resources.rng.randbytes(3))
    job = DeletionJob(
        service=asked.service, index=asked.index, snapshots=names, run=item_run(run, 0), dry_run=asked.dry_run
    )
    said = ", ".join(names)
    record = RunRecord(
        run=run,
        kind="delete",
        workflow=RUN_DELETE.name,
        service=asked.service,
        asked=f"{said}, nothing removed" if asked.dry_run else said,
        owner=OWNER,
        created=now,
        items=[Item(index=job.work.index, run=job.run, job=job)],
    )
    return await start_run(call, record, [])


ENDPOINTS = (
    Endpoint(
        name="delete_snapshots",
        method="POST",
        route="deletions",
        summary="Delete snapshots by their ids, or say what that would free",
        handle=delete,
        body=DeletionRequest,
        answers={202: STARTED},
    ),
)
