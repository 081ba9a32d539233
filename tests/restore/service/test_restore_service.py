import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from indexvault.backup.import_folder import Importer
from indexvault.backup.service_objects import BACK_UP_SERVICE, OBJECTS, ServiceJob
from indexvault.backup.workflow import ACTIVITIES as BACKUP_ACTIVITIES
from indexvault.errors import ConflictError, SettingsError
from indexvault.model import IndexName
from indexvault.restore.service.job import ServiceRestoreJob, ServiceRestoreReport
from indexvault.restore.service.names import Rules, renamed
from indexvault.restore.service.workflow import ACTIVITIES, PREFLIGHT_SERVICE, RESTORE_SERVICE
from indexvault.snapshots.names import manifest_name
from indexvault.workflow.activity import Resources
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.lock import Lock
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, WEST, World, open_world

OBJECTS_OF_EAST: dict[str, list[dict[str, Any]]] = {
    "synonymmaps": [{"name": "words", "format": "solr", "synonyms": "hotel, inn"}],
    "datasources": [
        {
            "name": "blobs",
            "type": "azureblob",
            "credentials": {"connectionString": "AccountKey=never-kept"},
            "container": {"name": "c"},
        }
    ],
    "skillsets": [
        {"name": "skills", "skills": [{"@odata.type": "#Microsoft.Skills.Text.V3.EntityRecognitionSkill", "name": "e"}]}
    ],
    "indexers": [{"name": "nightly", "dataSourceName": "blobs", "targetIndexName": "hotels", "skillsetName": "skills"}],
    "aliases": [{"name": "guests", "indexes": ["hotels"]}],
}
SKILL_URI = "https://west.example/api?code=AccountKey"
BLOBS = {"env": "BLOBS", "host": "west.blob.core.windows.net"}
OVERLAYS = {"west": {"datasources/blobs": {"credentials": {"connectionString": BLOBS}}}}


class Services:
    """A world in which a whole service is backed up and restored."""

    def __init__(self, world: World, engine: LocalEngine) -> None:
        self.world = world
        self.engine = engine
        self.runs = 0

    async def back_up(self) -> str:
        await self.world.back_up("hotels")
        return (await self.engine.run(BACK_UP_SERVICE, ServiceJob(service=EAST, run="objects"))).snapshot

    async def restore(self, snapshot: str, **changes: Any) -> ServiceRestoreReport:
        self.runs += 1
        return await self.engine.run(RESTORE_SERVICE, self.job(snapshot, run=f"whole-{self.runs}", **changes))

    async def check(self, snapshot: str, **changes: Any) -> ServiceRestoreReport:
        return await self.engine.run(PREFLIGHT_SERVICE, self.job(snapshot, run="check", **changes))

    def job(self, snapshot: str, **changes: Any) -> ServiceRestoreJob:
        return ServiceRestoreJob(service=EAST, snapshot=snapshot, target_service=WEST, **changes)

    async def there(self, kind: str, name: str) -> dict[str, Any]:
        body = (await self.world.west.definition(kind, name)).body
        found: dict[str, Any] = msgspec.json.decode(body)
        return found


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def services(clock: Clock) -> AsyncIterator[Services]:
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        world.clients.settings = msgspec.structs.replace(world.clients.settings, overlays=OVERLAYS)
        world.clients._environment = {
            **{name: KEYS[name] for name in (EAST, WEST)},
            "BLOBS": "AccountName=west;AccountKey=west",
            "SKILL": SKILL_URI,
        }
        for kind in ("synonymmaps", "datasources", "skillsets"):
            await make(world, kind)
        await world.fill(hotels.with_field("name", synonymMaps=["words"]), hotels.hotels(40))
        for kind in ("indexers", "aliases"):
            await make(world, kind)
        every = {step.name: step for step in (*BACKUP_ACTIVITIES, OBJECTS, *ACTIVITIES)}
        async with LocalEngine(
            world.resources, every.values(), [BACK_UP_SERVICE, RESTORE_SERVICE, PREFLIGHT_SERVICE]
        ) as engine:
            yield Services(world, engine)


