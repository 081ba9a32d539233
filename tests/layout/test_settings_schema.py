"""The JSON schema of the settings is what their types say, and agrees with what reads them."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from indexvault.errors import SettingsError
from indexvault.settings.load import read_settings
from indexvault.settings.schema import schema_text
from scripts.settings_schema import text
from tests.layout.project import PROJECT, text_of

STORE = {"region": "eastus", "account_url": "https://contosoeast.blob.core.windows.net"}
SERVICE = {
    "endpoint": "https://contoso-east.search.windows.net",
    "region": "eastus",
    "tier": "standard",
    "store": "east",
}
POLICY = {"service": "contoso-east", "schedule": "0 0 2 * * *"}


def settings(*, store: Any = None, service: Any = None, policy: Any = None, **others: Any) -> dict[str, Any]:
    """Return complete settings, with some members of theirs changed."""
    return {
        "stores": {"east": {**STORE, **(store or {})}},
        "services": {"contoso-east": {**SERVICE, **(service or {})}},
        "policies": {"nightly": {**POLICY, **(policy or {})}},
        **others,
    }


def samples() -> list[dict[str, Any]]:
    """Return the settings that the project shows and ships."""
    pages = re.findall(r"```json\n(.*?)```", text_of("README.md"), re.DOTALL)
    shown = [found for page in pages if "services" in (found := json.loads(page))]
    values = json.loads(text_of("local.settings.sample.json"))["Values"]
    return [*shown, json.loads(values["INDEXVAULT_CONFIG"])]


@pytest.fixture(scope="module")
def schema() -> Any:
    return jsonschema_rs.validator_for(json.loads(schema_text()))


def test_the_schema_is_what_the_types_say() -> None:
    assert schema_text() == text(), "run make settings-page"
    assert (PROJECT / "indexvault/settings/indexvault.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_a_schema_that_explains_every_member() -> None:
    parsed = json.loads(schema_text())
    jsonschema_rs.meta.validate(parsed)
    members = {
        f"{name}.{member}": found["description"]
        for name, kind in parsed["$defs"].items()
        for member, found in kind["properties"].items()
    }
    assert len(members) > 40
    assert [name for name, meaning in members.items() if not meaning.endswith(".") or " Source: " in meaning] == []
    assert members["ServiceSettings.pressure"] == "The most requests that one process sends to it."


def test_the_samples_are_valid(schema: Any) -> None:
    found = samples()
    assert len(found) == 2
    for each in found:
        schema.validate(each)
        read_settings(json.dumps(each))


VALID: list[dict[str, Any]] = [
    settings(),
    settings(**{"$schema": "./indexvault.schema.json"}),
    settings(store={"account_url": None, "connection_string": {"env": "STORE"}}),
    settings(service={"api_key": {"env": "KEY"}, "pressure": {"most_at_once": 3}, "settle_seconds": 0}),
    settings(policy={"keep": {"daily": 7, "within": "P90D"}, "indexes": ["*", "!tmp-*"], "verify_within": "P30D"}),
    settings(overlays={"west": {"indexers/notes": {"disabled": True}}}, record_key={"env": "RECORD_KEY"}),
    {"stores": {}, "services": {}},
]


@pytest.mark.parametrize("given", VALID)
def test_what_the_reader_takes_the_schema_takes(schema: Any, given: dict[str, Any]) -> None:
    read_settings(json.dumps(given))
    schema.validate(given)


WRONG: list[dict[str, Any]] = [
    {"services": {}},
    settings(servises={}),
    settings(**{"$schema": 3}),
    settings(store={"account_url": None}),
    settings(store={"connection_string": {"env": "STORE"}}),
    settings(store={"identities": {"read": "nobody"}}),
    settings(service={"tier": "huge"}),
    settings(service={"api_key": "the key itself"}),
    settings(service={"pressure": {"most_at_once": 65}}),
    settings(service={"endpoint": 3}),
    settings(policy={"keep": {"dayly": 7}}),
    settings(policy={"hidden_fields": "show"}),
    settings(policy={"schedule": "every night"}),
    settings(policy={"verify_within": 30}),
    {**settings(), "stores": {"East Store": STORE}},
    settings(requests={"runs": 0}),
]


@pytest.mark.parametrize("given", WRONG)
def test_what_is_wrong_is_wrong_for_both(schema: Any, given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        read_settings(json.dumps(given))
    assert not schema.is_valid(given)
