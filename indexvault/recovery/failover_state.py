"""The durable state of a failover: one record for each pair, in the store of the service that becomes active.

Its plan is what the run follows, and a run that resumes it follows too. It stays after the end, with the report, until
the next failover to that service begins.
"""

from typing import Literal

import msgspec

from indexvault.errors import IntegrityError
from indexvault.recovery.failover_job import FailoverJob, FailoverPlan, FailoverReport, IndexResult, ObjectResult
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import failover_name
from indexvault.snapshots.store import RunBlobs

_LIMIT = 16 * 1024 * 1024
_WHAT = "the record of this pair's failover can't be read"
_DO = "Find out who wrote it; look at both services, then delete it and fail over again"

type Phase = Literal["working", "swapped", "ended", "given up"]


class FailoverState(msgspec.Struct, frozen=True, kw_only=True):
    """A failover that has begun.

    `executions` are the runs that have worked on it; the last one still does, or did last. `stopped` are the indexers
    of the source that a planned failover disables, written before it does: whoever ends the failover without a swap
    enables them again. `results` are those of the indexes that are done. `phase` is `swapped` as soon as the role may
    be, `given up` if it failed before that and has undone what it had changed for a while.
    """

    job: FailoverJob
    fingerprint: str
    executions: list[str]
    plan: FailoverPlan
    phase: Phase = "working"
    stopped: list[str] = []
    results: list[IndexResult] = []
    objects: list[ObjectResult] = []
    rounds: int = 0
    report: FailoverReport | None = None

    @property
    def is_unfinished(self) -> bool:
        """Whether there is something to resume."""
        return self.phase in {"working", "swapped"}


async def read_failover(runs: RunBlobs, pair: str) -> FailoverState | None:
    """Return the last failover of a pair to the service whose store this is, or None.

    Raises IntegrityError if its record can't be read, or is another pair's.
    """
    state = await _states(runs).read(failover_name(pair))
    if state is not None and (state.job.pair, state.plan.pair, state.plan.to) != (pair, pair, state.job.to):
        raise IntegrityError(_WHAT, on=failover_name(pair), do=_DO)
    return state


async def write_failover(runs: RunBlobs, state: FailoverState) -> None:
    """Write the state. The locks of the service that becomes active keep other failovers from doing so."""
    await _states(runs).write(failover_name(state.job.pair), state)


async def require_failover(runs: RunBlobs, job: FailoverJob) -> FailoverState:
    """Return the state of a run's failover. Raises IntegrityError if it is gone or another run's."""
    state = await read_failover(runs, job.pair)
    if state is None or state.executions[-1:] != [job.run]:
        raise IntegrityError("the record of this failover is gone, or another run's", on=f"pair {job.pair}", do=_DO)
    return state


def _states(runs: RunBlobs) -> RecordStore[FailoverState]:
    return RecordStore(runs, FailoverState, what=_WHAT, do=_DO, limit=_LIMIT)
