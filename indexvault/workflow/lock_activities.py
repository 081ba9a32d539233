"""The activities that take and release a run's locks: taken first, released last, however the workflow ends.

Locks are taken in the order of their names, and none is waited for: of two runs that need the same name, the second is
refused and releases what it had. So there is no deadlock, and one of the two always proceeds.
"""

import logging

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import CancelledError, ConflictError, IndexvaultError, RemoteError
from indexvault.model import IndexName
from indexvault.workflow.activity import Activity, Orchestration, Resources, Work
from indexvault.workflow.calls import call
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock import Lock, unlock
from indexvault.workflow.lock_holder import LocalProcess, read_holder

_REVOKED = "revoked"
_LOG = logging.getLogger(__name__)


class Claim(msgspec.Struct, frozen=True):
    """The locks that a run needs. `owner` says in words who started it.

    `process` is that of a command that can resume the run later. `ended` says that they are released for good.
    """

    work: Work
    owner: str
    process: LocalProcess | None = None
    ended: bool = False


class Done(msgspec.Struct, frozen=True):
    """The output of an activity that has no result."""


def locks_of(resources: Resources, work: Work, owner: str = "", process: LocalProcess | None = None) -> list[Lock]:
    """Return the locks that a work needs, in the order to take them, each in the store of its index's service."""
    return [
        Lock(
            resources.clients.store_of(name.service).runs,
            name,
            run=work.run,
            owner=owner,
            clock=resources.clock,
            also=work.also if name == work.index else (),
            part_of=work.part_of,
            process=process if name == work.index else None,
        )
        for name in work.names
    ]


async def take_lock(resources: Resources, claim: Claim) -> Done:
    """Make the run the only writer of all its indexes, or of none.

    Raises ConflictError if another run has one of them, or one was taken from this run before, CancelledError if the
    run was cancelled (see `revoke`).
    """
    work = claim.work
    for service in sorted({name.service for name in work.names}):
        await resources.clients.store_of(service).prepare()
    try:
        for lock in locks_of(resources, work, claim.owner, claim.process):
            await lock.take()
        # Read after taking: `revoke` writes this mark before it takes the locks away.
        await _require_unrevoked(resources, work)
    except IndexvaultError as error:
        await release_lock(resources, claim)
        if isinstance(error, ConflictError):
            await _require_unrevoked(resources, work)
        raise
    return Done()


async def _require_unrevoked(resources: Resources, work: Work) -> None:
    if await is_revoked(resources, work):
        raise CancelledError("it was cancelled", on=f"run {work.known_run}", do="Start a new run")


async def release_lock(resources: Resources, claim: Claim) -> Done:
    """Release the locks of a run. One that can't be released expires by itself, so that is logged and not raised."""
    for name, lock in zip(claim.work.names, locks_of(resources, claim.work, claim.owner), strict=True):
        try:
            await lock.release(ended=claim.ended)
        except RemoteError as error:
            _LOG.warning("the lock of %s could not be released and expires by itself: %s", name, error)
    return Done()


async def revoke(resources: Resources, index: IndexName, run: str) -> None:
    """Take the lock of an index, and what was locked with it, from a run and its parts for good.

    After this, no activity of the run can start or commit under these locks.
    """
    blobs = resources.clients.store_of(index.service).runs
    await Checkpoints(blobs, run).write(_REVOKED, Done())
    holder = await read_holder(blobs, index)
    if holder is None or not holder.works_for(run):
        return
    await unlock(blobs, index, run=holder.run, clock=resources.clock)
    for other in holder.also:
        runs = resources.clients.store_of(other.service).runs
        await unlock(runs, other, run=holder.run, clock=resources.clock)


async def is_revoked(resources: Resources, work: Work) -> bool:
    """Return whether a run was cancelled (see `revoke`)."""
    records = Checkpoints(resources.clients.store_of(work.index.service).runs, work.known_run)
    return await records.read(_REVOKED, Done) is not None


TAKE = Activity("take_lock", Claim, Done, take_lock)
RELEASE = Activity("release_lock", Claim, Done, release_lock)
ACTIVITIES = (TAKE, RELEASE)


def locked[Output](ctx: OrchestrationContext, claim: Claim, inner: Orchestration[Output]) -> Orchestration[Output]:
    """Run a part of a workflow under locks: take them, run it, release them. Raises ConflictError as `take_lock`."""
    yield from call(ctx, TAKE, claim)
    try:
        output = yield from inner
    except IndexvaultError:
        yield from call(ctx, RELEASE, claim)
        raise
    yield from call(ctx, RELEASE, msgspec.structs.replace(claim, ended=True))
    return output
