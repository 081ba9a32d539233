import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from indexvault.backup.import_folder import Importer
from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.manifest import Manifest, Withheld
from indexvault.snapshots.names import SnapshotReference
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, LATER, World, open_world

SECRETS = (b"c2VjcmV0LXNlY3JldA", b"hunter2", b"cmk-secret")
VECTORIZERS = [
    {
        "name": "own",
        "kind": "customWebApi",
        "customWebApiParameters": {
            "uri": "https://contoso.azurewebsites.net/api/embed?code=c2VjcmV0LXNlY3JldA",
            "httpHeaders": {"X-Tenant": "hunter2", "Content-Type": "application/json"},
            "httpMethod": "POST",
        },
    },
    {
        "name": "open-ai",
        "kind": "azureOpenAI",
        "azureOpenAIParameters": {
            "resourceUri": "https://contoso.openai.azure.com",
            "deploymentId": "embed",
            "modelName": "text-embedding-3-small",
            "apiKey": "hunter2",
        },
    },
]
ENCRYPTION = {
    "keyVaultKeyName": "key",
    "keyVaultUri": "https://contoso.vault.azure.net",
    "accessCredentials": {"applicationId": "id", "applicationSecret": "cmk-secret"},
}
PARAMETERS = "vectorSearch/vectorizers/0/customWebApiParameters"
WITHHELD = (
    Withheld("indexes", "hotels", f"{PARAMETERS}/uri"),
    Withheld("indexes", "hotels", f"{PARAMETERS}/httpHeaders/X-Tenant"),
)


def definition(**changes: Any) -> dict[str, Any]:
    vectors = hotels.DEFINITION["vectorSearch"] | {"vectorizers": VECTORIZERS}
    return hotels.definition(vectorSearch=vectors, encryptionKey=ENCRYPTION, **changes)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def newest(world: World) -> Manifest:
    return await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)


async def written(world: World) -> list[bytes]:
    """Return all that lies in the store, the records of runs too."""
    found = [await world.store.snapshots.read(blob.name, 10**7) async for blob in world.store.snapshots.list("")]
    for name in [blob.name async for blob in world.store.runs.list("")]:
        record = await world.store.runs.read(name, 10**7)
        found.append(record.data if record is not None else b"")
    return found


def holds_secrets(blobs: list[bytes]) -> bool:
    return any(secret in blob for secret in SECRETS for blob in blobs)


async def test_secrets_in_an_index_s_definition_are_in_no_blob_and_named(world: World) -> None:
    await world.fill(definition(), hotels.hotels(30))
    report = await world.back_up("hotels")
    assert not holds_secrets(await written(world))
    manifest = await newest(world)
    assert (report.state, manifest.withheld) == ("complete", WITHHELD)
    assert all(each.path in note for each, note in zip(WITHHELD, report.notes, strict=True))
    kept = json.loads(bytes(manifest.definition.stable.body))["vectorSearch"]["vectorizers"]
    assert kept[0]["customWebApiParameters"]["uri"] == "<withheld>"
    assert kept[0]["customWebApiParameters"]["httpHeaders"]["Content-Type"] == "application/json"
    assert kept[1]["azureOpenAIParameters"]["apiKey"] == "<redacted>"


async def test_a_run_that_dies_leaves_no_secret_in_its_records(world: World) -> None:
    await world.fill(definition(), hotels.hotels(30))
    await world.faults(EAST, {"fault": "unavailable", "operation": "search"})
    with pytest.raises(IndexvaultError):
        await world.back_up("hotels")
    assert not holds_secrets(await written(world))


async def test_revealing_sends_secrets_back_and_writes_none(world: World) -> None:
    fields = [
        field | {"retrievable": False} if field["name"] == "stars" else field for field in hotels.DEFINITION["fields"]
    ]
    await world.fill(definition(fields=fields), hotels.hotels(30))
    report = await world.back_up("hotels", hidden_fields="reveal")
    assert report.state == "complete"
    assert not holds_secrets(await written(world))
    live = json.loads(bytes((await world.east.index_definition("hotels")).body))
    assert live["vectorSearch"]["vectorizers"][0]["customWebApiParameters"]["uri"].endswith("c2VjcmV0LXNlY3JldA")


async def test_what_is_taken_out_of_content_is_a_loss(world: World) -> None:
    await world.east.create_definition(
        "synonymmaps",
        "words",
        msgspec.json.encode({"name": "words", "format": "solr", "synonyms": "inn, hotel\nAccountKey=hunter2, key"}),
        preview=False,
    )
    await world.fill(hotels.with_field("name", synonymMaps=["words"]), hotels.hotels(3))
    report = await world.back_up("hotels")
    assert report.losses == ["(synonym map words): synonyms looks like a secret and was not kept"]
    assert not holds_secrets(await written(world))


async def test_secrets_of_a_dump_are_not_imported(world: World, tmp_path: Path) -> None:
    (tmp_path / "definition.json").write_text(json.dumps(definition()))
    (tmp_path / "part.jsonl").write_text('{"id":"a"}\n')
    importer = Importer(
        world.store, clock=lambda: datetime.now(UTC), rng=random.Random(5), report=lambda _progress: None
    )
    await importer.import_folder(tmp_path, IndexName(EAST, "hotels"), run="import-1")
    assert not holds_secrets(await written(world))
    paths = [each.path for each in (await newest(world)).withheld]
    assert paths[:2] == [each.path for each in WITHHELD]
    assert paths[2:] == [
        "vectorSearch/vectorizers/1/azureOpenAIParameters/apiKey",
        "encryptionKey/accessCredentials/applicationSecret",
    ]
