"""`POST /restores`: what must be accepted before a snapshot is restored."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.endpoint import Call, Nothing, Reply
from indexvault.api.restore_requests import RestoreRequest
from indexvault.api.restores import restore
from indexvault.errors import LossNotAcceptedError
from indexvault.restore.job import RestoreJob
from indexvault.snapshots.manifest import Unsettled, UnsettledPart
from indexvault.snapshots.summary import Summary
from indexvault.snapshots.used_packs import used_packs
from indexvault.snapshots.writer import commit
from indexvault.workflow.runs import Runs
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, manifest_of, write_snapshot
from tests.world import EAST, WEST, World, open_world

NOW = MORNING + timedelta(days=1)


class Engine:
    """Where workflows start: notes which."""

    def __init__(self) -> None:
        self.started: list[str] = []

    async def start(self, _workflow: str, order: Any) -> None:
        self.started.append(order.run)


async def unsettled(store: MemoryStore) -> Summary:
    """Write a snapshot that leaves two documents open."""
    manifest, _ = await write_snapshot(store.snapshots, documents(range(9)), run="first")
    left = Unsettled(documents=2, parts=(UnsettledPart(part="by stars", documents=2),))
    await store.snapshots.delete(f"{EAST}/hotels/manifests/{manifest.id}.json")
    changed = manifest_of(manifest.tree, manifest.content_digest, run="open")
    left_open = msgspec.structs.replace(changed, state="unsettled", unsettled=left)
    return await commit(store.snapshots, left_open, await used_packs(store.snapshots, left_open))


async def asked(world: World, **members: Any) -> tuple[Reply, Engine]:
    engine = Engine()
    body = RestoreRequest(snapshot=f"{EAST}/hotels@latest", target_service=WEST, allow_cross_region=True, **members)
    host = cast("Any", SimpleNamespace(resources=world.resources))
    return await restore(
        Call(body=body, query=Nothing(), path=Nothing(), host=host, engine=cast("Any", engine))
    ), engine


async def test_an_unsettled_snapshot_is_restored_only_if_that_is_accepted() -> None:
    store = MemoryStore("local")
    async with open_world(store, clock=lambda: NOW) as world:
        await unsettled(store)
        with pytest.raises(LossNotAcceptedError, match="2 documents are open") as refused:
            await asked(world)
        assert '"accept_unsettled": true' in refused.value.do
        with pytest.raises(LossNotAcceptedError):
            await asked(world, accept_loss=True)
        assert [record async for record in store.runs.list("records/")] == []
        reply, engine = await asked(world, accept_unsettled=True)
        assert reply.status == 202
        (run,) = engine.started
        record = await Runs(store.runs).read(run)
        assert record is not None
        (item,) = record.items
        job = msgspec.convert(item.job, RestoreJob)
        assert (job.accept_unsettled, job.accept_loss) == (True, False)


async def test_a_dry_run_says_what_is_to_be_accepted() -> None:
    store = MemoryStore("local")
    async with open_world(store, clock=lambda: NOW) as world:
        await unsettled(store)
        reply, engine = await asked(world, dry_run=True)
        checks = {check["name"]: check for check in msgspec.to_builtins(reply.content)["checks"]}
        assert (reply.status, engine.started) == (200, [])
        assert checks["unsettled"]["outcome"] == "failed"
        reply, _engine = await asked(world, dry_run=True, accept_unsettled=True)
        checks = {check["name"]: check for check in msgspec.to_builtins(reply.content)["checks"]}
        assert checks["unsettled"]["outcome"] == "warning"
