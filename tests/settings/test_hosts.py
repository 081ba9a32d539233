"""Credentials go to hosts of Azure only, and no secret stands in the settings themselves or in their errors."""

import json
from typing import Any

import pytest

from indexvault.errors import SettingsError
from indexvault.search.credentials import audience
from indexvault.settings.load import read_settings
from indexvault.settings.model import EnvironmentSecret
from indexvault.settings.secrets import secret_value
from indexvault.settings.source import load_settings
from indexvault.settings.store_hosts import store_authority

STORE: dict[str, Any] = {"region": "eastus", "account_url": "https://a.blob.core.windows.net"}
SERVICE: dict[str, Any] = {
    "endpoint": "https://a.search.windows.net", "region": "eastus", "tier": "basic", "store": "east",
}  # fmt: skip
HEX = "a0f3c9a7be1d24586bb07c1e2d3a4f59"


def text(store: dict[str, Any] | None = None, service: dict[str, Any] | None = None) -> str:
    return json.dumps({"stores": {"east": STORE | (store or {})}, "services": {"a": SERVICE | (service or {})}})


@pytest.mark.parametrize(
    ("url", "issuer"),
    [
        ("https://a.blob.core.windows.net", "login.microsoftonline.com"),
        ("https://A.Blob.Core.Windows.Net/", "login.microsoftonline.com"),
        ("https://a-secondary.blob.core.windows.net", "login.microsoftonline.com"),
        ("https://a.privatelink.blob.core.windows.net", "login.microsoftonline.com"),
        ("https://a.z07.blob.storage.azure.net", "login.microsoftonline.com"),
        ("https://a.blob.core.usgovcloudapi.net", "login.microsoftonline.us"),
        ("https://a.privatelink.blob.core.chinacloudapi.cn", "login.chinacloudapi.cn"),
    ],
)
def test_a_store_s_tokens_come_from_its_cloud(url: str, issuer: str) -> None:
    assert store_authority(url) == issuer
    read_settings(text({"account_url": url}))


STRANGE = [
    "https://evil.example",
    "https://a.blob.core.windows.net.evil.example",
    "https://ablob.core.windows.net",
    "https://evil.example\\.blob.core.windows.net",
    "https://evil.example/.blob.core.windows.net",
    "https://evil.example%2f.blob.core.windows.net",
    "https://evil.example#.blob.core.windows.net",
    "https://blobs.contoso.example:8443",
    "http://127.0.0.1:10000/devstoreaccount1",
]


@pytest.mark.parametrize("url", STRANGE)
def test_a_stranger_gets_no_token_of_a_store(url: str) -> None:
    with pytest.raises(SettingsError):
        store_authority(url)
    with pytest.raises(SettingsError):
        store_authority(url, token_host="blobs.contoso.example")
    if "127.0.0.1" not in url:
        with pytest.raises(SettingsError):
            read_settings(text({"account_url": url}))


@pytest.mark.parametrize("url", [each.replace("blob.core.windows.net", "search.windows.net") for each in STRANGE])
def test_a_stranger_gets_no_token_of_a_service(url: str) -> None:
    with pytest.raises(SettingsError):
        audience(url)
    if "127.0.0.1" not in url:
        with pytest.raises(SettingsError):
            read_settings(text(service={"endpoint": url}))


def test_another_host_gets_tokens_if_it_is_named_and_no_third_one() -> None:
    own = {"account_url": "https://blobs.contoso.example:8443", "token_host": "blobs.contoso.example:8443"}
    read_settings(text(own, {"endpoint": "https://find.contoso.example", "token_host": "find.contoso.example"}))
    with pytest.raises(SettingsError):
        read_settings(text(own | {"token_host": "contoso.example"}))
    with pytest.raises(SettingsError):
        read_settings(text(service={"endpoint": "https://find.contoso.example", "token_host": "contoso.example"}))
    assert audience("https://find.contoso.example", token_host="find.contoso.example") == "https://search.azure.com"


