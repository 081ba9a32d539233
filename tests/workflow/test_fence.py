"""A run that lost its lock cannot commit, though its activity was at work already."""

from collections.abc import AsyncIterator

import pytest

from indexvault.errors import ConflictError
from indexvault.model import IndexName
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.store import BlobProperties
from indexvault.workflow.lock import unlock
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, open_world


async def test_a_lock_broken_during_the_commit_keeps_the_manifest_from_being_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with MemoryStore() as store:
        await store.prepare()
        async with open_world(store) as world:
            await world.fill(hotels.DEFINITION, hotels.hotels(30))
            listing = store.snapshots.list
            broken = 0

            async def list_and_break(prefix: str) -> AsyncIterator[BlobProperties]:
                nonlocal broken
                async for blob in listing(prefix):
                    yield blob
                if "/packs/" in prefix:  # the last thing that a commit looks at before it writes
                    broken += 1
                    await unlock(store.runs, IndexName(EAST, "hotels"), clock=world.resources.clock)

            monkeypatch.setattr(store.snapshots, "list", list_and_break)
            with pytest.raises(ConflictError, match="has lost its lock"):
                await world.back_up("hotels")
            monkeypatch.undo()
            assert broken == 1
            assert await list_snapshots(store.snapshots) == []
