"""Typed records in the run container: the one place where such a blob is decoded, or refused.

Locks, runs, checkpoints, progress, restore and move states, reveals, pins, holds, tombstones, announcements and sweeps
are all records: one JSON object a blob.
"""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, ConflictError, IntegrityError
from indexvault.snapshots.store import RunBlobs

RECORD_LIMIT = 256 * 1024 * 1024
"""Bytes of the largest record that is read: the chunks of a very large snapshot."""


class Version[Record](msgspec.Struct, frozen=True):
    """A record as it was read, and the ETag to change exactly that version with.

    `modified` is when it was last written, by the store's clock, if the store says so.
    """

    record: Record
    etag: str
    modified: datetime | None = None


class RecordStore[Record]:
    """The records of one type in a run container, by the names of their blobs.

    `what` and `do` are what the IntegrityError for a record that can't be decoded says. A record larger than `limit`
    bytes is an IntegrityError too. `empty_is_none` reads an empty blob as no record, for records that are emptied
    instead of deleted; otherwise it is damaged.
    """

    def __init__(
        self,
        runs: RunBlobs,
        kind: type[Record],
        *,
        what: str = "this record can't be read",
        do: str = "Find out who wrote it; if it was nobody, delete it",
        limit: int = RECORD_LIMIT,
        empty_is_none: bool = False,
    ) -> None:
        self._runs = runs
        self._kind = kind
        self._what = what
        self._do = do
        self._limit = limit
        self._empty_is_none = empty_is_none

    async def read(self, name: str) -> Record | None:
        """Return a record, or None if there is none. Raises IntegrityError if it can't be decoded."""
        version = await self.read_version(name)
        return None if version is None else version.record

    async def read_version(self, name: str) -> Version[Record] | None:
        """Return a record with its ETag, or None if there is none. Raises IntegrityError if it can't be decoded."""
        blob = await self._runs.read(name, self._limit)
        if blob is None or (self._empty_is_none and not blob.data):
            return None
        try:
            return Version(decode(blob.data, self._kind), blob.etag, blob.modified)
        except UNDECODABLE:
            raise IntegrityError(self._what, on=name, do=self._do) from None

    async def read_exactly(self, name: str, sha256: str, *, otherwise: IntegrityError) -> Record | None:
        """Return the record whose bytes have this SHA-256, or None if there is none. Raises `otherwise` for another.

        What its reader has proved before is decoded without further bounds.
        """
        blob = await self._runs.read(name, self._limit)
        if blob is None:
            return None
        if hashlib.sha256(blob.data).hexdigest() != sha256:
            raise otherwise
        return msgspec.json.decode(blob.data, type=self._kind)

    async def write(
        self,
        name: str,
        record: Record,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        lease: str | None = None,
    ) -> str:
        """Write a record and return its ETag. Raises ConflictError if a condition or the lease does not hold."""
        data = msgspec.json.encode(record)
        return await self._runs.put(name, data, if_match=if_match, if_absent=if_absent, lease=lease)

    async def write_once(self, name: str, record: Record) -> Record:
        """Write a record unless there is one, and return the record that is there afterwards."""
        try:
            await self.write(name, record, if_absent=True)
        except ConflictError:
            earlier = await self.read(name)
            if earlier is None:
                raise
            return earlier
        return record

    async def remove(self, name: str, *, if_match: str | None = None) -> bool:
        """Remove a record; return False if there is none. Raises ConflictError if it has another ETag."""
        return await self._runs.delete(name, if_match=if_match)

    async def list(self, prefix: str) -> AsyncIterator[tuple[str, Record]]:
        """Yield the records under a prefix with their names, in order of names, without those that vanish meanwhile.

        Raises IntegrityError at the first one that can't be decoded.
        """
        async for blob in self._runs.list(prefix):
            record = await self.read(blob.name)
            if record is not None:
                yield blob.name, record


def id_of(name: str) -> str:
    """Return the snapshot's id that a record's name ends with."""
    return name.rpartition("/")[2].removesuffix(".json")
