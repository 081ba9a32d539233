import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from indexvault.backup.heal import ACTIVITIES as HEAL_ACTIVITIES
from indexvault.backup.heal import HEAL_INDEX, HealJob
from indexvault.backup.reveal_records import RevealRecords, with_retrievable
from indexvault.backup.workflow import ACTIVITIES, BACK_UP_INDEX
from indexvault.errors import ConflictError, IndexvaultError, LossNotAcceptedError
from indexvault.search.schema import read_schema
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.chunks import document_lines
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_chunk
from indexvault.workflow.activity import Resources
from indexvault.workflow.local import LocalEngine
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, LATER, Run, World, open_world

DEFINITION: dict[str, Any] = {
    "name": "staff",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "salary", "type": "Edm.Double", "retrievable": False},
        {
            "name": "home",
            "type": "Edm.ComplexType",
            "fields": [
                {"name": "city", "type": "Edm.String"},
                {"name": "street", "type": "Edm.String", "retrievable": False},
            ],
        },
        {
            "name": "face",
            "type": "Collection(Edm.Single)",
            "dimensions": 2,
            "vectorSearchProfile": "plain",
            "searchable": True,
            "retrievable": False,
            "stored": True,
        },
        {
            "name": "voice",
            "type": "Collection(Edm.Single)",
            "dimensions": 2,
            "vectorSearchProfile": "plain",
            "searchable": True,
            "retrievable": False,
            "stored": False,
        },
    ],
    "vectorSearch": {
        "algorithms": [{"name": "graph", "kind": "hnsw"}],
        "profiles": [{"name": "plain", "algorithm": "graph", "vectorizer": "maker"}],
        "vectorizers": [
            {
                "name": "maker",
                "kind": "azureOpenAI",
                "azureOpenAIParameters": {
                    "resourceUri": "https://contoso.openai.azure.com",
                    "deploymentId": "small",
                    "modelName": "text-embedding-3-small",
                    "apiKey": "kept-by-the-service",
                },
            }
        ],
    },
}
HIDDEN = ["salary", "home/street", "face"]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        await opened.fill(
            DEFINITION,
            [
                {
                    "id": f"{number:03}",
                    "salary": number * 1.5,
                    "home": {"city": "Oslo", "street": f"Street {number}"},
                    "face": [0.5, number],
                    "voice": [1.0, 2.0],
                }
                for number in range(40)
            ],
        )
        yield opened


async def hidden_now(world: World) -> list[str]:
    definition = await world.east.index_definition("staff")
    return [path for path, field in read_schema(definition.body, on="x").walk() if not field.is_readable]


async def snapshot(world: World) -> tuple[list[dict[str, Any]], Manifest]:
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="staff"), now=LATER)
    return [
        json.loads(line)
        for chunk in await chunks_of(world.store.snapshots, manifest)
        for line in document_lines(await read_chunk(world.store.snapshots, manifest.folder, chunk))
    ], manifest


async def test_reported_fields_make_it_lossy_and_change_nothing(world: World) -> None:
    before = await world.east.index_definition("staff")
    report = await world.back_up("staff")
    assert [loss.split(":")[0] for loss in report.losses] == [*HIDDEN, "voice"]
    assert "salary" not in (await snapshot(world))[0][0]
    assert (await world.east.index_definition("staff")).etag == before.etag


async def test_fail_reads_nothing(world: World) -> None:
    with pytest.raises(LossNotAcceptedError, match="salary, home/street, face, voice"):
        await world.back_up("staff", hidden_fields="fail")
    assert await list_snapshots(world.store.snapshots) == []
    assert "search" not in await world.requests(EAST)


async def test_revealed_fields_are_read_and_hidden_again(world: World) -> None:
    before = await world.east.index_definition("staff", preview=True)
    report = await world.back_up("staff", hidden_fields="reveal")
    documents, manifest = await snapshot(world)
    assert documents[3]["salary"] == 4.5
    assert documents[3]["home"]["street"] == "Street 3"
    assert documents[3]["face"] == [0.5, 3.0]
    assert [loss.field for loss in manifest.losses] == ["voice"]
    assert report.state == "lossy"
    assert manifest.reading is not None
    assert list(manifest.reading.revealed) == HIDDEN
    assert await hidden_now(world) == [*HIDDEN, "voice"]
    assert [reveal async for reveal in RevealRecords(world.store.runs).all()] == []
    assert manifest.definition.preview is not None
    assert bytes(manifest.definition.preview.body) == bytes(before.body), "it is kept as its owner left it"


