"""The HTTP side of the host: routes, keys, and what it answers by itself."""

import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.hosting.worker import Function, FunctionError, Message, Worker, typed

_BODY_LIMIT = 104_857_600
"""Bytes. Source: HTTP trigger limits, 2026-09."""

_LOG = logging.getLogger(__name__)

_CATCH_ALL = re.compile(r"\{\*([a-z]+)\}")
_OPTIONAL_NOTHING = re.compile(r"\{[a-z]+:maxlength\(0\)\?\}")

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Front:
    """Binds an app's HTTP triggers, and the host's own door to the functions that have none.

    `client` is the durable client binding as the host gives it to functions.
    """

    def __init__(self, worker: Worker, *, function_key: str, master_key: str, prefix: str, client: str) -> None:
        self._worker = worker
        self._function_key = function_key
        self._master_key = master_key
        self._prefix = prefix
        self._client = client

    def application(self) -> web.Application:
        """Return the server's application."""
        application = web.Application(client_max_size=_BODY_LIMIT, middlewares=[_unknown_routes])
        for function in self._worker.functions.values():
            trigger = function.trigger
            if trigger["type"] == "httpTrigger":
                route = f"/{self._prefix}/{_template(trigger['route'])}"
                for method in trigger["methods"]:
                    application.router.add_route(method, route, self._handler(function))
        application.router.add_post("/admin/functions/{name}", self._fire)
        application.router.add_get("/admin/functions", self._list)
        return application

    async def fire(self, function: Function, *, past_due: bool = False) -> None:
        """Invoke a timer's function."""
        status = {"IsPastDue": past_due, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": {}}
        await self._worker.invoke(
            function, self._with_client(function, {function.trigger["name"]: typed(json=json.dumps(status))})
        )

    def _handler(self, function: Function) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            if not self._may(request, function.trigger["authLevel"]):
                return web.Response(status=401)
            http = Message(
                method=request.method,
                url=str(request.url),
                headers=dict(request.headers),
                body=typed(bytes=await request.read()),
                params=dict(request.match_info),
                query=dict(request.query),
            )
            inputs = self._with_client(function, {function.trigger["name"]: typed(http=http)})
            try:
                answer = (await self._worker.invoke(function, inputs)).http
            except FunctionError as error:
                _LOG.error("%s failed: %s", function.name, error.kind)
                return web.Response(status=500)
            return web.Response(body=answer.body.bytes, status=int(answer.status_code), headers=answer.headers)

        return handle

    def _with_client(self, function: Function, inputs: dict[str, Any]) -> dict[str, Any]:
        return inputs if function.client is None else inputs | {function.client["name"]: typed(string=self._client)}

    def _may(self, request: web.Request, level: str) -> bool:
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        keys = {"ANONYMOUS": [], "FUNCTION": [self._function_key, self._master_key]}.get(
            level.upper(), [self._master_key]
        )  # fmt: skip
        # Whatever bytes a header has, aiohttp gives them as surrogates.
        said = given.encode(errors="surrogateescape")
        return level.upper() == "ANONYMOUS" or any(hmac.compare_digest(said, key.encode()) for key in keys)

    async def _fire(self, request: web.Request) -> web.Response:
        if not self._may(request, "ADMIN"):
            return web.Response(status=401)
        function = self._worker.functions.get(request.match_info["name"])
        if function is None or function.trigger["type"] != "timerTrigger":
            return web.Response(status=404)
        await self.fire(function)
        return web.Response(status=202)

    async def _list(self, request: web.Request) -> web.Response:
        if not self._may(request, "ADMIN"):
            return web.Response(status=401)
        return web.json_response(
            [{"name": each.name, "bindings": each.bindings} for each in self._worker.functions.values()]
        )


@web.middleware
async def _unknown_routes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer as the host does: 404, also to a method that a route does not have. Source: azure-functions-host 10098."""
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return web.Response(status=404)
    except web.HTTPRequestEntityTooLarge:
        return web.Response(status=413)


def _template(route: str) -> str:
    """Return a route of ASP.NET, as the host takes it, as one of aiohttp: `{*path}` is the rest of the path."""
    return _OPTIONAL_NOTHING.sub("", _CATCH_ALL.sub(r"{\1:.*}", route))
