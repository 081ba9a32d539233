"""How a workflow takes the lock of its index first and gives it back last, however it ends."""

import logging

import msgspec
from durabletask.task import OrchestrationContext

from engine.calls import call
from engine.checkpoints import Checkpoints
from engine.locks import Lock, unlock
from engine.step import IndexName, Resources, Step, Turns, Work
from errors import CancelledError, IndexvaultError, RemoteError

_REVOKED = "revoked"
_LOG = logging.getLogger(__name__)


class Claim(msgspec.Struct, frozen=True):
    """A run that claims an index. `owner` says in words who started it."""

    work: Work
    owner: str


class Done(msgspec.Struct, frozen=True):
    """That a step without a result is done."""


def lock_of(resources: Resources, work: Work, owner: str = "") -> Lock:
    """Give the lock of a work's index, in the store of the index's service."""
    store = resources.connections.store_of(work.index.service)
    return Lock(store.runs, work.index, run=work.run, owner=owner, clock=resources.clock)


async def take_lock(resources: Resources, claim: Claim) -> Done:
    """Make the run the index's only writer. Raises ConflictError if another run is, CancelledError once revoked."""
    store = resources.connections.store_of(claim.work.index.service)
    await store.prepare()
    lock = lock_of(resources, claim.work, claim.owner)
    await lock.take()
    # Looked for after taking: `revoke` leaves its word first and takes the lock away then.
    if await Checkpoints(store.runs, claim.work.run).read(_REVOKED, Done) is not None:
        await lock.release()
        raise CancelledError("it was cancelled", on=f"run {claim.work.run}", do="Start a new run")
    return Done()


async def release_lock(resources: Resources, claim: Claim) -> Done:
    """Give the lock back. What can't be given back runs out by itself, and is no reason to fail."""
    try:
        await lock_of(resources, claim.work, claim.owner).release()
    except RemoteError as error:
        _LOG.warning("the lock of %s was not given back and runs out by itself: %s", claim.work.index, error)
    return Done()


async def revoke(resources: Resources, index: IndexName, run: str) -> None:
    """Take the lock of an index from a run for good: no step of it can commit, or begin, after this."""
    blobs = resources.connections.store_of(index.service).runs
    await Checkpoints(blobs, run).write(_REVOKED, Done())
    await unlock(blobs, index, run=run)


TAKE = Step("take_lock", Claim, Done, take_lock)
RELEASE = Step("release_lock", Claim, Done, release_lock)
STEPS = (TAKE, RELEASE)


def locked[Output](ctx: OrchestrationContext, claim: Claim, inner: Turns[Output]) -> Turns[Output]:
    """Run a part of a workflow between taking the lock and giving it back."""
    yield from call(ctx, TAKE, claim)
    try:
        output = yield from inner
    except IndexvaultError:
        yield from call(ctx, RELEASE, claim)
        raise
    yield from call(ctx, RELEASE, claim)
    return output
