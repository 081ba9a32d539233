"""A store whose records and manifests are signed with a key that it does not hold; and the guard of one without."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from indexvault.errors import ConflictError, ForbiddenError, SettingsError
from indexvault.model import Clock
from indexvault.snapshots.authority import Authority
from indexvault.snapshots.record_keys import RecordKeys
from indexvault.snapshots.run_names import SIGNING_MARK
from indexvault.snapshots.signed_records import SignedRunBlobs
from indexvault.snapshots.store import (
    BlobProperties,
    Protection,
    ReadGrant,
    RunBlobs,
    SnapshotReader,
    SnapshotWriter,
    Store,
)

_MARK_LIMIT = 64 * 1024
_LOG = logging.getLogger(__name__)


class SignedSnapshotBlobs:
    """The half that is written once, with the authority that signs its manifests. See `SnapshotWriter`."""

    def __init__(self, blobs: SnapshotWriter, authority: Authority) -> None:
        self._blobs = blobs
        self.authority = authority

    async def read(self, name: str, limit: int) -> bytes:
        """See `SnapshotReader.read`."""
        return await self._blobs.read(name, limit)

    async def first_sound[Found](self, read: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        """See `SnapshotReader.first_sound`."""
        return await read(self)

    async def properties(self, name: str) -> BlobProperties | None:
        """See `SnapshotReader.properties`."""
        return await self._blobs.properties(name)

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `SnapshotReader.list`."""
        async for blob in self._blobs.list(prefix):
            yield blob

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        """See `SnapshotReader.folders`."""
        async for folder in self._blobs.folders(prefix):
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
        return await self._blobs.create(name, data, metadata=metadata, content_type=content_type)

    async def delete(self, name: str) -> bool:
        """See `SnapshotWriter.delete`."""
        return await self._blobs.delete(name)

    async def protection(self, prefix: str) -> Protection:
        """See `SnapshotWriter.protection`."""
        return await self._blobs.protection(prefix)

    async def grant(self, name: str) -> ReadGrant | None:
        """See `SnapshotWriter.grant`."""
        return await self._blobs.grant(name)

    async def copy(self, name: str, grant: ReadGrant) -> bool:
        """See `SnapshotWriter.copy`."""
        return await self._blobs.copy(name, grant)


class _Guarded:
    """A store that another one stands in front of."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_prepared = False

    @property
    def name(self) -> str:
        """See `StoreReader.name`."""
        return self._store.name

    async def prepare(self) -> None:
        """See `StoreReader.prepare`. The mark that says whether records are signed is looked at once."""
        await self._store.prepare()
        if not self._is_prepared:
            await self._settle()
            self._is_prepared = True

    async def close(self) -> None:
        """See `StoreReader.close`."""
        await self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _settle(self) -> None:
        raise NotImplementedError


class SignedStore(_Guarded):
    """A store with record keys. `account` is what the store is, whatever the settings call it."""

    def __init__(self, store: Store, keys: RecordKeys, *, account: str, clock: Clock) -> None:
        super().__init__(store)
        self.runs = SignedRunBlobs(store.runs, keys, account=account, clock=clock)
        self.snapshots = SignedSnapshotBlobs(store.snapshots, Authority(keys, (self.runs,), clock))

    async def _settle(self) -> None:
        """Leave the mark that keeps processes without the key from writing what nobody would read."""
        if await self.runs.read(SIGNING_MARK, _MARK_LIMIT) is not None:
            return
        try:
            await self.runs.put(SIGNING_MARK, b"{}", if_absent=True)
        except (ConflictError, ForbiddenError) as error:
            _LOG.debug("the mark of a store with signed records was not written: %s", error)


class UnsignedStore(_Guarded):
    """A store without record keys: as it is, unless its records are signed by others."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.runs: RunBlobs = store.runs
        self.snapshots: SnapshotWriter = store.snapshots

    async def _settle(self) -> None:
        """Raise SettingsError if the records here are signed: those of this process would count for nothing."""
        if await self.runs.read(SIGNING_MARK, _MARK_LIMIT) is not None:
            raise SettingsError(
                f"the records of store {self.name} are signed, and these settings have no record_key",
                on="settings $.record_key",
                do='Set "record_key": {"env": "INDEXVAULT_RECORD_KEY"} and the key that the app has in that variable;'
                f" to do without from now on, delete {SIGNING_MARK} in the runs container",
            )
