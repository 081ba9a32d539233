"""A proxy in front of Azurite that breaks chosen answers, as networks and storage accounts do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

Spoiler = Callable[[web.Request], web.Response | str | None]
"""Returns the answer to send instead, "drop" to cut the line, "lose" to cut it after the request was carried out, or
None to let the request pass."""


class FaultyProxy:
    """Forwards everything except what `spoil` answers, with request bodies changed by `tamper`."""

    def __init__(self, target: int) -> None:
        self.spoil: Spoiler = lambda _: None
        self.tamper: Callable[[bytes], bytes] = lambda body: body
        self.requests: list[tuple[str, str]] = []
        self.port = 0
        self._target = target

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FaultyProxy"]:
        async with ClientSession(auto_decompress=False) as self._session:
            application = web.Application(client_max_size=64 * 1024 * 1024)
            application.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        spoiled = self.spoil(request)
        if isinstance(spoiled, web.Response):
            return spoiled
        if spoiled == "drop":
            return _cut(request)
        url = f"http://127.0.0.1:{self._target}{request.raw_path}"
        # The signature covers the request as it was sent, the host not among it.
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        data = self.tamper(await request.read())
        async with self._session.request(
            request.method, url, headers=headers, data=data, skip_auto_headers=("Content-Type", "Accept-Encoding")
        ) as answer:
            body = await answer.read()
            if spoiled == "lose":
                return _cut(request)
            dropped = _HOP_BY_HOP if request.method == "HEAD" else _HOP_BY_HOP | {"content-length"}
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
            return web.Response(status=answer.status, headers=kept, body=body or None)


_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


def refusal(status: int, code: str) -> web.Response:
    """Return a refusal as the storage service words it."""
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}: no</Message></Error>'
    return web.Response(status=status, text=body, content_type="application/xml", headers={"x-ms-error-code": code})


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError
