"""A request takes data out of its region only where the settings leave that to requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.drifts import DriftRequest, measure
from indexvault.api.endpoint import Call, Nothing
from indexvault.api.restore_requests import RestoreRequest
from indexvault.api.restores import restore
from indexvault.errors import ConflictError, RequestError
from indexvault.settings.load import read_settings
from restore.moves import MoveRequest, move
from tests.memory_store import MemoryStore
from tests.snapshots.samples import documents, write_snapshot
from tests.world import EAST, WEST, World, open_world


def call(world: World, body: Any) -> Call[Any, Any, Any]:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    return Call(body=body, query=Nothing(), path=Nothing(), host=host, engine=cast("Any", None))


@asynccontextmanager
async def two_regions(**settings: bool) -> AsyncIterator[tuple[World, dict[str, Any]]]:
    """Yield a world with a snapshot, and the members of a request that would take it to another region."""
    store = MemoryStore("local")
    async with open_world(store) as world:
        _, summary = await write_snapshot(store.snapshots, documents(range(3)))
        plain = msgspec.structs.replace(world.clients.settings, allow_cross_region=False)
        world.clients.settings = msgspec.structs.replace(plain, **settings)
        yield world, {"snapshot": str(summary.reference), "target_service": WEST, "allow_cross_region": True}


@pytest.mark.parametrize("more", [{}, {"dry_run": True}])
async def test_a_request_alone_takes_no_data_out_of_its_region(more: dict[str, Any]) -> None:
    async with two_regions() as (world, members):
        body = RestoreRequest(**members, **more)
        moved = MoveRequest(service=EAST, index="hotels", target_service=WEST, allow_cross_region=True, **more)
        for asked in (restore(call(world, body)), move(call(world, moved))):
            with pytest.raises(RequestError) as denied:
                await asked
            assert denied.value.on == "body.allow_cross_region"


async def test_a_repair_takes_no_documents_out_of_their_region() -> None:
    there, here = f"{EAST}/hotels", f"{WEST}/hotels"
    async with two_regions() as (world, _members):
        for right, asks in ((there, True), (there, False), (f"{there}@latest", False)):
            body = DriftRequest(one=right, other=here, repair_from=right, allow_cross_region=asks)
            with pytest.raises(RequestError if asks else ConflictError, match="region"):
                await measure(call(world, body))


@pytest.mark.parametrize("setting", ["allow_cross_region_requests", "allow_cross_region"])
async def test_a_request_may_where_the_settings_say_so(setting: str) -> None:
    async with two_regions(**{setting: True}) as (world, members):
        reply = await restore(call(world, RestoreRequest(**members, dry_run=True)))
        [region] = [check for check in reply.content.checks if check.name == "region"]
        assert region.outcome == "ok"


async def test_the_setting_for_requests_gives_nothing_to_one_that_does_not_ask() -> None:
    async with two_regions(allow_cross_region_requests=True) as (world, members):
        body = RestoreRequest(**members | {"allow_cross_region": False}, dry_run=True)
        reply = await restore(call(world, body))
        assert [check.outcome for check in reply.content.checks if check.name == "region"] == ["failed"]


def test_the_setting_is_off_by_default() -> None:
    assert not read_settings('{"stores": {}, "services": {}}').allow_cross_region_requests
    assert read_settings(
        '{"stores": {}, "services": {}, "allow_cross_region_requests": true}'
    ).allow_cross_region_requests


async def test_a_snapshot_that_can_be_none_is_a_fault_of_the_request() -> None:
    async with two_regions() as (world, _members):
        with pytest.raises(RequestError) as denied:
            await measure(call(world, DriftRequest(one=f"{EAST}/hotels@\u00de", other=f"{WEST}/hotels")))
        assert denied.value.on == "body.one"
