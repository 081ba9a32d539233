"""What Azure Resource Manager tells of a service, over HTTP, and how its refusals are told."""

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from indexvault.discovery import Cloud
from indexvault.errors import (
    ForbiddenError,
    IndexvaultError,
    NotFoundError,
    SettingsError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from indexvault.readiness.management import API_VERSION, Resource, cloud_of, read_resource
from indexvault.settings.load import read_settings
from indexvault.settings.model import ServiceSettings
from tests.discovery.resource_graph import TOKEN, Identity
from tests.readiness.management_api import GROUP, management, resource, resource_id

EAST = ServiceSettings(
    endpoint="https://contoso-east.search.windows.net",
    region="eastus",
    tier="standard",
    store="east",
    resource_id=resource_id("contoso-east"),
)


async def told(given: Any, **options: Any) -> Resource:
    with management({"contoso-east": given}, **options) as arm:
        return await read_resource(EAST, Identity(), arm.cloud)


async def test_a_service_is_read_with_the_token_of_its_cloud() -> None:
    identity = Identity()
    with management({"contoso-east": resource("contoso-east")}) as arm:
        found = await read_resource(EAST, identity, arm.cloud)
    assert found == Resource(
        region="East US",
        tier="standard",
        replicas=3,
        partitions=1,
        created=datetime(2025, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC),
        status="running",
        takes_roles=True,
        takes_keys=True,
    )
    assert arm.asked == [
        (f"{GROUP}/providers/Microsoft.Search/searchServices/contoso-east?api-version={API_VERSION}", f"Bearer {TOKEN}")
    ]
    assert set(identity.scopes) == {f"{arm.cloud.management}/.default"}


async def test_high_density_and_services_without_keys_are_told_apart() -> None:
    dense = await told(resource("contoso-east", sku="standard3", hostingMode="HighDensity", disableLocalAuth=True))
    assert (dense.tier, dense.takes_keys, dense.takes_roles) == ("standard3hd", False, True)
    keys_only = await told(resource("contoso-east", authOptions={"apiKeyOnly": {}}))
    assert (keys_only.takes_keys, keys_only.takes_roles) == (True, False)


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"replicaCount": 0}, "replicas"),
        ({"replicaCount": 10_000_000}, "replicas"),
        ({"partitionCount": None}, "partitions"),
    ],
)
async def test_nonsense_counts_as_not_told(change: dict[str, Any], member: str) -> None:
    assert getattr(await told(resource("contoso-east", **change)), member) is None


async def test_an_unknown_tier_and_a_missing_date_count_as_not_told() -> None:
    given = resource("contoso-east", sku="standard9")
    del given["systemData"]
    found = await told(given)
    assert (found.tier, found.created, found.replicas) == (None, None, 3)


@pytest.mark.parametrize(
    ("given", "options", "error", "said"),
    [
        ({}, {"status": 403}, ForbiddenError, "HTTP 403"),
        ({}, {"status": 401}, ForbiddenError, "HTTP 401"),
        ({}, {"status": 500}, UnexpectedAnswerError, "HTTP 500"),
        ({}, {"status": 301, "headers": {"Location": "http://127.0.0.1:9/"}}, UnexpectedAnswerError, "HTTP 301"),
        (b"not json", {}, UnexpectedAnswerError, "another form"),
        (b"[3]", {}, UnexpectedAnswerError, "another form"),
        (b'{"properties": 3, "sku": [], "systemData": 7}', {}, UnexpectedAnswerError, "another form"),
        (b" " * 2_000_000, {}, UnexpectedAnswerError, "another form"),
        (b"", {"headers": {"Content-Encoding": "gzip"}}, UnexpectedAnswerError, "another form"),
    ],
)
async def test_a_refusal_is_told_without_any_address(
    given: Any, options: dict[str, Any], error: type[IndexvaultError], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(error) as raised:
        await told(given, **options)
    assert said in str(raised.value)
    assert "0a0a0a0a" not in f"{raised.value}{raised.value.__cause__}{caplog.text}"


async def test_a_service_that_is_not_there_and_an_identity_that_is_none() -> None:
    with management({}) as arm, pytest.raises(NotFoundError, match="no service of this resource id"):
        await read_resource(EAST, Identity(), arm.cloud)
    with management({}) as arm, pytest.raises(UnauthorizedError, match="no Entra identity"):
        await read_resource(EAST, Identity(token=None), arm.cloud)
    assert arm.asked == []


async def test_no_token_goes_to_another_host() -> None:
    identity = Identity()
    with pytest.raises(SettingsError, match="expected https"):
        await read_resource(EAST, identity, Cloud("http://management.example.com", "login.microsoftonline.com", ""))
    with pytest.raises(SettingsError, match="no resource id"):
        await read_resource(msgspec.structs.replace(EAST, resource_id=None), identity)
    assert identity.scopes == []


def test_the_cloud_follows_from_the_endpoint() -> None:
    china = msgspec.structs.replace(EAST, endpoint="https://contoso-east.search.azure.cn")
    assert cloud_of(EAST).management == "https://management.azure.com"
    assert cloud_of(china).management == "https://management.chinacloudapi.cn"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("contoso-east", "expected /subscriptions/"),
        (resource_id("contoso-east") + "/../x", "expected /subscriptions/"),
        (resource_id("contoso-west"), "it is of the service contoso-west, and the endpoint is of contoso-east"),
    ],
)
def test_a_resource_id_that_is_none_or_another_services_is_refused(given: str, said: str) -> None:
    service = {"endpoint": EAST.endpoint, "region": "eastus", "tier": "standard", "store": "east", "resource_id": given}
    stores = {"east": {"account_url": "https://contosoeast.blob.core.windows.net", "region": "eastus"}}
    with pytest.raises(SettingsError) as raised:
        read_settings(msgspec.json.encode({"stores": stores, "services": {"contoso-east": service}}))
    assert said in str(raised.value)
