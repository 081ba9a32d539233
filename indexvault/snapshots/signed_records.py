"""Sign every record of a run container, and pass over what nobody with the key has written.

Whoever can write to the container can make any record: a run to carry out, a lock, a tombstone. So each record is
signed with a key that the store does not hold. The signature stands in the blob's metadata, so records stay plain JSON,
and a listing, which brings the metadata anyway, tells foreign blobs without a further request. It covers

- the account, so that no record of another store is accepted,
- the blob's name, so that no record of another run or index is,
- the time of signing: a blob that the store says was written later than that is an old record put back,
- the size and the bytes.

A record without a valid signature is as if it were not there: it is not read, not listed, and no obstacle to a write
that must be the first, nor is a lease that it has. It is logged as tampering and stays until it is overwritten or
deleted. A record that is *deleted*, or put back within `REPLAY_TOLERANCE` of its signing, can't be told so.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.model import Clock
from indexvault.snapshots.record_keys import RecordKeys
from indexvault.snapshots.records import RECORD_LIMIT
from indexvault.snapshots.store import BlobProperties, RunBlob, RunBlobs

REPLAY_TOLERANCE = timedelta(hours=1)
"""Between signing a record and the time at which the store says it was written: retries and clocks that differ."""

SIGNATURE = "signature"
"""The name of the metadata that holds a record's signature: key and time, of the listing's facts, of the bytes."""

_PARTS = 3
_LOGGED_AT_MOST = 1000
_LOG = logging.getLogger(__name__)


class Tampering(msgspec.Struct, frozen=True):
    """A blob in a run container that counts for nothing, and why in words."""

    blob: str
    why: str


class SignedRunBlobs:
    """The half of a store that changes, with every record signed on writing and checked on reading.

    `account` is what the store is, whatever the settings call it. See `RunBlobs` for the methods.
    """

    def __init__(self, blobs: RunBlobs, keys: RecordKeys, *, account: str, clock: Clock) -> None:
        self._blobs = blobs
        self._keys = keys
        self._account = account.encode()
        self._clock = clock
        self._logged: set[Tampering] = set()

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        lease: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See `RunBlobs.put`. A blob that nobody with the key has written is no obstacle, nor is its lease."""
        signed = {**(metadata or {}), SIGNATURE: self._sign(name, data)}
        try:
            return await self._blobs.put(
                name, data, if_match=if_match, if_absent=if_absent, lease=lease, metadata=signed
            )
        except ConflictError:
            foreign = await self._foreign(name) if if_match is None and lease is None else None
            if foreign is None:
                raise
            await self._blobs.break_lease(name)
            return await self._blobs.put(name, data, if_match=foreign, metadata=signed)

    async def read(self, name: str, limit: int) -> RunBlob | None:
        """See `RunBlobs.read`."""
        try:
            blob = await self._blobs.read(name, limit)
        except IntegrityError:
            there = await self._properties(name)
            why = None if there is None else self._listing_fault(there)
            if why is None:
                raise
            self._tell(Tampering(name, why))
            return None
        why = None if blob is None else self._fault(name, blob)
        if why is not None:
            self._tell(Tampering(name, why))
            return None
        return blob

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `RunBlobs.list`. Yields what is signed under its name, time and size; the bytes are checked by `read`."""
        async for blob in self._blobs.list(prefix):
            why = self._listing_fault(blob)
            if why is None:
                yield blob
            else:
                self._tell(Tampering(blob.name, why))

    async def delete(self, name: str, *, if_match: str | None = None, lease: str | None = None) -> bool:
        """See `RunBlobs.delete`. A foreign blob is removed whatever lease it has."""
        try:
            return await self._blobs.delete(name, if_match=if_match, lease=lease)
        except ConflictError:
            foreign = await self._foreign(name) if if_match is None and lease is None else None
            if foreign is None:
                raise
            await self._blobs.break_lease(name)
            return await self._blobs.delete(name, if_match=foreign)

    async def acquire(self, name: str, lease: str, seconds: int) -> None:
        """See `RunBlobs.acquire`. The lease of a foreign blob is broken: no run has it."""
        try:
            await self._blobs.acquire(name, lease, seconds)
        except ConflictError:
            if await self._foreign(name) is None:
                raise
            await self._blobs.break_lease(name)
            await self._blobs.acquire(name, lease, seconds)

    async def renew(self, name: str, lease: str) -> None:
        """See `RunBlobs.renew`."""
        await self._blobs.renew(name, lease)

    async def release(self, name: str, lease: str) -> None:
        """See `RunBlobs.release`."""
        await self._blobs.release(name, lease)

    async def break_lease(self, name: str) -> None:
        """See `RunBlobs.break_lease`."""
        await self._blobs.break_lease(name)

    async def tampering(self, prefix: str = "", *, listing_only: bool = False) -> AsyncIterator[Tampering]:
        """Yield every blob under a prefix that counts for nothing.

        Reads each one, unless `listing_only` restricts the check to what a listing shows: all that nobody with the key
        has written under its name, but not a record whose bytes were replaced by as many others.
        """
        async for blob in self._blobs.list(prefix):
            why = self._listing_fault(blob)
            if why is None and not listing_only:
                try:
                    found = await self._blobs.read(blob.name, RECORD_LIMIT)
                    why = None if found is None else self._fault(blob.name, found)
                except IntegrityError as error:
                    why = error.what
            if why is not None:
                yield Tampering(blob.name, why)

    async def accept(self, name: str) -> bool:
        """Sign a foreign record as it is; return False if there is none, or it is signed.

        Only for a record that the operator knows. Raises IntegrityError if it is too large for any record,
        ConflictError if it changes meanwhile.
        """
        blob = await self._blobs.read(name, RECORD_LIMIT)
        if blob is None or self._fault(name, blob) is None:
            return False
        await self._blobs.put(name, blob.data, if_match=blob.etag, metadata={SIGNATURE: self._sign(name, blob.data)})
        return True

    async def remove_foreign(self, name: str) -> bool:
        """Remove a blob if it counts for nothing, whatever lease it has; return whether it was removed."""
        foreign = await self._foreign(name)
        if foreign is None:
            return False
        await self._blobs.break_lease(name)
        return await self._blobs.delete(name, if_match=foreign)

    def _sign(self, name: str, data: bytes) -> str:
        seconds = f"{int(self._clock().timestamp())}"
        facts = self._facts(name, seconds, len(data))
        return " ".join((seconds, self._keys.sign("record name", *facts), self._keys.sign("record", *facts, data)))

    def _facts(self, name: str, seconds: str, size: int) -> tuple[bytes, ...]:
        return self._account, name.encode(), seconds.encode(), size.to_bytes(8)

    def _listing_fault(self, blob: BlobProperties) -> str | None:
        """Return why a blob counts for nothing by what a listing says of it, or None."""
        parts = _parts(blob.metadata)
        if parts is None:
            return "it is not signed"
        return self._why_foreign(
            blob.modified,
            parts[0],
            self._keys.verify(parts[1], "record name", *self._facts(blob.name, parts[0], blob.size)),
        )

    def _fault(self, name: str, blob: RunBlob) -> str | None:
        """Return why a blob counts for nothing, or None."""
        parts = _parts(blob.metadata)
        if parts is None:
            return "it is not signed"
        facts = self._facts(name, parts[0], len(blob.data))
        return self._why_foreign(blob.modified, parts[0], self._keys.verify(parts[2], "record", *facts, blob.data))

    def _why_foreign(self, modified: datetime | None, seconds: str, is_signed: bool) -> str | None:  # noqa: FBT001
        if not is_signed:
            return f"it is not signed as this record with a key of the settings ({', '.join(self._keys.ids)})"
        late = None if modified is None else modified - datetime.fromtimestamp(int(seconds), UTC)
        if late is not None and late > REPLAY_TOLERANCE:
            return (
                f"it was signed {late} before it was written: an old record put back, or signed by a clock far behind"
            )
        return None

    async def _foreign(self, name: str) -> str | None:
        """Return the ETag of a blob that counts for nothing, or None if there is none or it is genuine.

        The bytes are read only if a listing does not show it: then they are as many as were signed.
        """
        there = await self._properties(name)
        if there is None:
            return None
        why, etag = self._listing_fault(there), there.etag
        if why is None:
            try:
                blob = await self._blobs.read(name, there.size)
            except IntegrityError:  # another one since it was listed
                return None
            if blob is None:
                return None
            why, etag = self._fault(name, blob), blob.etag
        if why is None:
            return None
        self._tell(Tampering(name, why))
        return etag

    async def _properties(self, name: str) -> BlobProperties | None:
        async for blob in self._blobs.list(name):
            return blob if blob.name == name else None
        return None

    def _tell(self, found: Tampering) -> None:
        if found in self._logged:
            return
        if len(self._logged) >= _LOGGED_AT_MOST:
            self._logged.clear()
        self._logged.add(found)
        _LOG.warning("tampering: %s in %s counts for nothing: %s", found.blob, self._account.decode(), found.why)


def _parts(metadata: Mapping[str, str]) -> list[str] | None:
    parts = metadata.get(SIGNATURE, "").split(" ")
    if len(parts) != _PARTS or not (parts[0].isascii() and parts[0].isdecimal() and len(parts[0]) <= len(f"{2**33}")):
        return None
    return parts
