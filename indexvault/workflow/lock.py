"""One writer an index: a lock that a run keeps for as long as it lives.

A lock is a blob in the runs container that says which run has it and until when, and a lease on that blob. The lease
(a minute, renewed while a step works) lets exactly one run change the lock and is lost at once when an operator breaks
it. The time in the blob (`KEPT`) bridges what a lease can't: the pauses between the steps of a run, a host that
restarts.

A run takes its lock once, and every later step only holds on to it: a lock that meanwhile was broken, or went to
another run, is not taken again. A step stops as soon as its lease is gone, so that a run which has lost its lock can't
commit.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError, RemoteError
from indexvault.model import Clock, IndexName
from indexvault.snapshots.names import lock_name
from indexvault.snapshots.store import RunBlobs

LEASE_SECONDS = 60
RENEW_SECONDS = 15
KEPT = timedelta(minutes=10)
"""How long a run that is not heard of keeps its lock. Longer than the longest rest before a step is tried again."""
_LAST_WORDS_SECONDS = 5
_LOOKS, _LOOK_SECONDS = 20, 0.1
_LOOKERS = 2
_BREAKS = 10
_RECORD_LIMIT = 64 * 1024
_LEASES = uuid.UUID("9a0d7c52-6a3e-4a53-9c3e-5b6f2f7f4a11")
_LOG = logging.getLogger(__name__)


class Holder(msgspec.Struct, frozen=True):
    """Who has a lock: the run, who or what started it, until when it counts, and what else the run has locked.

    `part_of` is the run that it is a part of, if it is one.
    """

    run: str
    owner: str
    expires: datetime
    also: tuple[IndexName, ...] = ()
    part_of: str | None = None

    def works_for(self, run: str) -> bool:
        """Return whether the lock is a run's, or that of a part of it."""
        return run in {self.run, self.part_of}


