"""Start a run on request: take its locks, write its record, start its orchestration."""

from collections.abc import Sequence

from msgspec.structs import replace

from indexvault.api.endpoint import PREFIX, Call, DocumentedAnswer, Reply
from indexvault.api.run_views import RunView, view_run
from indexvault.errors import TooManyRunsError
from indexvault.settings.model import RequestLimits
from indexvault.workflow.fan_out import runs_of
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.runs import RunRecord
from indexvault.workflow.submit import claim_and_record, hand_over

POLL_SECONDS = 5
STARTED = DocumentedAnswer(
    "The run has been accepted; follow Location.",
    RunView,
    {"Location": "The run's status.", "Retry-After": "Seconds to wait before polling."},
)


async def start_run(call: Call[object, object, object], record: RunRecord, claims: Sequence[Claim]) -> Reply:
    """Start a run and answer 202.

    Raises ConflictError, with nothing started, if another run holds a lock, TooManyRunsError if too many that were
    asked for are unfinished.
    """
    resources = call.resources
    await resources.clients.store_of(record.service).prepare()
    record = replace(record, caller=call.caller)
    unfinished = await runs_of(resources, record.service).unfinished()
    require_room(unfinished, call.caller, resources.clients.settings.requests)
    await claim_and_record(resources, record, claims)
    await hand_over(call.engine, record)
    view = view_run(record, {}, resources.clock())
    return Reply(202, view, {"Location": f"{PREFIX}/runs/{record.run}", "Retry-After": str(POLL_SECONDS)})


def require_room(unfinished: Sequence[RunRecord], caller: str, limits: RequestLimits) -> None:
    """Raise TooManyRunsError if the unfinished runs of requests leave no room for another one of this caller.

    Requests that arrive at once may each find the last room, and all get it.
    """
    asked_for = [record for record in unfinished if not (record.policy or record.drill or record.pair)]
    of_caller = sum(record.caller == caller for record in asked_for)
    if of_caller >= limits.runs_per_key:
        raise TooManyRunsError(
            f"{of_caller} runs of this function key are unfinished, and {limits.runs_per_key} may be",
            on="runs",
            do="Wait until one has ended, or cancel one; GET /api/runs lists them",
        )
    if len(asked_for) >= limits.runs:
        raise TooManyRunsError(
            f"{len(asked_for)} runs are unfinished, and {limits.runs} may be",
            on="runs",
            do="Wait until one has ended, or cancel one; GET /api/runs lists them",
        )