async def test_a_failed_reading_hides_them_again(world: World) -> None:
    await world.faults(EAST, {"fault": "unavailable", "operation": "search"})
    with pytest.raises(IndexvaultError):
        await world.back_up("staff", hidden_fields="reveal")
    assert await hidden_now(world) == [*HIDDEN, "voice"]


async def revealed_by_a_dead_run(world: World) -> None:
    """Do what a run does until it dies: everything is refused from the first document on, the end included."""
    await world.faults(
        EAST,
        {"fault": "unavailable", "operation": "search"},
        {"fault": "unavailable", "operation": "put_indexes", "skip": 1},
    )
    with pytest.raises(IndexvaultError):
        await world.back_up("staff", hidden_fields="reveal", run="dead")
    await world.faults(EAST)
    assert await hidden_now(world) == ["voice"]


@pytest.mark.parametrize("hidden_fields", ["report", "reveal"])
async def test_any_later_run_hides_what_a_dead_one_left_revealed(world: World, hidden_fields: str) -> None:
    await revealed_by_a_dead_run(world)
    report = await world.back_up("staff", hidden_fields=hidden_fields)
    assert await hidden_now(world) == [*HIDDEN, "voice"]
    assert len(report.losses) == (4 if hidden_fields == "report" else 1)


async def test_heal_hides_what_a_dead_run_left_revealed(world: World) -> None:
    await revealed_by_a_dead_run(world)
    async with LocalEngine(world.resources, [*HEAL_ACTIVITIES, *ACTIVITIES], [HEAL_INDEX, BACK_UP_INDEX]) as engine:
        healed = await engine.run(HEAL_INDEX, HealJob(service=EAST, index="staff", run="dead"))
    assert healed.fields == HIDDEN
    assert await hidden_now(world) == [*HIDDEN, "voice"]


async def test_somebody_elses_change_meanwhile_is_kept(world: World) -> None:
    await revealed_by_a_dead_run(world)
    current = await world.east.index_definition("staff", preview=True)
    changed = msgspec.json.decode(current.body)
    changed["corsOptions"] = {"allowedOrigins": ["https://contoso.example"]}
    await world.east.update_index("staff", json.dumps(changed).encode(), before=current, preview=True)
    await world.back_up("staff")
    after = msgspec.json.decode((await world.east.index_definition("staff")).body)
    assert after["corsOptions"]["allowedOrigins"] == ["https://contoso.example"]
    assert await hidden_now(world) == [*HIDDEN, "voice"]


async def test_fields_that_somebody_hides_meanwhile_are_not_taken_for_read(world: World) -> None:
    async def hide_and_scan(scan: Run, resources: Resources, given: Any) -> Any:
        current = await world.east.index_definition("staff", preview=True)
        hidden = with_retrievable(bytes(current.body), HIDDEN, retrievable=False)
        await world.east.update_index("staff", hidden, before=current, preview=True)
        return await scan(resources, given)

    world.around["scan_range"] = hide_and_scan
    with pytest.raises(ConflictError, match="definition was changed"):
        await world.back_up("staff", hidden_fields="reveal")
    assert await list_snapshots(world.store.snapshots) == []
    assert await hidden_now(world) == [*HIDDEN, "voice"]
    assert [reveal async for reveal in RevealRecords(world.store.runs).all()] == []


def test_only_retrievable_changes_and_secrets_are_left_to_the_service() -> None:
    definition = (
        b'{"@odata.etag":"1","name":"a","fields":[{"name":"id","x":1.50},{"name":"c","fields":[{"name":"d",'
        b'"retrievable":false}]}],"vectorSearch":{"apiKey":"<redacted>"},"encryptionKey":{"keyVaultUri":"u",'
        b'"accessCredentials":{"applicationId":"i","applicationSecret":null}},"number":1.50}'
    )
    changed = with_retrievable(definition, ["c/d"], retrievable=True)
    assert changed == (
        b'{"name":"a","fields":[{"name":"id","x":1.50},{"name":"c","fields":[{"name":"d","retrievable":true}]}],'
        b'"vectorSearch":{"apiKey":"<unchanged>"},"encryptionKey":{"keyVaultUri":"u","accessCredentials":'
        b'{"applicationId":"i","applicationSecret":"<unchanged>"}},"number":1.50}'
    )
