"""`POST /moves`."""

from datetime import datetime
from typing import Any

from indexvault.api.decode import blame_members
from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import IndexName, OverlayName, ServiceName, SnapshotName
from indexvault.api.regions import check_region_request
from indexvault.api.restores import PreflightView, check_views
from indexvault.api.snapshots import read_reference
from indexvault.api.start_run import STARTED, start_run
from indexvault.errors import ConflictError, NotFoundError, RequestError
from indexvault.model import IndexName as Index
from indexvault.model import TargetOptions, shared_options
from indexvault.move.job import MoveJob, MoveState
from indexvault.move.preflight import MovePreflight, preflight
from indexvault.move.run import RUN_MOVE
from indexvault.move.state import other_move, read_move_state
from indexvault.restore.patch import patch_text
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.lock_holder import locked_error, read_holder
from indexvault.workflow.runs import Item, RunRecord
from indexvault.workflow.submit import item_run, run_name

OWNER = "POST /moves"


class MoveRequest(TargetOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which index to move, and where.

    It keeps its name if `target_index` is left out. Without a `snapshot` a new one is made. `alias` is created on the
    target service, or swapped, once the new index is proved; `delete_source` then deletes the source, if nothing has
    changed it. If `skip_refused` left documents out of the target, that takes `lose_refused` too. `patch` is a JSON
    Merge Patch of the definition with fields by name, `overlay` names the overlay of the settings that completes it,
    such as with the secrets that no snapshot holds. A `dry_run` is answered at once with what would be done and
    checked, apart from the chunks of a given snapshot, and starts nothing.
    """

    service: ServiceName
    index: IndexName
    target_service: ServiceName
    target_index: IndexName | None = None
    snapshot: SnapshotName | None = None
    alias: IndexName | None = None
    delete_source: bool = False
    lose_refused: bool = False
    patch: dict[str, Any] | None = None
    overlay: OverlayName | None = None
    dry_run: bool = False


class MovePreflightView(PreflightView, frozen=True):
    """What a move would do, step by step; `ready` says whether it would begin, `seconds` is a rough guess."""

    would: list[str]


async def move(call: Call[MoveRequest, Nothing, Nothing]) -> Reply:
    """Start a run, or say what it would do.

    Raises NotFoundError for an unknown service, index or snapshot, ConflictError if another move of the index has not
    ended, or if source, target or alias is being worked on.
    """
    asked, resources = call.body, call.resources
    check_region_request(resources.clients.settings, asks_to_leave=asked.allow_cross_region)
    with blame_members("patch"):
        patch = None if asked.patch is None else patch_text(asked.patch)
    for name in (asked.service, asked.target_service):
        service_settings(resources.clients.settings, name)
    store = resources.clients.store_of(asked.service)
    await store.prepare()
    source = Index(asked.service, asked.index)
    target = Index(asked.target_service, asked.target_index or asked.index)
    if not asked.dry_run and asked.index not in await resources.clients.service(asked.service).index_names():
        raise NotFoundError("there is no such index", on=str(source), do="List the indexes of the service")
    now = resources.clock()
    run = run_name(now, "move", resources.rng.randbytes(3))
    job = MoveJob(
        service=source.service,
        index=source.index,
        target_service=target.service,
        target_index=target.index,
        snapshot=await _snapshot(call, asked),
        run=item_run(run, 0),
        alias=asked.alias,
        delete_source=asked.delete_source,
        lose_refused=asked.lose_refused,
        patch=patch,
        owner=OWNER,
        **shared_options(asked),
    )
    if asked.dry_run:
        return Reply(200, _view(await preflight(resources, job)))
    move_state = await read_move_state(store.runs, source)
    if move_state is not None:
        await _require_same_and_stopped(call, move_state, job)
    else:
        await _require_free(store.runs, source, now)
    record = RunRecord(
        run=run,
        kind="move",
        workflow=RUN_MOVE.name,
        service=source.service,
        asked=f"{source} to {target}",
        owner=OWNER,
        created=now,
        items=[Item(index=target, run=job.run, job=job, also=[source])],
    )
    # A move that resumes first takes its locks over from the dead run, which is up to the run.
    return await start_run(call, record, [Claim(job.work, OWNER)] if move_state is None else [])


async def _require_same_and_stopped(
    call: Call[MoveRequest, Nothing, Nothing], move_state: MoveState, job: MoveJob
) -> None:
    if not job.resumes(move_state.fingerprint):
        raise other_move(move_state)
    if await call.engine.state(move_state.execution) == "active":
        raise ConflictError(
            f"the same move is already running as run {move_state.execution}",
            on=str(job.source),
            do="Wait for it, or cancel it first",
        )


async def _require_free(blobs: RunBlobs, source: Index, now: datetime) -> None:
    """Raise at once what the move's backup would raise: that another run works on the index."""
    holder = await read_holder(blobs, source)
    if holder is not None and holder.counts(now):
        raise locked_error(source, holder)


async def _snapshot(call: Call[MoveRequest, Nothing, Nothing], asked: MoveRequest) -> str | None:
    if asked.snapshot is None:
        return None
    reference = read_reference(asked.snapshot)
    if (reference.service, reference.index) != (asked.service, asked.index):
        raise RequestError(
            f"it is no snapshot of {asked.service}/{asked.index}", on="body.snapshot", do="Name one of that index"
        )
    store = call.resources.clients.store_of(asked.service)
    return (await resolve(store.snapshots, reference, now=call.resources.clock())).id


def _view(found: MovePreflight) -> MovePreflightView:
    return MovePreflightView(
        ready=found.ready,
        resumes=found.resumes,
        documents=found.documents,
        bytes=found.bytes,
        requests=found.requests,
        seconds=found.seconds,
        checks=check_views(found.checks),
        would=found.would,
    )


ENDPOINTS = (
    Endpoint(
        name="move",
        method="POST",
        route="moves",
        summary="Move an index to another name or service, or check whether it could be",
        handle=move,
        body=MoveRequest,
        answers={202: STARTED, 200: DocumentedAnswer("The findings of a dry run.", MovePreflightView)},
    ),
)
