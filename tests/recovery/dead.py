"""Stores that don't answer: they refuse connections, or let them hang."""

import asyncio
from typing import Any

from indexvault.errors import UnreachableError
from tests.memory_store import MemoryStore


class Dead:
    """Stands for every member of a store or service whose region is gone."""

    def __init__(self, name: str, *, hangs: bool) -> None:
        self.name = name
        self.hangs = hangs

    def __getattr__(self, member: str) -> Any:
        if member.startswith("__"):
            raise AttributeError(member)
        return self._listed if member in {"list", "folders", "tampering"} else self.asked

    async def asked(self, *_given: Any, **_named: Any) -> Any:
        if self.hangs:
            await asyncio.Event().wait()
        raise UnreachableError("no connection", on=f"store {self.name}", do="Try again")

    async def _listed(self, *_given: Any, **_named: Any) -> Any:
        await self.asked()
        yield


class DeadStore(MemoryStore):
    """A store whose region is gone, or will be. It comes back with what it had by `revive`."""

    def __init__(self, name: str = "dead", *, hangs: bool = False, alive: bool = False) -> None:
        super().__init__(name)
        self._alive = self.runs, self.snapshots
        self._hangs = hangs
        if not alive:
            self.kill(hangs=hangs)

    def kill(self, *, hangs: bool = False) -> None:
        """Let nothing be read or written from now on."""
        authority = self._alive[1].authority
        self.runs = Dead(self.name, hangs=hangs)  # type: ignore[assignment]
        self.snapshots = Dead(self.name, hangs=hangs)  # type: ignore[assignment]
        self.snapshots.authority = authority
        self._hangs = hangs

    def revive(self) -> None:
        """Answer again, with all that was there."""
        self.runs, self.snapshots = self._alive

    async def prepare(self) -> None:
        """See `StoreReader.prepare`."""
        if self.runs is not self._alive[0]:
            await Dead(self.name, hangs=self._hangs).asked()
