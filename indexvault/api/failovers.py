"""`POST /failovers`: make the other service of a pair the active one, or find out what that would do."""

from datetime import datetime
from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import IndexName, OverlayName, PairName, ServiceName, SnapshotName
from indexvault.api.start_run import STARTED, start_run
from indexvault.errors import RequestError
from indexvault.recovery.failover_facts import require_target
from indexvault.recovery.failover_job import FailoverJob
from indexvault.recovery.failover_run import RUN_FAILOVER, RUN_FAILOVER_CHECK, item_of
from indexvault.settings.overlays import overlay_of
from indexvault.settings.pairs import pair_settings
from indexvault.workflow.runs import RunRecord
from indexvault.workflow.submit import item_run, run_name

OWNER = "POST /failovers"
_MOST = 1000


class FailoverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The pair whose service `to` becomes active; without it, the standby, or with `back` the primary.

    With `planned`, the active service is read first, so that nothing is lost; `back` asks for that too. `snapshots` are
    used in place of the newest ones of their indexes, `at` limits all to those as of a time at most. Indexes in
    `leave_out` are not brought over. The `accept_…` members are those of a restore. With `dry_run` nothing is written.
    """

    pair: PairName
    to: ServiceName | None = None
    planned: bool = False
    back: bool = False
    dry_run: bool = False
    overlay: OverlayName | None = None
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    snapshots: Annotated[list[SnapshotName], msgspec.Meta(max_length=_MOST)] = []
    leave_out: Annotated[list[IndexName], msgspec.Meta(max_length=_MOST)] = []
    accept_loss: bool = False
    accept_unsettled: bool = False
    accept_unauthentic: bool = False
    repair: bool = False
    """Make documents in which a hot-hot pair differs as on its authority."""


async def fail_over(call: Call[FailoverRequest, Nothing, Nothing]) -> Reply:
    """Start a run. Raises NotFoundError for an unknown pair or service, RequestError if no service is known."""
    asked, resources = call.body, call.resources
    settings = resources.clients.settings
    pair = pair_settings(settings, asked.pair)
    to = asked.to or (pair.primary if asked.back else pair.standby)
    if to is None:
        raise RequestError("the settings name no standby", on="body.to", do="Name the service that is to become active")
    require_target(settings, asked.pair, to)
    if asked.overlay is not None:
        overlay_of(settings, asked.overlay)
    now = resources.clock()
    run = run_name(now, "failover", resources.rng.randbytes(3))
    job = FailoverJob(
        pair=asked.pair,
        to=to,
        run=item_run(run, 0),
        planned=asked.planned or asked.back,
        back=asked.back,
        overlay=asked.overlay,
        at=asked.at,
        snapshots=tuple(asked.snapshots),
        leave_out=tuple(asked.leave_out),
        accept_loss=asked.accept_loss,
        accept_unsettled=asked.accept_unsettled,
        accept_unauthentic=asked.accept_unauthentic,
        repair=asked.repair,
        owner=OWNER,
    )
    said = f"pair {job.pair} to {job.to}"
    record = RunRecord(
        run=run,
        kind="failover",
        workflow=(RUN_FAILOVER_CHECK if asked.dry_run else RUN_FAILOVER).name,
        service=to,
        asked=f"{said}, nothing written" if asked.dry_run else said,
        owner=OWNER,
        created=now,
        items=[item_of(job)],
    )
    return await start_run(call, record, [])


ENDPOINTS = (
    Endpoint(
        name="start_failover",
        method="POST",
        route="failovers",
        summary="Make the other service of a pair the active one",
        handle=fail_over,
        body=FailoverRequest,
        answers={202: STARTED},
    ),
)
