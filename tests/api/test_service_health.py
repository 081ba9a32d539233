"""`GET /health/{service}`: both sides dead, slow and throttled, over HTTP against the emulator."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.endpoint import Call, Endpoint, Host, Nothing, Reply
from indexvault.api.health import HealthCheck
from indexvault.api.service_health import ServiceChecks, ServicePath, service_health_endpoint
from indexvault.errors import SettingsError
from indexvault.recovery.drift_records import DriftState, write_drift
from indexvault.settings.model import PairSettings
from indexvault.snapshots.roles import PairRole, copy_role, create_role
from indexvault.snapshots.run_names import role_name
from indexvault.snapshots.store import Store
from indexvault.workflow.durable import DurableEngine
from tests import hotels
from tests.recovery.dead import DeadStore
from tests.world import EAST, WEST, Calendar, World, open_world

UP = "this side is active, and its indexes answer"
ALONE = "; the role is from one store, since the other does not answer"
STANDBY = "this side is not active"
SILENT = "an index does not answer a query in time"
HOUR = timedelta(hours=1)


def alive(name: str) -> DeadStore:
    store = DeadStore(name)
    store.revive()
    return store


@dataclass
class Ground:
    """A pair, its two stores, and the endpoint; what was kept is forgotten before each question."""

    world: World
    east: DeadStore
    west: DeadStore
    checks: ServiceChecks
    endpoint: Endpoint

    async def ask(self, service: str, *, kept: bool = False) -> Reply:
        if not kept:
            self.forget()
        host = cast("Host", SimpleNamespace(resources=self.world.resources))
        engine = cast("DurableEngine", None)  # health asks no engine
        return await self.endpoint.handle(Call(None, Nothing(), ServicePath(service), host, engine))

    async def says(self, service: str) -> tuple[int, str]:
        reply = await self.ask(service)
        return reply.status, reply.content.reason

    def forget(self) -> None:
        roles: list[HealthCheck[Any]] = [each._check for each in self.checks._roles.values()]
        for check in [*self.checks._checks.values(), *roles]:
            check._until = 0.0

    async def swap(self) -> PairRole:
        """Let the west take over, unplanned."""
        since = self.world.resources.clock()
        role = PairRole(
            pair="contoso", generation=1, active=WEST, since=since, run="failover-1", planned=False, following=False
        )
        return await create_role(self.west.runs, role)


@asynccontextmanager
async def ground(*, seconds: float = 0.5, clock: Calendar | None = None, **changes: Any) -> AsyncIterator[Ground]:
    east, west = alive("local"), alive("west")
    stores: dict[str, Store] = {"west": west}
    async with open_world(east, replicas=stores, store_of={WEST: "west"}, clock=clock) as world:
        pair = PairSettings(
            primary=EAST, standby=WEST, indexes=("hotels*",), recovery_point=HOUR, recovery_time=HOUR / 2
        )
        pairs = {"contoso": msgspec.structs.replace(pair, **changes)}
        world.clients.settings = msgspec.structs.replace(world.clients.settings, pairs=pairs)
        for service in (EAST, WEST):
            await world.fill(hotels.definition(), hotels.hotels(3), service)
        checks = ServiceChecks(seconds=seconds)
        yield Ground(world, east, west, checks, service_health_endpoint(checks))


async def queries(world: World, service: str) -> int:
    return sum(each["requests"] for name, each in (await world.requests(service)).items() if "search" in name)


async def test_the_active_side_is_up_and_the_other_is_not() -> None:
    async with ground() as it:
        assert await it.says(EAST) == (200, UP)
        assert await it.says(WEST) == (503, STANDBY)
        role = await it.swap()
        assert await it.says(EAST) == (503, STANDBY)
        assert await it.says(WEST) == (200, UP)
        await copy_role(it.east.runs, role)
        assert await it.says(EAST) == (503, STANDBY)


@pytest.mark.parametrize("hangs", [False, True])
async def test_with_the_region_of_the_other_gone_the_own_store_decides(*, hangs: bool) -> None:
    async with ground() as it:
        it.east.kill(hangs=hangs)
        await it.world.faults(EAST, {"fault": "reset"})
        async with asyncio.timeout(9):  # what the shortest patience of a router is
            assert (await it.ask(WEST)).status == 503
        await it.swap()
        async with asyncio.timeout(9):
            assert await it.says(WEST) == (200, UP + ALONE)
            assert (await it.ask(EAST)).status == 503


async def test_an_old_primary_that_cannot_see_the_swap_takes_itself_for_active_and_says_whose_word_that_is() -> None:
    async with ground() as it:
        await it.swap()
        it.west.kill()
        assert await it.says(EAST) == (200, UP + ALONE)
        it.west.revive()
        assert await it.says(EAST) == (503, STANDBY)
        it.west.kill()
        assert await it.says(EAST) == (503, STANDBY + ALONE)  # what was seen once stays true


async def test_with_no_store_the_role_that_was_read_last_counts_and_none_is_down() -> None:
    async with ground() as it:
        it.east.kill()
        it.west.kill()
        assert await it.says(EAST) == (503, "no record of the roles can be read")
        it.east.revive()
        assert (await it.says(EAST))[0] == 200
        it.east.kill()
        status, reason = await it.says(EAST)
        assert (status, reason) == (200, f"{UP}; the role is the one that was read last, since no store answers")
        assert (await it.says(WEST))[0] == 503


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"fault": "latency", "seconds": 60, "path": "docs/search"}, SILENT),
        ({"fault": "throttled", "path": "docs/search"}, SILENT),
        ({"fault": "unavailable", "retry_after": 60, "path": "docs/search"}, SILENT),
        ({"fault": "reset"}, "the service does not answer"),
        ({"fault": "latency", "seconds": 60}, "the service does not answer"),
        ({"fault": "throttled"}, "the service does not answer"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("service", [EAST, WEST])
async def test_a_side_that_is_dead_slow_or_throttled_is_down_and_the_other_as_before(
    service: str, fault: dict[str, object], reason: str
) -> None:
    async with ground() as it:
        if service == WEST:
            await it.swap()
        await it.world.faults(service, fault)
        async with asyncio.timeout(9):
            assert await it.says(service) == (503, reason)
        assert await it.says(EAST if service == WEST else WEST) == (503, STANDBY)


async def test_a_stampede_costs_one_query_for_each_index_and_the_next_seconds_none() -> None:
    async with ground() as it:
        await it.world.fill(hotels.definition(name="hotels-2"), hotels.hotels(1))
        await it.world.control("DELETE", EAST, "/requests")
        it.forget()
        replies = await asyncio.gather(*(it.ask(EAST, kept=True) for _ in range(200)))
        assert {reply.status for reply in replies} == {200}
        replies = await asyncio.gather(*(it.ask(EAST, kept=True) for _ in range(200)))
        assert {reply.status for reply in replies} == {200}
        assert await queries(it.world, EAST) == 2
        assert sum(each["requests"] for each in (await it.world.requests(EAST)).values()) == 3  # and one list


async def test_a_standby_is_asked_no_query_once_its_role_is_known() -> None:
    async with ground() as it:
        await it.ask(WEST)
        await it.world.control("DELETE", WEST, "/requests")
        assert await it.says(WEST) == (503, STANDBY)
        assert await it.world.requests(WEST) == {}
        await it.swap()
        assert await it.says(WEST) == (200, UP)


async def test_a_forged_role_makes_neither_side_active_even_if_a_role_was_known() -> None:
    async with ground() as it:
        assert (await it.says(EAST))[0] == 200
        await it.west.runs.put(role_name("contoso", 1), b'{"pair": "contoso", "generation": 1, "active": "mine"}')
        assert await it.says(EAST) == (503, "no record of the roles can be read")
        assert (await it.says(WEST))[0] == 503


async def test_an_unknown_service_is_answered_as_one_that_is_in_no_pair() -> None:
    async with ground() as it:
        unknown = await it.ask("nobodys")
        it.world.clients.settings = msgspec.structs.replace(it.world.clients.settings, pairs={})
        alone = await it.ask(EAST)
        assert unknown == alone
        assert (alone.status, msgspec.json.encode(alone.content)) == (
            404,
            b'{"status":"unknown","reason":"no service of this name is in a pair"}',
        )


async def test_a_service_that_a_failover_named_is_in_its_pair() -> None:
    async with ground(mode="hot-cold", standby=None, store="west") as it:
        assert (await it.ask(WEST)).status == 404
        await it.swap()
        assert await it.says(WEST) == (200, UP)
        assert await it.says(EAST) == (503, STANDBY)
        assert (await it.ask("nobodys")).status == 404


async def test_both_sides_of_a_hot_hot_pair_are_up_until_drift_lasts() -> None:
    clock = Calendar()
    async with ground(clock=clock, mode="hot-hot") as it:
        assert [await it.says(each) for each in (EAST, WEST)] == [(200, UP), (200, UP)]
        state = DriftState(pair="contoso", index="hotels", one=EAST, other=WEST, run="r", tried_at=clock.now)
        await write_drift(it.west.runs, msgspec.structs.replace(state, changed=1, since=clock.now))
        assert await it.says(WEST) == (200, UP)
        clock.now += HOUR + timedelta(seconds=1)
        behind = "the content has differed from the other side's for longer than the recovery point"
        assert [await it.says(each) for each in (EAST, WEST)] == [(200, UP), (503, behind)]
        # The authority is lost, and the side that is left takes over: from then on it is right.
        await it.swap()
        assert [await it.says(each) for each in (EAST, WEST)] == [(503, behind), (200, UP)]
        await write_drift(it.west.runs, state)
        unproved = "the content was not compared with the other side's since that took over"
        assert [await it.says(each) for each in (EAST, WEST)] == [(503, unproved), (200, UP)]
        await write_drift(it.west.runs, msgspec.structs.replace(state, measured=clock.now + timedelta(seconds=1)))
        assert [await it.says(each) for each in (EAST, WEST)] == [(200, UP), (200, UP)]


async def test_a_hot_hot_side_stays_while_its_drifts_cannot_be_read() -> None:
    async with ground(mode="hot-hot") as it:
        it.west.kill()
        assert await it.says(EAST) == (200, UP + ALONE)


async def test_what_anybody_is_told_names_nothing_and_the_log_says_what_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with ground() as it:
        with caplog.at_level(logging.INFO):
            await it.world.faults(EAST, {"fault": "throttled", "path": "docs/search"})
            said = [msgspec.json.encode((await it.ask(each)).content).decode() for each in (EAST, WEST, "nobodys")]
            await it.world.faults(EAST)
            it.east.kill()
            said += [msgspec.json.encode((await it.ask(each)).content).decode() for each in (EAST, WEST)]
        for text in said:
            for name in (EAST, WEST, "hotels", "contoso", "127.0.0.1", "local", "west", "east"):
                assert name not in text
        assert any(f"health: index hotels of {EAST} does not answer" in message for message in caplog.messages)
        told = [message for message in caplog.messages if message.startswith(f"health of {EAST} in pair contoso: down")]
        assert len(told) == 1


async def test_settings_that_cannot_be_used_are_down() -> None:
    class Broken:
        @property
        def resources(self) -> Any:
            raise SettingsError("no such member", on="settings", do="Correct the settings")

    endpoint = service_health_endpoint(ServiceChecks())
    call = Call(None, Nothing(), ServicePath(EAST), cast("Host", Broken()), cast("DurableEngine", None))
    reply = await endpoint.handle(call)
    assert (reply.status, reply.content.reason) == (503, "the app's settings can't be used")
