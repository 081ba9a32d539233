import asyncio
import json
import logging
import random
from typing import cast

import pytest

from indexvault.api.endpoint import Call, Nothing, Reply
from indexvault.api.health import Health, HealthCheck, health_endpoint
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.functions_host import FunctionsHost


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
            answer = await endpoint.handle(Call(None, Nothing(), Nothing(), host, engine))
    assert answer == Reply(503, Health("down"))
    assert caplog.messages[-1] == "health: a service or store did not answer within 0.1 s"
