"""The lock of an index: at most one run writes it.

A lock is a blob in the runs container that names the run and a time until which it counts, with a lease on that blob.
The lease (a minute, renewed while an activity works) lets exactly one run change the lock, and is lost at once when an
operator breaks it. The time in the blob (`EXPIRES_AFTER`) bridges what a lease can't: the pauses between the activities
of a run, and a host that restarts.

A run that has ended deletes its lock, so that taking and releasing one costs a single write. One that failed or was
stopped leaves it, expired: a command given again finds there what it can resume.

A run takes its lock first, and each later activity only holds it: a lock that was broken or went to another run
meanwhile is not taken again. An activity stops as soon as its lease is gone, so a run that has lost its lock can't
commit. Taking may be repeated, and a requested run takes its locks before its workflow does: so whoever takes a lock
away first marks the run that has it (see `lost_locks`), and a marked run is refused.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal

import msgspec

from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError, RemoteError
from indexvault.model import Clock, IndexName
from indexvault.snapshots.run_names import lock_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.lock_holder import (
    EXPIRES_AFTER,
    LOCK_LIMIT,
    Holder,
    LocalProcess,
    locked_error,
    read_holder,
)
from indexvault.workflow.lost_locks import has_lost, note_lost
from indexvault.workflow.unfinished import note_unfinished, unfinished_of

LEASE_SECONDS = 60
RENEW_SECONDS = 15
_EXTENDED_AFTER = EXPIRES_AFTER / 4
"""How long ago a lock was last extended when it is extended again."""
_RELEASE_SECONDS = 5
"""How long a cancelled activity may take to release its lock."""
_POLLS, _POLL_SECONDS = 20, 0.1
_TAKE_ATTEMPTS = 2
_BREAK_ATTEMPTS = 40
_BREAK_RESTS = (0.0, 0.003, 0.011, 0.007, 0.019)
_LEASES = uuid.UUID("9a0d7c52-6a3e-4a53-9c3e-5b6f2f7f4a11")
_LOG = logging.getLogger(__name__)


class Lock:
    """The lock of one index, as one run sees it.

    `owner` says in words who started the run. `also` is what else it locks, so that whoever breaks this lock finds the
    others.
    """

    def __init__(
        self,
        blobs: RunBlobs,
        index: IndexName,
        *,
        run: str,
        owner: str,
        clock: Clock,
        also: tuple[IndexName, ...] = (),
        part_of: str | None = None,
        process: LocalProcess | None = None,
    ) -> None:
        self._blobs = blobs
        self._index = index
        self._name = lock_name(index.service, index.index)
        self._run = run
        self._owner = owner
        self._clock = clock
        self._also = also
        self._part_of = part_of
        self._process = process
        # Every process that works for a run uses the same lease id.
        self._lease = str(uuid.uuid5(_LEASES, run))
        self._expires = clock()

    async def take(self) -> None:
        """Make the run the index's only writer.

        Raises ConflictError if another run is, naming it, or if the lock was taken from this run before.
        """
        holder: Holder | None = None
        while True:
            try:
                holder = await self._lease_unless_locked()
                break
            except NotFoundError:
                if await self._has_lost():
                    raise self._lost(None) from None
                if await self._make():
                    # Nobody else takes it while the blob names this run and counts, which it may not after a sleep.
                    await self.hold()
                    await self._require_kept()
                    return
        if holder is not None and holder.run != self._run and holder.counts(self._clock()):
            await self._end_lease()
            raise locked_error(self._index, holder)
        if await self._has_lost():
            await self._end_lease()
            raise self._lost(None)
        if holder is not None:
            await self._remember_unfinished(holder)
        await self._write(self._clock() + EXPIRES_AFTER)
        await self._require_kept()

    async def _make(self) -> bool:
        """Take a lock that has no blob, and return whether there was none. The lease is yet to be taken."""
        expires = self._clock() + EXPIRES_AFTER
        try:
            await self._blobs.put(self._name, self._holder(expires), if_absent=True)
        except ConflictError:
            return False
        self._expires = expires
        return True

    async def _require_kept(self) -> None:
        """Let the lock go again if it was taken from this run before. Raises ConflictError then.

        The mark of that is written before the lock is emptied. So without one now, the lock is not emptied unnoticed.
        """
        if not await self._has_lost():
            return
        await self._blobs.put(self._name, b"", lease=self._lease)
        await self._end_lease()
        raise self._lost(None)

    async def _remember_unfinished(self, holder: Holder) -> None:
        """Record the unfinished run that a lock names before something else is written there."""
        unfinished = unfinished_of(holder)
        if unfinished is not None and not (self._process is not None and holder.run == self._run):
            await note_unfinished(self._blobs, self._index, unfinished)

    async def hold(self) -> None:
        """Have the lock count for most of `EXPIRES_AFTER` from now. Raises ConflictError if the run no longer has it.

        It is written only if it was last extended more than `_EXTENDED_AFTER` ago: the lease alone proves that the run
        still has it.
        """
        holder = await self._lease_again()
        if holder is None or not self._is_ours(holder):
            await self._end_lease()
            raise self._lost(holder)
        self._owner, self._also, self._process = holder.owner, holder.also, holder.process
        self._expires = holder.expires
        if self._is_due():
            await self._write(self._clock() + EXPIRES_AFTER)

    async def release(self, *, ended: bool = False) -> None:
        """Release the lock if the run has it. An activity of the run that is repeated can still hold it.

        A run that has `ended` leaves no lock that it could hold again.
        """
        holder = await read_holder(self._blobs, self._index)
        if holder is None or not self._is_ours(holder):
            return
        try:
            holder = await self._lease_and_read()
            if holder is None or not self._is_ours(holder):
                await self._end_lease()
            elif ended:
                await self._blobs.delete(self._name, lease=self._lease)
            else:
                self._owner, self._also, self._process = holder.owner, holder.also, holder.process
                await self._write(self._clock())
                await self._end_lease()
        except (ConflictError, NotFoundError):
            _LOG.info("%s was no longer locked by run %s", self._index, self._run)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the lock while the block runs. If the lock is lost, cancel the block and raise ConflictError."""
        await self.hold()
        block = asyncio.current_task()
        assert block is not None  # noqa: S101 - a coroutine always runs in a task
        lost: list[ConflictError] = []

        async def keep() -> None:
            try:
                await self._keep()
            except ConflictError as error:
                lost.append(error)
                block.cancel()

        keeper = asyncio.create_task(keep())
        try:
            yield
        except asyncio.CancelledError:
            if lost and block.uncancel() == 0:
                raise lost[0] from None
            # This process is stopping; others need not wait until the lock expires. The run can still continue:
            # `hold` only checks that no other run has taken the lock.
            with contextlib.suppress(IndexvaultError, TimeoutError):
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await self.release()
            raise
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])

    async def _keep(self) -> None:
        """Renew the lease until cancelled. Raises ConflictError if it is lost, or may be because no answer came."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                async with asyncio.timeout_at(renewed + LEASE_SECONDS - RENEW_SECONDS / 3):
                    asked = loop.time()
                    await self._blobs.renew(self._name, self._lease)
                    renewed = asked
                    if self._is_due():
                        await self._write(self._clock() + EXPIRES_AFTER)
            except TimeoutError:
                raise self._lost(None) from None
            except (ConflictError, NotFoundError):
                raise self._lost(None) from None
            except RemoteError:
                _LOG.warning("the lock of %s could not be renewed; trying again", self._index)

    async def _lease_and_read(self) -> Holder | None:
        await self._blobs.acquire(self._name, self._lease, LEASE_SECONDS)
        return await read_holder(self._blobs, self._index)

    async def _lease_unless_locked(self) -> Holder | None:
        """Take the lease and return the holder in the blob.

        Another run that only checks whether it still has the lock leases it for a moment without writing its name, so
        a second attempt can succeed. Raises ConflictError if another run has the lock, NotFoundError if there is none.
        """
        for _ in range(_TAKE_ATTEMPTS):
            try:
                return await self._lease_and_read()
            except ConflictError:
                holder = await self._wait_for_holder()
                if holder is not None:
                    raise locked_error(self._index, holder) from None
        raise locked_error(self._index, None)

    async def _lease_again(self) -> Holder | None:
        """Take the lease again between two activities, and wait if another run has it while it reads the holder."""
        for _ in range(_POLLS):
            try:
                return await self._lease_and_read()
            except NotFoundError:
                raise self._lost(None) from None
            except ConflictError:
                holder = await read_holder(self._blobs, self._index)
                if holder is None or not self._is_ours(holder):
                    raise self._lost(holder) from None
                await asyncio.sleep(_POLL_SECONDS)
        raise self._lost(None)

    async def _wait_for_holder(self) -> Holder | None:
        """Return who has the lock. A run that has just got the lease has yet to write its name, so wait for it."""
        for _ in range(_POLLS):
            holder = await read_holder(self._blobs, self._index)
            if holder is not None and holder.expires > self._clock():
                return holder
            await asyncio.sleep(_POLL_SECONDS)
        return None

    async def _has_lost(self) -> bool:
        return await has_lost(self._blobs, self._part_of or self._run, self._index)

    def _is_ours(self, holder: Holder) -> bool:
        """Return whether this run has the lock: a part has the same name in every execution that resumes it."""
        return (holder.run, holder.part_of) == (self._run, self._part_of)

    def _holder(self, expires: datetime) -> bytes:
        holder = Holder(
            run=self._run,
            owner=self._owner,
            expires=expires,
            also=self._also,
            part_of=self._part_of,
            process=self._process,
        )
        return msgspec.json.encode(holder)

    async def _write(self, expires: datetime) -> None:
        """Write the lock again, which must still be there: a late write must not bring back one that was deleted."""
        try:
            await self._blobs.put(self._name, self._holder(expires), lease=self._lease, if_match="*")
        except ConflictError:
            raise self._lost(None) from None
        self._expires = expires

    def _is_due(self) -> bool:
        """Return whether the lock was extended long ago, or counts from a clock that was wrong."""
        left = self._expires - self._clock()
        return not EXPIRES_AFTER - _EXTENDED_AFTER <= left <= EXPIRES_AFTER

    async def _end_lease(self) -> None:
        try:
            await self._blobs.release(self._name, self._lease)
        except (ConflictError, NotFoundError):
            _LOG.debug("the lease of %s was already released", self._index)

    def _lost(self, holder: Holder | None) -> ConflictError:
        now = f": run {holder.run} holds it now" if holder is not None else ""
        return ConflictError(
            f"run {self._run} has lost its lock{now}",
            on=str(self._index),
            do="Start the run again once nothing else works on this index",
        )


async def unlock(
    blobs: RunBlobs, index: IndexName, *, clock: Clock, run: str | None = None
) -> Literal["unlocked", "free", "other"]:
    """Take the lock of an index away from its holder; with `run`, only from that run.

    Return `unlocked`, `free` if no run had it, or `other` if a run other than `run` has it. The run that had it can't
    commit any more nor take the lock again, and stops at the latest when it next renews its lease. A run whose lock had
    expired is not kept from taking it. Raises ConflictError if its lease keeps coming back, IntegrityError if `run` is
    given and the lock can't be read.
    """
    name = lock_name(index.service, index.index)
    try:
        holder = await read_holder(blobs, index)
    except IntegrityError:
        if run is not None:
            raise
        holder = None
    if run is not None and holder is not None and holder.run != run:
        return "other"
    ours = str(uuid.uuid5(_LEASES, f"unlock {name}"))
    for attempt in range(_BREAK_ATTEMPTS):
        # Rests of different lengths, so as not to go on in step with a run that renews its lease all the time.
        await asyncio.sleep(_BREAK_RESTS[attempt % len(_BREAK_RESTS)])
        await blobs.break_lease(name)
        try:
            await blobs.acquire(name, ours, LEASE_SECONDS)
        except NotFoundError:
            return "free"
        except ConflictError:
            # An activity of the run took the lease in between: break it again.
            continue
        # Emptied and not deleted: a late write of the run, with its broken lease, would recreate a deleted blob.
        was = await blobs.read(name, LOCK_LIMIT)
        with contextlib.suppress(IntegrityError):
            holder = await read_holder(blobs, index)
            if holder is not None and holder.counts(clock()):
                await note_lost(blobs, holder.known_run, index)
            if holder is not None and (unfinished := unfinished_of(holder)) is not None:
                await note_unfinished(blobs, index, unfinished)
        await blobs.put(name, b"", lease=ours)
        await blobs.release(name, ours)
        return "unlocked" if was is not None and was.data else "free"
    raise ConflictError("its lease is taken again each time it is broken", on=str(index), do="Try again")
