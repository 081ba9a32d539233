"""`POST /histories`: what the view of a document's history keeps of it."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.endpoint import Call, Nothing
from indexvault.api.histories import HistoryRequest, HistoryView, find, history_of
from indexvault.errors import NotFoundError
from indexvault.snapshots.history import find_key
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, World, open_world

NOW = MORNING + timedelta(days=1)


def call(world: World, body: HistoryRequest) -> Call[Any, Any, Any]:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    return Call(body=body, query=Nothing(), path=Nothing(), host=host, engine=cast("Any", None))


async def test_a_history_arrives_as_it_was_found() -> None:
    store = MemoryStore("local")
    async with open_world(store, clock=lambda: NOW) as world:
        lines = documents(range(3))
        await write_snapshot(store.snapshots, lines)
        key = sorted(lines)[1]
        expected = await find_key(store.snapshots, EAST, "hotels", key)
        assert [event.kind for event in expected.events] == ["appeared"]
        reply = await find(call(world, HistoryRequest(EAST, "hotels", key, show=True)))
        view = msgspec.json.decode(msgspec.json.encode(reply.content), type=HistoryView)
        assert (reply.status, history_of(view)) == (200, expected)
        plain = await find(call(world, HistoryRequest(EAST, "hotels", key)))
        assert [each.document for each in plain.content.events] == [None]
        with pytest.raises(NotFoundError):
            await find(call(world, HistoryRequest(EAST, "nothing", key)))
