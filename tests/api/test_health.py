import asyncio
import json
import logging
import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from indexvault.api.endpoint import Call, Nothing, Reply
from indexvault.api.health import Health, HealthCheck, HealthQuery, health_endpoint
from indexvault.errors import RequestError
from indexvault.settings.model import PolicySettings
from indexvault.status.notices import NoticeRecords
from indexvault.status.ticks import TickRecord, judge_tick
from indexvault.status.watch_over import watch_over
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.functions_host import FunctionsHost
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, open_world


class Check:
    """Gives its answers one after the other, each once it may."""

    def __init__(self, answers: list[bool]) -> None:
        self.answers = answers
        self.go_on = asyncio.Event()

    async def __call__(self) -> bool:
        answer = self.answers.pop(0)
        await self.go_on.wait()
        return answer


async def test_requests_during_a_check_share_its_answer_which_is_cached() -> None:
    health, check = HealthCheck(), Check([True, False])
    asking = [asyncio.create_task(health(check)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    check.go_on.set()
    assert await asyncio.gather(*asking[1:]) == [True] * 4
    assert await health(check)
    assert check.answers == [False]


async def test_an_old_answer_is_checked_again() -> None:
    health, check = HealthCheck(), Check([True, False])
    check.go_on.set()
    assert await health(check)
    health._until = asyncio.get_running_loop().time()
    assert not await health(check)


async def test_health_is_down_once_the_time_for_an_answer_is_over(
    closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    service = {"endpoint": f"http://127.0.0.1:{closed_port}", "region": "local", "tier": "basic", "store": "local"}
    account = (
        f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=aw==;BlobEndpoint=http://127.0.0.1:{closed_port}/a"
    )
    configuration = {
        "stores": {"local": {"region": "local", "connection_string": {"env": "STORE"}}},
        "services": {"contoso-east": service | {"api_key": {"env": "KEY"}}},
    }
    environment = {"INDEXVAULT_CONFIG": json.dumps(configuration), "STORE": account, "KEY": "k"}
    host = FunctionsHost(environment, rng=random.Random(7))
    engine = cast("DurableEngine", None)  # health asks no engine
    async with host.resources.clients:
        with caplog.at_level(logging.WARNING, "indexvault.api.health"):
            endpoint = health_endpoint(HealthCheck(), seconds=0.1)
            answer = await endpoint.handle(Call(None, HealthQuery(), Nothing(), host, engine))
    assert answer == Reply(503, Health("down"))
    assert caplog.messages[-1] == "health: a service or store did not answer within 0.1 s"


NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("record", "tick", "recovery_points"),
    [
        (TickRecord(at=NOW - 25 * HOUR, oldest=NOW - 26 * HOUR), "in time", "in time"),
        (TickRecord(at=NOW - 27 * HOUR, oldest=NOW), "late", "in time"),
        (TickRecord(at=NOW, oldest=NOW - 26 * HOUR - timedelta(seconds=1)), "in time", "late"),
        (TickRecord(at=NOW, oldest=NOW, all_there=False), "in time", "late"),
        (TickRecord(at=NOW), "in time", "in time"),  # nothing is watched
        (TickRecord(at=NOW + timedelta(days=999), oldest=NOW), "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ],
)
def test_the_dead_mans_switch_fails_closed(record: TickRecord | None, tick: str, recovery_points: str) -> None:
    found = judge_tick(record, 26 * HOUR, NOW)
    assert (found.tick, found.recovery_points) == (tick, recovery_points)
    assert found.is_up == (tick == recovery_points == "in time")


async def test_an_outside_monitor_sees_that_ticks_have_stopped_and_no_name() -> None:
    clock = Calendar()
    policies = {"nightly": PolicySettings(service=EAST, schedule="0 0 2 * * *", indexes=("hotels",))}
    async with open_world(MemoryStore("local", clock), clock=clock, policies=policies) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        await world.back_up("hotels")
        host = cast("FunctionsHost", SimpleNamespace(resources=world.resources))

        async def asked(within: str | None = "PT26H") -> Reply:
            endpoint = health_endpoint(HealthCheck())
            query = HealthQuery(within=within)
            return await endpoint.handle(
                Call(body=None, query=query, path=Nothing(), host=host, engine=cast("DurableEngine", None))
            )

        assert (await asked()).status == 503
        await watch_over(world.resources, NoticeRecords())
        assert (await asked()).content == Health("up", "in time", "in time")
        clock.now += 27 * HOUR
        late = await asked()
        assert late.status == 503
        assert msgspec.json.encode(late.content) == b'{"status":"down","tick":"late","recovery_points":"late"}'
        await watch_over(world.resources, NoticeRecords())
        assert (await asked()).content == Health("down", "in time", "late")
        assert (await asked("P2D")).status == 200
        assert msgspec.json.encode((await asked(None)).content) == b'{"status":"up"}'
        for wrong in ("PT1S", "P999D", "PT", "P1H"):
            with pytest.raises(RequestError):
                await asked(wrong)
