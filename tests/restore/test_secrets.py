import json
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

from indexvault.errors import IndexvaultError, NotFoundError, SettingsError
from indexvault.restore.patch import read_patch
from indexvault.restore.secrets import completed, missing_paths, needed_paths
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, WEST, World, open_world

OWN, OPEN_AI = "customWebApiParameters", "azureOpenAIParameters"
MODEL_HOST = "contoso.openai.azure.com"
VECTORIZERS = [
    {
        "name": "own",
        "kind": "customWebApi",
        OWN: {"uri": "https://contoso.example/api/embed?code=east-function-key", "httpMethod": "POST"},
    },
    {
        "name": "open-ai",
        "kind": "azureOpenAI",
        OPEN_AI: {
            "resourceUri": "https://contoso.openai.azure.com",
            "deploymentId": "embed",
            "modelName": "text-embedding-3-small",
            "apiKey": "east-model-key",
        },
    },
]
ENCRYPTION = {
    "keyVaultKeyName": "key",
    "keyVaultUri": "https://contoso.vault.azure.net",
    "accessCredentials": {"applicationId": "id", "applicationSecret": "east-app-secret"},
}
PATCH = {
    "vectorSearch": {
        "vectorizers": {
            "own": {OWN: {"uri": {"env": "URI", "host": "contoso.example"}}},
            "open-ai": {OPEN_AI: {"apiKey": {"env": "MODEL", "host": MODEL_HOST}}},
        }
    },
    "encryptionKey": {"accessCredentials": {"applicationSecret": {"env": "APP", "host": "contoso.vault.azure.net"}}},
}
WEST_SECRETS = {
    "URI": "https://contoso.example/api/embed?code=west-function-key",
    "MODEL": "west-model-key",
    "APP": "west-app-secret",
}
URI = "vectorSearch.vectorizers[0].customWebApiParameters.uri"


def definition(**changes: Any) -> dict[str, Any]:
    vectors = hotels.DEFINITION["vectorSearch"] | {"vectorizers": VECTORIZERS}
    fields = [
        field | {"retrievable": False} if field["name"] == "vector" else field for field in hotels.DEFINITION["fields"]
    ]
    return hotels.definition(**{"vectorSearch": vectors, "encryptionKey": ENCRYPTION, "fields": fields} | changes)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        settings = opened.clients.settings
        overlays = {"west": {"indexes/hotels": PATCH}, "none": {}}
        opened.clients.settings = msgspec.structs.replace(settings, overlays=overlays)
        opened.clients._environment = {**{name: KEYS[name] for name in (EAST, WEST)}, **WEST_SECRETS}
        yield opened


async def stored(world: World, service: str, index: str) -> str:
    """Return the definition as the service holds it, with the secrets that it does not show."""
    overview = await world.control("GET", service, f"/indexes/{index}")
    return json.dumps(overview)


async def records(world: World) -> bytes:
    names = [blob.name async for blob in world.store.runs.list("")]
    found = [await world.store.runs.read(name, 10**7) for name in names]
    return b"".join(each.data for each in found if each is not None)


async def test_an_index_that_lacks_what_it_can_t_be_made_without_is_told_before_anything_is_touched(
    world: World,
) -> None:
    await world.fill(definition(), hotels.hotels(3))
    made = await world.back_up("hotels", hidden_fields="reveal")
    [check] = [each for each in (await world.preflight(made)).checks if each.name == "secrets"]
    assert check.outcome == "failed"
    assert URI in check.what
    assert "encryptionKey.accessCredentials.applicationSecret" in check.what
    assert "--overlay" in check.do
    assert '"indexes/hotels"' in check.do
    with pytest.raises(SettingsError, match="no snapshot holds secrets"):
        await world.restore(made)
    assert await world.west.index_names() == []


async def test_an_overlay_gives_them_and_they_stand_in_no_record(world: World) -> None:
    await world.fill(definition(), hotels.hotels(30))
    made = await world.back_up("hotels", hidden_fields="reveal")
    await world.restore(made, overlay="west")
    present = json.loads(bytes((await world.west.index_definition("restored")).body))
    [own, _open_ai] = present["vectorSearch"]["vectorizers"]
    assert own[OWN]["uri"] == WEST_SECRETS["URI"]
    assert [field["retrievable"] for field in present["fields"] if field["name"] == "vector"] == [False]
    assert await world.west.count("restored") == 30
    assert b"west-" not in (await records(world)).replace(b"contoso-west", b"")


async def test_records_of_an_unfinished_restore_hold_none_either(world: World) -> None:
    await world.fill(definition(), hotels.hotels(30))
    made = await world.back_up("hotels", hidden_fields="reveal")
    await world.faults(WEST, {"fault": "unavailable", "operation": "index_documents", "skip": 1})
    with pytest.raises(IndexvaultError):
        await world.restore(made, overlay="west")
    left = await records(world)
    assert b'"uri":"<withheld>"' in left.replace(b" ", b"")
    assert b"west-function-key" not in left
    await world.faults(WEST)
    report = await world.restore(made, overlay="west")
    assert report.documents == 30


async def test_what_the_service_itself_hides_is_a_warning(world: World) -> None:
    vectors = hotels.DEFINITION["vectorSearch"] | {"vectorizers": VECTORIZERS[1:]}
    await world.fill(definition(vectorSearch=vectors, encryptionKey=None), hotels.hotels(3))
    made = await world.back_up("hotels", hidden_fields="reveal")
    [check] = [each for each in (await world.preflight(made)).checks if each.name == "secrets"]
    assert (check.outcome, "azureOpenAIParameters.apiKey" in check.what) == ("warning", True)
    report = await world.restore(made)
    assert any("azureOpenAIParameters.apiKey again" in note for note in report.notes)


