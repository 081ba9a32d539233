import json
from typing import Any

import pytest

from indexvault.errors import SettingsError
from indexvault.settings.load import read_settings
from indexvault.settings.overlays import filled, overlay_entry

SECRET = {"env": "KEY", "host": "contoso.openai.azure.com"}


def with_overlay(entry: str, patch: Any) -> str:
    return json.dumps({"stores": {}, "services": {}, "overlays": {"west": {entry: patch}}})


@pytest.mark.parametrize(
    ("entry", "patch", "path"),
    [
        ("datasources/b", {"credentials": {"connectionString": {"env": "B"}}}, "credentials.connectionString"),
        ("indexes/h", {"vectorSearch": {"vectorizers": {"v": {"azureOpenAIParameters": {"apiKey": {"env": "B"}}}}}},
         "vectorSearch.vectorizers.v.azureOpenAIParameters.apiKey"),
        ("skillsets/s", {"skills": [{}, {"uri": {"env": "B"}}]}, "skills[1].uri"),
        ("skillsets/s", {"other": {"key": {"env": "B"}}}, "other.key"),
        ("knowledgebases/k", {"cognitiveServices": {"key": {"env": "B"}}}, "cognitiveServices.key"),
    ],
)  # fmt: skip
def test_a_secret_without_its_host_is_refused_and_the_error_says_what_to_write(
    entry: str, patch: Any, path: str
) -> None:
    with pytest.raises(SettingsError, match="does not name the host that the secret is for") as refused:
        read_settings(with_overlay(entry, patch))
    assert refused.value.on == f"settings $.overlays.west.{entry}.{path}"
    assert '{"env": "VARIABLE", "host": "HOST"}' in refused.value.do


def test_the_key_of_cognitive_services_needs_no_host() -> None:
    read_settings(with_overlay("skillsets/s", {"cognitiveServices": {"key": {"env": "B"}}}))


@pytest.mark.parametrize(
    "host",
    ["", "https://contoso.openai.azure.com", "contoso.openai.azure.com/x", "a@contoso.example", "*.azure.com", "a b", 7,
     "contoso.example\\", "contoso.example#", "cöntoso.example", "contoso.example:port", ["a.example"]],
)  # fmt: skip
def test_a_host_is_a_host_and_nothing_else(host: Any) -> None:
    with pytest.raises(SettingsError, match="expected a host"):
        read_settings(with_overlay("skillsets/s", {"skills": [{"apiKey": {"env": "B", "host": host}}]}))


@pytest.mark.parametrize(
    "host", ["contoso.openai.azure.com", "Contoso.Example", "contoso.example:8443", "127.0.0.1:8800"]
)
def test_hosts_are_read_without_case(host: str) -> None:
    patch = {"skills": [{"apiKey": {"env": "B", "host": host}}]}
    read_settings(with_overlay("skillsets/s", patch))
    [secret] = overlay_entry(patch, {"B": "k"}, "x").secrets.values()
    assert secret.host == host.lower()


def test_a_misspelt_member_is_no_plain_value() -> None:
    for named in ({"env": "B", "hots": "a.example"}, {"env": "B", "host": "a.example", "value": "x"}):
        with pytest.raises(SettingsError, match="the members env and host only"):
            read_settings(with_overlay("skillsets/s", {"skills": [{"apiKey": named}]}))


@pytest.mark.parametrize(
    "patch",
    [
        {"skills": [{"uri": "https://x.example/api?code=s3cret"}]},
        {"skills": [{"httpHeaders": {"X-Any": "s3cret"}}]},
        {"skills": [{"http-headers": {"Authorization": "s3cret"}}]},
        {"skills": [{"api_key": "s3cret"}]},
        {"skills": [{"uri": "https://s3cret@x.example"}]},
        {"knowledgeStore": {"storageConnectionString": "AccountName=a;AccountKey=s3cret"}},
        {"description": "the key is AccountKey=s3cret"},
        {"skills": [{"extraParameters": {"team": "s3cret"}}]},
    ],
)
def test_a_secret_written_out_is_refused_and_not_repeated(patch: Any) -> None:
    with pytest.raises(SettingsError, match="no secret in the settings themselves") as refused:
        read_settings(with_overlay("skillsets/s", patch))
    assert "s3cret" not in str(refused.value)


def test_marks_stand_where_the_secrets_go() -> None:
    patch = {"a": {"apiKey": SECRET, "n": 1}, "b": [SECRET, {"c": None}]}
    entry = overlay_entry(patch, {"KEY": "k-1"}, "x")
    assert (
        entry.filled
        == filled(patch, {"KEY": "k-1"}, "x")
        == {"a": {"apiKey": "k-1", "n": 1}, "b": ["k-1", {"c": None}]}
    )
    assert entry.marked["a"]["apiKey"] != entry.marked["b"][0]
    assert "k-1" not in json.dumps(entry.marked)
    assert [each.host for each in entry.secrets.values()] == ["contoso.openai.azure.com"] * 2