async def make(world: World, kind: str) -> None:
    for each in OBJECTS_OF_EAST[kind]:
        await world.east.create_definition(kind, each["name"], msgspec.json.encode(each), preview=False)


def outcomes(report: ServiceRestoreReport) -> dict[str, str]:
    return {f"{each.kind}/{each.target}": each.outcome for each in report.objects}


async def test_a_service_comes_back_whole_with_its_indexers_disabled(services: Services) -> None:
    report = await services.restore(await services.back_up(), overlay="west")
    assert outcomes(report) == dict.fromkeys(
        [
            "synonymmaps/words", "indexes/hotels", "datasources/blobs", "skillsets/skills", "indexers/nightly",
            "aliases/guests",
        ],
        "made",
    )  # fmt: skip
    assert [each.kind for each in report.objects][:2] == ["synonymmaps", "indexes"]
    assert report.whole
    assert (await services.there("indexers", "nightly"))["disabled"] is True
    assert await services.world.west.alias_target("guests") == "hotels"
    assert await services.world.west.count("hotels") == 40


async def test_what_lacks_a_secret_is_left_out_with_what_needs_it(services: Services) -> None:
    report = await services.restore(await services.back_up())
    told = outcomes(report)
    assert told["datasources/blobs"] == told["indexers/nightly"] == "left out"
    assert told["indexes/hotels"] == told["skillsets/skills"] == told["aliases/guests"] == "made"
    why = {each.kind: each.why for each in report.objects}
    assert "credentials.connectionString" in why["datasources"]
    assert "datasources blobs" in why["indexers"]
    assert not report.whole


async def test_a_skill_s_secret_comes_from_the_overlay(services: Services) -> None:
    skill = {
        "@odata.type": "#Microsoft.Skills.Custom.WebApiSkill",
        "name": "own",
        "uri": "https://contoso.example/api?code=never-kept-1",
        "inputs": [{"name": "text", "source": "/document/content"}],
        "outputs": [{"name": "words"}],
    }
    body = msgspec.json.encode({"name": "enrich", "skills": [skill]})
    await services.world.east.create_definition("skillsets", "enrich", body, preview=False)
    snapshot = await services.back_up()
    told = {each.name: each for each in (await services.restore(snapshot)).objects}
    assert (told["enrich"].outcome, "skills[0].uri" in told["enrich"].why) == ("left out", True)
    settings = services.world.clients.settings
    overlay = OVERLAYS["west"] | {
        "skillsets/enrich": {"skills": {"own": {"uri": {"env": "SKILL", "host": "west.example"}}}}
    }
    services.world.clients.settings = msgspec.structs.replace(settings, overlays={"west": overlay})
    report = await services.restore(snapshot, overlay="west", indexes=("*", "!hotels"))
    assert outcomes(report)["skillsets/enrich"] == "made"
    made = (await services.there("skillsets", "enrich"))["skills"][0]
    assert (made["uri"], made["outputs"][0]["name"]) == (SKILL_URI, "words")


VECTORIZER = {
    "name": "words-to-vectors",
    "kind": "azureOpenAI",
    "azureOpenAIParameters": {
        "resourceUri": "https://contoso.openai.azure.com",
        "deploymentId": "embed",
        "modelName": "text-embedding-3-small",
        "apiKey": "vectorizer-key",
    },
}


async def test_an_index_that_lacks_a_secret_is_left_out_and_not_made_broken(services: Services) -> None:
    vectors = hotels.DEFINITION["vectorSearch"] | {"vectorizers": [VECTORIZER]}
    await services.world.fill(hotels.definition(name="inns", vectorSearch=vectors), hotels.hotels(3))
    await services.world.back_up("inns")
    report = await services.restore(await services.back_up(), overlay="west")
    assert outcomes(report)["indexes/inns"] == "left out"
    [why] = [each.why for each in report.objects if each.target == "inns"]
    assert "vectorSearch.vectorizers[0].azureOpenAIParameters.apiKey" in why
    assert await services.world.west.index_names() == ["hotels"]
    assert not report.whole


