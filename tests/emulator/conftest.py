from collections.abc import AsyncIterator

import aiohttp
import pytest

from emulator.server import Running, running
from emulator.service import EmulatedService
from tests.emulator.calls import Caller, things


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
async def emulator() -> AsyncIterator[Running]:
    services = [
        EmulatedService(
            name="east",
            role_keys={
                "reader": "data-reader",
                "definitions": "reader",
                "loader": "data-contributor+service-contributor",
            },
        ),
        EmulatedService(name="small", tier="basic", quotas={"indexes": 2, "documents": 3, "synonym_maps": 1}),
    ]
    async with running(services) as up:
        yield up


@pytest.fixture
def east(emulator: Running, session: aiohttp.ClientSession) -> Caller:
    return Caller(session, emulator.endpoint("east"))


@pytest.fixture
def small(emulator: Running, session: aiohttp.ClientSession) -> Caller:
    return Caller(session, emulator.endpoint("small"))


@pytest.fixture
async def loaded(east: Caller) -> Caller:
    """East with the index of every type, empty."""
    answer = await east.create(things())
    assert answer.status == 201, answer.raw
    return east
