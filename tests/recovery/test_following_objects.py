"""The other objects of a standby are kept as their kinds' modes say; its indexers stay disabled."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.recovery.follow_run import RUN_FOLLOW
from indexvault.recovery.standby_records import StandbyState
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.runs import Runs
from tests.recovery.conftest import NOTES, note
from tests.recovery.pairs import Kill, PairWorld, open_pair
from tests.world import KEYS, WEST

OBJECTS: dict[str, dict[str, Any]] = {
    "synonymmaps": {"name": "words", "format": "solr", "synonyms": "hotel, inn"},
    "datasources": {
        "name": "blobs",
        "type": "azureblob",
        "credentials": {"connectionString": "AccountKey=never-kept"},
        "container": {"name": "c"},
    },
    "skillsets": {
        "name": "skills",
        "skills": [{"@odata.type": "#Microsoft.Skills.Text.V3.EntityRecognitionSkill", "name": "e"}],
    },
    "indexers": {"name": "nightly", "dataSourceName": "blobs", "targetIndexName": "notes", "skillsetName": "skills"},
    "aliases": {"name": "reading", "indexes": ["notes"]},
}
OVERLAY = {
    "west": {
        "datasources/blobs": {
            "credentials": {"connectionString": {"env": "BLOBS", "host": "west.blob.core.windows.net"}}
        }
    }
}
WITH_MAP = NOTES | {
    "fields": [
        field | {"searchable": True, "synonymMaps": ["words"]} if field["name"] == "text" else field
        for field in NOTES["fields"]
    ]
}


@pytest.fixture
async def pair() -> AsyncIterator[PairWorld]:
    async with open_pair() as opened:
        opened.world.clients.settings = msgspec.structs.replace(opened.world.clients.settings, overlays=OVERLAY)
        opened.world.clients._environment = dict(KEYS) | {"BLOBS": "AccountName=west;AccountKey=west"}
        opened.settle(overlay="west")
        await put(opened, "synonymmaps", "datasources", "skillsets")
        await opened.world.fill(WITH_MAP, [note(number) for number in range(10)])
        await put(opened, "indexers", "aliases")
        yield opened


async def put(pair: PairWorld, *kinds: str, **changes: Any) -> None:
    """Create objects in the east, or change them there."""
    east = pair.world.east
    for kind in kinds:
        wanted = OBJECTS[kind] | changes
        body = msgspec.json.encode(wanted)
        if wanted["name"] in [each.name for each in await east.definitions(kind)]:
            before = await east.definition(kind, wanted["name"])
            await east.update_definition(kind, wanted["name"], body, before=before, preview=False)
        else:
            await east.create_definition(kind, wanted["name"], body, preview=False)


async def there(pair: PairWorld, kind: str) -> dict[str, Any]:
    body = (await pair.world.west.definition(kind, OBJECTS[kind]["name"])).body
    found: dict[str, Any] = msgspec.json.decode(body)
    return found


async def follow(pair: PairWorld) -> StandbyState:
    await pair.back_up()
    await pair.back_up_objects()
    (run,) = await pair.tick()
    assert [item.index.index for item in run.items] == ["$service", "notes", "$service"]
    return (await pair.states())["$service"]


async def test_every_kind_is_kept_equal_and_indexers_stay_disabled(pair: PairWorld) -> None:
    state = await follow(pair)
    assert (state.is_equal, state.failure, state.documents) == (True, None, 4)
    assert (await there(pair, "indexers"))["disabled"] is True
    assert (await there(pair, "aliases"))["indexes"] == ["notes"]
    assert (await there(pair, "synonymmaps"))["synonyms"] == "hotel, inn"
    assert len(await pair.world.documents("contoso-west", "notes", "id")) == 10

    # Changes arrive, a synonym map's before the index that names it; what somebody enabled is disabled again.
    await put(pair, "synonymmaps", synonyms="hotel, inn, lodge")
    await put(pair, "indexers", schedule={"interval": "PT2H"})
    west = pair.world.west
    enabled = OBJECTS["indexers"] | {"disabled": False}
    before = await west.definition("indexers", "nightly")
    await west.update_definition("indexers", "nightly", msgspec.json.encode(enabled), before=before, preview=False)
    state = await follow(pair)
    assert state.is_equal, state.failure
    indexer = await there(pair, "indexers")
    assert (indexer["disabled"], indexer["schedule"]["interval"]) == (True, "PT2H")
    assert (await there(pair, "synonymmaps"))["synonyms"] == "hotel, inn, lodge"


async def test_nothing_is_sent_again_but_what_has_a_secret(pair: PairWorld) -> None:
    await follow(pair)
    etags = {kind: (await pair.world.west.definition(kind, each["name"])).etag for kind, each in OBJECTS.items()}
    await follow(pair)
    now = {kind: (await pair.world.west.definition(kind, each["name"])).etag for kind, each in OBJECTS.items()}
    assert {kind for kind in etags if etags[kind] != now[kind]} == {"datasources"}


async def test_a_kind_with_another_mode_is_left_alone(pair: PairWorld) -> None:
    pair.settle(kinds={"indexers": "hot-cold", "synonymmaps": "hot-hot", "aliases": "hot-cold"})
    await pair.world.west.create_definition(
        "synonymmaps", "words", msgspec.json.encode(OBJECTS["synonymmaps"]), preview=False
    )
    await put(pair, "synonymmaps", synonyms="east, only")
    await pair.back_up_objects()
    await pair.tick()
    assert await pair.world.west.definitions("indexers") == []
    assert await pair.world.west.definitions("aliases") == []
    assert (await there(pair, "synonymmaps"))["synonyms"] == "hotel, inn"
    assert [each.name for each in await pair.world.west.definitions("skillsets")] == ["skills"]


async def test_a_cold_pair_may_have_warm_objects(pair: PairWorld) -> None:
    pair.settle(mode="hot-cold", kinds={"synonymmaps": "hot-warm"})
    await pair.back_up()
    await pair.back_up_objects()
    (run,) = await pair.tick()
    assert [item.index.index for item in run.items] == ["$service", "$service"]
    assert await pair.world.west.index_names() == []
    assert (await there(pair, "synonymmaps"))["synonyms"] == "hotel, inn"


async def test_a_missing_secret_is_told_and_no_object_is_broken(pair: PairWorld) -> None:
    pair.settle(overlay=None)
    state = await follow(pair)
    assert state.failure is not None
    assert "datasources blobs: secrets are missing: credentials.connectionString" in state.failure.what
    assert "indexers nightly: it refers to what is not there: datasources blobs" in state.failure.what
    assert not state.is_equal
    assert state.failed_since is not None
    assert (await there(pair, "aliases"))["indexes"] == ["notes"]  # the others are there
    assert (await pair.states())["notes"].is_equal

    pair.settle(overlay="west")
    state = await follow(pair)
    assert (state.failure, state.failed_since, state.is_equal) == (None, None, True)


async def test_what_only_the_standby_has_is_told_and_stays(pair: PairWorld) -> None:
    own = {"name": "own", "format": "solr", "synonyms": "a, b"}
    await pair.world.west.create_definition("synonymmaps", "own", msgspec.json.encode(own), preview=False)
    state = await follow(pair)
    assert state.notes == ["only on contoso-west: synonymmaps own"]
    assert [each.name for each in await pair.world.west.definitions("synonymmaps")] == ["own", "words"]


async def test_no_secret_is_in_any_record(pair: PairWorld) -> None:
    await follow(pair)
    kept = [blob.data for blob in pair.west_store.runs._blobs.values()]
    assert not any(b"AccountKey=west" in data for data in kept)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_write_the_next_tick_makes_the_objects_equal(
    pair: PairWorld, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await follow(pair)
    killed = 0
    for at in range(1, 60, 4):
        await put(pair, "synonymmaps", synonyms=f"hotel, inn {at}")
        await put(pair, "skillsets", description=f"the {at}th")
        await pair.back_up()
        await pair.back_up_objects()
        with monkeypatch.context() as patched:
            kill = Kill(pair, at, after=when == "after")
            kill.install(patched)
            with contextlib.suppress(Exception):
                await pair.tick()
        killed += kill.is_dead
        for record in await Runs(pair.west_runs).unfinished():
            await pair.engine.run(RUN_FOLLOW, RunOrder(WEST, record.run), run=f"{record.run}-again")
        pair.clock.now += timedelta(minutes=31)
        await pair.tick()
        state = (await pair.states())["$service"]
        assert (state.is_equal, state.failure) == (True, None)
        assert (await there(pair, "synonymmaps"))["synonyms"] == f"hotel, inn {at}"
        assert (await there(pair, "skillsets"))["description"] == f"the {at}th"
        assert (await there(pair, "indexers"))["disabled"] is True
        if not kill.is_dead:
            break
    assert killed >= 3