async def test_a_secret_is_in_no_record_and_no_report(services: Services) -> None:
    report = await services.restore(await services.back_up(), overlay="west")
    assert "AccountKey" not in msgspec.json.encode(report).decode()
    async for blob in services.world.store.runs.list(""):
        read = await services.world.store.runs.read(blob.name, 2**26)
        assert read is None or b"AccountKey" not in read.data


async def test_names_follow_a_rule_and_so_does_what_refers_to_them(services: Services) -> None:
    report = await services.restore(await services.back_up(), overlay="west", rename=("guests=guests", "*=dr-*"))
    assert report.whole
    indexer = await services.there("indexers", "dr-nightly")
    assert (indexer["dataSourceName"], indexer["targetIndexName"], indexer["skillsetName"]) == (
        "dr-blobs",
        "dr-hotels",
        "dr-skills",
    )
    assert await services.world.west.alias_target("guests") == "dr-hotels"


async def test_again_finds_everything_there_but_the_index_that_is_in_the_way(services: Services) -> None:
    snapshot = await services.back_up()
    await services.restore(snapshot, overlay="west")
    told = outcomes(await services.restore(snapshot, overlay="west"))
    assert told.pop("indexes/hotels") == "left out"
    assert set(told.values()) == {"there"}


async def stopped(services: Services, snapshot: str, clock: Clock, *, kill: str) -> None:
    """Restore until an activity is reached, and leave what a run leaves that is killed there, locks included."""
    job = services.job(snapshot, run="killed", overlay="west")

    async def hang(_resources: Resources, _given: Any) -> Any:
        reached.set()
        await asyncio.Event().wait()

    reached = asyncio.Event()
    every: list[Any] = list(ACTIVITIES)
    steps = [replace(step, run=hang) if step.name == kill else step for step in every]
    async with LocalEngine(services.world.resources, steps, [RESTORE_SERVICE]) as engine:
        running = asyncio.create_task(engine.run(RESTORE_SERVICE, job))
        await asyncio.wait_for(reached.wait(), 30)
        running.cancel()
        await asyncio.wait([running])
    await Lock(services.world.store.runs, job.work.index, run="killed", owner="a test", clock=clock).take()


@pytest.mark.parametrize("kill", ["make_object", "load_documents", "conclude_restore", "finish_service"])
async def test_a_killed_restore_of_a_service_is_gone_on_with(services: Services, clock: Clock, kill: str) -> None:
    snapshot = await services.back_up()
    await stopped(services, snapshot, clock, kill=kill)
    clock.now += timedelta(seconds=61)
    report = await services.restore(snapshot, overlay="west")
    assert report.whole, report.objects
    assert {each.documents for each in report.objects if each.kind == "indexes"} == {40}
    assert [blob.name async for blob in services.world.store.runs.list("restores/")] == []


async def test_a_restore_of_a_service_that_lives_is_told_of(services: Services, clock: Clock) -> None:
    snapshot = await services.back_up()
    await stopped(services, snapshot, clock, kill="make_object")
    with pytest.raises(ConflictError, match="the same job is already running as run killed"):
        await services.restore(snapshot, overlay="west")
    clock.now += timedelta(seconds=61)
    with pytest.raises(ConflictError, match=r"locked by run killed .* until 2026-11-20 00:10:00Z"):
        await services.restore(snapshot)


async def test_rules_that_give_two_objects_one_name_are_refused(services: Services) -> None:
    await services.world.fill(hotels.DEFINITION | {"name": "inns"}, [])
    await services.world.back_up("inns")
    with pytest.raises(SettingsError, match="indexes one"):
        await services.restore(await services.back_up(), rename=("hotels=one", "inns=one"))


