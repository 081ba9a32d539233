"""Find the search services and storage accounts that an Entra identity sees, with Azure Resource Graph.

Its answers are the subscription's, not ours: a row counts only if its names are such as Azure gives, and if its address
is one that tokens may go to.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from indexvault.bounds import BoundedBody, BrokenBodyError, OversizedBodyError, decode
from indexvault.errors import (
    UNDECODABLE,
    ForbiddenError,
    SettingsError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from indexvault.search.addresses import host_of
from indexvault.settings.model import TIERS, Tier
from indexvault.settings.store_hosts import store_authority

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

API_VERSION = "2024-04-01"
"""Source: Azure Resource Graph REST API, Resources - Resources, 2026-09."""

QUERY = (
    "resources"
    " | where type =~ 'microsoft.search/searchservices' or type =~ 'microsoft.storage/storageaccounts'"
    " | project id, name, type, location, tier = tostring(sku.name), hosting = tostring(properties.hostingMode),"
    " blobs = tostring(properties.primaryEndpoints.blob)"
    " | order by name asc, id asc"
)
_SECONDS = 30.0
"""The longest that looking may take: a machine without an identity asks addresses that don't answer."""
_PAGES, _PAGE = 10, 1000
_LIMIT = 16 * 1024 * 1024
_ON = "Azure Resource Graph"
_DO = "Sign in with `az login`, or name the service with --endpoint"
_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[\w.()-]{1,90}/providers/(Microsoft\.\w+/\w+)/([a-z0-9-]{2,60})",
    re.IGNORECASE | re.ASCII,
)
_SEARCH, _STORAGE = "microsoft.search/searchservices", "microsoft.storage/storageaccounts"
_NAMES = {_SEARCH: re.compile(r"[a-z0-9][a-z0-9-]{0,58}[a-z0-9]"), _STORAGE: re.compile(r"[a-z0-9]{3,24}")}
_LOCATION = re.compile(r"[a-z0-9]{2,40}")


class Cloud(msgspec.Struct, frozen=True):
    """A cloud of Azure: where its resources are managed, who issues tokens, and how search services are named."""

    management: str
    authority: str
    search_suffix: str


CLOUDS = {
    "public": Cloud("https://management.azure.com", "login.microsoftonline.com", ".search.windows.net"),
    "usgovernment": Cloud("https://management.usgovcloudapi.net", "login.microsoftonline.us", ".search.azure.us"),
    "china": Cloud("https://management.chinacloudapi.cn", "login.chinacloudapi.cn", ".search.azure.cn"),
}
"""Source: Azure App Configuration client, audiences of Azure Resource Manager by cloud, 2026-09; Azure Private Endpoint
private DNS zone values, 2026-07."""


class FoundService(msgspec.Struct, frozen=True):
    """A search service. `tier` is None for one that this version does not know."""

    name: str
    endpoint: str
    region: str
    tier: Tier | None
    id: str


class FoundAccount(msgspec.Struct, frozen=True):
    """A storage account."""

    name: str
    url: str
    region: str
    id: str


class Found(msgspec.Struct, frozen=True):
    """What an identity sees, by name."""

    services: tuple[FoundService, ...] = ()
    accounts: tuple[FoundAccount, ...] = ()


class _Row(msgspec.Struct, frozen=True):
    id: str
    name: str
    type: str
    location: str = ""
    tier: str = ""
    hosting: str = ""
    blobs: str = ""


class _Page(msgspec.Struct, frozen=True):
    data: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=_PAGE)]
    skip_token: str | None = msgspec.field(default=None, name="$skipToken")


