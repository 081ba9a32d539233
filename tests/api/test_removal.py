"""A request removes snapshots, or what keeps them, only where the settings leave that to requests."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.endpoint import Call, Nothing
from indexvault.api.pins import PinPath, PinRequest, pin, unpin
from indexvault.api.prunes import PruneRequest, prune
from indexvault.errors import NotFoundError, RequestError
from indexvault.maintenance.pinning import PinResult, UnpinResult
from indexvault.settings.load import read_settings
from indexvault.workflow.runs import Runs
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, World, open_world

NOW = MORNING + timedelta(days=1)


class Engine:
    """Where workflows start: notes which."""

    def __init__(self) -> None:
        self.started: list[str] = []

    async def start(self, workflow: str, _order: Any) -> None:
        self.started.append(workflow)


def call(world: World, engine: Engine, *, body: Any = None, path: Any = None) -> Call[Any, Any, Any]:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    return Call(body=body, query=Nothing(), path=path or Nothing(), host=host, engine=cast("Any", engine))


def allow(world: World) -> None:
    world.clients.settings = msgspec.structs.replace(world.clients.settings, allow_removal_requests=True)


async def test_a_request_alone_prunes_nothing() -> None:
    store, engine = MemoryStore("local"), Engine()
    async with open_world(store, clock=lambda: NOW) as world:
        await write_snapshot(store.snapshots, documents(range(3)))
        with pytest.raises(RequestError, match="allow_removal_requests"):
            await prune(call(world, engine, body=PruneRequest(service=EAST)))
        assert (engine.started, [blob async for blob in store.runs.list("records/")]) == ([], [])
        assert (await prune(call(world, engine, body=PruneRequest(service=EAST, dry_run=True)))).status == 202
        allow(world)
        reply = await prune(call(world, engine, body=PruneRequest(service=EAST, index="hot*")))
        assert (reply.status, engine.started) == (202, ["run_prune", "run_prune"])
        record = await Runs(store.runs).read(reply.content.run)
        assert record is not None
        assert [(item.index.index, item.job["dry_run"]) for item in record.items] == [("hotels", False)]
        with pytest.raises(NotFoundError):
            await prune(call(world, engine, body=PruneRequest(service=EAST, index="nothing")))


async def test_a_request_pins_and_alone_does_not_unpin() -> None:
    store, engine = MemoryStore("local"), Engine()
    async with open_world(store, clock=lambda: NOW) as world:
        _, summary = await write_snapshot(store.snapshots, documents(range(3)))
        reference, path = str(summary.reference), PinPath(service=EAST, index="hotels", id=summary.id)
        for _ in range(2):
            pinned = await pin(call(world, engine, body=PinRequest(snapshot=reference, reason="audit")))
            assert pinned.content == PinResult(reference)
        with pytest.raises(RequestError, match="what keeps them"):
            await unpin(call(world, engine, path=path))
        assert len([blob async for blob in store.runs.list("pins/")]) == 1
        allow(world)
        answers = [(await unpin(call(world, engine, path=path))).content for _ in range(2)]
        assert answers == [UnpinResult(reference, was_pinned=True), UnpinResult(reference, was_pinned=False)]


def test_the_settings_allow_it_by_name() -> None:
    assert not read_settings('{"stores": {}, "services": {}}').allow_removal_requests
    assert read_settings('{"stores": {}, "services": {}, "allow_removal_requests": true}').allow_removal_requests
