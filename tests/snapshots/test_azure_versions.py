"""What a container keeps of deleted blobs, from answers in the documented form: Azurite has no immutability."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from indexvault.errors import ForbiddenError
from indexvault.maintenance.protection import kept_versions, kind_in_words, protection_of
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.store import Protection

CURRENT = "<VersionId>2026-11-20T02:30:00.0000000Z</VersionId><IsCurrentVersion>true</IsCurrentVersion>"


def blob(name: str, size: int, version: str, properties: str = "") -> str:
    return (
        f"<Blob><Name>{name}</Name>{version}<Properties><Creation-Time>Fri, 20 Nov 2026 02:30:00 GMT</Creation-Time>"
        "<Last-Modified>Fri, 20 Nov 2026 02:30:00 GMT</Last-Modified><Etag>0x8D</Etag>"
        f"<Content-Length>{size}</Content-Length><Content-Type>application/gzip</Content-Type>"
        f"<BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>{properties}</Properties></Blob>"
    )


def previous(day: int) -> str:
    return f"<VersionId>2026-10-{day:02}T02:30:00.0000000Z</VersionId>"


def until(day: int) -> str:
    return (
        f"<ImmutabilityPolicyUntilDate>Tue, {day:02} Dec 2026 00:00:00 GMT</ImmutabilityPolicyUntilDate>"
        "<ImmutabilityPolicyMode>locked</ImmutabilityPolicyMode>"
    )


HOLD = "<LegalHold>true</LegalHold>"


class Account:
    """A storage account on loopback with one container and what it lists."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.blobs: list[str] = []
        self.asked: list[str] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status, headers={"x-ms-error-code": "AuthorizationPermissionMismatch"})
        if request.query.get("comp") != "list":
            common = {"Last-Modified": "Fri, 20 Nov 2026 02:30:00 GMT", "ETag": '"0x8D"'}
            return web.Response(headers=common | self.headers)
        self.asked.append(request.query["include"])
        text = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="c">'
            f"<Blobs>{''.join(self.blobs)}</Blobs><NextMarker /></EnumerationResults>"
        )
        return web.Response(text=text, content_type="application/xml")


@pytest.fixture
async def account() -> AsyncIterator[tuple[Account, AzureStore]]:
    scripted = Account()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", scripted.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/west"
    text = f"DefaultEndpointsProtocol=http;AccountName=west;AccountKey=a2V5;BlobEndpoint={address};"
    async with AzureStore.from_connection_string("west", text) as store:
        yield scripted, store
    await runner.cleanup()


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, "none"),
        ({"x-ms-has-immutability-policy": "false", "x-ms-has-legal-hold": "false"}, "none"),
        ({"x-ms-has-immutability-policy": "true"}, "container"),
        ({"x-ms-has-legal-hold": "true"}, "container"),
        ({"x-ms-immutable-storage-with-versioning-enabled": "true"}, "version"),
        (
            {"x-ms-immutable-storage-with-versioning-enabled": "true", "x-ms-has-immutability-policy": "true"},
            "version",
        ),
    ],
)
async def test_the_kind_of_a_container_is_in_its_properties(
    account: tuple[Account, AzureStore], headers: dict[str, str], kind: str
) -> None:
    scripted, store = account
    scripted.headers = headers
    assert (await store.snapshots.protection("contoso-east/")).kind == kind


async def test_versions_of_deleted_blobs_are_counted_with_the_day_until_which_they_stay(
    account: tuple[Account, AzureStore],
) -> None:
    scripted, store = account
    scripted.blobs = [
        blob("a", 100, CURRENT, until(29)),
        blob("a", 10, previous(3), until(15)),
        blob("b", 20, previous(4), until(22)),
        blob("c", 30, previous(5), HOLD),
        blob("d", 40, previous(6)),
        blob("e", 500, ""),
    ]
    found = await store.snapshots.protection("contoso-east/")
    assert found == Protection(kind="none", versions=4, bytes=100, until=datetime(2026, 12, 22, tzinfo=UTC), held=1)
    assert scripted.asked == ["versions,immutabilitypolicy,legalhold"]
    told = kept_versions(found)
    assert told is not None
    assert "4 versions" in told
    assert "2026-12-22" in told
    assert "legal hold keeps 1" in told


async def test_a_store_that_does_not_say_stops_no_pruning(account: tuple[Account, AzureStore]) -> None:
    scripted, store = account
    scripted.status = 403
    with pytest.raises(ForbiddenError):
        await store.snapshots.protection("")
    assert await protection_of(store, "") is None


def test_each_kind_says_what_a_deletion_does() -> None:
    assert "refuses" in kind_in_words(Protection(kind="container"))
    assert "billed" in kind_in_words(Protection(kind="version"))
    assert kept_versions(Protection(kind="version")) is None
    assert "lifecycle rule" in (kept_versions(Protection(versions=1, bytes=5)) or "")