async def find_resources(cloud: Cloud, credential: "AsyncTokenCredential") -> Found:
    """Return the search services and storage accounts of all subscriptions that an identity sees.

    The token goes to the cloud's management address alone, over https; over http only on loopback, where a stand-in
    answers. Raises UnauthorizedError without an identity, and other errors below RemoteError.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            return _found(cloud, await _rows(cloud, credential))
    except TimeoutError:
        raise UnreachableError(f"no answer within {_SECONDS:g} s", on=_ON, do=_DO) from None


async def _rows(cloud: Cloud, credential: "AsyncTokenCredential") -> list[_Row]:
    from azure.core.pipeline import AsyncPipeline  # noqa: PLC0415 - slow to load
    from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy  # noqa: PLC0415 - the same

    from indexvault.search.connections import Connections  # noqa: PLC0415 - the same

    secure = cloud.management.startswith("https://")
    if not secure and not re.match(r"http://127\.0\.0\.1:\d+$", cloud.management):
        raise SettingsError("expected https", on=cloud.management, do="Use one of the known clouds")
    policy = AsyncBearerTokenCredentialPolicy(credential, f"{cloud.management}/.default", enforce_https=secure)
    rows: list[_Row] = []
    token: str | None = None
    async with AsyncPipeline(Connections(), [policy]) as pipeline:
        for _ in range(_PAGES):
            page = await _page(pipeline, cloud, token, secure=secure)
            rows += [row for raw in page.data if (row := _row(raw)) is not None]
            token = page.skip_token
            if not token:
                break
    return rows


async def _page(pipeline: Any, cloud: Cloud, token: str | None, *, secure: bool) -> _Page:
    from azure.core import exceptions  # noqa: PLC0415 - slow to load
    from azure.core.rest import HttpRequest  # noqa: PLC0415 - the same

    options = {"resultFormat": "objectArray", "$top": _PAGE, **({"$skipToken": token} if token else {})}
    request = HttpRequest(
        "POST",
        f"{cloud.management}/providers/Microsoft.ResourceGraph/resources?api-version={API_VERSION}",
        headers={"Accept": "application/json"},
        json={"query": QUERY, "options": options},
    )
    try:
        answer = await pipeline.run(request, stream=True, enforce_https=secure)
        response = answer.http_response
        async with response:
            body = BoundedBody(response.headers.get("Content-Encoding"), _LIMIT)
            async for part in response.iter_raw():
                body.add(part)
            text = body.whole()
    except exceptions.ClientAuthenticationError:
        raise UnauthorizedError("no Entra identity could be obtained", on=_ON, do=_DO) from None
    except (exceptions.AzureError, BrokenBodyError, OversizedBodyError, OSError) as error:
        raise UnreachableError(f"no complete answer ({type(error).__name__})", on=_ON, do=_DO) from None
    if response.status_code in {401, 403}:
        raise ForbiddenError(f"the identity may not ask it (HTTP {response.status_code})", on=_ON, do=_DO)
    if response.status_code != 200:  # noqa: PLR2004 - OK
        raise UnexpectedAnswerError(f"HTTP {response.status_code}", on=_ON, do=_DO)
    try:
        return decode(text, _Page)
    except UNDECODABLE:
        raise UnexpectedAnswerError("an answer in another form than documented", on=_ON, do=_DO) from None


def _row(raw: msgspec.Raw) -> _Row | None:
    try:
        return decode(raw, _Row)
    except UNDECODABLE:
        return None


def _found(cloud: Cloud, rows: list[_Row]) -> Found:
    services, accounts = {}, {}
    for row in rows:
        kind = row.type.lower()
        if not _is_plain(row, kind):
            continue
        if kind == _SEARCH:
            endpoint = f"https://{row.name}{cloud.search_suffix}"
            services[row.name] = FoundService(row.name, endpoint, row.location, _tier(row), row.id)
        elif (url := _account_url(row)) is not None:
            accounts[row.name] = FoundAccount(row.name, url, row.location, row.id)
    return Found(tuple(services.values()), tuple(accounts.values()))


def _is_plain(row: _Row, kind: str) -> bool:
    """Return whether a row names a resource of a kind we asked for, in the characters that Azure allows."""
    match = _ID.fullmatch(row.id)
    return (
        match is not None
        and kind in _NAMES
        and (match[1].lower(), match[2]) == (kind, row.name)
        and _NAMES[kind].fullmatch(row.name) is not None
        and _LOCATION.fullmatch(row.location) is not None
    )


def _tier(row: _Row) -> Tier | None:
    name = "standard3hd" if (row.tier, row.hosting.lower()) == ("standard3", "highdensity") else row.tier
    return next((tier for tier in TIERS if tier == name), None)


def _account_url(row: _Row) -> str | None:
    """Return an account's address, if tokens may go there and it is the account's own."""
    url = row.blobs.removesuffix("/")
    try:
        store_authority(url)
    except SettingsError:
        return None
    return url if url == f"https://{host_of(url)}" and (host_of(url) or "").startswith(f"{row.name}.") else None
