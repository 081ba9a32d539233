"""`/health`: up or down, and no more.

Up means that every configured service and store answers. With `within`, it is a dead man's switch: up only if a tick
has looked at everything, and every watched index has a complete snapshot, no longer ago than that. Answers are cached
for `KEPT_SECONDS`, and requests that come during a check wait for its result, so that callers can't make the app hammer
what it checks. Anyone may ask, so no name is told, and nothing is written or created.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Literal

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Host, Nothing, Reply
from indexvault.errors import IndexvaultError, NotFoundError, RequestError
from indexvault.snapshots.run_names import open_name
from indexvault.status.ticks import DeadMansSwitch, TickRecord, Timeliness, judge_tick, read_tick

KEPT_SECONDS = 10
CHECK_SECONDS = 8
_LOG = logging.getLogger(__name__)


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the app can do its work; with `within` also whether it has done it."""

    status: Literal["up", "down"]
    tick: Timeliness | None = None
    recovery_points: Timeliness | None = None


class HealthQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How old the last tick and every recovery point may be, such as `PT26H`."""

    within: Annotated[str, msgspec.Meta(pattern=r"^P[0-9DTHMS]{2,12}$", examples=["PT26H"])] | None = None


class HealthCheck[Kind = bool]:
    """Checks something at most once in `KEPT_SECONDS`."""

    def __init__(self) -> None:
        self._asking: asyncio.Task[Kind] | None = None
        self._until = 0.0

    async def __call__(self, check: Callable[[], Awaitable[Kind]]) -> Kind:
        """Return the cached answer, or check."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now >= self._until):
            self._asking = asyncio.create_task(self._ask(check))
        # A caller that disconnects must not cancel the check for the others.
        return await asyncio.shield(self._asking)

    async def _ask(self, check: Callable[[], Awaitable[Kind]]) -> Kind:
        found = await check()
        self._until = asyncio.get_running_loop().time() + KEPT_SECONDS
        return found


def health_endpoint(check: HealthCheck, *, seconds: float = CHECK_SECONDS) -> Endpoint:
    """Return the endpoint; it is down when a service or store has not answered after so many seconds."""
    ticks = LastTick()

    async def health(call: Call[None, HealthQuery, Nothing]) -> Reply:
        within = read_within(call.query.within) if call.query.within is not None else None
        is_up = await check(lambda: everything_answers(call.host, seconds))
        if within is None:
            return Reply(200, Health("up")) if is_up else Reply(503, Health("down"))
        found = await ticks.judge(call.host, within)
        status: Literal["up", "down"] = "up" if is_up and found.is_up else "down"
        return Reply(200 if status == "up" else 503, Health(status, found.tick, found.recovery_points))

    return Endpoint(
        name="health",
        method="GET",
        route="health",
        summary="Whether every service and store can be reached; with `within`, whether work was done lately",
        query=HealthQuery,
        handle=health,
        anonymous=True,
        also_head=True,
        answers={
            200: DocumentedAnswer("All can be reached, and with `within` all is recent enough.", Health),
            503: DocumentedAnswer("At least one can't, or is not.", Health),
        },
    )


def read_within(text: str) -> timedelta:
    """Return the duration of `within`. Raises RequestError for one that is none, under a minute, or over a year."""
    try:
        within = msgspec.convert(text, timedelta)
    except msgspec.ValidationError:
        within = timedelta(0)
    if not timedelta(minutes=1) <= within <= timedelta(days=366):
        raise RequestError("expected a minute to a year", on="query.within", do="Write it as PT26H for 26 hours")
    return within


class LastTick:
    """Reads the record of the last tick, at most once in `KEPT_SECONDS`."""

    def __init__(self) -> None:
        self._record: TickRecord | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def judge(self, host: Host, within: timedelta) -> DeadMansSwitch:
        """Return whether the last tick and every recovery point are recent enough. What can't be read is not."""
        try:
            resources = host.resources
            async with asyncio.timeout(CHECK_SECONDS), self._lock:
                if asyncio.get_running_loop().time() >= self._until:
                    self._record = await read_tick(resources.clients)
                    self._until = asyncio.get_running_loop().time() + KEPT_SECONDS
        except (IndexvaultError, TimeoutError) as error:
            _LOG.warning("health: the last tick can't be read: %s", error)
            return DeadMansSwitch("unknown", "unknown")
        return judge_tick(self._record, within, resources.clock())


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