class Lock:
    """The lock of one index, as one run sees it.

    `owner` says in words who started the run, `also` what else it locks: who takes this lock away finds the others.
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
    ) -> None:
        self._blobs = blobs
        self._index = index
        self._name = lock_name(index.service, index.index)
        self._run = run
        self._owner = owner
        self._clock = clock
        self._also = also
        self._part_of = part_of
        # Every process that works for a run comes to the same lease.
        self._lease = str(uuid.uuid5(_LEASES, run))

    async def take(self) -> None:
        """Make the run the index's only writer. Raises ConflictError, saying who that is, if another one is."""
        holder = await self._lease_unless_taken()
        if holder is not None and holder.run != self._run and holder.expires > self._clock():
            await self._let_go()
            raise taken(self._index, holder)
        await self._write(self._clock() + KEPT)

    async def hold(self) -> None:
        """Keep the lock for a while longer. Raises ConflictError if the run has it no longer."""
        holder = await self._patiently_lease_and_read()
        if holder is None or holder.run != self._run:
            await self._let_go()
            raise self._lost(holder)
        self._owner, self._also, self._part_of = holder.owner, holder.also, holder.part_of
        await self._write(self._clock() + KEPT)

    async def release(self) -> None:
        """Return the lock back, if the run still has it; a step of the run that is done again may still hold it."""
        holder = await read_holder(self._blobs, self._index)
        if holder is None or holder.run != self._run:
            return
        try:
            holder = await self._lease_and_read()
            if holder is not None and holder.run == self._run:
                await self._write(self._clock())
            await self._let_go()
        except ConflictError:
            _LOG.info("%s was no longer locked by run %s", self._index, self._run)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the lock while the block runs. The block is stopped, and ConflictError raised, when it is lost."""
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
            # The process that runs this stops; others need not wait until the lock runs out. The run may still go on
            # with it: `hold` only asks whether another has taken it.
            with contextlib.suppress(IndexvaultError, TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await self.release()
            raise
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])

    async def _keep(self) -> None:
        """Renew until cancelled. Raises ConflictError when the lease is gone, or may be for want of an answer."""
        loop = asyncio.get_running_loop()
        renewed = written = loop.time()
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                async with asyncio.timeout_at(renewed + LEASE_SECONDS - RENEW_SECONDS / 3):
                    asked = loop.time()
                    await self._blobs.renew(self._name, self._lease)
                    renewed = asked
                    if asked - written > KEPT.total_seconds() / 4:
                        await self._write(self._clock() + KEPT)
                        written = asked
            except TimeoutError:
                raise self._lost(None) from None
            except (ConflictError, NotFoundError):
                raise self._lost(None) from None
            except RemoteError:
                _LOG.warning("the lock of %s could not be renewed; trying again", self._index)

    async def _lease_and_read(self) -> Holder | None:
        while True:
            try:
                await self._blobs.acquire(self._name, self._lease, LEASE_SECONDS)
                return await read_holder(self._blobs, self._index)
            except NotFoundError:
                await _make(self._blobs, self._name)

    async def _lease_unless_taken(self) -> Holder | None:
        """Take the lease. Who only looks whether it still has the lock has it for a moment, and writes no name."""
        for _ in range(_LOOKERS):
            try:
                return await self._lease_and_read()
            except ConflictError:
                holder = await self._who()
                if holder is not None:
                    raise taken(self._index, holder) from None
        raise taken(self._index, None)

    async def _patiently_lease_and_read(self) -> Holder | None:
        """Take the lease again between two steps, though another run may have it while it looks who has the lock."""
        for _ in range(_LOOKS):
            try:
                return await self._lease_and_read()
            except ConflictError:
                holder = await read_holder(self._blobs, self._index)
                if holder is None or holder.run != self._run:
                    raise self._lost(holder) from None
                await asyncio.sleep(_LOOK_SECONDS)
        raise self._lost(None)

    async def _who(self) -> Holder | None:
        """Return who has the lock. Whoever has just got the lease is still about to write its name."""
        for _ in range(_LOOKS):
            holder = await read_holder(self._blobs, self._index)
            if holder is not None and holder.expires > self._clock():
                return holder
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def _write(self, expires: datetime) -> None:
        holder = Holder(run=self._run, owner=self._owner, expires=expires, also=self._also, part_of=self._part_of)
        try:
            await self._blobs.put(self._name, msgspec.json.encode(holder), lease=self._lease)
        except ConflictError:
            raise self._lost(None) from None

    async def _let_go(self) -> None:
        try:
            await self._blobs.release(self._name, self._lease)
        except (ConflictError, NotFoundError):
            _LOG.debug("the lease of %s was gone already", self._index)

    def _lost(self, holder: Holder | None) -> ConflictError:
        now = f": run {holder.run} has it now" if holder is not None else ""
        return ConflictError(
            f"run {self._run} has lost its lock{now}",
            on=str(self._index),
            do="Start the run again once nothing else works on this index",
        )


def taken(index: IndexName, holder: Holder | None) -> ConflictError:
    """Return the error for an index that another run is working on, who that is where it is known."""
    who = f"run {holder.run} ({holder.owner})" if holder is not None else "another run"
    until = f", at the latest until {holder.expires:%Y-%m-%d %H:%M:%SZ}" if holder is not None else ""
    return ConflictError(
        f"it is being worked on by {who}{until}",
        on=str(index),
        do=f"Wait for that run or cancel it; if it is dead: indexvault unlock {index}",
    )


async def read_holder(blobs: RunBlobs, index: IndexName) -> Holder | None:
    """Return who has, or last had, the lock of an index. Raises IntegrityError if that can't be read."""
    name = lock_name(index.service, index.index)
    blob = await blobs.read(name, _RECORD_LIMIT)
    if blob is None or not blob.data:
        return None
    try:
        return msgspec.json.decode(blob.data, type=Holder)
    except msgspec.MsgspecError:
        raise IntegrityError("this lock can't be read", on=name, do=f"indexvault unlock {index}") from None


async def unlock(blobs: RunBlobs, index: IndexName, *, run: str | None = None) -> Literal["unlocked", "free", "other"]:
    """Take the lock of an index from whoever has it; with `run`, only from that run.

    Gives `unlocked`, `free` if nobody had it, or `other` if another run than `run` has. The run that had it can't
    commit any more, and stops at the latest when it would renew its lease.
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
    for _ in range(_BREAKS):
        await blobs.break_lease(name)
        try:
            await blobs.acquire(name, ours, LEASE_SECONDS)
        except NotFoundError:
            return "free"
        except ConflictError:
            # A step of the run came in between; it has the lease for no longer than it takes to break it again.
            continue
        # Emptied and not deleted: a late write of the run with its dead lease would make a deleted blob anew.
        was = await blobs.read(name, _RECORD_LIMIT)
        await blobs.put(name, b"", lease=ours)
        await blobs.release(name, ours)
        return "unlocked" if was is not None and was.data else "free"
    raise ConflictError("its lease comes back as often as it is broken", on=str(index), do="Try again")


async def _make(blobs: RunBlobs, name: str) -> None:
    try:
        await blobs.put(name, b"", if_absent=True)
    except ConflictError:
        _LOG.debug("%s was made by another", name)
