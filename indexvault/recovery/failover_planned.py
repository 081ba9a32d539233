"""A planned failover: the active service is stopped changing as far as that is ours, read, and held against the other.

Its indexers are disabled for as long as the failover takes, which the failover's record says before it is so: whoever
ends the failover without a swap enables them again.
"""

from datetime import UTC
from typing import Literal

import msgspec
from durabletask.task import OrchestrationContext
from msgspec.structs import replace

from indexvault.backup.job import BackupJob
from indexvault.backup.service_objects import ServiceJob, back_up_service
from indexvault.backup.workflow import back_up_index
from indexvault.errors import ConflictError, NotFoundError, UnreadableIndexError, VerificationError
from indexvault.printable import count
from indexvault.recovery.compare import compare
from indexvault.recovery.drift_run import settling
from indexvault.recovery.failover_job import FailoverPlan, IndexResult, PlannedIndex, StartedFailover
from indexvault.recovery.failover_objects import INDEXERS, enabled_on, set_disabled
from indexvault.recovery.failover_state import require_failover, write_failover
from indexvault.recovery.mend import mend
from indexvault.recovery.sides import LiveSide
from indexvault.workflow.activity import Activity, Orchestration, ProgressUpdate, Resources
from indexvault.workflow.calls import call_all
from indexvault.workflow.lock_activities import Done

ROUNDS = 3
"""How often indexes that are still written to are read and brought over again."""
_NAMED = 3


class Pairing(msgspec.Struct, frozen=True):
    """An index that both services have, to be compared as it is now. With `repair`, `to` is made as the source."""

    started: StartedFailover
    index: str
    repair: bool = False


