"""Connections that read no more of an answer than a limit."""

from typing import Any

from azure.core.exceptions import HttpResponseError

from indexvault.search.connections import Connections


class BoundedConnections(Connections):
    """Reads each answer whole, up to `limit` bytes, as it came: a compressed one is refused."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    async def send(self, request: Any, *, stream: bool = False, proxies: Any = None, **config: Any) -> Any:
        """Send a request. Raises HttpResponseError for an answer above the limit, or one that is compressed."""
        del stream
        request.headers["Accept-Encoding"] = "identity"
        response = await super().send(request, stream=True, proxies=proxies, **config)
        async with response:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise HttpResponseError("a compressed answer that nobody asked for")
            body = bytearray()
            async for part in response.iter_raw():
                body += part
                if len(body) > self._limit:
                    raise HttpResponseError(f"an answer of more than {self._limit:,} bytes")
        # azure-core's answers keep what was read there; the SDK's models are made from it.
        response._content = bytes(body)  # noqa: SLF001
        return response
