import json
from typing import Any

import pytest

from indexvault.errors import SettingsError
from indexvault.settings.load import read_settings
from indexvault.settings.source import load_settings

URL = {"account_url": "https://contosoeast.blob.core.windows.net"}
KEYED = "DefaultEndpointsProtocol=https;AccountName=ContosoEast;AccountKey=c2VjcmV0"
AZURITE = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=c2VjcmV0;BlobEndpoint=http://{};"
ENVIRONMENT = {
    "KEYED": KEYED,
    "SIGNED": "BlobEndpoint=https://contosoeast.blob.core.windows.net/;SharedAccessSignature=sig=c2VjcmV0",
    "CHINA": f"{KEYED};EndpointSuffix=core.chinacloudapi.cn",
    "WEST": KEYED.replace("East", "West"),
    "AZURITE": AZURITE.format("127.0.0.1:10000/devstoreaccount1"),
    "AGAIN": AZURITE.format("localhost:10000/devstoreaccount1/"),
    "PORT": AZURITE.format("127.0.0.1:10010/devstoreaccount1"),
    "OTHER": AZURITE.format("127.0.0.1:10000/other"),
    "BROKEN": "BlobEndpoint=https://[x;no",
}


def text(east: dict[str, Any], west: dict[str, Any]) -> str:
    return json.dumps({"stores": {"east": {"region": "a", **east}, "west": {"region": "b", **west}}, "services": {}})


def env(name: str) -> dict[str, Any]:
    return {"connection_string": {"env": name}}


@pytest.mark.parametrize(
    ("east", "west"),
    [
        (URL, URL),
        (URL, {"account_url": "https://CONTOSOEAST.blob.core.windows.net:443/"}),
        (URL, {"account_url": "https://contosoeast.privatelink.blob.core.windows.net"}),
        (URL, {"account_url": "https://contosoeast-secondary.blob.core.windows.net"}),
        (URL, {"connection_string": "DefaultEndpointsProtocol=https;AccountName=contosoeast"}),
        (URL, env("KEYED")),
        (env("SIGNED"), env("KEYED")),
        (env("UNSET"), env("UNSET")),
        ({"connection_string": "UseDevelopmentStorage=true"}, {"connection_string": "usedevelopmentstorage = true;"}),
        ({"connection_string": "UseDevelopmentStorage=true"}, env("AZURITE")),
        (env("AZURITE"), env("AGAIN")),
        (URL, URL | {"runs_container": "other-runs"}),
        (URL, URL | {"snapshots_container": "other-snapshots"}),
        (URL, URL | {"snapshots_container": "search-runs", "runs_container": "search-snapshots"}),
        (URL | {"snapshots_container": "copies"}, URL | {"snapshots_container": "other", "runs_container": "copies"}),
    ],
)
def test_two_stores_that_are_one_place_are_refused(east: dict[str, Any], west: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="where store east") as refused:
        load_settings({"INDEXVAULT_CONFIG": text(east, west), **ENVIRONMENT})
    assert refused.value.on == "INDEXVAULT_CONFIG:1: stores.west"
    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.parametrize(
    ("east", "west"),
    [
        (URL, {"account_url": "https://contosowest.blob.core.windows.net"}),
        (URL, env("WEST")),
        (URL, env("CHINA")),
        (env("AZURITE"), env("PORT")),
        (env("AZURITE"), env("OTHER")),
        (env("UNSET"), env("ALSO_UNSET")),
        (env("BROKEN"), env("AZURITE")),
        (URL, URL | {"snapshots_container": "copies", "runs_container": "copies-runs"}),
    ],
)
def test_two_places_are_two_stores(east: dict[str, Any], west: dict[str, Any]) -> None:
    assert len(load_settings({"INDEXVAULT_CONFIG": text(east, west), **ENVIRONMENT}).stores) == 2


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 64, "Search", "a--b", "-ab", "ab-", "a_b", "$web", "a/b", "a.b", "ab\n", "ä-b"]
)
@pytest.mark.parametrize("member", ["snapshots_container", "runs_container"])
def test_a_name_that_no_container_can_have_is_refused(member: str, name: str) -> None:
    with pytest.raises(SettingsError, match="3 to 63 lower-case letters, digits and single inner dashes") as refused:
        read_settings(text(URL | {member: name}, env("WEST")))
    assert refused.value.on == f"settings $.stores.east.{member}"


def test_both_containers_of_a_store_differ() -> None:
    for members in ({"snapshots_container": "search-runs"}, {"runs_container": "search-snapshots"}):
        with pytest.raises(SettingsError, match="two containers"):
            read_settings(text(URL | members, env("WEST")))


def test_containers_have_names_by_default() -> None:
    store = read_settings(text(URL, env("WEST"))).stores["east"]
    assert (store.snapshots_container, store.runs_container) == ("search-snapshots", "search-runs")
    named = read_settings(text(URL | {"snapshots_container": "a1-b2", "runs_container": "0-0"}, env("WEST")))
    assert (named.stores["east"].snapshots_container, named.stores["east"].runs_container) == ("a1-b2", "0-0")
