"""No way of the running program takes documents out of a policy's regions, whatever allows data to leave its region."""

from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from indexvault.api.drifts import DriftRequest, measure
from indexvault.api.endpoint import Call, Nothing
from indexvault.api.restore_requests import RestoreRequest
from indexvault.api.restores import restore
from indexvault.backup.service_objects import BACK_UP_SERVICE, OBJECTS, ServiceJob
from indexvault.backup.workflow import ACTIVITIES as BACKUP_ACTIVITIES
from indexvault.errors import ConflictError
from indexvault.maintenance.retention import MaintenanceJob, replicate, replicate_to
from indexvault.move.job import MoveJob
from indexvault.move.start import require_movable
from indexvault.recovery.drift_run import compare_and_mend
from indexvault.recovery.drill import ACTIVITIES as DRILL_ACTIVITIES
from indexvault.recovery.drill import DRILL_INDEX
from indexvault.recovery.drill_job import DrillJob
from indexvault.recovery.failover_facts import require_target
from indexvault.recovery.job import DriftJob
from indexvault.restore.service.job import ServiceRestoreJob
from indexvault.restore.service.workflow import ACTIVITIES as SERVICE_ACTIVITIES
from indexvault.restore.service.workflow import PREFLIGHT_SERVICE, RESTORE_SERVICE
from indexvault.settings.model import PairSettings, PolicySettings
from indexvault.workflow.activity import Workflow
from indexvault.workflow.local import LocalEngine
from restore.moves import MoveRequest, move
from tests.memory_store import MemoryStore
from tests.recovery.conftest import NOTES, note
from tests.world import EAST, WEST, World, open_world

