"""A service on loopback that gives scripted answers over real HTTP."""

import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from azure.core.credentials import AzureKeyCredential

from indexvault.search.client import SearchService
from indexvault.search.retry import RetryPolicy
from indexvault.search.throttle import Timer

type Reply = web.Response | Exception | Callable[[web.Request], web.Response]
KEY = "k-3f9a-never-in-an-error"


@dataclass
class Scripted:
    """Gives answers in order, the last one for ever; requests are recorded."""

    service: SearchService
    slept: list[float]
    replies: list[Reply] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return reply(request) if callable(reply) else reply


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    slept: list[float] = []
    started = time.monotonic()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def now() -> float:
        """Return real seconds plus those of skipped sleeps."""
        return time.monotonic() - started + sum(slept)

    application = web.Application(client_max_size=2**26)
    runner = web.AppRunner(application, access_log=None)
    handlers: list[Scripted] = []

    async def dispatch(request: web.Request) -> web.StreamResponse:
        return await handlers[0].handle(request)

    application.router.add_route("*", "/{path:.*}", dispatch)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    service = SearchService(
        "contoso",
        f"http://127.0.0.1:{port}",
        AzureKeyCredential(KEY),
        rng=random.Random(7),
        retry=RetryPolicy(attempts=4, first_wait=1.0, longest_wait=8.0),
        timer=Timer(now, sleep),
    )
    handlers.append(Scripted(service, slept))
    async with service:
        yield handlers[0]
    await runner.cleanup()
