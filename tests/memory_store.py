"""A store in memory, for tests and benchmarks. It passes the same contract tests as the real one."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Self

import msgspec

from indexvault.errors import ConflictError, IntegrityError, NotFoundError, RefusedError
from indexvault.model import Clock
from indexvault.snapshots.authority import NO_AUTHORITY
from indexvault.snapshots.store import BlobProperties, Protection, ReadGrant, RunBlob, SnapshotReader


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _Blob(msgspec.Struct, frozen=True):
    data: bytes
    metadata: dict[str, str]
    modified: datetime
    etag: str


class _Lease(msgspec.Struct, frozen=True):
    id: str
    seconds: int
    until: datetime


class MemorySnapshotBlobs:
    """The half that is written once. `immutable` names blobs whose deletion an immutability policy would refuse."""

    def __init__(self, where: str, clock: Clock) -> None:
        self._where = where
        self._clock = clock
        self._blobs: dict[str, _Blob] = {}
        self.authority = NO_AUTHORITY
        self.immutable: set[str] = set()
        self.protected = Protection()

    async def create(
        self,
        name: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/octet-stream",  # noqa: ARG002  # the contract has it; memory has no use for it
    ) -> bool:
        """See `SnapshotWriter.create`."""
        if name in self._blobs:
            return False
        self._blobs[name] = _Blob(bytes(data), dict(metadata or {}), self._clock(), "")
        return True

    async def read(self, name: str, limit: int) -> bytes:
        """See `SnapshotReader.read`."""
        return _within(self._blob(name).data, limit, f"{self._where}/{name}")

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        """See `SnapshotReader.read_range`."""
        data = self._blob(name).data[offset : offset + length]
        if len(data) < length:
            raise IntegrityError(
                f"it ends before byte {offset + length}", on=f"{self._where}/{name}", do="Find out who wrote it"
            )
        return data

    async def first_sound[Found](self, read: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        """See `SnapshotReader.first_sound`."""
        return await read(self)

    async def properties(self, name: str) -> BlobProperties | None:
        """See `SnapshotReader.properties`."""
        blob = self._blobs.get(name)
        return None if blob is None else _properties(name, blob)

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `SnapshotReader.list`."""
        for properties in _listed(self._blobs, prefix):
            yield properties

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        """See `SnapshotReader.folders`."""
        rests = [name.removeprefix(prefix) for name in self._blobs if name.startswith(prefix)]
        for folder in sorted({rest.partition("/")[0] for rest in rests if "/" in rest}):
            yield folder

    async def protection(self, prefix: str) -> Protection:  # noqa: ARG002  # the contract has it
        """See `SnapshotWriter.protection`."""
        return self.protected

    async def grant(self, name: str) -> ReadGrant | None:  # noqa: ARG002  # the contract has it
        """See `SnapshotWriter.grant`."""
        return None

    async def copy(self, name: str, grant: ReadGrant) -> bool:  # noqa: ARG002  # the contract has it
        """See `SnapshotWriter.copy`."""
        raise RefusedError(
            "memory can't fetch anything", on=f"{self._where}/{name}", do="Read the blob and create it here"
        )

    async def delete(self, name: str) -> bool:
        """See `SnapshotWriter.delete`."""
        if name in self.immutable:
            raise ConflictError(
                "an immutability policy keeps the blob", on=f"{self._where}/{name}", do="Leave it until it has passed"
            )
        return self._blobs.pop(name, None) is not None

    def _blob(self, name: str) -> _Blob:
        blob = self._blobs.get(name)
        if blob is None:
            raise NotFoundError("there is no such blob", on=f"{self._where}/{name}", do="Check the store")
        return blob