HOME = PolicySettings(service=EAST, schedule="0 0 2 * * *", indexes=("notes",), regions=("eastus", "local"))
SAID = "policy home keeps its documents in eastus, local, and not in westus2"
FREE: dict[str, Any] = {"allow_cross_region": True}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Open a world in which everything may leave its region, but for what the policy says."""
    async with open_world(
        MemoryStore("local"), policies={"home": HOME}, replicas={"westus2": MemoryStore("westus2")}
    ) as opened:
        settings = replace(opened.clients.settings, allow_cross_region=True, allow_cross_region_requests=True)
        opened.clients.settings = settings
        await opened.fill(NOTES, [note(number) for number in range(5)])
        yield opened


def call(world: World, body: Any) -> Call[Any, Any, Any]:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    return Call(body=body, query=Nothing(), path=Nothing(), host=host, engine=cast("Any", None))


async def none_there(world: World) -> None:
    assert await world.west.index_names() == []
    assert [blob async for blob in world.clients.store("westus2").snapshots.list("")] == []


@pytest.mark.parametrize("mode", ["create", "replace"])
async def test_a_restore_is_refused(world: World, mode: str) -> None:
    made = await world.back_up("notes")
    with pytest.raises(ConflictError, match=SAID):
        await world.restore(made, mode=mode, **FREE)
    await none_there(world)


@pytest.mark.parametrize("mode", ["sync", "fill"])
async def test_a_sync_into_an_index_that_is_there_is_refused(world: World, mode: str) -> None:
    made = await world.back_up("notes")
    await world.fill(NOTES, [], WEST)
    with pytest.raises(ConflictError, match=SAID):
        await world.restore(made, index="notes", mode=mode, **FREE)
    assert await world.documents(WEST, "notes", "id") == []


async def test_a_restore_of_single_documents_is_refused(world: World) -> None:
    made = await world.back_up("notes")
    with pytest.raises(ConflictError, match=SAID):
        await world.restore(made, keys=("n000001",), **FREE)
    await none_there(world)


async def test_a_restore_from_a_store_elsewhere_is_refused(world: World) -> None:
    made = await world.back_up("notes")
    free = world.clients.settings
    world.clients.settings = replace(free, policies={})
    job = MaintenanceJob(service=EAST, index="notes")
    await replicate_to(world.resources, job, world.store, "westus2")
    world.clients.settings = free
    with pytest.raises(ConflictError, match=SAID):
        await world.restore(made, target_service=EAST, store="westus2", **FREE)


async def test_a_restore_in_the_policys_regions_is_not(world: World) -> None:
    made = await world.back_up("notes")
    report = await world.restore(made, target_service=EAST, index="again", **FREE)
    assert report.documents == 5


async def test_a_request_to_restore_is_refused_before_it_begins(world: World) -> None:
    made = await world.back_up("notes")
    body = RestoreRequest(snapshot=f"{EAST}/notes@{made.snapshot}", target_service=WEST, dry_run=True, **FREE)
    reply = await restore(call(world, body))
    [region] = [check for check in reply.content.checks if check.name == "region"]
    assert (region.outcome, region.what) == ("failed", SAID)
    await none_there(world)


async def test_a_move_is_refused(world: World) -> None:
    job = MoveJob(
        service=EAST, index="notes", target_service=WEST, target_index="notes", run="move", allow_cross_region=True
    )
    with pytest.raises(ConflictError, match=SAID):
        await require_movable(world.resources, job)
    reply = await move(call(world, MoveRequest(service=EAST, index="notes", target_service=WEST, dry_run=True, **FREE)))
    [failed] = [each.what for each in reply.content.checks if each.outcome == "failed"]
    assert SAID in failed
    await none_there(world)


@pytest.mark.parametrize("right", [f"{EAST}/notes", f"{EAST}/notes@latest"])
async def test_a_repair_is_refused_from_the_live_index_and_from_a_snapshot(world: World, right: str) -> None:
    await world.back_up("notes")
    await world.fill(NOTES, [], WEST)
    there = f"{WEST}/notes"
    job = DriftJob(one=right, other=there, run="repair", repair_from=right, allow_cross_region=True)
    with pytest.raises(ConflictError, match=SAID):
        await compare_and_mend(world.resources, job)
    with pytest.raises(ConflictError, match=SAID):
        await measure(call(world, DriftRequest(one=right, other=there, repair_from=right, allow_cross_region=True)))
    assert await world.documents(WEST, "notes", "id") == []
    looked = await compare_and_mend(world.resources, replace(job, repair_from=None))
    assert looked.drift.missing == 5


async def test_a_drill_by_hand_is_refused_and_leaves_nothing(world: World) -> None:
    await world.back_up("notes")
    async with LocalEngine(world.resources, DRILL_ACTIVITIES, [DRILL_INDEX]) as engine:
        job = DrillJob(service=EAST, index="notes", target_service=WEST, run="drill", allow_cross_region=True)
        report = await engine.run(DRILL_INDEX, job)
    assert report.failure is not None
    assert SAID in report.failure.what
    await none_there(world)


async def test_the_other_objects_of_a_service_are_refused(world: World) -> None:
    world.clients.settings = replace(world.clients.settings, policies={"home": replace(HOME, indexes=("*",))})
    every = {step.name: step for step in (*BACKUP_ACTIVITIES, OBJECTS, *SERVICE_ACTIVITIES)}
    flows: list[Workflow[Any, Any]] = [BACK_UP_SERVICE, RESTORE_SERVICE, PREFLIGHT_SERVICE]
    async with LocalEngine(world.resources, every.values(), flows) as engine:
        made = await engine.run(BACK_UP_SERVICE, ServiceJob(service=EAST, run="objects"))
        for flow in (PREFLIGHT_SERVICE, RESTORE_SERVICE):
            job = ServiceRestoreJob(
                service=EAST, snapshot=made.snapshot, target_service=WEST, run=flow.name, allow_cross_region=True
            )
            with pytest.raises(ConflictError, match=SAID):
                await engine.run(flow, job)
    await none_there(world)


async def test_a_copy_to_a_store_elsewhere_is_refused(world: World) -> None:
    await world.back_up("notes")
    job = MaintenanceJob(service=EAST, index="notes")
    with pytest.raises(ConflictError, match=SAID):
        await replicate_to(world.resources, job, world.store, "westus2")
    # Settings like these are refused when they are read: here they stand for those of an older version.
    policies = {"home": HOME, "copies": replace(HOME, regions=None, replicate_to=("westus2",))}
    world.clients.settings = replace(world.clients.settings, policies=policies)
    report = await replicate(world.resources, job)
    assert any(SAID in note for note in report.notes)
    await none_there(world)


def test_a_failover_to_a_service_elsewhere_is_refused(world: World) -> None:
    pair = PairSettings(
        primary=EAST,
        store="westus2",
        mode="hot-cold",
        recovery_point=timedelta(hours=1),
        recovery_time=timedelta(minutes=30),
    )
    settings = world.clients.settings
    services = settings.services | {WEST: replace(settings.services[WEST], store="westus2")}
    found = replace(settings, pairs={"contoso": pair}, services=services)
    with pytest.raises(ConflictError, match=SAID):
        require_target(found, "contoso", WEST)
    assert require_target(replace(found, policies={}), "contoso", WEST) is pair
