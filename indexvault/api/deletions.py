"""`POST /deletions`: delete snapshots by their ids."""

from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import SnapshotById
from indexvault.api.removal import check_removal_request
from indexvault.api.snapshots import read_reference
from indexvault.api.start_run import STARTED, start_run
from indexvault.errors import RequestError
from indexvault.maintenance.deletion_run import RUN_DELETE, deletion_items
from indexvault.settings.load import service_settings
from indexvault.workflow.runs import RunRecord
from indexvault.workflow.submit import run_name

OWNER = "POST /deletions"


class DeletionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshots of a service to delete, from its store and from its replicas.

    Of an index, all go or none: not if one of them is pinned, needed by an unfinished restore or move, or the last
    complete one. With `dry_run` the run only says what would go and what that frees.
    """

    snapshots: Annotated[list[SnapshotById], msgspec.Meta(min_length=1, max_length=100)]
    dry_run: bool = False


async def delete(call: Call[DeletionRequest, Nothing, Nothing]) -> Reply:
    """Start a run. Raises NotFoundError for an unknown service, RequestError if the settings don't allow it."""
    asked, resources = call.body, call.resources
    settings, now = resources.clients.settings, resources.clock()
    references = [read_reference(each) for each in asked.snapshots]
    service = references[0].service
    if any(each.service != service for each in references):
        raise RequestError("expected snapshots of one service", on="body.snapshots", do="Ask for one service at a time")
    service_settings(settings, service)
    if not asked.dry_run:
        check_removal_request(settings, "body.dry_run")
    run = run_name(now, "delete", resources.rng.randbytes(3))
    names = ", ".join(dict.fromkeys(map(str, references)))
    record = RunRecord(
        run=run,
        kind="delete",
        workflow=RUN_DELETE.name,
        service=service,
        asked=f"{names}, nothing removed" if asked.dry_run else names,
        owner=OWNER,
        created=now,
        items=deletion_items(run, references, dry_run=asked.dry_run),
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
