"""Declare which blobs a sweep is about to delete, so that backups see it; see `sweep`.

The declaration also keeps two sweeps of an index apart. It is taken over when its time is up, as after a kill. Where
clocks differ that may come too early, so a sweep looks whether the declaration is still its own before it deletes, and
whoever takes over goes on declaring what the other may be in the middle of deleting.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from indexvault.errors import ConflictError
from indexvault.model import Clock
from indexvault.snapshots.announcements import LAST_CALL, SWEEP_FOR, SweepRecord
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.store import RunBlobs

TAKEN_OVER = "another prune or repair of this index has begun"

REPAIR_FOR = timedelta(minutes=10)
"""How long the declaration of a repair stands, which renews it: one that was killed holds the next up no longer."""

_BELIEVED_FOR = timedelta(minutes=1)
"""How long a look at the declaration is believed. A process that was suspended looks again."""


class Declaration:
    """The declaration of a sweep. None of its blobs is deleted once its time is up, or another sweep has taken over.

    It `lasts` so long from each time that it is written.
    """

    def __init__(self, runs: RunBlobs, name: str, clock: Clock, lasts: timedelta = SWEEP_FOR) -> None:
        self._sweeps = RecordStore(runs, SweepRecord)
        self._name = name
        self._clock = clock
        self._lasts = lasts
        self._etag = ""
        self._until = self._looked = clock()
        self._taken_over: set[str] = set()
        self._linger = clock()

    async def begin(self, blobs: Sequence[str], there: Collection[str] | None = None) -> None:
        """Declare the first blobs; `there` are all blobs of the index, if they are known.

        Raises ConflictError if another sweep of the index runs.
        """
        earlier = await self._sweeps.read_version(self._name)
        if earlier is not None:
            if earlier.record.until > self._clock() and not earlier.record.is_over:
                raise ConflictError(
                    "its packs are being swept already", on=self._name, do="Wait until that has finished"
                )
            self._taken_over = {name for name in earlier.record.blobs if there is None or name in there}
            self._linger = self._clock() + LAST_CALL
        await self._write(blobs, earlier.etag if earlier else None)

    async def declare(self, blobs: Sequence[str]) -> None:
        """Declare these blobs instead, with its whole time ahead. Raises ConflictError if another has taken over."""
        await self._write(blobs, self._etag)

    async def is_own(self) -> bool:
        """Look whether no other sweep has taken over."""
        self._looked = self._clock()
        there = await self._sweeps.read_version(self._name)
        return there is not None and there.etag == self._etag

    async def allows_deletion(self) -> bool:
        """Return whether a deletion may begin now: in time, and with nobody else seen at work."""
        while not self._is_late():
            if self._clock() - self._looked < _BELIEVED_FOR:
                return True
            if not await self.is_own():
                return False
        return False

    def may_vanish(self, blob: str) -> bool:
        """Return whether a sweep that was taken over may be in the middle of deleting a blob."""
        return blob in self._taken_over and self._clock() < self._linger

    def deleted(self, blob: str) -> None:
        """Note that a blob is gone, so that nobody has to be kept from it any more."""
        self._taken_over.discard(blob)

    async def end(self) -> None:
        """Take the declaration back, unless another sweep has taken over.

        What another may be in the middle of deleting stays declared until that must have ended.
        """
        with suppress(ConflictError):
            if self._taken_over and self._clock() < self._linger:
                blobs = tuple(sorted(self._taken_over))
                left = SweepRecord(until=self._linger, blobs=blobs, is_over=True, made=self._clock())
                await self._sweeps.write(self._name, left, if_match=self._etag)
            else:
                await self._sweeps.remove(self._name, if_match=self._etag)

    def _is_late(self) -> bool:
        return self._clock() > self._until - min(LAST_CALL, self._lasts / 2)

    async def _write(self, blobs: Sequence[str], etag: str | None) -> None:
        made = self._clock()
        until = made + self._lasts
        record = SweepRecord(until=until, blobs=tuple(dict.fromkeys((*blobs, *sorted(self._taken_over)))), made=made)
        try:
            self._etag = await self._sweeps.write(self._name, record, if_match=etag, if_absent=etag is None)
        except ConflictError:
            written = await self._sweeps.read_version(self._name)
            if written is None or written.record != record:
                raise
            self._etag = written.etag  # the answer to a first attempt was lost
        self._until = until


@asynccontextmanager
async def declared(
    runs: RunBlobs,
    name: str,
    blobs: Sequence[str],
    clock: Clock,
    *,
    there: Collection[str] | None = None,
    lasts: timedelta = SWEEP_FOR,
) -> AsyncIterator[Declaration]:
    """Record which blobs are about to be deleted. Raises ConflictError if another sweep of the index runs.

    `there` are all blobs of the index, if they are known.
    """
    declaration = Declaration(runs, name, clock, lasts)
    await declaration.begin(blobs, there)
    try:
        yield declaration
    finally:
        await declaration.end()
