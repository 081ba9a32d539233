"""Which service of a pair is active, as far as two stores tell, one of which may be gone."""

import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from indexvault.clients import Clients
from indexvault.errors import ConflictError, IntegrityError, NotFoundError, UnreachableError
from indexvault.recovery.pair_role import pair_role, role_in_own_store, spread_role
from indexvault.settings.model import EnvironmentSecret, PairSettings, ServiceSettings, Settings, StoreSettings
from indexvault.snapshots.roles import PairRole, create_role
from indexvault.snapshots.run_names import role_name
from tests.memory_store import MemoryStore
from tests.recovery.dead import DeadStore

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


def clients_of(
    east: MemoryStore, west: MemoryStore, *, standby: str | None = "west-search", record_key: str | None = None
) -> Clients:
    pair = PairSettings(
        primary="east-search",
        standby=standby,
        store="west",
        mode="hot-warm" if standby else "hot-cold",
        recovery_point=timedelta(hours=1),
        recovery_time=timedelta(minutes=30),
    )
    settings = Settings(
        stores={
            name: StoreSettings(region=f"{name}us", connection_string="UseDevelopmentStorage=true")
            for name in ("east", "west")
        },
        services={
            f"{name}-search": ServiceSettings(
                endpoint=f"https://{name}.search.windows.net", region=f"{name}us", tier="basic", store=name
            )
            for name in ("east", "west")
        },
        pairs={"contoso": pair},
        record_key=None if record_key is None else EnvironmentSecret(env="RECORD_KEY"),
    )
    return Clients(
        settings,
        environment={"RECORD_KEY": record_key or ""},
        rng=random.Random(1),
        stores={"east": east, "west": west},
    )


def role(generation: int = 1, active: str = "west-search", run: str = "failover-1") -> PairRole:
    return PairRole(pair="contoso", generation=generation, active=active, since=NOW, run=run)


async def test_before_any_swap_the_primary_is_active_and_followed() -> None:
    seen = await pair_role(clients_of(MemoryStore(), MemoryStore()), "contoso")
    assert (seen.role.active, seen.role.generation, seen.role.following, seen.role.since) == (
        "east-search",
        0,
        True,
        None,
    )
    assert seen.unread == ()


@pytest.mark.parametrize("newer_in", ["east", "west"])
async def test_the_highest_generation_of_both_stores_counts(newer_in: str) -> None:
    stores = {"east": MemoryStore(), "west": MemoryStore()}
    clients = clients_of(stores["east"], stores["west"])
    for store in stores.values():
        await create_role(store.runs, role(1))
    await create_role(stores[newer_in].runs, role(2, "east-search", "failback-1"))
    assert (await pair_role(clients, "contoso")).role == role(2, "east-search", "failback-1")
    assert await spread_role(clients, "contoso", role(2, "east-search", "failback-1")) == [
        "west" if newer_in == "east" else "east"
    ]
    assert (await role_in_own_store(clients, "contoso", "west-search")).generation == 2


@pytest.mark.parametrize("hangs", [False, True], ids=["refused", "hanging"])
async def test_a_store_that_does_not_answer_is_passed_over_in_seconds(hangs: bool) -> None:  # noqa: FBT001
    east, west = DeadStore("east", hangs=hangs), MemoryStore("west")
    clients = clients_of(east, west)
    await create_role(west.runs, role())
    started = time.monotonic()
    seen = await pair_role(clients, "contoso", seconds=0.2)
    assert time.monotonic() - started < 2
    assert (seen.role.active, seen.unread) == ("west-search", ("east",))
    assert (await role_in_own_store(clients, "contoso", "west-search")).active == "west-search"


async def test_a_copy_waits_for_a_store_that_does_not_answer() -> None:
    east, west = DeadStore("east"), MemoryStore("west")
    clients = clients_of(east, west)
    await create_role(west.runs, role())
    assert await spread_role(clients, "contoso", role()) == []
    east.revive()
    assert (await role_in_own_store(clients, "contoso", "east-search")).active == "east-search"
    assert await spread_role(clients, "contoso", role()) == ["east"]
    assert (await role_in_own_store(clients, "contoso", "east-search")).active == "west-search"


async def test_no_role_is_known_if_neither_store_answers() -> None:
    with pytest.raises(UnreachableError):
        await pair_role(clients_of(DeadStore("east"), DeadStore("west")), "contoso")


async def test_an_own_store_that_does_not_answer_decides_nothing() -> None:
    with pytest.raises(UnreachableError):
        await role_in_own_store(clients_of(MemoryStore(), DeadStore("west")), "contoso", "west-search")


async def test_a_damaged_record_in_either_store_is_no_role() -> None:
    east, west = MemoryStore("east"), MemoryStore("west")
    await create_role(west.runs, role())
    await east.runs.put(role_name("contoso", 1), b"nonsense")
    with pytest.raises(IntegrityError):
        await pair_role(clients_of(east, west), "contoso")


async def test_a_forged_record_is_no_role() -> None:
    east, west = MemoryStore("east"), MemoryStore("west")
    await create_role(east.runs, role(5, "east-search"))
    with pytest.raises(IntegrityError, match="not signed"):
        await pair_role(clients_of(east, west, record_key="3f9c" + "b1d07e52a86440" * 4), "contoso")


async def test_two_records_of_one_generation_are_told() -> None:
    east, west = MemoryStore("east"), MemoryStore("west")
    await create_role(east.runs, role(1, "east-search", "failback-1"))
    await create_role(west.runs, role(1))
    with pytest.raises(IntegrityError, match="have different records of generation 1"):
        await pair_role(clients_of(east, west), "contoso")


async def test_a_role_of_a_service_outside_the_pair_is_told() -> None:
    west = MemoryStore("west")
    await create_role(west.runs, role(1, "north-search"))
    with pytest.raises(ConflictError, match="north-search is active since generation 1, and is not in the pair"):
        await pair_role(clients_of(MemoryStore(), west), "contoso")


async def test_a_cold_pair_may_be_served_by_any_service() -> None:
    west = MemoryStore("west")
    await create_role(west.runs, role(1))
    assert (await pair_role(clients_of(MemoryStore(), west, standby=None), "contoso")).role.active == "west-search"


async def test_a_pair_is_known_by_its_name() -> None:
    with pytest.raises(NotFoundError, match="Known pairs: contoso"):
        await pair_role(clients_of(MemoryStore(), MemoryStore()), "contso")
