"""Read from several stores that hold the same snapshots, in the order given.

Replicas hold the same blobs under the same names, so a blob that one store can't return may come from another. Nothing
is written through here: each store is written by itself.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from indexvault.errors import IntegrityError, NotFoundError, RemoteError
from indexvault.snapshots.store import BlobProperties, RunBlobs, SnapshotReader, Store

_LOG = logging.getLogger(__name__)


class NamedBlobs(Protocol):
    """The snapshots of one store, and its name."""

    @property
    def name(self) -> str:
        """The store's name."""
        ...

    @property
    def snapshots(self) -> SnapshotReader:
        """The half that is written once."""
        ...


class ReplicaBlobs:
    """The snapshot halves of several stores as one `SnapshotReader`. `stores` are asked in their order.

    A blob comes from the first store that returns it; members of packs and manifests, which carry checksums, from the
    first store that has them sound (`first_sound`). Listings unite those of all stores that answer. A blob that no
    store returns raises the first store's error.
    """

    def __init__(self, stores: Sequence[NamedBlobs]) -> None:
        self._stores = stores
        first, *others = (store.snapshots.authority for store in stores)
        self.authority = first.joined(others)

    async def read(self, name: str, limit: int) -> bytes:
        """See `SnapshotReader.read`."""
        return await self._first(lambda blobs: blobs.read(name, limit))

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        """See `SnapshotReader.read_range`. A copy that ends too early counts as damaged, so the next store is read."""
        return await self.first_sound(lambda blobs: blobs.read_range(name, offset, length))

    async def first_sound[Found](self, read: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        """See `SnapshotReader.first_sound`. Raises the first IntegrityError if no store has it sound."""
        damage: list[IntegrityError] = []

        async def one(blobs: SnapshotReader) -> Found:
            try:
                return await read(blobs)
            except IntegrityError as error:
                damage.append(error)
                raise NotFoundError(error.what, on=error.on, do=error.do) from error

        try:
            found = await self._first(one)
        except (RemoteError, NotFoundError):
            if damage:
                raise damage[0] from None
            raise
        for error in damage:
            _LOG.warning("a copy is damaged, so another store is read: %s", error)
        return found

    async def properties(self, name: str) -> BlobProperties | None:
        """See `SnapshotReader.properties`."""

        async def there(blobs: SnapshotReader) -> BlobProperties:
            found = await blobs.properties(name)
            if found is None:
                raise NotFoundError("there is no such blob", on=name, do="Check the store")
            return found

        try:
            return await self._first(there)
        except NotFoundError:
            return None

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `SnapshotReader.list`."""
        found: dict[str, BlobProperties] = {}
        for blob in await self._all(lambda blobs: blobs.list(prefix)):
            found.setdefault(blob.name, blob)
        for name in sorted(found):
            yield found[name]

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        """See `SnapshotReader.folders`."""
        for name in sorted(set(await self._all(lambda blobs: blobs.folders(prefix)))):
            yield name

    async def _first[Found](self, ask: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        failures: list[RemoteError | NotFoundError] = []
        for store in self._stores:
            try:
                return await ask(store.snapshots)
            except (RemoteError, NotFoundError) as error:
                if len(self._stores) > 1 and not failures:
                    _LOG.debug("store %s failed, so the next one is asked: %s", store.name, error)
                failures.append(error)
        # What no answering store has may be in the one that did not answer.
        raise next((error for error in failures if isinstance(error, RemoteError)), failures[0])

    async def _all[Entry](self, ask: Callable[[SnapshotReader], AsyncIterator[Entry]]) -> Sequence[Entry]:
        found = []
        failures: list[RemoteError | NotFoundError] = []
        for store in self._stores:
            try:
                found += [entry async for entry in ask(store.snapshots)]
            except NotFoundError as error:  # nothing has been copied to it yet
                failures.append(error)
            except RemoteError as error:
                _LOG.warning("store %s is left out of the listing: %s", store.name, error)
                failures.append(error)
        if len(failures) == len(self._stores):
            raise failures[0]
        return found


class Replicas:
    """Several stores with the same snapshots as one `StoreReader`; its run half is the first store's."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self.name = " or ".join(store.name for store in stores)
        self.snapshots = ReplicaBlobs(stores)
        self._stores = stores

    @property
    def runs(self) -> RunBlobs:
        """The first store's."""
        return self._stores[0].runs

    async def prepare(self) -> None:
        """See `Store.prepare`. Stores that don't answer are skipped with a warning."""
        for store in self._stores:
            try:
                await store.prepare()
            except RemoteError as error:
                _LOG.warning("store %s can't be prepared: %s", store.name, error)

    async def close(self) -> None:
        """Do nothing: whoever opened the stores closes them."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
