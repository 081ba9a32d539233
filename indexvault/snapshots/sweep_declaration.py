"""Declare which blobs a sweep is about to delete, so that backups see it; see `sweep`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from indexvault.errors import ConflictError
from indexvault.model import Clock
from indexvault.snapshots.announcements import SweepRecord
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.store import BlobProperties, RunBlobs

SWEEP_FOR = timedelta(hours=1)
"""How long one sweep works at most; the next one does the rest."""


class Declaration:
    """The declaration of a sweep. None of its blobs is deleted after `until`."""

    def __init__(self, runs: RunBlobs, name: str, clock: Clock) -> None:
        self._sweeps = RecordStore(runs, SweepRecord)
        self._name = name
        self._clock = clock
        self.etag = ""
        self.until = clock()

    async def begin(self, blobs: Sequence[BlobProperties]) -> None:
        """Declare the first blobs. Raises ConflictError if another sweep of the index runs."""
        earlier = await self._sweeps.read_version(self._name)
        if earlier is not None and earlier.record.until > self._clock():
            raise ConflictError("its packs are being swept already", on=self._name, do="Wait until that has finished")
        await self._write(blobs, earlier.etag if earlier else None)

    async def declare(self, blobs: Sequence[BlobProperties]) -> datetime:
        """Declare these blobs instead, and return until when they may be deleted.

        Raises ConflictError if another sweep has taken over.
        """
        await self._write(blobs, self.etag)
        return self.until

    async def end(self) -> None:
        """Take the declaration back, unless another sweep has taken over."""
        with suppress(ConflictError):
            await self._sweeps.remove(self._name, if_match=self.etag)

    async def _write(self, blobs: Sequence[BlobProperties], etag: str | None) -> None:
        until = self._clock() + SWEEP_FOR
        record = SweepRecord(until=until, blobs=tuple(blob.name for blob in blobs))
        try:
            self.etag = await self._sweeps.write(self._name, record, if_match=etag, if_absent=etag is None)
        except ConflictError:
            written = await self._sweeps.read_version(self._name)
            if written is None or written.record != record:
                raise
            self.etag = written.etag  # the answer to a first attempt was lost
        self.until = until


@asynccontextmanager
async def declared(
    runs: RunBlobs, name: str, blobs: Sequence[BlobProperties], clock: Clock
) -> AsyncIterator[Declaration]:
    """Record which blobs are about to be deleted. Raises ConflictError if another sweep of the index runs."""
    declaration = Declaration(runs, name, clock)
    await declaration.begin(blobs)
    try:
        yield declaration
    finally:
        await declaration.end()