async def test_only_the_indexes_asked_for_are_restored(services: Services) -> None:
    told = outcomes(await services.restore(await services.back_up(), indexes=("*", "!hotels")))
    assert "indexes/hotels" not in told
    assert told["aliases/guests"] == "left out"


@pytest.mark.parametrize("rule", ["", "hotels", "=x", "x=", "a=b*", "a=b=c"])
def test_a_rule_that_makes_no_sense_is_told(rule: str) -> None:
    with pytest.raises(SettingsError):
        Rules([rule])


def test_every_reference_of_every_kind_follows_its_rule() -> None:
    rules = Rules(["*=x-*"])
    skillset = {"name": "s", "indexProjections": {"selectors": [{"targetIndexName": "i"}, {"targetIndexName": "j"}]}}
    base = {"name": "b", "knowledgeSources": [{"name": "k"}], "@odata.etag": "1"}
    source = {"name": "k", "kind": "searchIndex", "searchIndexParameters": {"searchIndexName": "i"}}
    made, found = renamed("skillsets", msgspec.Raw(msgspec.json.encode(skillset)), rules, "x-s")
    assert [each["targetIndexName"] for each in made["indexProjections"]["selectors"]] == ["x-i", "x-j"]
    assert [(each.kind, each.name) for each in found] == [("indexes", "x-i"), ("indexes", "x-j")]
    made, _found = renamed("knowledgebases", msgspec.Raw(msgspec.json.encode(base)), rules, "x-b")
    assert made == {"name": "x-b", "knowledgeSources": [{"name": "x-k"}]}
    made, _found = renamed("knowledgesources", msgspec.Raw(msgspec.json.encode(source)), rules, "x-k")
    assert made["searchIndexParameters"]["searchIndexName"] == "x-i"
    assert rules.name("synonymmaps", "words") == "words"


async def test_a_snapshot_of_the_future_is_not_an_index_s_newest(services: Services, clock: Clock) -> None:
    await services.world.back_up("hotels")
    right = clock.now
    clock.now += timedelta(days=3000)
    await services.world.fill(hotels.definition(name="motels"), hotels.hotels(3))
    for index in ("hotels", "motels"):
        await services.world.back_up(index)
    clock.now = right + timedelta(hours=1)
    whole = await services.engine.run(BACK_UP_SERVICE, ServiceJob(service=EAST, run="objects"))
    told = outcomes(await services.restore(whole.snapshot, overlay="west"))
    assert told["indexes/hotels"] == "made"
    assert "indexes/motels" not in told


async def test_an_object_that_would_send_a_secret_to_a_stranger_is_left_out_by_name(services: Services) -> None:
    skill = {
        "@odata.type": "#Microsoft.Skills.Text.AzureOpenAIEmbeddingSkill",
        "name": "own",
        "resourceUri": "https://evil.example",
        "apiKey": "east-key",
        "inputs": [{"name": "text", "source": "/document/content"}],
        "outputs": [{"name": "embedding"}],
    }
    body = msgspec.json.encode({"name": "enrich", "skills": [skill]})
    await services.world.east.create_definition("skillsets", "enrich", body, preview=False)
    snapshot = await services.back_up()
    secret = {"env": "BLOBS", "host": "contoso.openai.azure.com"}
    overlay = OVERLAYS["west"] | {"skillsets/enrich": {"skills": {"own": {"apiKey": secret | {"env": "MODEL"}}}}}
    settings = services.world.clients.settings
    services.world.clients.settings = msgspec.structs.replace(settings, overlays={"west": overlay})
    environment = services.world.clients._environment
    services.world.clients._environment = {**environment, "MODEL": "west-model-key"}
    report = await services.restore(snapshot, overlay="west")
    told = {each.name: each for each in report.objects}["enrich"]
    assert told.outcome == "left out"
    assert "skills.0.apiKey is for contoso.openai.azure.com, and would go to evil.example" in told.why
    assert "west-model-key" not in msgspec.json.encode(report).decode()


