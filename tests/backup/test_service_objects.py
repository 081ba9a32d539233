import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from emulator.service import EmulatedService
from indexvault.backup.service_objects import BACK_UP_SERVICE, COUNTED_SECONDS, OBJECTS, ServiceJob, ServiceReport
from indexvault.errors import IntegrityError, SettingsError
from indexvault.search.client import SearchService
from indexvault.search.definitions import NamedDefinition
from indexvault.search.statistics import ServiceStatistics
from indexvault.snapshots.catalogue import list_snapshots, resolve, resolve_manifest
from indexvault.snapshots.known import known_snapshots
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.lock_activities import ACTIVITIES as LOCK_ACTIVITIES
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, LATER, World, open_world

NEWEST = SnapshotReference(service=EAST, index=SERVICE_OBJECTS)


SKILLSET = {
    "name": "enrich",
    "skills": [
        {
            "@odata.type": "#Microsoft.Skills.Custom.WebApiSkill",
            "uri": "https://contoso.azurewebsites.net/api/enrich?code=c2VjcmV0LXNlY3JldA",
            "inputs": [{"name": "text", "source": "/document/content"}],
            "outputs": [{"name": "words"}],
        }
    ],
}


MAPS = 53
"""More synonym maps than a page of a preview version holds."""
WIDE = EmulatedService(name=EAST, region="eastus", api_key=KEYS[EAST], quotas={"synonym_maps": 100})


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        await opened.fill(hotels.DEFINITION, [])
        yield opened


async def put(world: World, path: str, body: dict[str, Any]) -> None:
    await world.east._transport.send(
        "PUT", path, on=path, body=json.dumps(body).encode(), headers={"Prefer": "return=representation"}
    )


async def put_map(world: World, number: int) -> None:
    await put(
        world, f"synonymmaps('map-{number}')", {"name": f"map-{number}", "format": "solr", "synonyms": f"a, {number}"}
    )


async def fill(world: World) -> None:
    await put(world, "synonymmaps('words')", {"name": "words", "format": "solr", "synonyms": "a, b"})
    await put(world, "aliases('stay')", {"name": "stay", "indexes": ["hotels"]})
    await put(
        world,
        "datasources('blobs')",
        {
            "name": "blobs",
            "type": "azureblob",
            "container": {"name": "files"},
            "credentials": {"connectionString": "DefaultEndpointsProtocol=https;AccountKey=secret"},
        },
    )


async def back_up(world: World, run: str = "objects-1") -> ServiceReport:
    async with LocalEngine(world.resources, [*LOCK_ACTIVITIES, OBJECTS], [BACK_UP_SERVICE]) as engine:
        return await engine.run(BACK_UP_SERVICE, ServiceJob(service=EAST, run=run))


async def test_objects_are_kept_as_the_service_sent_them_and_without_secrets(world: World) -> None:
    await fill(world)
    report = await back_up(world)
    assert report.state == "complete"
    assert {kind: number for kind, number in report.objects.items() if number} == {
        "synonymmaps": 1,
        "aliases": 1,
        "datasources": 1,
    }
    manifest = await read_service_manifest(
        world.store.snapshots, (await resolve(world.store.snapshots, NEWEST, now=LATER)).reference
    )
    assert [each.name for each in manifest.objects] == ["words", "stay", "blobs"]
    sent = {each.name: each for each in await world.east.definitions("aliases")}
    assert bytes(manifest.objects[1].definition.stable.body) == bytes(sent["stay"].body)
    stored = await world.store.snapshots.read(manifest_name(EAST, SERVICE_OBJECTS, manifest.id), 10**6)
    assert b"AccountKey" not in stored
    assert [blob.name async for blob in world.store.runs.list("runs/")] == []


async def test_they_are_listed_beside_indexes_with_and_without_metadata(world: World) -> None:
    await fill(world)
    await back_up(world)
    [summary] = await list_snapshots(world.store.snapshots)
    assert await known_snapshots(world.store.runs) == {summary.reference}
    assert (summary.index, summary.state, summary.documents) == (SERVICE_OBJECTS, "complete", 3)
    name = manifest_name(EAST, SERVICE_OBJECTS, summary.id)
    data = await world.store.snapshots.read(name, 10**6)
    await world.store.snapshots.delete(name)
    await world.store.snapshots.create(name, data)
    assert await list_snapshots(world.store.snapshots) == [summary]


async def test_a_damaged_one_is_known_by_its_checksum(world: World) -> None:
    await fill(world)
    report = await back_up(world)
    name = manifest_name(EAST, SERVICE_OBJECTS, report.snapshot)
    data = await world.store.snapshots.read(name, 10**6)
    await world.store.snapshots.delete(name)
    await world.store.snapshots.create(name, data.replace(b'"a, b"', b'"a, c"'))
    with pytest.raises(IntegrityError):
        await read_service_manifest(
            world.store.snapshots, SnapshotReference(service=EAST, index=SERVICE_OBJECTS, id=report.snapshot)
        )


