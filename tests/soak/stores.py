"""A store in memory as one process sees it: calls fail, answers are lost, and the process may die at each of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from indexvault.errors import ConflictError
from indexvault.snapshots.store import BlobProperties, Protection, ReadGrant, RunBlob, SnapshotReader
from tests.memory_store import MemoryRunBlobs, MemorySnapshotBlobs, MemoryStore
from tests.soak.process import Process


class SeenSnapshotBlobs:
    """The half that is written once."""

    def __init__(self, where: str, blobs: MemorySnapshotBlobs, process: Process) -> None:
        self._where = where
        self._blobs = blobs
        self._process = process
        self.authority = blobs.authority

    async def create(
        self,
        name: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/octet-stream",
    ) -> bool:
        async def effect() -> bool:
            made = await self._blobs.create(name, data, metadata=metadata, content_type=content_type)
            return made and not self._process.repeats()

        return await self._change("create", name, effect)

    async def read(self, name: str, limit: int) -> bytes:
        return await self._look("read", name, lambda: self._blobs.read(name, limit))

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        return await self._look("read_range", name, lambda: self._blobs.read_range(name, offset, length))

    async def first_sound[Found](self, read: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        return await read(self)

    async def properties(self, name: str) -> BlobProperties | None:
        return await self._look("properties", name, lambda: self._blobs.properties(name))

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        async def effect() -> list[BlobProperties]:
            return [each async for each in self._blobs.list(prefix)]

        for each in await self._look("list", prefix, effect):
            yield each

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        async def effect() -> list[str]:
            return [each async for each in self._blobs.folders(prefix)]

        for each in await self._look("folders", prefix, effect):
            yield each

    async def protection(self, prefix: str) -> Protection:
        return await self._blobs.protection(prefix)

    async def grant(self, name: str) -> ReadGrant | None:
        return await self._blobs.grant(name)

    async def copy(self, name: str, grant: ReadGrant) -> bool:
        return await self._blobs.copy(name, grant)

    async def delete(self, name: str) -> bool:
        async def effect() -> bool:
            return await self._blobs.delete(name) and not self._process.repeats()

        return await self._change("delete", name, effect)

    async def _look[Result](self, verb: str, name: str, effect: Callable[[], Awaitable[Result]]) -> Result:
        return await self._process.call(f"{self._where} {verb} {name}", effect, changes=False, store=True)

    async def _change[Result](self, verb: str, name: str, effect: Callable[[], Awaitable[Result]]) -> Result:
        return await self._process.call(f"{self._where} {verb} {name}", effect, changes=True, store=True)


class SeenRunBlobs:
    """The half that changes."""

    def __init__(self, where: str, blobs: MemoryRunBlobs, process: Process) -> None:
        self._where = where
        self._blobs = blobs
        self._process = process

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
        async def effect() -> str:
            etag = await self._blobs.put(
                name, data, if_match=if_match, if_absent=if_absent, lease=lease, metadata=metadata
            )
            if (if_match is not None or if_absent) and self._process.repeats():
                raise ConflictError("it is already there", on=f"{self._where}/{name}", do="Read and compare")
            return etag

        return await self._change("put", name, effect)

    async def read(self, name: str, limit: int) -> RunBlob | None:
        return await self._look("read", name, lambda: self._blobs.read(name, limit))

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        async def effect() -> list[BlobProperties]:
            return [each async for each in self._blobs.list(prefix)]

        for each in await self._look("list", prefix, effect):
            yield each

    async def delete(self, name: str, *, if_match: str | None = None, lease: str | None = None) -> bool:
        async def effect() -> bool:
            return await self._blobs.delete(name, if_match=if_match, lease=lease) and not self._process.repeats()

        return await self._change("delete", name, effect)

    async def acquire(self, name: str, lease: str, seconds: int) -> None:
        await self._change("acquire", name, lambda: self._blobs.acquire(name, lease, seconds))

    async def renew(self, name: str, lease: str) -> None:
        await self._change("renew", name, lambda: self._blobs.renew(name, lease))

    async def release(self, name: str, lease: str) -> None:
        await self._change("release", name, lambda: self._blobs.release(name, lease))

    async def break_lease(self, name: str) -> None:
        await self._change("break_lease", name, lambda: self._blobs.break_lease(name))

    async def _look[Result](self, verb: str, name: str, effect: Callable[[], Awaitable[Result]]) -> Result:
        return await self._process.call(f"{self._where} {verb} {name}", effect, changes=False, store=True)

    async def _change[Result](self, verb: str, name: str, effect: Callable[[], Awaitable[Result]]) -> Result:
        return await self._process.call(f"{self._where} {verb} {name}", effect, changes=True, store=True)


class SeenStore:
    """Both halves."""

    def __init__(self, store: MemoryStore, process: Process) -> None:
        self.name = store.name
        self.snapshots = SeenSnapshotBlobs(f"{store.name}/search-snapshots", store.snapshots, process)
        self.runs = SeenRunBlobs(f"{store.name}/search-runs", store.runs, process)

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
