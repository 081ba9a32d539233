"""How a workflow takes its locks first and gives them back last, however it ends.

It takes them in the order of their names and waits for none: of two runs that need the same, the first is refused
nothing and the second gives back what it had. So there is no deadlock, and one of the two always goes on.
"""

import logging

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import CancelledError, IndexvaultError, RemoteError
from indexvault.model import IndexName
from indexvault.workflow.activity import Activity, Orchestration, Resources, Work
from indexvault.workflow.calls import call
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock import Lock, read_holder, unlock

_REVOKED = "revoked"
_LOG = logging.getLogger(__name__)


class Claim(msgspec.Struct, frozen=True):
    """A run that claims its indexes. `owner` says in words who started it."""

    work: Work
    owner: str


class Done(msgspec.Struct, frozen=True):
    """That a step without a result is done."""


def locks_of(resources: Resources, work: Work, owner: str = "") -> list[Lock]:
    """Return the locks of a work in the order in which they are taken, each in the store of its index's service."""
    return [
        Lock(
            resources.clients.store_of(name.service).runs,
            name,
            run=work.run,
            owner=owner,
            clock=resources.clock,
            also=work.also if name == work.index else (),
            part_of=work.part_of,
        )
        for name in work.names
    ]


async def take_lock(resources: Resources, claim: Claim) -> Done:
    """Make the run the only writer of all its indexes, or of none.

    Raises ConflictError if another run is that of one of them, CancelledError once revoked.
    """
    work = claim.work
    for service in sorted({name.service for name in work.names}):
        await resources.clients.store_of(service).prepare()
    try:
        for lock in locks_of(resources, work, claim.owner):
            await lock.take()
        # Looked for after taking: `revoke` leaves its word first and takes the locks away then.
        records = Checkpoints(resources.clients.store_of(work.index.service).runs, work.known_run)
        if await records.read(_REVOKED, Done) is not None:
            raise CancelledError("it was cancelled", on=f"run {work.known_run}", do="Start a new run")
    except IndexvaultError:
        await release_lock(resources, claim)
        raise
    return Done()


async def release_lock(resources: Resources, claim: Claim) -> Done:
    """Return the locks back. What can't be given back runs out by itself, and is no reason to fail."""
    for name, lock in zip(claim.work.names, locks_of(resources, claim.work, claim.owner), strict=True):
        try:
            await lock.release()
        except RemoteError as error:
            _LOG.warning("the lock of %s was not given back and runs out by itself: %s", name, error)
    return Done()


async def revoke(resources: Resources, index: IndexName, run: str) -> None:
    """Take the lock of an index, and what else it locked with it, from a run and its parts for good.

    No step of it that works under this lock can commit, or begin, after this.
    """
    blobs = resources.clients.store_of(index.service).runs
    await Checkpoints(blobs, run).write(_REVOKED, Done())
    holder = await read_holder(blobs, index)
    if holder is None or not holder.works_for(run):
        return
    await unlock(blobs, index, run=holder.run)
    for other in holder.also:
        await unlock(resources.clients.store_of(other.service).runs, other, run=holder.run)


TAKE = Activity("take_lock", Claim, Done, take_lock)
RELEASE = Activity("release_lock", Claim, Done, release_lock)
ACTIVITIES = (TAKE, RELEASE)


def locked[Output](ctx: OrchestrationContext, claim: Claim, inner: Orchestration[Output]) -> Orchestration[Output]:
    """Run a part of a workflow between taking the locks and giving them back."""
    yield from call(ctx, TAKE, claim)
    try:
        output = yield from inner
    except IndexvaultError:
        yield from call(ctx, RELEASE, claim)
        raise
    yield from call(ctx, RELEASE, claim)
    return output
