from typing import Any

import pytest

from indexvault.discovery import API_VERSION, CLOUDS, QUERY, Cloud, find_resources
from indexvault.errors import (
    ForbiddenError,
    IndexvaultError,
    SettingsError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from tests.discovery.resource_graph import SUBSCRIPTION, TOKEN, Identity, account, graph, service


async def test_services_and_accounts_of_all_pages_are_found() -> None:
    east = service("contoso-east")
    dense = service("contoso-dense", tier="standard3", hosting="highDensity", location="westus2")
    new = service("contoso-new", tier="standard9")
    identity = Identity()
    with graph([east, account("contosoeast")], [dense, new]) as arm:
        found = await find_resources(arm.cloud, identity)
    assert [(each.name, each.endpoint, each.region, each.tier) for each in found.services] == [
        ("contoso-east", "https://contoso-east.search.windows.net", "eastus", "standard"),
        ("contoso-dense", "https://contoso-dense.search.windows.net", "westus2", "standard3hd"),
        ("contoso-new", "https://contoso-new.search.windows.net", "eastus", None),
    ]
    assert found.services[0].id == f"{SUBSCRIPTION}/Microsoft.Search/searchServices/contoso-east"
    [store] = found.accounts
    assert (store.name, store.url, store.region) == (
        "contosoeast",
        "https://contosoeast.blob.core.windows.net",
        "eastus",
    )
    assert [(path, authorization) for path, authorization, _body in arm.asked] == [
        (f"/providers/Microsoft.ResourceGraph/resources?api-version={API_VERSION}", f"Bearer {TOKEN}")
    ] * 2
    first, second = (body for *_, body in arm.asked)
    assert first == {"query": QUERY, "options": {"resultFormat": "objectArray", "$top": 1000}}
    assert second["options"]["$skipToken"] == "1"
    assert identity.scopes[0] == f"{arm.cloud.management}/.default"


HOSTILE: list[Any] = [
    service("contoso-east", name="contoso-west"),
    service("Contoso;rm"),
    service("contoso-east", id="/subscriptions/$(touch x)/contoso-east"),
    service("contoso-east", location="east us\n"),
    service("contoso-east", type="microsoft.compute/virtualmachines"),
    account("contosoeast", blobs="https://contosoeast.blob.example.com/"),
    account("contosoeast", blobs="http://contosoeast.blob.core.windows.net/"),
    account("contosoeast", blobs="https://other.blob.core.windows.net/"),
    account("contosoeast", blobs="https://contosoeast.blob.core.windows.net/?sv=secret"),
    {"name": 3},
    "a text",
]


@pytest.mark.parametrize("row", HOSTILE)
async def test_a_row_that_azure_does_not_give_is_left_out(row: Any) -> None:
    with graph([row, service("contoso-good")]) as arm:
        found = await find_resources(arm.cloud, Identity())
    assert ([each.name for each in found.services], found.accounts) == (["contoso-good"], ())


@pytest.mark.parametrize(
    ("page", "status", "identity", "kind", "what"),
    [
        ([], 403, Identity(), ForbiddenError, "the identity may not ask it (HTTP 403)"),
        ([], 500, Identity(), UnexpectedAnswerError, "HTTP 500"),
        (b"<html>", 200, Identity(), UnexpectedAnswerError, "another form than documented"),
        (b"[" * 500, 200, Identity(), UnexpectedAnswerError, "another form than documented"),
        ([], 200, Identity(token=None), UnauthorizedError, "no Entra identity could be obtained"),
    ],
)
async def test_what_goes_wrong_is_one_of_our_errors(
    page: Any, status: int, identity: Identity, kind: type[IndexvaultError], what: str
) -> None:
    with graph(page, status=status) as arm, pytest.raises(kind) as failed:
        await find_resources(arm.cloud, identity)
    assert what in str(failed.value)
    assert TOKEN not in str(failed.value)


async def test_no_answer_is_one_of_our_errors(closed_port: int) -> None:
    cloud = Cloud(f"http://127.0.0.1:{closed_port}", "login.microsoftonline.com", ".search.windows.net")
    with pytest.raises(UnreachableError, match="no complete answer"):
        await find_resources(cloud, Identity())


@pytest.mark.parametrize("address", ["http://management.azure.com", "http://127.0.0.1.example.com", "ftp://x"])
async def test_no_token_goes_out_unencrypted(address: str) -> None:
    identity = Identity()
    with pytest.raises(SettingsError, match="expected https"):
        await find_resources(Cloud(address, "login.microsoftonline.com", ".search.windows.net"), identity)
    assert identity.scopes == []


def test_the_clouds_are_asked_over_https() -> None:
    assert {name: cloud.management for name, cloud in CLOUDS.items()} == {
        "public": "https://management.azure.com",
        "usgovernment": "https://management.usgovcloudapi.net",
        "china": "https://management.chinacloudapi.cn",
    }
