"""Who has the lock of an index, as its blob says; see `lock`."""

from datetime import datetime, timedelta

import msgspec

from indexvault.errors import ConflictError
from indexvault.model import IndexName
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import lock_name
from indexvault.snapshots.store import RunBlobs
from indexvault.snapshots.summary import CLOCK_SKEW

EXPIRES_AFTER = timedelta(minutes=10)
"""How long a silent run keeps its lock: longer than the longest wait before an activity is tried again."""

LOCK_LIMIT = 64 * 1024
"""Bytes of the largest lock that is read."""


class LocalProcess(msgspec.Struct, frozen=True):
    """The process of a command that a run works in: its host's name, its process id there, and when it began."""

    host: str
    process: int
    started: AwareTime


class Holder(msgspec.Struct, frozen=True):
    """Who has a lock: the run, who or what started it, until when the lock counts, and what else the run has locked.

    `part_of` is the run that it is a part of, or None. `process` is there for a command's run that another process can
    resume, once this one is gone (see `unfinished`).
    """

    run: str
    owner: str
    expires: AwareTime
    also: tuple[IndexName, ...] = ()
    part_of: str | None = None
    process: LocalProcess | None = None

    @property
    def known_run(self) -> str:
        """The run that the operator knows: the one this is a part of, or this one."""
        return self.part_of or self.run

    def works_for(self, run: str) -> bool:
        """Return whether the lock belongs to a run or to a part of it."""
        return run in {self.run, self.part_of}

    def counts(self, now: datetime) -> bool:
        """Return whether the lock still counts between two activities of its run.

        A time further ahead than any run sets is from a clock that was wrong, and would lock the index until that day.
        """
        return now < self.expires <= now + EXPIRES_AFTER + CLOCK_SKEW


def locked_error(index: IndexName, holder: Holder | None) -> ConflictError:
    """Return the error for an index that another run has locked, naming that run if it is known."""
    who = f"run {holder.run} ({holder.owner})" if holder is not None else "another run"
    until = f", at the latest until {holder.expires:%Y-%m-%d %H:%M:%SZ}" if holder is not None else ""
    return ConflictError(
        f"it is locked by {who}{until}",
        on=str(index),
        do=f"Wait for that run or cancel it; if it is dead: indexvault unlock {index}",
    )


async def read_holder(blobs: RunBlobs, index: IndexName) -> Holder | None:
    """Return who has, or last had, the lock of an index, or None. Raises IntegrityError if it can't be read."""
    locks = RecordStore(
        blobs,
        Holder,
        what="this lock can't be read",
        do=f"indexvault unlock {index}",
        limit=LOCK_LIMIT,
        empty_is_none=True,
    )
    return await locks.read(lock_name(index.service, index.index))
