"""The emulator as a server: several services in one process, each at its own port of the loopback interface.

async with running([EmulatedService(name="contoso-east", api_key="...")]) as emulator:
    emulator.endpoint("contoso-east")
"""

import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import msgspec
from aiohttp import web
from isal import igzip
from multidict import MultiDict

from emulator import control
from emulator.exchange import Asked, Reply
from emulator.failures import ServiceError
from emulator.faults import Request as FaultRequest
from emulator.faults import Rule
from emulator.operations import perform
from emulator.requests import Requests
from emulator.routes import Operation, operation
from emulator.service import EmulatedService, Service
from emulator.tiers import MAX_BODY, MAX_URL
from emulator.versions import requested

_LOOPBACK = "127.0.0.1"
_LONGEST_LINE = 8 * MAX_URL
_LOG = logging.getLogger(__name__)


class Running:
    """The services that are up."""

    def __init__(self) -> None:
        self._endpoints: dict[str, str] = {}
        self._services: dict[str, Service] = {}

    def add(self, name: str, endpoint: str, service: Service) -> None:
        """Add a started service."""
        self._endpoints[name] = endpoint
        self._services[name] = service

    def endpoint(self, name: str) -> str:
        """Return a service's address, `http://127.0.0.1:PORT`."""
        return self._endpoints[name]

    def setup(self, name: str) -> EmulatedService:
        """Return the set-up of a service, with its keys."""
        return self._services[name].setup

    @property
    def names(self) -> Sequence[str]:
        """Return the services' names in the order they were given."""
        return list(self._endpoints)


@asynccontextmanager
async def running(
    services: Sequence[EmulatedService], *, storage: Path | None = None, port: int = 0
) -> AsyncIterator[Running]:
    """Run services until the block is left.

    `storage` is a folder that keeps everything between runs; None keeps it in memory. `port` is the first service's
    port, the others follow; 0 takes free ones. ValueError: two services have one name.
    """
    if len({setup.name for setup in services}) < len(services):
        raise ValueError("each service needs a name of its own")
    up = Running()
    async with AsyncExitStack() as stack:
        for at, setup in enumerate(services):
            service = Service(setup, storage)
            stack.callback(service.close)
            runner = web.AppRunner(
                _application(service), access_log=None, max_line_size=_LONGEST_LINE, shutdown_timeout=1.0
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, _LOOPBACK, port + at if port else 0)
            await site.start()
            _, bound, *_ = runner.addresses[0]
            up.add(setup.name, f"http://{_LOOPBACK}:{bound}", service)
        yield up


def _application(service: Service) -> web.Application:
    application = web.Application(client_max_size=MAX_BODY)
    handler = _Handler(service)
    application.router.add_route("*", "/{path:.*}", handler.handle)
    return application