async def imported(services: Services, folder: Path, index: str) -> None:
    (folder / "definition.json").write_bytes(msgspec.json.encode(hotels.definition(name=index)))
    (folder / "part.jsonl").write_bytes(b'{"id":"foreign"}\n')
    world = services.world
    importer = Importer(world.store, clock=world.resources.clock, rng=random.Random(9), report=world.progress.append)
    await importer.import_folder(folder, IndexName(EAST, index), run="import-20261120T000000Z-000000")


async def test_what_was_imported_under_an_index_s_name_is_not_what_the_service_had(
    services: Services, clock: Clock, tmp_path: Path
) -> None:
    snapshot = await services.back_up()
    clock.now += timedelta(hours=1)
    await imported(services, tmp_path, "hotels")
    await imported(services, tmp_path, "foreign")
    report = await services.restore(snapshot, overlay="west")
    told = outcomes(report)
    assert told["indexes/hotels"] == "made"
    assert "indexes/foreign" not in told
    assert await services.world.west.count("hotels") == 40


async def test_an_index_that_is_long_gone_is_not_restored_unless_it_is_named(services: Services, clock: Clock) -> None:
    await services.world.fill(hotels.definition(name="inns"), hotels.hotels(3))
    await services.world.back_up("inns")
    before = await services.back_up()
    east = services.world.east
    await east.delete_index("inns", before=await east.index_definition("inns"))
    clock.now += timedelta(hours=1)
    after = (await services.engine.run(BACK_UP_SERVICE, ServiceJob(service=EAST, run="again"))).snapshot
    assert "indexes/inns" not in outcomes(await services.restore(after, overlay="west"))
    named = outcomes(await services.restore(after, overlay="west", indexes=("inns",), rename=("inns=named",)))
    assert named["indexes/named"] == "made"
    assert outcomes(await services.restore(before, overlay="west"))["indexes/inns"] == "made"


async def test_one_bad_index_is_reported_and_no_obstacle(services: Services) -> None:
    await services.world.fill(hotels.definition(name="motels"), hotels.hotels(3))
    motels = await services.world.back_up("motels")
    snapshot = await services.back_up()
    store = services.world.store.snapshots
    name = manifest_name(EAST, "motels", motels.snapshot)
    properties = await store.properties(name)
    assert properties is not None
    await store.delete(name)
    await store.create(name, b"{}", metadata=properties.metadata)
    for dry_run in (True, False):
        report = await (services.check if dry_run else services.restore)(snapshot, overlay="west")
        told = outcomes(report)
        assert told["indexes/motels"] == "failed"
        assert told["indexes/hotels"] == ("to be made" if dry_run else "made")
        assert not report.whole


async def test_a_name_that_no_index_can_have_fails_alone(services: Services) -> None:
    await services.world.fill(hotels.definition(name="motels"), hotels.hotels(3))
    await services.world.back_up("motels")
    snapshot = await services.back_up()
    told = outcomes(await services.restore(snapshot, overlay="west", rename=("motels=NO",)))
    assert (told["indexes/NO"], told["indexes/hotels"]) == ("failed", "made")


async def test_a_dry_run_says_what_would_be_restored_and_writes_nothing(services: Services) -> None:
    snapshot = await services.back_up()
    without = await services.check(snapshot)
    told = outcomes(without)
    assert (told["datasources/blobs"], told["indexers/nightly"]) == ("left out", "left out")
    assert told["aliases/guests"] == "to be made"
    assert not without.whole
    whole = await services.check(snapshot, overlay="west")
    assert set(outcomes(whole).values()) == {"to be made"}
    assert whole.whole
    for name, sent in (await services.world.requests(WEST)).items():
        # The checks of rights write to an index that is not there.
        assert name.startswith(("get_", "list_")) or not {"200", "201", "204"} & sent["statuses"].keys()
    assert [blob.name async for blob in services.world.store.runs.list("restores/")] == []
    await services.restore(snapshot, overlay="west")
    again = outcomes(await services.check(snapshot, overlay="west"))
    assert (again["datasources/blobs"], again["indexes/hotels"]) == ("there", "failed")
