"""A store whose records and manifests are signed with a key that it does not hold; and the guard of one without."""

import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from indexvault.errors import ConflictError, ForbiddenError, SettingsError
from indexvault.model import Clock
from indexvault.snapshots.authority import Authority
from indexvault.snapshots.divided_store import DividedSnapshotBlobs
from indexvault.snapshots.record_keys import RecordKeys
from indexvault.snapshots.run_names import SIGNING_MARK
from indexvault.snapshots.signed_records import SignedRunBlobs
from indexvault.snapshots.store import (
    RunBlobs,
    SnapshotWriter,
    Store,
)

_MARK_LIMIT = 64 * 1024
_LOG = logging.getLogger(__name__)


class SignedSnapshotBlobs(DividedSnapshotBlobs):
    """The half that is written once, with the authority that signs its manifests. See `SnapshotWriter`."""

    def __init__(self, blobs: SnapshotWriter, authority: Authority) -> None:
        super().__init__(reader=blobs, writer=blobs, pruner=blobs)
        self.authority = authority


class _Guarded(ABC):
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

    @abstractmethod
    async def _settle(self) -> None:
        """Look at the mark that says whether records are signed."""


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