class _Handler:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.requests = Requests()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, faults included."""
        if control.is_control(request.path):
            return await control.answer(request, self.service, self.requests)
        started = time.monotonic()
        try:
            found = operation(request.method, request.rel_url.raw_path)
        except ServiceError as error:
            return _response(_refusal(error), request, started)
        with self.requests.under_way(found.name) as note:
            path = request.rel_url.raw_path
            faults = self.service.faults.draw(
                FaultRequest(found.name, request.method, path, self.requests.now(found.name))
            )
            reply = _encoded(await self._reply(request, found, faults), request)
            note(reply.status)
            return await _sent(reply, request, started, faults)

    async def _reply(self, request: web.Request, found: Operation, faults: Mapping[str, Rule]) -> Reply:
        if "latency" in faults:
            await self.service.faults.hold_back(faults["latency"].seconds)
        before = [rule for rule in faults.values() if not rule.after]
        after = [rule for rule in faults.values() if rule.after]
        try:
            _interfere(request, before)
            reply = await self._carried_out(request, found, faults)
            _interfere(request, after)
            if "too_large" in faults and len(reply.body) > faults["too_large"].bytes:
                raise _too_large()
        except ServiceError as error:
            return _refusal(error)
        return reply

    async def _carried_out(self, request: web.Request, found: Operation, faults: Mapping[str, Rule]) -> Reply:
        if len(request.rel_url.raw_path_qs) > MAX_URL:
            raise ServiceError(414, "The request URL is too long.")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as problem:
            raise _too_large() from problem
        asked = Asked(
            operation=found,
            method=request.method,
            path=request.rel_url.raw_path,
            root=f"http://{request.host}",
            version=requested(request.query.get("api-version"), previews=self.service.setup.knows_preview),
            caller=self.service.guard.caller(request.headers),
            headers=request.headers,
            parameters=_lists(request.query),
            body=body,
            faults=faults,
        )
        return perform(self.service, asked)


def _too_large() -> ServiceError:
    return ServiceError(413, "The page was not displayed because the request entity is too large.")


def _interfere(request: web.Request, rules: Sequence[Rule]) -> None:
    """Apply the faults that the rules choose."""
    for rule in rules:
        match rule.fault:
            case "unavailable":
                raise ServiceError(
                    503, "You are sending too many requests. Please try again later.", retry_after=rule.retry_after
                )
            case "throttled":
                raise ServiceError(429, "Too many requests. Please try again later.", retry_after=rule.retry_after)
            case "reset":
                _cut(request)


def _cut(request: web.Request) -> NoReturn:
    """Break the connection off."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


async def _sent(reply: Reply, request: web.Request, started: float, faults: Mapping[str, Rule]) -> web.StreamResponse:
    response = _response(reply, request, started)
    if "truncated" not in faults or len(reply.body) < 2:  # noqa: PLR2004  # nothing to cut
        return response
    partial = web.StreamResponse(status=reply.status, headers=response.headers)
    partial.content_length = len(reply.body)
    await partial.prepare(request)
    await partial.write(reply.body[: len(reply.body) // 2])
    _cut(request)


def _encoded(reply: Reply, request: web.Request) -> Reply:
    """Compress an answer for a caller that takes gzip. Source: recorded traffic of the official SDKs' tests."""
    taken = {part.partition(";")[0].strip() for part in request.headers.get("Accept-Encoding", "").split(",")}
    if "gzip" not in taken or not reply.body:
        return reply
    headers = {**reply.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return msgspec.structs.replace(reply, body=igzip.compress(reply.body, compresslevel=0), headers=headers)


def _refusal(error: ServiceError) -> Reply:
    headers = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:g}"}
    if error.status == 401:  # noqa: PLR2004  # Unauthorized
        headers["WWW-Authenticate"] = "Bearer"
    return Reply(error.status, error.body(), headers, "application/json" if error.message is not None else None)


def _response(reply: Reply, request: web.Request, started: float) -> web.Response:
    """Add the headers that the service sends. Source: recorded traffic of the official SDKs' tests."""
    own = request.headers.get("x-ms-client-request-id") or str(uuid.uuid4())
    headers = MultiDict(
        {
            "Cache-Control": "no-cache,no-store",
            "Pragma": "no-cache",
            "Expires": "-1",
            "request-id": own,
            "elapsed-time": str(int((time.monotonic() - started) * 1000)),
            "Preference-Applied": 'odata.include-annotations="*"',
            "OData-Version": "4.0",
        }
    )
    if request.headers.get("x-ms-return-client-request-id") == "true":
        headers["x-ms-client-request-id"] = own
    headers.update(reply.headers)
    if reply.content_type == "application/json":
        level = "none" if "odata.metadata=none" in request.headers.get("Accept", "") else "minimal"
        headers["Content-Type"] = f"application/json; odata.metadata={level}; odata.streaming=true; charset=utf-8"
    elif reply.content_type is not None:
        headers["Content-Type"] = reply.content_type
    return web.Response(status=reply.status, body=reply.body or None, headers=headers)


def _lists(query: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in query.items():
        found.setdefault(name, []).append(value)
    return found
