"""A small HTTP/1.1 server for the benchmarks' own services: as little work for a request as Python allows.

It listens on loopback only, reads bodies with a Content-Length, answers one request of a connection after the other,
and trusts its clients, which are this project's own processes.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

type Part = bytes | memoryview

CONTROL = "/$benchmark"
"""Where a service is told what to hold, and asked what it has done; not counted."""
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Request:
    """A request: the path is decoded, header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. The parts are sent one after the other, without being joined."""

    status: int
    parts: Iterable[Part] = ()
    headers: Mapping[str, str] | None = None
    content_type: str = "application/json"


type Handler = Callable[[Request], Reply]


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer that holds a value as JSON."""
    return Reply(status, (json.dumps(value).encode(),), headers)


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """Serve on a free port of the loopback address, which is yielded, until the block ends."""
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(handler), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        server.abort_clients()
        await asyncio.sleep(0)  # until the connections have heard of it


def run(handler: Handler) -> None:
    """Serve until the process is stopped. The port is printed."""

    async def serve() -> None:
        async with serving(handler) as port:
            sys.stdout.write(f"{port}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


def process_seconds() -> float:
    """Return the CPU seconds that this process has used."""
    return time.process_time()


class _Connection(asyncio.Protocol):
    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._transport: asyncio.WriteTransport | None = None
        self._received: list[bytes] = []
        self._size = 0
        self._wanted = 0
        """Bytes that the request at the front is known to have, 0 while its head is incomplete."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - a TCP transport is one
        transport.set_write_buffer_limits(high=64 * 1024 * 1024)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._size += len(data)
        while self._size and self._size >= self._wanted:
            whole = self._received[0] if len(self._received) == 1 else b"".join(self._received)
            rest = self._answer(whole)
            self._received, self._size = [rest], len(rest)
            if len(rest) == len(whole):
                return

    def _answer(self, data: bytes) -> bytes:
        """Answer the first request if it is there as a whole, and return the bytes that are left."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return data
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        begin = end + 4
        self._wanted = begin + int(headers.get("content-length", "0"))
        if len(data) < self._wanted:
            return data
        method, target, _version = lines[0].split(" ")
        path, _, query = target.partition("?")
        request = Request(method, unquote(path), _parameters(query), headers, data[begin : self._wanted])
        rest = data[self._wanted :]
        self._wanted = 0
        try:
            reply = self._handler(request) if "transfer-encoding" not in headers else Reply(411)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is answered, so that the client tells it
            reply = json_reply({"error": {"message": f"{type(error).__name__}: {error}"}}, 501)
        self._send(request, reply)
        return rest

    def _send(self, request: Request, reply: Reply) -> None:
        parts = list(reply.parts)
        headers = dict(reply.headers or {})
        head = [f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, 'Unknown')}"]
        if reply.status not in _NO_BODY:
            headers.setdefault("Content-Length", str(sum(map(len, parts))))
            headers.setdefault("Content-Type", reply.content_type)
        head += [f"{name}: {value}" for name, value in headers.items()]
        first = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        assert self._transport is not None  # noqa: S101 - data arrives on open connections only
        if request.method == "HEAD" or reply.status in _NO_BODY:
            self._transport.write(first)
        else:
            self._transport.writelines([first, *parts])


def _parameters(query: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {unquote(name): unquote(value.replace("+", " ")) for name, _, value in pairs}
