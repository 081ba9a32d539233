"""Which rights the requests of a command need, recorded on the wire to services and stores."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from aiohttp import web

from tests.snapshots.faults import FaultyProxy

type Rights = dict[str, set[str]]
"""Rights by what they are on."""


class Recorder:
    """Collects the rights that requests need, until it is emptied."""

    def __init__(self) -> None:
        self._rights: Rights = {}
        self._lock = threading.Lock()

    def note(self, on: str, right: str) -> None:
        with self._lock:
            self._rights.setdefault(on, set()).add(right)

    def take(self) -> Rights:
        """Return what was recorded since the last call."""
        with self._lock:
            taken, self._rights = self._rights, {}
        return taken


def search_right(request: web.Request) -> str:
    """Return the right that a request to a search service needs."""
    path = request.path
    if re.search(r"/docs/(search\.)?index$", path):
        return "write documents"
    if "/docs" in path:
        elevated = request.headers.get("x-ms-enable-elevated-read", "").lower() == "true"
        return "read elevated" if elevated else "read documents"
    return "read definitions" if request.method == "GET" else "write definitions"


def storage_right(request: web.Request) -> str:
    """Return the right that a request for a blob or a container needs.

    Source: Permissions for calling data operations (Azure Storage), 2026-09: a new blob needs `add` only.
    """
    query = request.query
    if query.get("restype") == "container" and query.get("comp") != "list":
        return "read" if request.method in {"GET", "HEAD"} else "create container"
    if query.get("comp") == "list":
        return "list"
    if request.method in {"GET", "HEAD"}:
        return "read"
    if request.method == "DELETE":
        return "delete"
    is_new = request.headers.get("If-None-Match") == "*" and query.get("comp") is None
    return "add" if is_new else "write"


@contextmanager
def recorded_service(recorder: Recorder, on: str, endpoint: str) -> Iterator[str]:
    """Yield another endpoint for a service, which records what is sent there."""

    def note(request: web.Request) -> None:
        recorder.note(on, search_right(request))

    with _proxied(urlsplit(endpoint).port or 0, note) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def recorded_store(recorder: Recorder, on: str, connection_string: str) -> Iterator[str]:
    """Yield another connection string for an account of Azurite, which records what is sent there by container."""

    def note(request: web.Request) -> None:
        container = request.path.split("/")[2]
        half = "snapshots" if container == "search-snapshots" else "runs"
        recorder.note(f"{on} {half}", storage_right(request))

    found = re.search(r"127\.0\.0\.1:(\d+)/", connection_string)
    assert found is not None
    with _proxied(int(found[1]), note) as port:
        yield connection_string.replace(found[0], f"127.0.0.1:{port}/")


@contextmanager
def _proxied(target: int, note: Callable[[web.Request], None]) -> Iterator[int]:
    proxy = FaultyProxy(target)

    def spoil(request: web.Request) -> None:
        note(request)

    proxy.spoil = spoil
    up = threading.Event()
    stopping: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        async with proxy.running():
            stop = asyncio.Event()
            stopping.append((asyncio.get_running_loop(), stop))
            up.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert up.wait(60)
        yield proxy.port
    finally:
        for loop, stop in stopping:
            loop.call_soon_threadsafe(stop.set)
        thread.join()
