"""`POST /prunes`: remove the snapshots that no policy keeps."""

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import KeptPattern, ServiceName
from indexvault.api.removal import check_removal_request
from indexvault.api.start_run import STARTED, start_run
from indexvault.maintenance.pruning import RUN_PRUNE, prune_items
from indexvault.maintenance.targets import indexes_with_snapshots
from indexvault.workflow.runs import RunRecord
from indexvault.workflow.submit import run_name

OWNER = "POST /prunes"


class PruneRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose snapshots to prune: of a service, of an index, or of the indexes that a pattern fits.

    What is kept is up to the policies in the settings. With `dry_run` the run only says what it would remove.
    """

    service: ServiceName
    index: KeptPattern | None = None
    dry_run: bool = False


async def prune(call: Call[PruneRequest, Nothing, Nothing]) -> Reply:
    """Start a run. Raises NotFoundError for what has no snapshots, RequestError if the settings don't allow it."""
    asked, resources = call.body, call.resources
    clients, now = resources.clients, resources.clock()
    if not asked.dry_run:
        check_removal_request(clients.settings, "body.dry_run")
    store = clients.store_of(asked.service)
    indexes = await indexes_with_snapshots(clients.settings, store, asked.service, asked.index)
    run = run_name(now, "prune", resources.rng.randbytes(3))
    place = asked.service if asked.index is None else f"{asked.service}/{asked.index}"
    record = RunRecord(
        run=run,
        kind="prune",
        workflow=RUN_PRUNE.name,
        service=asked.service,
        asked=f"{place}, nothing removed" if asked.dry_run else place,
        owner=OWNER,
        created=now,
        items=prune_items(run, asked.service, indexes, dry_run=asked.dry_run),
    )
    return await start_run(call, record, [])


ENDPOINTS = (
    Endpoint(
        name="prune",
        method="POST",
        route="prunes",
        summary="Remove the snapshots that no policy keeps, or say which these are",
        handle=prune,
        body=PruneRequest,
        answers={202: STARTED},
    ),
)
