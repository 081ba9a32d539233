"""Accounts that send more than was asked for: the error names the blob, and the memory stays small."""

import base64
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from indexvault.bounds import ANSWER_LIMIT, MEBIBYTE
from indexvault.errors import (
    IndexvaultError,
    IntegrityError,
    OversizedAnswerError,
    RemoteError,
    UnexpectedAnswerError,
)
from indexvault.snapshots.azure_store import AzureStore
from tests.azurite import Azurite
from tests.peak import taking_at_most

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADERS = {
    "ETag": '"1"',
    "Last-Modified": "Fri, 20 Nov 2026 02:30:00 GMT",
    "x-ms-blob-type": "BlockBlob",
    "x-ms-version": "2024-11-04",
}


def _compressed(size: int) -> bytes:
    """Compress so many spaces without holding them."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(b" " * MEBIBYTE) for _ in range(size // MEBIBYTE)]
    return b"".join([*parts, packer.flush()])


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexvault.snapshots.azure_store.ExponentialRetry.get_backoff_time", lambda *_: 0.001)


class Account:
    """What stands in an account's place. `sent` counts the bytes of bodies that were taken from it."""

    def __init__(self) -> None:
        self.answer: Answer
        self.sent = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await self.answer(request)

    async def stream(
        self, request: web.Request, *, size: int, total: int, status: int = 206, headers: dict[str, str] | None = None
    ) -> web.StreamResponse:
        """Send `size` bytes and say that they are the first of a blob of `total`."""
        extra = {"Content-Range": f"bytes 0-{total - 1}/{total}"} if status == 206 else {}
        answer = web.StreamResponse(status=status, headers={**HEADERS, **extra, **(headers or {})})
        await answer.prepare(request)
        part = b" " * MEBIBYTE
        while size > 0:
            await answer.write(part[:size])
            self.sent += min(size, len(part))
            size -= len(part)
        return answer


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    found = Account()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.port = runner.addresses[0][1]  # type: ignore[attr-defined]
    yield found
    await runner.cleanup()


@pytest.fixture
async def store(account: Account) -> AsyncIterator[AzureStore]:
    key = base64.b64encode(b"not the key").decode()
    endpoint = f"http://127.0.0.1:{account.port}/acc"  # type: ignore[attr-defined]
    async with AzureStore.from_connection_string(
        "east", f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={key};BlobEndpoint={endpoint}"
    ) as opened:
        yield opened


@pytest.mark.parametrize("total", [100, 40 * MEBIBYTE])
async def test_a_blob_that_is_longer_than_the_account_says(account: Account, store: AzureStore, total: int) -> None:
    account.answer = lambda request: account.stream(request, size=1 << 40, total=total)
    for read in (store.snapshots.read, store.runs.read):
        account.sent = 0
        with pytest.raises(OversizedAnswerError, match="32 MiB") as raised:
            await read("a/b", 1 << 30)
        assert raised.value.on.endswith("/a/b")
        assert account.sent < 80 * MEBIBYTE


async def test_a_range_is_one_request(account: Account, store: AzureStore) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers["x-ms-range"])
        assert "x-ms-range-get-content-md5" not in request.headers
        headers = {**HEADERS, "Content-Range": f"bytes 5-{16 * MEBIBYTE + 4}/{20 * MEBIBYTE}"}
        return web.Response(status=206, headers=headers, body=b"x" * (16 * MEBIBYTE))

    account.answer = answer
    assert len(await store.snapshots.read_range("a/b", 5, 16 * MEBIBYTE)) == 16 * MEBIBYTE
    assert asked == [f"bytes=5-{16 * MEBIBYTE + 4}"]


@pytest.mark.parametrize("sent", [101, 200 * 1024])
async def test_a_range_with_more_than_was_asked_for(account: Account, store: AzureStore, sent: int) -> None:
    account.answer = lambda request: account.stream(request, size=sent, total=1000)
    with pytest.raises(RemoteError):
        await store.snapshots.read_range("a/b", 0, 100)


async def test_a_range_that_is_answered_with_the_whole_blob(account: Account, store: AzureStore) -> None:
    account.answer = lambda request: account.stream(request, size=100, total=100, status=200)
    with pytest.raises(UnexpectedAnswerError):
        await store.snapshots.read_range("a/b", 0, 100)


async def test_a_listing_without_end(account: Account, store: AzureStore) -> None:
    account.answer = lambda request: account.stream(request, size=1 << 40, total=1, status=200)
    with pytest.raises(OversizedAnswerError, match="64 MiB"):
        _ = [blob async for blob in store.snapshots.list("a/")]
    assert account.sent < 10 * (ANSWER_LIMIT + 16 * MEBIBYTE)


async def test_a_refusal_without_end(account: Account, store: AzureStore) -> None:
    account.answer = lambda request: account.stream(request, size=1 << 40, total=1, status=403)
    with pytest.raises(IndexvaultError):
        await store.snapshots.read("a/b", 100)
    with pytest.raises(IndexvaultError):
        await store.prepare()


async def test_a_listing_that_says_it_is_compressed(account: Account, store: AzureStore) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=_compressed(256 * MEBIBYTE), headers={"Content-Encoding": "gzip", "Content-Type": "application/xml"}
        )

    account.answer = answer
    with taking_at_most(64), pytest.raises(IndexvaultError):
        _ = [blob async for blob in store.snapshots.list("a/")]


async def test_a_blob_that_says_it_is_compressed_is_not_decompressed(azurite: Azurite) -> None:
    from azure.storage.blob import ContentSettings  # noqa: PLC0415 - slow to load
    from azure.storage.blob.aio import BlobServiceClient  # noqa: PLC0415 - slow to load

    connection = azurite.new_account()
    data = gzip.compress(b" " * (40 * MEBIBYTE))
    async with (
        AzureStore.from_connection_string("east", connection) as store,
        BlobServiceClient.from_connection_string(connection, api_version="2024-11-04") as service,
    ):
        await store.prepare()
        for container in ("search-snapshots", "search-runs"):
            await service.get_blob_client(container, "a/b").upload_blob(
                data, content_settings=ContentSettings(content_encoding="gzip")
            )
        assert await store.snapshots.read("a/b", len(data)) == data
        blob = await store.runs.read("a/b", len(data))
        assert blob is not None
        assert blob.data == data
        with pytest.raises(IntegrityError):
            await store.snapshots.read("a/b", len(data) - 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(account: Account, store: AzureStore, status: int) -> None:
    asked = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path.startswith("/elsewhere"):
            return web.Response(status=201 if request.method == "PUT" else 200, headers=HEADERS, body=b"theirs")
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    account.answer = redirect
    with pytest.raises(IndexvaultError):
        await store.snapshots.read("a", 100)
    with pytest.raises(IndexvaultError):
        await store.snapshots.create("a", b"documents")
    with pytest.raises(IndexvaultError):
        await store.runs.put("a", b"{}")
    assert len(asked) == 3
    assert not [path for path in asked if path.startswith("/elsewhere")]
