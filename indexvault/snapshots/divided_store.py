"""A store opened by several identities, each with no more rights than its purpose needs.

Snapshots are read by one, created by another, and deleted by a third: code that backs up holds no identity that could
delete a snapshot. The half that changes belongs to the one that writes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from indexvault.snapshots.store import (
    BlobProperties,
    Protection,
    ReadGrant,
    RunBlobs,
    SnapshotReader,
    SnapshotWriter,
    Store,
)


class DividedSnapshotBlobs:
    """The half that is written once, through three clients. See `SnapshotWriter`."""

    def __init__(self, *, reader: SnapshotReader, writer: SnapshotWriter, pruner: SnapshotWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._pruner = pruner
        self.authority = writer.authority

    async def read(self, name: str, limit: int) -> bytes:
        """See `SnapshotReader.read`."""
        return await self._reader.read(name, limit)

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        """See `SnapshotReader.read_range`."""
        return await self._reader.read_range(name, offset, length)

    async def first_sound[Found](self, read: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        """See `SnapshotReader.first_sound`."""
        return await read(self)

    async def properties(self, name: str) -> BlobProperties | None:
        """See `SnapshotReader.properties`."""
        return await self._reader.properties(name)

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `SnapshotReader.list`."""
        async for blob in self._reader.list(prefix):
            yield blob

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        """See `SnapshotReader.folders`."""
        async for folder in self._reader.folders(prefix):
            yield folder

    async def create(
        self,
        name: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/octet-stream",
    ) -> bool:
        """See `SnapshotWriter.create`."""
        return await self._writer.create(name, data, metadata=metadata, content_type=content_type)

    async def copy(self, name: str, grant: ReadGrant) -> bool:
        """See `SnapshotWriter.copy`."""
        return await self._writer.copy(name, grant)

    async def protection(self, prefix: str) -> Protection:
        """See `SnapshotWriter.protection`."""
        return await self._pruner.protection(prefix)

    async def grant(self, name: str) -> ReadGrant | None:
        """See `SnapshotWriter.grant`. The other account gets a token of the writer: it may read what it has written."""
        return await self._writer.grant(name)

    async def delete(self, name: str) -> bool:
        """See `SnapshotWriter.delete`."""
        return await self._pruner.delete(name)


class DividedStore:
    """A store that is up to three clients of one account, which has the name `account`. It closes all of them."""

    def __init__(self, *, reader: Store, writer: Store, pruner: Store, account: str) -> None:
        self.name = writer.name
        self.account = account
        self._stores = (reader, writer, pruner)
        self._writer = writer
        self.snapshots = DividedSnapshotBlobs(reader=reader.snapshots, writer=writer.snapshots, pruner=pruner.snapshots)
        self.runs: RunBlobs = writer.runs

    async def prepare(self) -> None:
        """See `Store.prepare`."""
        await self._writer.prepare()

    async def close(self) -> None:
        """See `Store.close`."""
        for store in self._stores:
            await store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