class MemoryRunBlobs:
    """The half that changes."""

    def __init__(self, where: str, clock: Clock) -> None:
        self._where = where
        self._clock = clock
        self._blobs: dict[str, _Blob] = {}
        self._leases: dict[str, _Lease] = {}
        self._etags = count(1)

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
        """See `RunBlobs.put`."""
        self._check(name, if_match=if_match, if_absent=if_absent, lease=lease)
        etag = f'"{next(self._etags):x}"'
        self._blobs[name] = _Blob(bytes(data), dict(metadata or {}), self._clock(), etag)
        return etag

    async def read(self, name: str, limit: int) -> RunBlob | None:
        """See `RunBlobs.read`."""
        blob = self._blobs.get(name)
        if blob is None:
            return None
        data = _within(blob.data, limit, f"{self._where}/{name}")
        return RunBlob(data, blob.etag, dict(blob.metadata), blob.modified)

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `RunBlobs.list`."""
        for properties in _listed(self._blobs, prefix):
            yield properties

    async def delete(self, name: str, *, if_match: str | None = None, lease: str | None = None) -> bool:
        """See `RunBlobs.delete`."""
        if name not in self._blobs:
            return False
        self._check(name, if_match=if_match, lease=lease)
        self._leases.pop(name, None)
        return self._blobs.pop(name, None) is not None

    async def acquire(self, name: str, lease: str, seconds: int) -> None:
        """See `RunBlobs.acquire`."""
        if name not in self._blobs:
            raise NotFoundError("there is no such blob", on=f"{self._where}/{name}", do="Write it first")
        running = self._running(name)
        if running is not None and running.id != lease:
            raise self._conflict(name, "another lease of it runs")
        self._leases[name] = _Lease(lease, seconds, self._clock() + timedelta(seconds=seconds))

    async def renew(self, name: str, lease: str) -> None:
        """See `RunBlobs.renew`."""
        held = self._held(name, lease)
        self._leases[name] = _Lease(lease, held.seconds, self._clock() + timedelta(seconds=held.seconds))

    async def release(self, name: str, lease: str) -> None:
        """See `RunBlobs.release`."""
        self._held(name, lease)
        del self._leases[name]

    async def break_lease(self, name: str) -> None:
        """See `RunBlobs.break_lease`."""
        self._leases.pop(name, None)

    def _running(self, name: str) -> _Lease | None:
        lease = self._leases.get(name)
        return lease if lease is not None and lease.until > self._clock() else None

    def _held(self, name: str, lease: str) -> _Lease:
        held = self._leases.get(name)
        if held is None or held.id != lease:
            raise self._conflict(name, "the lease is no longer the blob's")
        return held

    def _check(self, name: str, *, if_match: str | None, lease: str | None, if_absent: bool = False) -> None:
        blob, running = self._blobs.get(name), self._running(name)
        if if_absent and blob is not None:
            raise self._conflict(name, "it is already there")
        if if_match is not None and (blob is None or if_match not in {blob.etag, "*"}):
            raise self._conflict(name, "it has changed")
        if (running.id if running else None) != lease:
            raise self._conflict(name, "it is leased, or no longer under this lease")

    def _conflict(self, name: str, what: str) -> ConflictError:
        return ConflictError(what, on=f"{self._where}/{name}", do="See who else is writing, then try again")


class MemoryStore:
    """Both halves in memory. `clock` returns the times of leases and of changes to blobs."""

    def __init__(self, name: str = "memory", clock: Clock = _utc_now) -> None:
        self.name = name
        self.snapshots = MemorySnapshotBlobs(f"store {name}, search-snapshots", clock)
        self.runs = MemoryRunBlobs(f"store {name}, search-runs", clock)

    async def prepare(self) -> None:
        """Do nothing: there is nothing to create."""

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _within(data: bytes, limit: int, on: str) -> bytes:
    if len(data) > limit:
        raise IntegrityError(f"it is larger than the {limit} bytes it can have", on=on, do="Find out who wrote it")
    return data


def _properties(name: str, blob: _Blob) -> BlobProperties:
    md5 = hashlib.md5(blob.data, usedforsecurity=False).digest()
    return BlobProperties(name, len(blob.data), blob.modified, md5, dict(blob.metadata), blob.etag)


def _listed(blobs: Mapping[str, _Blob], prefix: str) -> list[BlobProperties]:
    return [_properties(name, blobs[name]) for name in sorted(blobs) if name.startswith(prefix)]
