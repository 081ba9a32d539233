"""`/health`: up or down, and no more.

Up means that every configured service and store answers. The answer is cached for `KEPT_SECONDS`, and requests that
come during a check wait for its result, so that callers can't make the app hammer what it checks. Anyone may ask, so
nothing is written or created.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Host, Nothing, Reply
from indexvault.errors import IndexvaultError, NotFoundError
from indexvault.snapshots.run_names import open_name

KEPT_SECONDS = 10
CHECK_SECONDS = 8
_LOG = logging.getLogger(__name__)


class Health(msgspec.Struct, frozen=True):
    """Whether the app can do its work."""

    status: Literal["up", "down"]


class HealthCheck:
    """Checks whether everything answers, at most once in `KEPT_SECONDS`."""

    def __init__(self) -> None:
        self._asking: asyncio.Task[bool] | None = None
        self._until = 0.0

    async def __call__(self, check: Callable[[], Awaitable[bool]]) -> bool:
        """Return the cached answer, or check."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now >= self._until):
            self._asking = asyncio.create_task(self._ask(check))
        # A caller that disconnects must not cancel the check for the others.
        return await asyncio.shield(self._asking)

    async def _ask(self, check: Callable[[], Awaitable[bool]]) -> bool:
        is_up = await check()
        self._until = asyncio.get_running_loop().time() + KEPT_SECONDS
        return is_up


def health_endpoint(check: HealthCheck, *, seconds: float = CHECK_SECONDS) -> Endpoint:
    """Return the endpoint; it is down when a service or store has not answered after so many seconds."""

    async def health(call: Call[None, Nothing, Nothing]) -> Reply:
        is_up = await check(lambda: everything_answers(call.host, seconds))
        return Reply(200, Health("up")) if is_up else Reply(503, Health("down"))

    return Endpoint(
        name="health",
        method="GET",
        route="health",
        summary="Whether every configured service and store can be reached",
        handle=health,
        anonymous=True,
        answers={
            200: DocumentedAnswer("All can be reached.", Health),
            503: DocumentedAnswer("At least one can't.", Health),
        },
    )


async def everything_answers(host: Host, seconds: float) -> bool:
    """Return whether every service and store answers one small request in time. What doesn't is logged."""
    try:
        clients = host.resources.clients
        requests = [_ask_service(host, name) for name in clients.settings.services]
        requests += [_ask_store(host, name) for name in clients.settings.stores]
        async with asyncio.timeout(seconds):
            answers = await asyncio.gather(*requests, return_exceptions=True)
    except TimeoutError:
        _LOG.warning("health: a service or store did not answer within %g s", seconds)
        return False
    except IndexvaultError as error:
        _LOG.warning("health: %s", error)
        return False
    problems = [answer for answer in answers if answer is not None]
    for problem in problems:
        _LOG.warning("health: %s", problem)
    return not problems


async def _ask_service(host: Host, name: str) -> None:
    await host.resources.clients.service(name).index_names()


async def _ask_store(host: Host, name: str) -> None:
    with contextlib.suppress(NotFoundError):  # a store without containers answers too, and only a run makes them
        await host.resources.clients.store(name).runs.read(open_name("health"), 1)
