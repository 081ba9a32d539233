import msgspec
import pytest

from indexvault.errors import NotFoundError, SettingsError
from indexvault.settings.load import read_settings, service_settings, store_settings
from indexvault.settings.model import EnvironmentSecret
from indexvault.settings.overlays import filled, overlay_of
from indexvault.settings.secrets import secret_value

STORE = {"connection_string": "UseDevelopmentStorage=true", "region": "local"}
SERVICE = {"endpoint": "https://contoso.search.windows.net", "region": "eastus", "tier": "basic", "store": "east"}


def text(**changes: object) -> bytes:
    whole = {"stores": {"east": STORE}, "services": {"contoso": SERVICE}}
    return msgspec.json.encode(whole | changes)


def test_what_the_readme_shows_is_read() -> None:
    settings = read_settings(text(services={"contoso": SERVICE | {"api_key": {"env": "KEY"}}}))
    assert service_settings(settings, "contoso").api_key == EnvironmentSecret(env="KEY")
    assert store_settings(settings, "east").region == "local"
    assert settings.record_key is None
    assert read_settings(text(record_key={"env": "RECORDS"})).record_key == EnvironmentSecret(env="RECORDS")


@pytest.mark.parametrize(
    ("given", "path", "expected"),
    [
        (b"{", "settings", "not JSON"),
        (b"[]", "settings $", "expected `object`"),
        (b"{}", "settings $", "required field `stores`"),
        (text(stores={"east": {}}), "settings $.stores.east", "required field `region`"),
        (text(stores={"east": STORE | {"regoin": "x"}}), "settings $.stores.east", "unknown field `regoin`"),
        (text(stores={"East!": STORE}), "settings $.stores.East!", "lower-case letters"),
        (text(stores={"east": {"region": "x"}}), "settings $.stores.east", "either account_url or connection_string"),
        (text(record_key="0f" * 32), "settings $.record_key", "expected `object`, got `str`"),
        (text(record_key={"env": "K", "also": "x"}), "settings $.record_key", "unknown field `also`"),
        (
            text(stores={"east": STORE | {"connection_string": "AccountName=a;AccountKey=b"}}),
            "settings $.stores.east.connection_string",
            "no account key",
        ),
        (
            text(stores={"east": {"region": "x", "account_url": "https://a.blob.core.windows.net/?sig=abc"}}),
            "settings $.stores.east.account_url",
            "without user, query or fragment",
        ),
        (
            text(services={"contoso": SERVICE | {"tier": "gold"}}),
            "settings $.services.contoso.tier",
            "expected one of free, basic, standard",
        ),
        (
            text(services={"contoso": SERVICE | {"pressure": {"most_at_once": 0}}}),
            "settings $.services.contoso.pressure.most_at_once",
            ">= 1",
        ),
        (
            text(services={"contoso": SERVICE | {"pressure": {"requests_per_second": 0}}}),
            "settings $.services.contoso.pressure.requests_per_second",
            "> 0",
        ),
        (text(services={"contoso": SERVICE | {"store": "west"}}), "settings $.services.contoso.store", "stores: east"),
        (
            text(services={"contoso": SERVICE | {"endpoint": "http://contoso.search.windows.net"}}),
            "settings $.services.contoso.endpoint",
            "http is for loopback only",
        ),
        (
            text(services={"contoso": SERVICE | {"endpoint": "contoso"}}),
            "settings $.services.contoso.endpoint",
            "https URL",
        ),
        (
            text(services={"contoso": SERVICE | {"api_key": "abc"}}),
            "settings $.services.contoso.api_key",
            "expected `object | null`",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(given: bytes, path: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(given)
    assert refused.value.on == path
    assert expected in refused.value.what


def test_a_refused_setting_does_not_repeat_its_secret() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(text(stores={"east": STORE | {"connection_string": "AccountName=a;AccountKey=c2VjcmV0"}}))
    assert "c2VjcmV0" not in str(refused.value)


def test_http_is_taken_on_loopback() -> None:
    read_settings(text(services={"contoso": SERVICE | {"endpoint": "http://127.0.0.1:8080"}}))


def test_a_secret_comes_from_the_environment_given_and_is_missed_by_name() -> None:
    assert secret_value(EnvironmentSecret(env="KEY"), {"KEY": " value\n"}, "x") == "value"
    with pytest.raises(SettingsError, match="KEY is not set"):
        secret_value(EnvironmentSecret(env="KEY"), {}, "x")


def test_a_secret_of_two_lines_is_refused_without_being_told() -> None:
    with pytest.raises(SettingsError, match="KEY holds a line break") as refused:
        secret_value(EnvironmentSecret(env="KEY"), {"KEY": "first\nsecond"}, "x")
    assert "first" not in str(refused.value)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    settings = read_settings(text())
    with pytest.raises(NotFoundError, match="Known services: contoso"):
        service_settings(settings, "fabrikam")
    with pytest.raises(NotFoundError, match="Known stores: east"):
        store_settings(settings, "west")


def with_overlay(entry: str, patch: object) -> str:
    return msgspec.json.encode({"stores": {}, "services": {}, "overlays": {"west": {entry: patch}}}).decode()


def test_an_overlay_names_its_secrets() -> None:
    patch = {"credentials": {"connectionString": {"env": "BLOBS", "host": "a.blob.core.windows.net"}}}
    settings = read_settings(with_overlay("datasources/blobs", patch))
    found = overlay_of(settings, "west")["datasources/blobs"]
    assert filled(found, {"BLOBS": "a secret"}, "x") == {"credentials": {"connectionString": "a secret"}}
    with pytest.raises(SettingsError, match="BLOBS"):
        filled(found, {}, "x")
    with pytest.raises(NotFoundError, match="west"):
        overlay_of(settings, "east")


@pytest.mark.parametrize(
    ("entry", "patch", "what"),
    [
        ("datasources/blobs", {"credentials": {"connectionString": "AccountKey=s3cret"}}, "no secret"),
        ("skillsets/a", {"skills": [{"apiKey": "s3cret"}]}, "no secret"),
        ("blobs", {}, "KIND/NAME"),
        ("teapots/a", {}, "KIND/NAME"),
    ],
)
def test_an_overlay_with_a_secret_or_for_nothing_is_refused(entry: str, patch: object, what: str) -> None:
    with pytest.raises(SettingsError, match=what) as raised:
        read_settings(with_overlay(entry, patch))
    assert "s3cret" not in str(raised.value)


def test_a_connection_string_that_names_a_resource_is_no_secret() -> None:
    patch = {"credentials": {"connectionString": "ResourceId=/subscriptions/s/x;"}}
    assert read_settings(with_overlay("datasources/blobs", patch)).overlays
