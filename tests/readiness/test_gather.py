"""Readiness of a pair as it is gathered from two services, their stores, records and Azure Resource Manager."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

import indexvault.readiness.gather
import indexvault.readiness.side
from emulator.service import EmulatedService
from indexvault.clients import Clients
from indexvault.discovery import Cloud
from indexvault.errors import NotFoundError
from indexvault.readiness.gather import read_readiness
from indexvault.readiness.management import Resource, read_resource
from indexvault.readiness.report import PairReadiness, ReadinessCheck
from indexvault.readiness.side import AskManagement
from indexvault.recovery.drill_job import DrillReport
from indexvault.recovery.drill_records import note_result
from indexvault.recovery.standby_records import StandbyState, write_state
from indexvault.settings.model import PairSettings, PolicySettings, ServiceSettings
from indexvault.snapshots.roles import PairRole, create_role
from indexvault.snapshots.run_names import role_name
from tests import hotels
from tests.discovery.resource_graph import Identity
from tests.memory_store import MemoryStore
from tests.readiness.management_api import management, resource, resource_id
from tests.recovery.dead import DeadStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, KEYS, WEST, Calendar, World, open_world

MINUTE = timedelta(minutes=1)
LOCAL, AWAY = "local", "westus2"
HOURLY = PolicySettings(service=EAST, schedule="0 0 * * * *", indexes=("hotels*",), replicate_to=(AWAY,))
PAIR = PairSettings(
    primary=EAST,
    standby=WEST,
    indexes=("hotels*",),
    recovery_point=timedelta(hours=1),
    recovery_time=timedelta(minutes=30),
    overlay="west",
    allow_cross_region=True,
)


@asynccontextmanager
async def opened(
    *, pair: PairSettings = PAIR, home: MemoryStore | None = None, away: MemoryStore | None = None, **services: Any
) -> AsyncIterator[World]:
    """Open two services that are a pair, with an index, a snapshot of it in both stores, and a standby that has it."""
    home, away = home or MemoryStore(LOCAL), away or MemoryStore(AWAY)
    clock = Calendar(MORNING + 20 * MINUTE)
    emulated = [
        EmulatedService(name=EAST, tier="standard", region=LOCAL, api_key=KEYS[EAST]),
        EmulatedService(name=WEST, tier="basic", region=AWAY, api_key=KEYS[WEST], **services),
    ]
    async with open_world(
        home, clock=clock, services=emulated, replicas={AWAY: away}, store_of={WEST: AWAY}, policies={"hourly": HOURLY}
    ) as world:
        settings = world.clients.settings
        world.clients.settings = replace(
            settings,
            pairs={"contoso": pair},
            overlays={"west": {}},
            services={
                name: replace(service, resource_id=resource_id(name)) for name, service in settings.services.items()
            },
        )
        for service in (EAST, WEST):
            await world.fill(hotels.definition(), hotels.hotels(5), service)
        yield world


async def snapshots(world: World) -> None:
    for name in (LOCAL, AWAY):
        store = world.clients.store(name)
        await write_snapshot(store.snapshots, documents(range(5)), index="hotels", created=MORNING)


async def followed(world: World, generation: int = 0) -> None:
    state = StandbyState(
        pair="contoso",
        index="hotels",
        source=EAST,
        service=WEST,
        generation=generation,
        run="follow",
        tried_at=MORNING,
        snapshot="20261116T023000Z-000000",
        created=MORNING,
        equal_at=MORNING,
    )
    await write_state(world.clients.store(AWAY).runs, state)


def asking(cloud: Cloud) -> AskManagement:
    async def ask(_clients: Clients, service: ServiceSettings) -> Resource:
        return await read_resource(service, Identity(), cloud)

    return ask


async def readiness(world: World) -> PairReadiness:
    with management({EAST: resource(EAST, location=LOCAL), WEST: resource(WEST, sku="basic", location=AWAY)}) as arm:
        [found] = (await read_readiness(world.resources, management=asking(arm.cloud))).pairs
    return found


def check(found: PairReadiness, kind: str, subject: str = "") -> ReadinessCheck:
    return next(each for each in found.checks if each.check == kind and subject in each.subject)


async def test_a_pair_is_read_from_both_services_stores_and_resource_manager() -> None:
    async with opened() as world:
        await snapshots(world)
        await followed(world)
        report = DrillReport(
            service=EAST,
            index="hotels",
            target_service=WEST,
            run="drill",
            snapshot="20261116T023000Z-000000",
            snapshot_created=MORNING,
            started=MORNING,
            finished=MORNING,
            documents=5,
            seconds=60.0,
        )
        await note_result(world.store.runs, report)
        found = await readiness(world)
    assert (found.pair, found.mode, found.active, found.other) == ("contoso", "hot-warm", EAST, WEST)
    good = {(each.check, each.subject): each.what for each in found.checks if each.level == "good"}
    assert good == good | {
        ("reach it", f"service {EAST}"): "it answers",
        ("as configured", f"service {WEST}"): "region and tier are as in the settings",
        ("restore to it", f"service {WEST}"): "keys or roles suffice",
        ("drills", "pair contoso"): "restored in 60 s 20 minutes ago",
        ("snapshots", "pair contoso"): "the last complete snapshot is 20 minutes old",
        ("copies", "pair contoso"): "its newest snapshot is there",
        ("standby", "pair contoso"): "the standby is as of 20 minutes ago",
        ("indexes", f"service {WEST}"): "1 index of the pair, and room for 15 of 15",
        ("secrets", "pair contoso"): "no definition needs one",
        ("data sources", "pair contoso"): "there are none",
    }
    assert check(found, "backups after failover").level == "bad"
    assert {each.source for each in found.checks if each.check in {"reads promised", "state"}} == {"management API"}


async def test_the_other_objects_are_part_of_a_pair_of_all_indexes() -> None:
    async with opened(pair=replace(PAIR, indexes=("*",))) as world:
        policies = {"hourly": replace(HOURLY, indexes=("*",))}
        world.clients.settings = replace(world.clients.settings, policies=policies)
        await snapshots(world)
        found = await readiness(world)
    assert check(found, "snapshots").what == "1 of 2 indexes: $service: no complete snapshot"
    assert check(found, "drills").what == "hotels: never drilled"


async def test_where_resource_manager_refuses_the_settings_count_and_it_says_so() -> None:
    async with opened() as world:
        services = world.clients.settings.services
        known = services | {EAST: replace(services[EAST], replicas=2)}
        world.clients.settings = replace(world.clients.settings, services=known)
        with management({EAST: {}, WEST: {}}, status=403) as arm:
            [found] = (await read_readiness(world.resources, management=asking(arm.cloud))).pairs
    assert len(arm.asked) == 2
    east, west = (check(found, "reads promised", name) for name in (EAST, WEST))
    assert (east.level, east.source) == ("good", "settings")
    assert (west.level, west.source) == ("unknown", "settings")
    assert "the identity may not ask it (HTTP 403)" in west.what
    assert all("0a0a0a0a" not in f"{each.what}{each.do}" for each in found.checks)


async def test_a_local_service_has_no_resource_and_nobody_is_asked() -> None:
    async with opened() as world:
        [found] = (await read_readiness(world.resources)).pairs
    assert check(found, "reads promised", EAST).level == "unknown"


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_dead_store_is_told_in_seconds_and_hides_nothing_else(
    *, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (indexvault.readiness.gather, indexvault.readiness.side):
        monkeypatch.setattr(module, "SECONDS", 1.0)
    async with opened(home=DeadStore(LOCAL, hangs=hangs)) as world:
        await followed(world)
        began = time.monotonic()
        found = await readiness(world)
    assert time.monotonic() - began < 15
    assert check(found, "store", LOCAL).level == "bad"
    assert check(found, "role").level == "warning"
    assert check(found, "reach it", WEST).level == "good"
    assert check(found, "snapshots").level == "unknown"


async def test_a_dead_standby_is_bad_and_its_quotas_are_unknown() -> None:
    async with opened() as world:
        await snapshots(world)
        await world.faults(WEST, {"fault": "unavailable"})
        found = await readiness(world)
    assert check(found, "reach it", WEST).level == "bad"
    assert check(found, "storage").level == "unknown"
    assert check(found, "restore to it", WEST).level == "unknown"
    assert next(each for each in found.survives if each.of == "the region").survived == "no"


async def data_source(world: World, service: str, name: str = "orders-db") -> None:
    secret = {"connectionString": "Server=tcp:east.database.windows.net;Password=hunter2"}
    body = {"name": name, "type": "azuresql", "credentials": secret, "container": {"name": "orders"}}
    url = f"{world.endpoints[service]}/datasources/{name}?api-version=2026-04-01"
    headers = {"api-key": KEYS[service]}
    async with aiohttp.ClientSession(headers=headers) as session, session.put(url, json=body) as answer:
        assert answer.status == 201, await answer.text()


async def test_secrets_that_the_overlay_lacks_are_named_and_never_told() -> None:
    async with opened() as world:
        await data_source(world, EAST)
        lacking = await readiness(world)
        await data_source(world, WEST)
        there = await readiness(world)
        filled = {
            "datasources/orders-db": {
                "credentials": {"connectionString": {"env": "ORDERS", "host": "west.database.windows.net"}}
            }
        }
        world.clients.settings = replace(
            world.clients.settings,
            overlays={"west": filled},
            pairs={"contoso": replace(PAIR, geo_redundant=("orders-db",))},
        )
        unset = await readiness(world)
        world.clients._environment = {
            **world.clients._environment,
            "ORDERS": "Server=tcp:west.database.windows.net;Password=hunter3",
        }
        whole = await readiness(world)
    assert check(lacking, "secrets").level == "bad"
    assert "datasources/orders-db: credentials.connectionString" in check(lacking, "secrets").what
    assert check(there, "secrets").level == "warning"
    assert "ORDERS" in check(unset, "secrets").what or check(unset, "secrets").level == "warning"
    assert (check(whole, "secrets").level, check(whole, "data sources").level) == ("good", "good")
    assert check(lacking, "data sources").level == "warning"
    said = [f"{each.what}{each.do}" for found in (lacking, there, unset, whole) for each in found.checks]
    assert not [text for text in said if "hunter" in text]


async def test_after_a_swap_the_other_is_the_primary_and_older_records_count_for_nothing() -> None:
    async with opened() as world:
        await snapshots(world)
        await followed(world)
        role = PairRole(
            pair="contoso", generation=1, active=WEST, since=MORNING, run="failover", planned=False, following=False
        )
        await create_role(world.clients.store(AWAY).runs, role)
        found = await readiness(world)
    assert (found.active, found.other) == (WEST, EAST)
    assert check(found, "role").level == "bad"
    assert check(found, "standby").level == "bad"


async def test_a_role_that_is_none_is_bad_and_never_no_role() -> None:
    async with opened() as world:
        await snapshots(world)
        await world.clients.store(AWAY).runs.put(role_name("contoso", 1), b"not a record")
        found = await readiness(world)
    assert check(found, "role").level == "bad"
    assert "which service is active is not known" in check(found, "role").what
    assert next(each for each in found.survives if each.of == "the region").survived == "no"


async def test_a_part_that_fails_unexpectedly_hides_nothing_else() -> None:
    async def fail(_clients: Clients, _service: ServiceSettings) -> Resource:
        raise KeyError("subscription")

    async with opened() as world:
        [found] = (await read_readiness(world.resources, management=fail)).pairs
    assert check(found, "reads promised", EAST).level == "unknown"
    assert check(found, "reach it", EAST).level == "good"


async def test_nothing_is_written() -> None:
    async with opened() as world:
        await snapshots(world)
        stores = [world.clients.store(name) for name in (LOCAL, AWAY)]
        before = [[blob async for blob in store.runs.list("")] for store in stores]
        definitions = [await world.clients.service(name).index_definition("hotels") for name in (EAST, WEST)]
        await readiness(world)
        assert [[blob async for blob in store.runs.list("")] for store in stores] == before
        for name, was in zip((EAST, WEST), definitions, strict=True):
            assert (await world.clients.service(name).index_definition("hotels")).etag == was.etag
            assert await world.clients.service(name).index_names() == ["hotels"]


async def test_a_pair_of_another_name_is_refused() -> None:
    async with opened() as world:
        with pytest.raises(NotFoundError, match="Known pairs: contoso"):
            await read_readiness(world.resources, "contosso")
        one, all_pairs = await asyncio.gather(
            read_readiness(world.resources, "contoso"), read_readiness(world.resources)
        )
    assert [each.pair for each in one.pairs] == [each.pair for each in all_pairs.pairs] == ["contoso"]