async def test_an_overlay_that_is_not_configured_is_told(world: World) -> None:
    await world.fill(definition(), hotels.hotels(3))
    made = await world.back_up("hotels")
    with pytest.raises(NotFoundError, match="overlay"):
        await world.preflight(made, overlay="east", accept_loss=True)


def test_a_patch_with_a_secret_is_refused_since_it_would_be_written_down() -> None:
    with pytest.raises(SettingsError, match="looks like a secret") as raised:
        read_patch(
            '{"vectorSearch":{"vectorizers":{"own":{"customWebApiParameters":{"uri":"https://x?code=12345678"}}}}}'
        )
    assert "12345678" not in str(raised.value)


def test_missing_secrets_are_found_on_every_level() -> None:
    body = {
        "credentials": {"connectionString": None},
        "skills": [{"apiKey": "<redacted>"}, {"apiKey": "x"}, {"uri": "<withheld>"}],
        "encryptionKey": {"accessCredentials": {"applicationId": "a", "applicationSecret": None}},
        "other": {"accessCredentials": {"applicationId": None, "applicationSecret": None}},
    }
    application = "encryptionKey.accessCredentials.applicationSecret"
    assert missing_paths(json.dumps(body).encode()) == [
        "credentials.connectionString",
        "skills[0].apiKey",
        "skills[2].uri",
        application,
    ]
    assert needed_paths(json.dumps(body).encode()) == ["skills[2].uri", application]


STRANGER = "https://evil.example"


def of_models(**parameters: Any) -> dict[str, Any]:
    """Return a definition whose only vectorizer sends its key to the given address."""
    open_ai = VECTORIZERS[1] | {OPEN_AI: cast("dict[str, Any]", VECTORIZERS[1][OPEN_AI]) | parameters}
    vectors = hotels.DEFINITION["vectorSearch"] | {"vectorizers": [open_ai]}
    return definition(vectorSearch=vectors, encryptionKey=None)


@pytest.fixture
def gives_key(world: World) -> World:
    patch = {"vectorSearch": {"vectorizers": {"open-ai": {OPEN_AI: {"apiKey": {"env": "MODEL", "host": MODEL_HOST}}}}}}
    settings = world.clients.settings
    world.clients.settings = msgspec.structs.replace(settings, overlays={"west": {"indexes/hotels": patch}})
    return world


async def test_a_patch_with_a_stranger_s_address_gets_no_secret(gives_key: World) -> None:
    await gives_key.fill(of_models(), hotels.hotels(3))
    made = await gives_key.back_up("hotels", hidden_fields="reveal")
    text = json.dumps({"vectorSearch": {"vectorizers": {"open-ai": {OPEN_AI: {"resourceUri": STRANGER}}}}})
    [check] = [
        each for each in (await gives_key.preflight(made, overlay="west", patch=text)).checks if each.name == "secrets"
    ]
    assert check.outcome == "failed"
    assert f"apiKey is for {MODEL_HOST}, and would go to evil.example" in check.what
    with pytest.raises(SettingsError, match=r"would go to evil\.example"):
        await gives_key.restore(made, overlay="west", patch=text)
    assert await gives_key.west.index_names() == []
    assert b"west-model-key" not in await records(gives_key)
    await gives_key.restore(made, overlay="west")


async def test_a_vectorizer_that_a_patch_adds_gets_no_secret(gives_key: World) -> None:
    await gives_key.fill(definition(encryptionKey=None), hotels.hotels(3))
    made = await gives_key.back_up("hotels", hidden_fields="reveal")
    added = {"kind": "azureOpenAI", OPEN_AI: {"resourceUri": STRANGER, "deploymentId": "d", "modelName": "m"}}
    text = json.dumps({"vectorSearch": {"vectorizers": {"own": None, "open-ai": added}}})
    with pytest.raises(SettingsError, match=r"would go to evil\.example"):
        await gives_key.restore(made, overlay="west", patch=text)
    assert await gives_key.west.index_names() == []


async def test_a_snapshot_with_a_stranger_s_address_gets_no_secret(gives_key: World) -> None:
    await gives_key.fill(of_models(resourceUri=STRANGER), hotels.hotels(3))
    made = await gives_key.back_up("hotels", hidden_fields="reveal")
    with pytest.raises(SettingsError, match=r"would go to evil\.example"):
        await gives_key.restore(made, overlay="west")
    assert await gives_key.west.index_names() == []


async def test_an_updated_definition_gets_none_either(gives_key: World) -> None:
    await gives_key.fill(of_models(resourceUri=STRANGER), hotels.hotels(3))
    made = await gives_key.back_up("hotels", hidden_fields="reveal")
    await gives_key.fill(of_models() | {"name": "restored"}, [], service=WEST)
    with pytest.raises(SettingsError, match=r"would go to evil\.example"):
        await gives_key.restore(made, overlay="west", mode="sync", update_definition=True)
    assert STRANGER.encode() not in bytes((await gives_key.west.index_definition("restored")).body)


def test_no_definition_has_a_service_keep_its_key_beside_another_address() -> None:
    body = json.dumps(of_models(resourceUri=STRANGER, apiKey="<unchanged>")).encode()
    [told] = completed(msgspec.Raw(body), None).misdirected
    assert told.startswith("vectorSearch.vectorizers[0].azureOpenAIParameters.apiKey would have the service keep")
