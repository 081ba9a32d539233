"""`POST /restores` of all of a service: the snapshot is one of `$service`, the service's other objects."""

from collections.abc import Sequence

from indexvault.api.decode import blame_members
from indexvault.api.endpoint import Call, Nothing, Reply
from indexvault.api.restore_requests import OWNER, RestoreRequest
from indexvault.api.start_run import start_run
from indexvault.errors import NotFoundError, RequestError
from indexvault.maintenance.targets import store_indexes
from indexvault.model import IndexName, shared_options
from indexvault.restore.service.job import ServiceRestoreJob
from indexvault.restore.service.names import Rules
from indexvault.restore.service.run import RUN_SERVICE_CHECK, RUN_SERVICE_RESTORE
from indexvault.settings.patterns import check_patterns, select
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.runs import Item, RunRecord
from indexvault.workflow.submit import item_run, run_name

_OF_AN_INDEX = (
    "target_index", "mode", "alias", "replace_in_place", "delete_old", "update_definition", "patch", "keys", "filter",
    "resume", "discard_unfinished", "follow", "prove_every",
)  # fmt: skip


async def restore_service(call: Call[RestoreRequest, Nothing, Nothing], reference: SnapshotReference) -> Reply:
    """Start a run that restores a service, or with `dry_run` one that finds out what would become of each object.

    Raises NotFoundError for a snapshot that is not there, ConflictError if the target is being worked on, RequestError
    for members that only the restore of one index has.
    """
    asked, resources = call.body, call.resources
    refuse_members(asked, _OF_AN_INDEX, "it can't be used with a whole service")
    if reference.back not in {None, "yesterday"}:
        raise RequestError(
            "it means another time whenever it is sent again, and so could not be resumed",
            on="body.snapshot",
            do="Send the time itself, such as @2026-11-20T02:30, or @yesterday",
        )
    with blame_members("indexes", "rename"):
        check_patterns(asked.indexes, on="indexes $")
        rules = Rules(asked.rename)
    store = resources.clients.store_of(reference.service)
    await store.prepare()
    now = resources.clock()
    snapshot = await resolve(store.snapshots, reference, now=now)
    run = run_name(now, "restore", resources.rng.randbytes(3))
    job = ServiceRestoreJob(
        service=snapshot.service,
        snapshot=snapshot.id,
        target_service=asked.target_service,
        run=item_run(run, 0),
        at=reference.until(now),
        proved=reference.proved,
        indexes=tuple(asked.indexes),
        rename=tuple(asked.rename),
        owner=OWNER,
        **shared_options(asked),
    )
    names = [name for name in await store_indexes(store, reference.service) if name != SERVICE_OBJECTS]
    chosen = select(names, job.indexes)
    if chosen.missing:
        raise NotFoundError(
            f"there is no snapshot of {', '.join(chosen.missing)}",
            on=reference.service,
            do="See indexvault snapshots",
        )
    targets = [IndexName(job.target_service, rules.name("indexes", name)) for name in chosen.found]
    said = f"all of {reference.service}@{snapshot.id} to {job.target_service}"
    record = RunRecord(
        run=run,
        kind="restore",
        workflow=(RUN_SERVICE_CHECK if asked.dry_run else RUN_SERVICE_RESTORE).name,
        service=snapshot.service,
        asked=f"{said}, nothing written" if asked.dry_run else said,
        owner=OWNER,
        created=now,
        items=[Item(index=job.work.index, run=job.run, job=job, also=[] if asked.dry_run else targets)],
    )
    return await start_run(call, record, [] if asked.dry_run else [Claim(job.work, OWNER)])


def refuse_members(asked: RestoreRequest, members: Sequence[str], why: str) -> None:
    """Raise RequestError for the first of these members that says something else than its default."""
    defaults = RestoreRequest(snapshot=asked.snapshot, target_service=asked.target_service)
    for member in members:
        if getattr(asked, member) != getattr(defaults, member):
            raise RequestError(why, on=f"body.{member}", do="Leave it out")
