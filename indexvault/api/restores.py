"""Carry out `POST /restores`, for the endpoint and for the form of the status page."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from indexvault.api.decode import blame_members
from indexvault.api.endpoint import Call, Nothing, Reply
from indexvault.api.regions import check_region_request
from indexvault.api.restore_requests import OWNER, RestoreRequest
from indexvault.api.service_restores import refuse_members, restore_service
from indexvault.api.snapshots import read_reference
from indexvault.api.start_run import start_run
from indexvault.errors import ConflictError, LossNotAcceptedError, RequestError, UnauthenticError
from indexvault.model import IndexName as Index
from indexvault.model import shared_options
from indexvault.restore.checks import Check, failed
from indexvault.restore.follow import require_followable
from indexvault.restore.job import RestoreJob, StartedRestore
from indexvault.restore.patch import patch_text
from indexvault.restore.run import RUN_RESTORE
from indexvault.restore.selection import Selection
from indexvault.restore.source import resolve_source
from indexvault.restore.start import preflight
from indexvault.restore.state import read_restore_state
from indexvault.settings.load import service_settings
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Resources
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.runs import Item, RunRecord
from indexvault.workflow.submit import item_run, run_name

_READ_LATER = ("patch", "filter", "keys")
"""Members that the types can't check completely, since their meaning depends on the snapshot."""


class CheckView(Struct, frozen=True):
    """One finding: `what` was found, and what to `do` about it; `error` is the kind of error it would raise."""

    name: str
    outcome: Literal["ok", "warning", "failed"]
    what: str
    do: str
    error: str


class PreflightView(Struct, frozen=True):
    """What a restore would do; `ready` says whether it would begin, `seconds` is a rough guess."""

    ready: bool
    resumes: str | None
    documents: int
    bytes: int
    requests: int
    seconds: float
    checks: list[CheckView]


async def restore(call: Call[RestoreRequest, Nothing, Nothing]) -> Reply:
    """Start a run.

    Raises NotFoundError for an unknown service or snapshot, ConflictError if the target exists or is being worked on,
    LossNotAcceptedError, UnauthenticError, RequestError.
    """
    asked, resources = call.body, call.resources
    settings = resources.clients.settings
    check_region_request(settings, asks_to_leave=asked.allow_cross_region)
    with blame_members(*_READ_LATER):
        Selection(asked.keys, asked.filter)
        patch = None if asked.patch is None else patch_text(asked.patch)
    reference = read_reference(asked.snapshot)
    if asked.proved:
        reference = msgspec.structs.replace(reference, proved=True)
    service_settings(settings, reference.service)
    service_settings(settings, asked.target_service)
    if reference.index == SERVICE_OBJECTS:
        return await restore_service(call, reference)
    refuse_members(asked, ("indexes", "rename"), "only all of a service is restored so")
    store = resources.clients.reading_store(reference.service)
    await store.prepare()
    target = Index(asked.target_service, asked.target_index or reference.index)
    now = resources.clock()
    snapshot = await resolve_source(resources.clients, store, reference, target, now=now, resume=asked.resume)
    if snapshot.losses and not (asked.accept_loss or asked.dry_run):
        raise LossNotAcceptedError(
            f"the snapshot lacks {snapshot.losses} of the index's fields",
            on=str(snapshot.reference),
            do='Send "accept_loss": true if the index is of use without them',
        )
    if snapshot.unsettled and not (asked.accept_unsettled or asked.dry_run):
        raise LossNotAcceptedError(
            f"the snapshot is unsettled: {snapshot.unsettled:,} documents are open",
            on=str(snapshot.reference),
            do='Send "accept_unsettled": true if the index is of use without them, or name an earlier snapshot',
        )
    if not (snapshot.is_trusted or asked.accept_unauthentic or asked.dry_run):
        raise UnauthenticError(
            "no record key has signed the snapshot, and nobody has accepted it: anybody may have written it",
            on=str(snapshot.reference),
            do='Send "accept_unauthentic": true if you know where it is from',
        )
    if asked.prove_every < timedelta():
        raise RequestError("expected no time or more, such as P7D", on="body.prove_every", do="Correct it")
    run = run_name(now, "restore", resources.rng.randbytes(3))
    job = RestoreJob(
        service=snapshot.service,
        index=snapshot.index,
        snapshot=snapshot.id,
        target_service=target.service,
        target_index=target.index,
        run=item_run(run, 0),
        mode=asked.mode,
        alias=asked.alias,
        in_place=asked.replace_in_place,
        delete_old=asked.delete_old,
        update_definition=asked.update_definition,
        patch=patch,
        keys=tuple(sorted(set(asked.keys))),
        filter=asked.filter,
        resume=asked.resume,
        discard_unfinished=asked.discard_unfinished,
        follow=asked.follow,
        prove_every=asked.prove_every,
        owner=OWNER,
        **shared_options(asked),
    )
    if job.follow:
        with blame_members("follow"):
            require_followable(job)
    if asked.dry_run:
        with blame_members(*_READ_LATER):
            return Reply(200, _view(await preflight(resources, job)))
    await _require_free(resources, job)
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
    return await start_run(call, record, [Claim(job.work, OWNER)])


async def _require_free(resources: Resources, job: RestoreJob) -> None:
    """Raise at once what the run would raise first: that the name is taken, and not by an unfinished restore."""
    runs = resources.clients.store_of(job.target_service).runs
    if job.mode != "create" or await read_restore_state(runs, job.target) is not None:
        return
    if job.target_index in await resources.clients.service(job.target_service).index_names():
        raise ConflictError("an index of that name exists", on=str(job.target), do="Choose another target_index")


def check_views(found: Sequence[Check]) -> list[CheckView]:
    """Return checks as the API shows them."""
    return [CheckView(check.name, check.outcome, check.what, check.do, check.error) for check in found]


def _view(started: StartedRestore) -> PreflightView:
    return PreflightView(
        ready=not failed(started.checks),
        resumes=started.resumes,
        documents=started.documents,
        bytes=started.bytes,
        requests=started.requests,
        seconds=started.seconds,
        checks=check_views(started.checks),
    )
