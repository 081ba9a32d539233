"""The status page on this machine: a server on loopback, for whoever has the token in its address.

Another site could reach a server on loopback through the browser. So the Host header must name this server, which keeps
out names that were rebound to 127.0.0.1, and every request needs the token, which the first one turns into a cookie.
"""

import hmac
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from indexvault.api.problems import Problem
from indexvault.pages.request import Links, PageRequest, PageResponse
from indexvault.pages.site import answer, asset, refusal
from indexvault.pages.tokens import Tokens
from indexvault.snapshots.record_keys import RecordKeys
from indexvault.status.watch import Watch
from indexvault.workflow.activity import Resources
from indexvault.workflow.durable import DurableEngine

ADDRESS = "127.0.0.1"
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalHost:
    """What runs the pages here."""

    resources: Resources
    environment: Mapping[str, str]


class LocalSite:
    """Serves the pages on loopback; a context manager. `port` 0 takes any that is free."""

    def __init__(self, host: LocalHost, engine: DurableEngine, *, port: int) -> None:
        self._host = host
        self._engine = engine
        self._port = port
        self._token = secrets.token_urlsafe(32)
        self._tokens = Tokens(host.resources.clients.record_keys or RecordKeys([secrets.token_hex(32)]), "local")
        self._watch = Watch()
        self._names: frozenset[str] = frozenset()

    async def __aenter__(self) -> Self:
        """Start to serve. Raises OSError if the port is taken."""
        listening = socket.create_server((ADDRESS, self._port))
        application = web.Application(client_max_size=_MOST_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()
        self._port = listening.getsockname()[1]
        self._names = frozenset({f"{ADDRESS}:{self._port}", f"localhost:{self._port}"})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The address without the token."""
        return f"http://{ADDRESS}:{self._port}/"

    @property
    def url_with_token(self) -> str:
        """The address to open in a browser."""
        return f"{self.url}?token={self._token}"

    async def _handle(self, request: web.Request) -> web.Response:
        if request.headers.get("Host") not in self._names:
            return web.Response(status=421, text=f"This server is {self.url} and nothing else.\n")
        parts = tuple(part for part in request.match_info["path"].split("/") if part)
        match parts:
            case ("page", "assets", name):
                return _response(asset(name))
        asked = self._asked(request, parts, await request.read())
        if parts == () and request.method == "GET" and self._is_token(request.query.get("token", "")):
            return self._signed_in()
        if not self._is_token(request.cookies.get(self._cookie, "")):
            return _response(refusal(asked, _NO_TOKEN))
        if request.method not in {"GET", "HEAD", "POST"} or (parts and parts[0] != "page"):
            return _response(refusal(asked, _NO_PAGE))
        return _response(await answer(asked))

    def _asked(self, request: web.Request, parts: tuple[str, ...], body: bytes) -> PageRequest:
        return PageRequest(
            method=request.method,
            path=parts[1:],
            query={name: value for name, value in request.query.items() if name != "token"},
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            links=Links(),
            host=self._host,
            engine=self._engine,
            watch=self._watch,
            tokens=self._tokens,
            caller="local",
            is_local=True,
        )

    @property
    def _cookie(self) -> str:
        """The cookie's name: browsers don't tell ports of a host apart."""
        return f"indexvault-{self._port}"

    def _is_token(self, said: str) -> bool:
        return hmac.compare_digest(said.encode("utf-8", "replace"), self._token.encode())

    def _signed_in(self) -> web.Response:
        """Return the answer that turns the token in the address into a cookie, so that no later address holds it."""
        response = web.Response(status=303, headers={"Location": "/", "Referrer-Policy": "no-referrer"})
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="Lax", path="/")
        return response


def _response(response: PageResponse) -> web.Response:
    return web.Response(
        body=response.body,
        status=response.status,
        headers={**response.headers, "Content-Type": response.media_type},
    )


def _problem(status: int, title: str, what: str, do: str) -> Problem:
    return Problem(type="urn:indexvault:page", title=title, status=status, detail=what, what=what, do=do)


_NO_TOKEN = _problem(
    403, "Not signed in", "the address lacks the token", "Open the address that `indexvault serve` printed"
)
_NO_PAGE = _problem(404, "Not found", "there is no such page", "Start from the status")