class LiveDrift(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the two: `missing` documents only the source has, `extra` ones only `to` has.

    `moving` ones were changed while they were read, `keys` are some of all these. `why` says that the two could not be
    compared, `absent` that `to` has no such index. `repaired` counts what was written.
    """

    index: str
    different: int = 0
    missing: int = 0
    extra: int = 0
    moving: int = 0
    keys: list[str] = []
    why: str = ""
    absent: bool = False
    repaired: int = 0

    @property
    def differs(self) -> bool:
        """Whether the two are known to differ, or change."""
        return bool(self.different or self.missing or self.extra or self.moving)

    @property
    def words(self) -> str:
        """What differs, in words."""
        first = f" (such as {', '.join(map(repr, self.keys))})" if self.keys else ""
        changing = f", {self.moving} changing" if self.moving else ""
        return f"{self.different} documents differ, {self.missing} are missing, {self.extra} extra{changing}{first}"


async def stop_indexers(resources: Resources, started: StartedFailover) -> Done:
    """Disable the indexers of the active service that are enabled, after writing down which these are."""
    plan, job = started.plan, started.job
    if INDEXERS not in plan.kinds:
        return Done()
    clients = resources.clients
    runs = clients.store_of(plan.to).runs
    state = await require_failover(runs, job)
    source = clients.service(plan.source)
    enabled = await enabled_on(source)
    stopped = sorted({*state.stopped, *enabled})
    if stopped != state.stopped:
        await resources.fence()
        await write_failover(runs, replace(state, stopped=stopped))
    for name in enabled:
        await set_disabled(resources, source, name, disabled=True)
    return Done()


async def compare_live(resources: Resources, pairing: Pairing) -> LiveDrift:
    """Compare an index of the active service with that of the other, both as they are now; repair it if asked to."""
    plan, index = pairing.started.plan, pairing.index
    clients = resources.clients
    try:
        one = await LiveSide.open(clients.service(plan.source), index)
        other = await LiveSide.open(clients.service(plan.to), index)
    except NotFoundError:
        return LiveDrift(index=index, absent=True)
    try:
        drift = await compare(one, other, wait=lambda: settling(resources))
    except (ConflictError, UnreadableIndexError) as error:
        return LiveDrift(index=index, why=error.what)
    resources.report(ProgressUpdate(stage="compare", documents=drift.identical + drift.equal))
    repaired = 0
    if pairing.repair and drift.found:
        mended = await mend(
            one, other, drift.found, rng=resources.rng, sleep=resources.sleep, fence=resources.fence, accept_loss=False
        )
        repaired = mended.written + mended.deleted
        drift = await compare(one, other, wait=lambda: settling(resources))
    return LiveDrift(
        index=index,
        different=drift.different,
        missing=drift.missing,
        extra=drift.extra + drift.uncounted,
        moving=drift.moving,
        keys=[each.key for each in drift.found[:_NAMED]],
        repaired=repaired,
    )


def back_up_objects_of(ctx: OrchestrationContext, started: StartedFailover) -> Orchestration[StartedFailover]:
    """Back the other objects of the active service up, and return the failover with that snapshot in its plan."""
    plan, job = started.plan, started.job
    report = yield from back_up_service(ctx, ServiceJob(service=plan.source, run=f"{job.run}-objects", owner=job.owner))
    now = ctx.current_utc_datetime.replace(tzinfo=UTC)
    return replace(started, plan=replace(plan, objects=report.snapshot, objects_as_of=now))


def read_index(
    ctx: OrchestrationContext, started: StartedFailover, index: PlannedIndex, number: int
) -> Orchestration[PlannedIndex]:
    """Make a fresh snapshot of an index of the active service.

    Raises VerificationError if it can't be read to its end.
    """
    plan, job = started.plan, started.job
    position = next(place for place, each in enumerate(plan.indexes) if each.index == index.index)
    report = yield from back_up_index(
        ctx,
        BackupJob(
            service=plan.source,
            index=index.index,
            run=f"{job.run}-read-{number}-{position}",
            parallel=job.parallel,
            owner=job.owner,
        ),
    )
    if report.unsettled and not job.accept_unsettled:
        raise VerificationError(
            f"it changes faster than it can be read: {'; '.join(report.unsettled)}; nothing was swapped",
            on=f"{plan.source}/{index.index}",
            do="Stop what writes to it, then run the same command again",
        )
    return replace(index, snapshot=report.snapshot, as_of=ctx.current_utc_datetime.replace(tzinfo=UTC), round=number)


def compare_all(
    ctx: OrchestrationContext, started: StartedFailover, *, repair: bool = False
) -> Orchestration[list[LiveDrift]]:
    """Compare every index that both services are to have, one after the other."""
    pairings = [Pairing(started, index, repair) for index in started.plan.compared]
    return (yield from call_all(ctx, REPAIR_LIVE if repair else COMPARE_LIVE, pairings, at_once=1))


def still_written(started: StartedFailover, drifts: list[LiveDrift]) -> VerificationError:
    """Return the error for indexes that differ after the last round."""
    what = "; ".join(f"{each.index}: {each.words}" for each in drifts)
    return VerificationError(
        f"after {ROUNDS} rounds, the two services still differ: {what}; nothing was swapped",
        on=f"pair {started.plan.pair}",
        do=f"Stop what writes to these indexes of {started.plan.source}, then run the same command again",
    )


def overwritten(plan: FailoverPlan, drift: LiveDrift, tense: Literal["was", "would be"]) -> str | None:
    """Return in words what only the service that becomes active holds, and loses; None if that is nothing."""
    if not drift.extra and not drift.different:
        return None
    first = f", such as {', '.join(map(repr, drift.keys))}" if drift.keys else ""
    return (
        f"{plan.to} holds {count(drift.extra, 'document')} that {plan.source} has not, and {drift.different} that"
        f" differ{first}: that {tense} overwritten"
    )


def with_overwritten(plan: FailoverPlan, result: IndexResult, drift: LiveDrift | None) -> IndexResult:
    """Return a result that says what was overwritten."""
    told = None if drift is None else overwritten(plan, drift, "was")
    return result if told is None else replace(result, notes=[told, *result.notes])


STOP_INDEXERS = Activity("stop_indexers", StartedFailover, Done, stop_indexers, lambda started: started.work)
COMPARE_LIVE = Activity(
    "compare_live_indexes", Pairing, LiveDrift, compare_live, lambda given: given.started.work, locks=False
)
REPAIR_LIVE = Activity("repair_live_index", Pairing, LiveDrift, compare_live, lambda given: given.started.work)
OWN_ACTIVITIES = (STOP_INDEXERS, COMPARE_LIVE, REPAIR_LIVE)
