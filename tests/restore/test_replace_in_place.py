"""Replacing a plain index: only what the plan was made on is deleted, and only this run's own index is taken."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import ConflictError, IndexvaultError, OverloadedError, RefusedError
from indexvault.search.batch import batch, upload_action
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import WEST, World, open_world

IN_PLACE = {"index": "hotels", "mode": "replace", "in_place": True}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


@pytest.fixture
async def snapshot(world: World) -> BackupReport:
    await world.fill(hotels.DEFINITION, hotels.hotels(60))
    await world.fill(hotels.DEFINITION, hotels.hotels(10), service=WEST)
    return await world.back_up("hotels")


def before(world: World, activity: str, action: Any) -> None:
    async def run_after(run: Any, resources: Any, given: Any) -> Any:
        await action()
        return await run(resources, given)

    world.around[activity] = run_after


async def test_documents_that_came_since_the_plan_keep_the_index_from_being_deleted(
    world: World, snapshot: BackupReport
) -> None:
    async def write() -> None:
        line = msgspec.json.encode(hotels.hotels(1)[0] | {"id": "late"})
        await world.west.index_documents("hotels", batch([upload_action(line)]))

    before(world, "make_target", write)
    with pytest.raises(ConflictError, match=r"11 documents.*10.*not deleted"):
        await world.restore(snapshot, **IN_PLACE)
    assert await world.west.count("hotels") == 11


async def trial_name(world: World) -> str:
    return next(name for name in await world.west.index_names() if name.startswith("hotels-"))


async def test_an_index_that_somebody_made_under_the_trial_name_stays(
    world: World, snapshot: BackupReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexvault.restore.target.beside", lambda _index, _started: "hotels-trial")
    await world.fill(hotels.DEFINITION | {"name": "hotels-trial"}, [], service=WEST)
    with pytest.raises(ConflictError, match="hotels-trial"):
        await world.restore(snapshot, **IN_PLACE)
    assert sorted(await world.west.index_names()) == ["hotels", "hotels-trial"]
    assert await world.west.count("hotels") == 10


async def test_a_trial_index_that_a_killed_run_left_is_removed(world: World, snapshot: BackupReport) -> None:
    await world.faults(WEST, {"fault": "unavailable", "method": "DELETE", "path": "hotels-"})
    with pytest.raises(OverloadedError):
        await world.restore(snapshot, **IN_PLACE)
    assert await trial_name(world)
    await world.faults(WEST)
    assert (await world.restore(snapshot, **IN_PLACE)).identical == 60
    assert await world.west.index_names() == ["hotels"]


@pytest.mark.parametrize("used", [False, True])
async def test_a_trial_index_goes_with_the_restore_that_is_discarded(
    world: World, snapshot: BackupReport, *, used: bool
) -> None:
    """Unless somebody has put a document into it."""
    await world.faults(WEST, {"fault": "unavailable", "method": "DELETE", "path": "hotels-"})
    with pytest.raises(OverloadedError):
        await world.restore(snapshot, **IN_PLACE)
    await world.faults(WEST)
    trial = await trial_name(world)
    if used:
        await world.west.index_documents(trial, batch([upload_action(msgspec.json.encode({"id": "mine"}))]))
    await world.restore(snapshot, index="hotels", mode="sync", discard_unfinished=True)
    assert sorted(await world.west.index_names()) == (["hotels", trial] if used else ["hotels"])


async def test_a_trial_index_whose_answer_was_lost_is_removed(world: World, snapshot: BackupReport) -> None:
    lost = {"fault": "reset", "after": True, "method": "PUT", "path": "hotels-"}
    await world.faults(WEST, lost, lost | {"method": "GET", "path": "indexes.+hotels-"})
    with pytest.raises(IndexvaultError):
        await world.restore(snapshot, **IN_PLACE)
    await world.faults(WEST)
    assert (await world.restore(snapshot, **IN_PLACE)).identical == 60
    assert await world.west.index_names() == ["hotels"]


@pytest.mark.parametrize(
    "other",
    [
        {"corsOptions": {"allowedOrigins": ["*"]}},
        hotels.with_field("stars", facetable=False),
        hotels.DEFINITION | {"fields": hotels.DEFINITION["fields"][:-1]},
        hotels.with_field("name", analyzer="en.microsoft"),
    ],
)
async def test_an_empty_index_of_another_definition_is_not_taken_for_this_runs(
    world: World, snapshot: BackupReport, other: dict[str, Any]
) -> None:
    create_index = world.west.create_index

    async def no_answer(_index: str, _definition: bytes, *, preview: bool) -> None:  # noqa: ARG001
        raise OverloadedError("it is too busy", on="contoso-west", do="Try again later")

    world.west.create_index = no_answer  # type: ignore[method-assign, assignment]
    with pytest.raises(OverloadedError):
        await world.restore(snapshot)
    world.west.create_index = create_index  # type: ignore[method-assign]
    await world.fill(hotels.DEFINITION | other | {"name": "restored"}, [], service=WEST)
    with pytest.raises(ConflictError):
        await world.restore(snapshot)
    assert await world.west.count("restored") == 0


async def test_an_index_whose_creation_was_not_answered_is_this_runs(world: World, snapshot: BackupReport) -> None:
    lost = {"fault": "reset", "after": True}
    await world.faults(
        WEST, lost | {"method": "PUT", "path": "restored"}, lost | {"method": "GET", "path": "indexes.+restored"}
    )
    with pytest.raises(IndexvaultError):
        await world.restore(snapshot)
    assert await world.west.index_names() == ["hotels", "restored"]
    await world.faults(WEST)
    assert (await world.restore(snapshot)).identical == 60


async def test_a_patched_index_whose_creation_was_not_answered_is_this_runs(
    world: World, snapshot: BackupReport
) -> None:
    """The service fills in the attributes that the patch leaves to it."""
    asked = {"patch": '{"fields":{"note":{"type":"Edm.String"}},"scoringProfiles":[],"corsOptions":null}'}
    lost = {"fault": "reset", "after": True}
    await world.faults(
        WEST, lost | {"method": "PUT", "path": "restored"}, lost | {"method": "GET", "path": "indexes.+restored"}
    )
    with pytest.raises(IndexvaultError):
        await world.restore(snapshot, **asked)
    await world.faults(WEST)
    assert (await world.restore(snapshot, **asked)).documents == 60


async def test_a_deletion_that_is_refused_is_not_counted(world: World, snapshot: BackupReport) -> None:
    extra = [upload_action(msgspec.json.encode(hotels.hotels(1)[0] | {"id": f"x{number}"})) for number in range(3)]
    await world.west.index_documents("hotels", batch(extra))
    index_documents = world.west.index_documents

    async def refuse_one(index: str, body: bytes) -> Any:
        answer = await index_documents(index, body.replace(b'"delete","id":"x1"', b'"delete","id":"x9"'))
        results = dict(answer.results)
        if "x9" in results:
            ok = results.pop("x9")
            results["x1"] = msgspec.structs.replace(ok, key="x1", status=False, status_code=400)
        return msgspec.structs.replace(answer, results=results)

    world.west.index_documents = refuse_one  # type: ignore[method-assign]
    with pytest.raises(RefusedError, match="'x1'"):
        await world.restore(snapshot, index="hotels", mode="sync")
    world.west.index_documents = index_documents  # type: ignore[method-assign]
    report = await world.restore(snapshot, index="hotels", mode="sync")
    assert (report.uploaded, report.deleted) == (50, 3)
