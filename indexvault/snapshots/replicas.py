"""Reading from whichever store answers, the nearest first.

Two stores hold the same blobs under the same names, so what one can't give, the other may. Nothing is written through
here: each store is written by itself.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from indexvault.errors import ConflictError, IntegrityError, NotFoundError, RemoteError
from indexvault.snapshots.store import BlobProperties, RunBlobs, SnapshotBlobs, Store

_LOG = logging.getLogger(__name__)


class NearestBlobs:
    """The snapshot halves of several stores, as one that is only read. `stores` are in the order they are asked in.

    A blob comes from the first store that gives it; chunks and manifests, which prove themselves, from the first that
    gives them sound (`first_sound`). Listings unite those of all stores that answer; what can't be had
    from any raises the first store's error.
    """

    def __init__(self, stores: Sequence[Store]) -> None:
        self._stores = stores

    async def read(self, name: str, limit: int) -> bytes:
        """See `SnapshotBlobs.read`."""
        return await self._first(lambda blobs: blobs.read(name, limit))

    async def first_sound[Found](self, read: Callable[[SnapshotBlobs], Awaitable[Found]]) -> Found:
        """Return what `read` makes of the first store where it raises nothing.

        `read` proves what it gives, by IntegrityError for what is damaged. Raises the first store's IntegrityError
        where no store has it sound, else as `read` does.
        """
        damage: list[IntegrityError] = []

        async def one(blobs: SnapshotBlobs) -> Found:
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
            _LOG.warning("what is damaged in one store is read from another: %s", error)
        return found

    async def properties(self, name: str) -> BlobProperties | None:
        """See `SnapshotBlobs.properties`."""

        async def there(blobs: SnapshotBlobs) -> BlobProperties:
            found = await blobs.properties(name)
            if found is None:
                raise NotFoundError("there is no such blob", on=name, do="Check the store")
            return found

        try:
            return await self._first(there)
        except NotFoundError:
            return None

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `SnapshotBlobs.list`."""
        found: dict[str, BlobProperties] = {}
        for blob in await self._all(lambda blobs: blobs.list(prefix)):
            found.setdefault(blob.name, blob)
        for name in sorted(found):
            yield found[name]

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        """See `SnapshotBlobs.folders`."""
        for name in sorted(set(await self._all(lambda blobs: blobs.folders(prefix)))):
            yield name

    async def create(
        self,
        name: str,
        data: bytes,  # noqa: ARG002  # the contract has it
        *,
        metadata: Mapping[str, str] | None = None,  # noqa: ARG002  # the contract has it
        content_type: str = "",  # noqa: ARG002  # the contract has it
    ) -> bool:
        """Refuse: raises ConflictError."""
        raise _read_only(name)

    async def delete(self, name: str) -> bool:
        """Refuse: raises ConflictError."""
        raise _read_only(name)

    async def _first[Found](self, ask: Callable[[SnapshotBlobs], Awaitable[Found]]) -> Found:
        failures: list[RemoteError | NotFoundError] = []
        for store in self._stores:
            try:
                return await ask(store.snapshots)
            except (RemoteError, NotFoundError) as error:
                if len(self._stores) > 1 and not failures:
                    _LOG.debug("store %s can't give it, so the next is asked: %s", store.name, error)
                failures.append(error)
        # A store that did not answer says less than one that knows: what is nowhere found may be in the silent one.
        raise next((error for error in failures if isinstance(error, RemoteError)), failures[0])

    async def _all[Entry](self, ask: Callable[[SnapshotBlobs], AsyncIterator[Entry]]) -> Sequence[Entry]:
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


class NearestStore:
    """Several stores with the same snapshots as one store to read from; its run half is the first store's."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self.name = " or ".join(store.name for store in stores)
        self.snapshots = NearestBlobs(stores)
        self._stores = stores

    @property
    def runs(self) -> RunBlobs:
        """The first store's."""
        return self._stores[0].runs

    async def prepare(self) -> None:
        """See `Store.prepare`; a store that does not answer is none to read from, and is passed over."""
        for store in self._stores:
            try:
                await store.prepare()
            except RemoteError as error:
                _LOG.warning("store %s can't be prepared: %s", store.name, error)

    async def close(self) -> None:
        """Do nothing: the stores are their openers' to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _read_only(name: str) -> ConflictError:
    return ConflictError(
        "several stores are read as one here, and none is written", on=name, do="Write to a store by its name"
    )