def test_a_key_may_go_to_any_host_but_not_in_plain() -> None:
    key = {"api_key": {"env": "KEY"}}
    read_settings(text(service={"endpoint": "https://find.contoso.example", **key}))
    read_settings(text(service={"endpoint": "http://127.0.0.1:8800", **key}))
    for endpoint in (
        "http://find.contoso.example",
        "https://me@find.contoso.example",
        "https://a.b/?api-key=x",
        "https://evil.example\\.search.windows.net",
        "https://a b.example",
        "https://a.b/k3j8x2q9z7w1m5n0b4v6",
    ):
        with pytest.raises(SettingsError):
            read_settings(text(service={"endpoint": endpoint, **key}))


@pytest.mark.parametrize(
    "connection_string",
    [
        "AccountName=a;AccountKey=aw==",
        "BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=sv=2024-05-04&sig=c2VjcmV0",
        "BlobEndpoint=https://a.blob.core.windows.net?sv=2024-05-04&sig=c2VjcmV0",
        "BlobEndpoint=https://me:c2VjcmV0@a.blob.core.windows.net",
        "https://a.blob.core.windows.net/c?sv=2024-05-04&sig=c2VjcmV0",
        "AccountName=a;Account Key=c2VjcmV0",
        "AccountName=a;ACCOUNTKEY = c2VjcmV0",
        "AccountName=a;Sas=c2VjcmV0",
        "UseDevelopmentStorage=true;c2VjcmV0",
        "c2VjcmV0",
    ],
)
def test_a_connection_string_with_a_key_or_a_sas_is_refused_and_not_repeated(connection_string: str) -> None:
    stores = {"east": {"region": "x", "connection_string": connection_string}}
    with pytest.raises(SettingsError) as refused:
        read_settings(json.dumps({"stores": stores, "services": {}}))
    assert refused.value.on == "settings $.stores.east.connection_string"
    assert "c2VjcmV0" not in str(refused.value)
    assert "aw==" not in str(refused.value)


@pytest.mark.parametrize(
    "connection_string",
    [
        "UseDevelopmentStorage=true",
        "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://127.0.0.1",
        "DefaultEndpointsProtocol=https;AccountName=a;EndpointSuffix=core.windows.net",
    ],
)
def test_a_connection_string_without_a_key_may_stand_in_the_settings(connection_string: str) -> None:
    read_settings(
        json.dumps({"stores": {"east": {"region": "x", "connection_string": connection_string}}, "services": {}})
    )


@pytest.mark.parametrize("variable", [HEX, "AccountName=a;AccountKey=c2VjcmV0", "ghp_k3j8x2q9z7w1m5n0b4v6", "a b", ""])
def test_a_secret_in_place_of_its_variable_is_refused_and_not_repeated(variable: str) -> None:
    for given in (
        text(service={"api_key": {"env": variable}}),
        json.dumps({"stores": {"east": {"region": "x", "connection_string": {"env": variable}}}, "services": {}}),
    ):
        with pytest.raises(SettingsError, match="name of an environment variable") as refused:
            read_settings(given)
        assert not variable or variable not in str(refused.value)
    with pytest.raises(SettingsError) as refused:
        secret_value(EnvironmentSecret(env=variable), {}, "x")
    assert not variable or variable not in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        "c2VjcmV0-never-shown",
        "AccountName=a;AccountKey=c2VjcmV0-never-shown",
        '"c2VjcmV0-never-shown"',
        '["c2VjcmV0-never-shown"]',
        '{"stores": c2VjcmV0-never-shown}',
        "stores: {east: c2VjcmV0-never-shown}",
        "https://a.blob.core.windows.net/c?sig=c2VjcmV0-never-shown",
        "\ufeff{c2VjcmV0-never-shown",
        "'{\"c2VjcmV0-never-shown\": 1}'",
        "bytes\x00c2VjcmV0-never-shown",
        "/c2VjcmV0-never-shown " + HEX,
        "/srv/" + HEX + "/c2VjcmV0-never-shown",
    ],
)
def test_settings_that_are_no_json_are_not_repeated(config: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"INDEXVAULT_CONFIG": config})
    assert "never-shown" not in str(refused.value)
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_a_secret_in_place_of_a_choice_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="expected one of free") as refused:
        read_settings(text(service={"tier": HEX}))
    assert HEX not in str(refused.value)
