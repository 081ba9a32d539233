"""Accounts that can't copy from each other say so with one code and several statuses: then bytes go through here."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from indexvault.errors import IndexvaultError, RefusedError
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.replicate import replicate_index
from indexvault.snapshots.store import ReadGrant
from indexvault.snapshots.verify import verify_index
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot

GRANT = ReadGrant(url="https://east.blob.core.windows.net/search-snapshots/chunk?sig=never-in-an-error")
STATUSES = [400, 401, 403, 404, 409, 412]


class Account:
    """A storage account on loopback that refuses every copy, with a status and a code of the service's."""

    def __init__(self) -> None:
        self.status, self.code, self.copies = 409, "CannotVerifyCopySource", 0
        self.store: AzureStore | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.copies += "x-ms-copy-source" in request.headers
        text = f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{self.code}</Code><Message>no</Message></Error>"
        headers = {"x-ms-error-code": self.code}
        return web.Response(status=self.status, text=text, content_type="application/xml", headers=headers)


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    refusing = Account()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", refusing.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/west"
    text = f"DefaultEndpointsProtocol=http;AccountName=west;AccountKey=a2V5;BlobEndpoint={address};"
    async with AzureStore.from_connection_string("west", text) as refusing.store:
        yield refusing
    await runner.cleanup()


@pytest.mark.parametrize("status", STATUSES)
async def test_a_source_that_an_account_may_not_read_is_one_error_whatever_its_status(
    account: Account, status: int
) -> None:
    account.status = status
    assert account.store is not None
    with pytest.raises(IndexvaultError) as raised:
        await account.store.snapshots.copy("contoso-east/hotels/chunk", GRANT)
    assert type(raised.value) is RefusedError
    assert "can't read" in raised.value.what
    assert "never-in-an-error" not in str(raised.value)
    assert account.copies == 1


@pytest.mark.parametrize("status", STATUSES)
async def test_bytes_go_through_here_where_the_accounts_can_not_copy(account: Account, status: int) -> None:
    account.status = status
    source, replica = MemoryStore("east"), MemoryStore("west")
    assert account.store is not None
    refused = account.store.snapshots.copy

    async def grant(_name: str) -> ReadGrant:
        return GRANT

    source.snapshots.grant = grant  # type: ignore[method-assign, assignment]
    replica.snapshots.copy = refused  # type: ignore[method-assign]
    manifest, _ = await write_snapshot(source.snapshots, documents(range(300)))
    report = await replicate_index(source, replica, "contoso-east", "hotels", clock=lambda: MORNING)
    assert (report.copied, report.skipped) == ((manifest.id,), ())
    assert (report.by_the_accounts, report.packs) == (0, 1)
    assert (await verify_index(replica.snapshots, "contoso-east", "hotels")).findings == ()
