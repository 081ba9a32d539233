"""The storage library's connections, with a cap on every answer.

The library reads an answer whole before it looks at it. An account that sends more than was asked for, without end or
compressed, must not fill the memory.
"""

import re
from typing import TYPE_CHECKING, Any

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport
from multidict import CIMultiDict, CIMultiDictProxy

from indexvault.bounds import ANSWER_LIMIT
from indexvault.proxies import has_proxy
from indexvault.snapshots.azure_errors import OversizedResponseError

if TYPE_CHECKING:
    from aiohttp.connector import Connection

_READ_AT_ONCE = 256 * 1024
_REFUSAL_LIMIT = 64 * 1024
"""Bytes of an answer that are read at least: it may be a refusal of a small range."""
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})", re.ASCII)


class Connections(AioHttpTransport):  # type: ignore[misc]  # the library loads its classes lazily, so untyped
    """Connections whose answers have no more bytes than the range that was asked for, or ANSWER_LIMIT without one.

    A page of a listing has 5,000 blobs. Nothing is asked for compressed, and nothing is decompressed: a blob has the
    bytes that are stored, whatever encoding its headers name.
    """

    session: aiohttp.ClientSession | None
    _is_new = True

    def __init__(self, *, connect_seconds: float, read_seconds: float) -> None:
        super().__init__(
            connection_timeout=connect_seconds, read_timeout=read_seconds, connection_data_block_size=_READ_AT_ONCE
        )

    async def open(self) -> None:
        """Open a session like the library's own. Raises ValueError if the connections were closed."""
        if self._is_new:
            self._is_new = False
            self.session = aiohttp.ClientSession(
                trust_env=has_proxy(),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                response_class=_BoundedResponse,
            )
        await super().open()


class _BoundedResponse(aiohttp.ClientResponse):
    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers without the body's encoding: the library would decompress the whole body at once."""
        if "Content-Encoding" not in self._headers:
            return self._headers
        others = CIMultiDict(self._headers)
        others.popall("Content-Encoding")
        return CIMultiDictProxy(others)

    async def start(self, connection: "Connection") -> aiohttp.ClientResponse:
        """Begin the answer, and bound what follows."""
        await super().start(connection)
        headers = self.request_info.headers
        asked = _RANGE.fullmatch(headers.get("x-ms-range") or headers.get("Range") or "")
        limit = ANSWER_LIMIT if asked is None else max(int(asked[2]) - int(asked[1]) + 1, _REFUSAL_LIMIT)
        self.content = _BoundedContent(self.content, limit)  # type: ignore[assignment]  # as far as the library uses it
        return self


class _BoundedContent:
    """The body of an answer, as a stream that raises OversizedResponseError after `limit` bytes."""

    def __init__(self, content: aiohttp.StreamReader, limit: int) -> None:
        self._content = content
        self._limit = limit
        self._size = 0

    async def read(self, n: int = -1) -> bytes:
        """Return up to `n` bytes, or all that follow."""
        if n >= 0:
            return await self._part(n)
        parts = []
        while part := await self._part(_READ_AT_ONCE):
            parts.append(part)
        return b"".join(parts)

    async def _part(self, n: int) -> bytes:
        part = await self._content.read(n)
        self._size += len(part)
        if self._size > self._limit:
            raise OversizedResponseError(self._limit)
        return part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)
