"""A store in memory whose writes a test counts, and at one of which it makes the process die."""

from collections.abc import Mapping
from typing import Any

from indexvault.errors import UnreachableError
from tests.memory_store import MemoryStore


class WatchedStore(MemoryStore):
    """A store in memory that notes what is written to it, and that can be made to die at a write.

    It dies at the write that is the `dies_at`-th from now on: before it is done, or if `done` after that.
    """

    def __init__(self) -> None:
        super().__init__("local")
        self.written: list[str] = []
        self.again: list[str] = []
        self.dies_at: int | None = None
        self.done = False
        create, put = self.snapshots.create, self.runs.put

        async def create_watched(
            name: str, data: bytes, *, metadata: Mapping[str, str] | None = None, content_type: str = ""
        ) -> bool:
            self._live(name, before=True)
            created = await create(name, data, metadata=metadata, content_type=content_type)
            if not created:
                self.again.append(name)
            self._live(name, before=False)
            return created

        async def put_watched(name: str, data: bytes, **conditions: Any) -> str:
            self._live(name, before=True)
            etag = await put(name, data, **conditions)
            self._live(name, before=False)
            return etag

        self.snapshots.create = create_watched  # type: ignore[method-assign]  # what crosses to the store is watched
        self.runs.put = put_watched  # type: ignore[method-assign]  # the same

    def _live(self, name: str, *, before: bool) -> None:
        if before:
            self.written.append(name)
        if self.dies_at is not None and len(self.written) + (before is self.done) > self.dies_at:
            raise UnreachableError("the process died", on=name, do="Run again")
