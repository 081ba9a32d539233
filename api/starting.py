"""Starting a run on request: the locks first, then its record, then the engine."""

import logging
from collections.abc import Sequence
from datetime import datetime

from api.endpoint import PREFIX, Answer, Call, Reply
from api.run_views import RunView, view_run
from engine.conduct import RunOrder, runs_of
from engine.durable import DurableEngine
from engine.locking import Claim, release_lock, take_lock
from engine.runs import RunRecord
from engine.step import Resources
from errors import ConflictError, IndexvaultError

POLL_SECONDS = 5
STARTED = Answer(
    "The run has been accepted; follow Location.",
    RunView,
    {"Location": "Where the run tells how far it is.", "Retry-After": "Seconds after which asking makes sense."},
)
_LOG = logging.getLogger(__name__)


def run_name(now: datetime, kind: str, entropy: bytes) -> str:
    """Name a run that was asked for, so that names sort by time and tell the kind."""
    return f"{now:%Y%m%dT%H%M%SZ}-{kind}-{entropy[:3].hex()}"


def item_run(run: str, position: int) -> str:
    """Name the part of a run that works on one index. It is an instance id too: at most 100 characters."""
    return f"{run}-{position}"


async def start_run(call: Call[object, object, object], record: RunRecord, claims: Sequence[Claim]) -> Reply:
    """Start a run and answer 202. Raises ConflictError, with nothing started, if an index is being worked on."""
    resources = call.resources
    await resources.connections.store_of(record.service).prepare()
    await claim_and_record(resources, record, claims)
    await hand_over(call.engine, record)
    view = view_run(record, {}, resources.clock())
    return Reply(202, view, {"Location": f"{PREFIX}/runs/{record.run}", "Retry-After": str(POLL_SECONDS)})


async def hand_over(engine: DurableEngine, record: RunRecord) -> None:
    """Give a recorded run to the engine. One that the engine does not take now, the next tick gives it again."""
    try:
        await engine.start(record.workflow, RunOrder(record.service, record.run))
    except IndexvaultError as error:
        _LOG.warning("run %s waits for the next tick: %s", record.run, error)


async def claim_and_record(resources: Resources, record: RunRecord, claims: Sequence[Claim]) -> None:
    """Take all locks and write the record of a new run, or leave neither behind. Raises ConflictError."""
    taken: list[Claim] = []
    try:
        for claim in claims:
            await take_lock(resources, claim)
            taken.append(claim)
        if not await runs_of(resources, record.service).create(record):
            raise ConflictError("there is a run of this name", on=f"run {record.run}", do="Ask again")
    except IndexvaultError:
        for claim in taken:
            await release_lock(resources, claim)
        raise
