"""Resume an interrupted run: what restore, service restore and move have in common.

A run that dies leaves a durable record of what it began, and its locks. The same job given again, as a new run, finds
that record by the job's fingerprint, takes over the dead run's locks, and continues from what is durable.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError, IntegrityError
from indexvault.model import IndexName
from indexvault.workflow.activity import Orchestration
from indexvault.workflow.calls import call
from indexvault.workflow.lock_activities import ACTIVITIES as LOCK_ACTIVITIES
from indexvault.workflow.lock_activities import RELEASE, Claim, locked
from indexvault.workflow.lock_takeover import TAKE_OVER, LockTakeover

ACTIVITIES = (*LOCK_ACTIVITIES, TAKE_OVER)
"""What `resumable` and `take_over_locks` call."""


class Interrupted(msgspec.Struct, frozen=True):
    """The run that began the same job and has not ended it. `execution` is None if there is none, or it is this run."""

    execution: str | None


def fingerprint(
    job: msgspec.Struct, *, ignoring: Mapping[str, Any], order: str = "", leaving_out: Collection[str] = ()
) -> str:
    """Return a hash that two jobs share if they ask for the same: the SHA-256 of the job's JSON, in hex.

    `ignoring` are the members that don't matter, such as who asks, each with the value to replace it by. `order` names
    members in the order in which they are hashed, separated by spaces; those it does not name follow as they are
    declared. `leaving_out` are members that earlier versions did not have and that don't matter. Fingerprints are
    stored: neither the values nor the order may change, or an earlier version's run can't be resumed.
    """
    members = {**msgspec.structs.asdict(job), **ignoring}
    ordered = {name: members[name] for name in [*order.split(), *members] if name not in leaving_out}
    return hashlib.sha256(msgspec.json.encode(ordered)).hexdigest()


def altered(record: str, on: str) -> IntegrityError:
    """Return the error for a record in the runs container that says something else than was proved or asked for."""
    return IntegrityError(
        f"{record}: somebody else may have written to the runs container",
        on=on,
        do="Find out who can write there; leave this unfinished run as it is and start over",
    )


def digest_of(record: Any) -> str:
    """Return the SHA-256 of a record's JSON, in hex.

    A workflow carries the digest from the activity that has proved a record to those that read it: what lies in the
    runs container may have been written by anyone, what the engine hands from activity to activity may not.
    """
    return hashlib.sha256(msgspec.json.encode(record)).hexdigest()


@dataclass(frozen=True, slots=True)
class Start[Output]:
    """How a run starts: the locks it takes, the run that it resumes, and the work it does under the locks.

    `also` are names that the interrupted run may have locked besides those of the claim.
    """

    claim: Claim
    interrupted: Interrupted
    inner: Orchestration[Output]
    also: tuple[IndexName, ...] = ()


def resumable[Output](
    ctx: OrchestrationContext, claim: Claim, start: Orchestration[Start[Output]]
) -> Orchestration[Output]:
    """Find out how the run starts, take over the locks of the run that it resumes, lock, and do the work.

    `claim` is what whoever started this run may have locked for it: those locks are released if it fails before it has
    locks of its own. Raises ConflictError if the interrupted run is still alive.
    """
    try:
        begun = yield from start
        predecessor = begun.interrupted.execution
        if predecessor is not None:
            names = {*begun.claim.work.names, *begun.also}
            yield from take_over_locks(ctx, names, predecessor, begun.claim.work.run)
    except IndexvaultError:
        yield from call(ctx, RELEASE, claim)
        raise
    return (yield from locked(ctx, begun.claim, begun.inner))


def take_over_locks(
    ctx: OrchestrationContext, names: Iterable[IndexName], predecessor: str, successor: str
) -> Orchestration[None]:
    """Free the locks that a dead run holds, in the order in which every run locks them.

    Raises ConflictError if the predecessor is alive.
    """
    for name in sorted(names, key=str):
        yield from call(ctx, TAKE_OVER, LockTakeover(name, predecessor, successor))
