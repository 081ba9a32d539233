"""`POST /drifts`: what differs between two states of an index, and making one as the other."""

from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import PairName
from indexvault.api.regions import check_region_request
from indexvault.api.start_run import STARTED, start_run
from indexvault.errors import RequestError, SettingsError
from indexvault.recovery.drift_run import RUN_COMPARE, require_region
from indexvault.recovery.drift_schedule import RUN_DRIFT, drift_items
from indexvault.recovery.job import DriftJob, parse_state
from indexvault.settings.load import service_settings
from indexvault.settings.pairs import pair_settings
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.runs import Item, RunRecord
from indexvault.workflow.submit import item_run, run_name

OWNER = "POST /drifts"

State = Annotated[str, msgspec.Meta(min_length=3, max_length=400, pattern=r"^[^/@]+/[^/@]+(@[^/@]+)?$")]
"""SERVICE/INDEX, or a snapshot of one."""

Side = Annotated[str, msgspec.Meta(min_length=1, max_length=400, pattern=r"^[^/@]+(/[^/@]+(@[^/@]+)?)?$(?!\n)")]
"""The side that is right: a state of an index, or one of a pair's services."""


class DriftRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two states of an index, or a pair whose two services are compared.

    `one` and `other` are SERVICE/INDEX as it is now, or a snapshot; `repair_from` is one of the two, the side that is
    right: the other is made as it. With a `pair`, every index of it is compared, and `repair_from` is one of its
    services. `by_counts` compares only definitions and numbers of documents. `accept_loss` adds documents even without
    fields that the right side does not return, `allow_cross_region` lets documents leave their region.
    """

    one: State | None = None
    other: State | None = None
    pair: PairName | None = None
    repair_from: Side | None = None
    by_counts: bool = False
    accept_loss: bool = False
    allow_cross_region: bool = False


async def measure(call: Call[DriftRequest, Nothing, Nothing]) -> Reply:
    """Start a run. Raises NotFoundError for an unknown service or pair, RequestError, ConflictError for a lock."""
    asked, resources = call.body, call.resources
    check_region_request(resources.clients.settings, asks_to_leave=asked.allow_cross_region)
    if asked.pair is not None:
        return await _measure_pair(call, asked.pair)
    if asked.one is None or asked.other is None:
        member = "one" if asked.one is None else "other"
        raise RequestError("it is missing", on=f"body.{member}", do="Name two states of an index, or a pair")
    if asked.repair_from is not None and asked.repair_from not in {asked.one, asked.other}:
        raise RequestError("it is neither of the two", on="body.repair_from", do="Name one of them, as it is written")
    if asked.repair_from is not None and asked.by_counts:
        raise RequestError("counts read no documents", on="body.by_counts", do="Leave it out, or repair_from")
    for member, text in (("one", asked.one), ("other", asked.other)):
        try:
            state = parse_state(text)
        except SettingsError as error:
            raise RequestError(error.what, on=f"body.{member}", do=error.do) from None
        service_settings(resources.clients.settings, state.service)
    now = resources.clock()
    run = run_name(now, "compare", resources.rng.randbytes(3))
    job = DriftJob(
        one=asked.one,
        other=asked.other,
        run=item_run(run, 0),
        repair_from=asked.repair_from,
        by_counts=asked.by_counts,
        accept_loss=asked.accept_loss,
        allow_cross_region=asked.allow_cross_region,
        owner=OWNER,
    )
    require_region(resources.clients.settings, job)
    record = RunRecord(
        run=run,
        kind="compare",
        workflow=RUN_COMPARE.name,
        service=job.work.service,
        asked=f"{asked.one} and {asked.other}",
        owner=OWNER,
        created=now,
        items=[Item(index=job.work.index, run=job.run, job=job)],
    )
    return await start_run(call, record, [] if job.target is None else [Claim(job.work, OWNER)])


async def _measure_pair(call: Call[DriftRequest, Nothing, Nothing], name: str) -> Reply:
    asked, resources = call.body, call.resources
    for member in ("one", "other"):
        if getattr(asked, member) is not None:
            raise RequestError("a pair has two services of its own", on=f"body.{member}", do="Leave it out, or pair")
    if asked.by_counts:
        raise RequestError("the drift of a pair is that of its documents", on="body.by_counts", do="Leave it out")
    pair = pair_settings(resources.clients.settings, name)
    if asked.repair_from not in {None, pair.primary, pair.standby}:
        raise RequestError(
            "it is neither of the pair's services",
            on="body.repair_from",
            do=f"Name {pair.primary} or {pair.standby}",
        )
    now = resources.clock()
    run = run_name(now, "drift", resources.rng.randbytes(3))
    items = await drift_items(
        resources,
        name,
        run=run,
        owner=OWNER,
        repair_from=asked.repair_from,
        accept_loss=asked.accept_loss,
        allow_cross_region=asked.allow_cross_region,
    )
    record = RunRecord(
        run=run,
        kind="drift",
        workflow=RUN_DRIFT.name,
        service=pair.standby or pair.primary,
        asked=f"{pair.primary} and {pair.standby}",
        owner=OWNER,
        created=now,
        items=items,
    )
    return await start_run(call, record, [])


ENDPOINTS = (
    Endpoint(
        name="measure_drift",
        method="POST",
        route="drifts",
        summary="Say what differs between two indexes, or an index and a snapshot, and make one as the other if asked",
        handle=measure,
        body=DriftRequest,
        answers={202: STARTED},
    ),
)
