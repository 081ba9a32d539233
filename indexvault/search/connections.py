"""The SDK's connections, without the client library's own repetition of changing requests.

aiohttp sends a PUT or DELETE again by itself when its connection breaks before an answer. The answer to the second one
would look like the answer to the first: a precondition failed, or nothing found. Source: aiohttp 3.14, `ClientSession`.
"""

from typing import TYPE_CHECKING

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport

from indexvault.proxies import has_proxy

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})


class Connections(AioHttpTransport):  # type: ignore[misc]  # the library loads its classes lazily, so untyped
    """Connections that send each changing request once, so that its sender knows whether it was sent before."""

    session: aiohttp.ClientSession | None
    _is_new = True

    async def open(self) -> None:
        """Open a session like the SDK's own. Raises ValueError if the connections were closed."""
        if self._is_new:
            self._is_new = False
            self.session = aiohttp.ClientSession(
                trust_env=has_proxy(),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                middlewares=(_send_once,),
            )
        await super().open()


async def _send_once(request: "ClientRequest", handler: "ClientHandlerType") -> "ClientResponse":
    """Send a request. A changing one whose answer is lost fails with an error that aiohttp doesn't retry."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method in _REPEATABLE:
            raise
        raise aiohttp.ClientConnectionError(type(error).__name__) from error
