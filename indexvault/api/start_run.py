"""Start a run on request: take its locks, write its record, start its orchestration."""

from collections.abc import Sequence

from indexvault.api.endpoint import PREFIX, Call, DocumentedAnswer, Reply
from indexvault.api.run_views import RunView, view_run
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
    """Start a run and answer 202. Raises ConflictError, with nothing started, if another run holds a lock."""
    resources = call.resources
    await resources.clients.store_of(record.service).prepare()
    await claim_and_record(resources, record, claims)
    await hand_over(call.engine, record)
    view = view_run(record, {}, resources.clock())
    return Reply(202, view, {"Location": f"{PREFIX}/runs/{record.run}", "Retry-After": str(POLL_SECONDS)})