async def test_a_secret_is_taken_out_and_named_and_all_else_of_its_object_is_kept(world: World) -> None:
    await fill(world)
    await put(world, "skillsets('enrich')", SKILLSET)
    report = await back_up(world)
    assert report.state == "complete"
    assert report.withheld == ["skillsets enrich: skills/0/uri looks like a secret"]
    manifest = await read_service_manifest(
        world.store.snapshots, (await resolve(world.store.snapshots, NEWEST, now=LATER)).reference
    )
    [skillset] = [each for each in manifest.objects if each.name == "enrich"]
    [skill] = json.loads(bytes(skillset.definition.stable.body))["skills"]
    assert skill["uri"] == "<withheld>"
    assert skill["inputs"][0]["source"] == "/document/content"
    stored = await world.store.snapshots.read(manifest_name(EAST, SERVICE_OBJECTS, report.snapshot), 10**6)
    assert b"c2VjcmV0" not in stored


async def test_what_is_taken_out_of_content_makes_it_lossy(world: World) -> None:
    await put(
        world, "synonymmaps('words')", {"name": "words", "format": "solr", "synonyms": "a, b\nAccountKey=abc, key"}
    )
    report = await back_up(world)
    assert report.state == "lossy"
    assert report.withheld == ["synonymmaps words: synonyms looks like a secret"]
    [summary] = await list_snapshots(world.store.snapshots)
    assert (summary.state, summary.losses) == ("lossy", 1)


async def test_a_kind_that_the_service_does_not_know_is_skipped_and_noted(world: World) -> None:
    await fill(world)
    await world.faults(EAST)
    report = await back_up(world)
    assert all("knowledge" in each or "api-version" in each for each in report.skipped)


async def test_it_is_not_taken_for_an_index_s_snapshot(world: World) -> None:
    await fill(world)
    await back_up(world)
    with pytest.raises(SettingsError, match="not of an index"):
        await resolve_manifest(world.store.snapshots, NEWEST, now=LATER)


async def test_more_than_a_page_of_objects_are_kept_in_both_forms() -> None:
    async with open_world(MemoryStore("local"), services=[WIDE]) as world:
        for number in range(MAPS):
            await put_map(world, number)
        report = await back_up(world)
        manifest = await read_service_manifest(
            world.store.snapshots, (await resolve(world.store.snapshots, NEWEST, now=LATER)).reference
        )
    assert (report.state, report.objects["synonymmaps"]) == ("complete", MAPS)
    assert [each.name for each in manifest.objects if each.definition.preview is None] == []


class Miscounting(SearchService):
    """Counts one synonym map more than there is, `times` times, or one of what another counter counts."""

    times = 0
    more = 1
    counter = "synonym_maps"

    async def service_statistics(self, *, preview: bool = False) -> ServiceStatistics:
        found = await super().service_statistics(preview=preview)
        if not self.times:
            return found
        type(self).times -= 1
        counter = getattr(found.counters, self.counter)
        wrong = {self.counter: msgspec.structs.replace(counter, usage=counter.usage + self.more)}
        return msgspec.structs.replace(found, counters=msgspec.structs.replace(found.counters, **wrong))


async def test_a_counter_that_lags_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await put_map(world, 1)
    monkeypatch.setattr(Miscounting, "times", 3)
    await world.ask_east_with(Miscounting)
    report = await back_up(world)
    assert (report.state, report.not_kept) == ("complete", [])
    assert len(world.slept) == 3
    assert world.slept == sorted(world.slept)


async def test_objects_that_are_counted_and_not_listed_make_it_lossy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_map(world, 1)
    monkeypatch.setattr(Miscounting, "times", 1000)
    await world.ask_east_with(Miscounting)
    report = await back_up(world)
    assert (report.state, report.not_kept) == ("lossy", ["synonymmaps: the service counts 2 and lists 1"])
    assert sum(world.slept) == pytest.approx(COUNTED_SECONDS)
    [summary] = await list_snapshots(world.store.snapshots)
    assert (summary.state, summary.losses) == ("lossy", 1)


async def test_the_list_of_indexes_is_held_against_their_counter_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Miscounting, "times", 1000)
    monkeypatch.setattr(Miscounting, "counter", "indexes_count")
    await world.ask_east_with(Miscounting)
    report = await back_up(world)
    assert (report.state, report.not_kept) == ("lossy", ["indexes: the service counts 2 and lists 1"])


async def test_more_listed_than_counted_is_no_loss_and_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_map(world, 1)
    monkeypatch.setattr(Miscounting, "times", 1000)
    monkeypatch.setattr(Miscounting, "more", -1)
    await world.ask_east_with(Miscounting)
    report = await back_up(world)
    assert (report.state, world.slept) == ("complete", [])


class Forgetful(SearchService):
    """Leaves the first object out of preview lists, as pages do while a list changes."""

    async def definitions(self, kind: str, *, preview: bool = False) -> list[NamedDefinition]:
        return (await super().definitions(kind, preview=preview))[int(preview) :]


async def test_an_object_that_only_the_preview_list_lacks_is_asked_for_by_name(world: World) -> None:
    await put_map(world, 1)
    await put_map(world, 2)
    await world.ask_east_with(Forgetful)
    await back_up(world)
    manifest = await read_service_manifest(
        world.store.snapshots, (await resolve(world.store.snapshots, NEWEST, now=LATER)).reference
    )
    assert [(each.name, each.definition.preview is not None) for each in manifest.objects] == [
        ("map-1", True),
        ("map-2", True),
    ]


async def test_files_of_a_knowledge_source_are_named_as_not_kept(world: World) -> None:
    await put(world, "knowledgesources('papers')", {"name": "papers", "kind": "file"})
    report = await back_up(world)
    assert report.state == "complete"
    [line] = report.not_kept
    assert line.startswith("knowledgesources papers: the files")
