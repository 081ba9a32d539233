"""Proxies that the environment names are used; `.netrc` is not."""

import base64
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from azure.core.credentials import AzureKeyCredential

from indexvault.search.client import SearchService
from indexvault.snapshots.azure_store import AzureStore

KEY = base64.b64encode(b"not the key").decode()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Server:
    def __init__(self) -> None:
        self.port = 0
        self.requests: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if "/docs" in request.path:
            return web.Response(text="7")
        headers = {
            "ETag": '"1"',
            "Last-Modified": "Fri, 20 Nov 2026 02:30:00 GMT",
            "x-ms-blob-type": "BlockBlob",
            "Content-Range": "bytes 0-0/1",
        }
        return web.Response(status=206, headers=headers, body=b"x")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[0][1]
    yield found
    await runner.cleanup()


async def ask(host: str) -> None:
    service = SearchService("east", f"http://{host}", AzureKeyCredential("k"), rng=random.Random(1))
    async with service:
        assert await service.count("hotels") == 7
    async with AzureStore.from_connection_string(
        "local", f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={KEY};BlobEndpoint=http://{host}/acc"
    ) as store:
        assert await store.snapshots.read_range("a", 0, 1) == b"x"


async def test_without_a_proxy_nothing_is_taken_from_netrc(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    await ask(f"127.0.0.1:{server.port}")
    assert [request.headers.get("Authorization", "")[:5] for request in server.requests] == ["", "Share"]


async def test_a_proxy_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    await ask("localhost:9")
    assert [request.host.partition(":")[0] for request in server.requests] == ["localhost"] * 2
