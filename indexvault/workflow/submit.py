"""Submit a run: take its locks, write its record, hand it to the engine."""

import logging
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from indexvault.errors import ConflictError, IndexvaultError
from indexvault.workflow.activity import Resources
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import RunOrder, runs_of
from indexvault.workflow.lock_activities import Claim, release_lock, take_lock
from indexvault.workflow.runs import RunRecord

_LOG = logging.getLogger(__name__)


def run_name(now: datetime, kind: str, entropy: bytes) -> str:
    """Return the name of a requested run: names sort by time and contain the kind."""
    return f"{now:%Y%m%dT%H%M%SZ}-{kind}-{entropy[:3].hex()}"


def item_run(run: str, position: int) -> str:
    """Return the name of the part of a run that works on one index. It is an instance id: at most 100 characters."""
    return f"{run}-{position}"


async def hand_over(engine: DurableEngine, record: RunRecord) -> bool:
    """Hand a recorded run to the engine, and return whether it took it. If not, the next tick tries again."""
    try:
        await engine.start(record.workflow, RunOrder(record.service, record.run))
    except IndexvaultError as error:
        _LOG.warning("run %s waits for the next tick: %s", record.run, error)
        return False
    return True


async def claim_and_record(resources: Resources, record: RunRecord, claims: Sequence[Claim]) -> None:
    """Take all locks and write the record of a new run, or do neither.

    Raises ConflictError if another run has one of the locks, or this name.
    """
    taken: list[Claim] = []
    try:
        for claim in claims:
            await take_lock(resources, claim)
            taken.append(claim)
        if not await runs_of(resources, record.service).create(replace(record, app=resources.app)):
            raise ConflictError("a run of this name exists", on=f"run {record.run}", do="Ask again")
    except IndexvaultError:
        for claim in taken:
            await release_lock(resources, claim)
        raise
