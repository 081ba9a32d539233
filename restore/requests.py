"""`POST /restores` and `POST /moves`."""

from msgspec import Struct

from api.endpoint import Answer, Call, Endpoint, Nothing, Reply
from api.names import IndexName, ServiceName, SnapshotName
from api.problems import Problem
from api.snapshots import read_reference
from api.starting import STARTED, item_run, run_name, start_run
from engine.locking import Claim
from engine.runs import Item, RunRecord
from engine.step import IndexName as Index
from engine.step import Work
from errors import ConflictError, LossNotAcceptedError
from restore.job import RestoreJob
from restore.run import RUN_RESTORE
from settings.read import service_settings
from snapshots.catalogue import resolve

OWNER = "POST /restores"


class RestoreRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshot to restore as a new index, and where.

    The index is named like the old one where `target_index` is left out.
    """

    snapshot: SnapshotName
    target_service: ServiceName
    target_index: IndexName | None = None
    accept_loss: bool = False


class MoveRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Which index to move, and where."""

    service: ServiceName
    index: IndexName
    target_service: ServiceName
    target_index: IndexName | None = None


async def restore(call: Call[RestoreRequest, Nothing, Nothing]) -> Reply:
    """Start a run.

    Raises NotFoundError for an unknown service or snapshot, ConflictError if the target exists or is being worked on,
    LossNotAcceptedError.
    """
    asked, resources = call.body, call.resources
    settings = resources.connections.settings
    reference = read_reference(asked.snapshot)
    service_settings(settings, reference.service)
    service_settings(settings, asked.target_service)
    store = resources.connections.store_of(reference.service)
    await store.prepare()
    snapshot = await resolve(store.snapshots, reference)
    if snapshot.losses and not asked.accept_loss:
        raise LossNotAcceptedError(
            f"the snapshot lacks {snapshot.losses} of the index's fields",
            on=str(snapshot.reference),
            do='Send "accept_loss": true if the index is of use without them',
        )
    target = Index(asked.target_service, asked.target_index or reference.index)
    if target.index in await resources.connections.service(target.service).index_names():
        raise ConflictError("an index of that name exists", on=str(target), do="Choose another target_index")
    now = resources.clock()
    run = run_name(now, "restore", resources.chance.randbytes(3))
    job = RestoreJob(
        service=snapshot.service,
        index=snapshot.index,
        snapshot=snapshot.id,
        target_service=target.service,
        target_index=target.index,
        run=item_run(run, 0),
        accept_loss=asked.accept_loss,
        owner=OWNER,
    )
    record = RunRecord(
        run=run,
        kind="restore",
        workflow=RUN_RESTORE.name,
        service=snapshot.service,
        asked=f"{snapshot.reference} as {target}",
        owner=OWNER,
        created=now,
        items=[Item(index=target, run=job.run, job=job)],
    )
    work = Work(run=job.run, service=target.service, index=target)
    return await start_run(call, record, [Claim(work, OWNER)])


async def move(_call: Call[MoveRequest, Nothing, Nothing]) -> Reply:
    """Refuse: moving is yet to be built."""
    return Reply(501, _NO_MOVES)


_NO_MOVES = Problem(
    type="urn:indexvault:not-built",
    title="This is not built yet",
    status=501,
    detail="Moving an index in one request is not built yet.",
    do="POST /backups, then POST /restores to the other service, then delete the source yourself",
)

ENDPOINTS = (
    Endpoint(
        name="restore",
        method="POST",
        route="restores",
        summary="Restore a snapshot as a new index",
        handle=restore,
        body=RestoreRequest,
        answers={202: STARTED},
    ),
    Endpoint(
        name="move",
        method="POST",
        route="moves",
        summary="Move an index to another service (not built yet)",
        handle=move,
        body=MoveRequest,
        answers={501: Answer("Not built yet.", Problem)},
    ),
)
