"""Who can write the run container alone can't make a move copy, overwrite or delete what it was not asked to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from indexvault.errors import ConflictError, IntegrityError, UnauthenticError
from indexvault.move.job import IndexState, MoveJob, MoveState
from indexvault.move.state import state_of
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX
from indexvault.restore.report import Proof
from indexvault.snapshots.manifest import MANIFEST_LIMIT, open_manifest, seal
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import move_name, report_name
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.local import LocalEngine
from tests import hotels
from tests.keyed import KEY
from tests.memory_store import MemoryStore
from tests.move.test_move_index import Mover
from tests.world import EAST, WEST, Run, open_world

STARTED = datetime(2026, 11, 20, tzinfo=UTC)
TAMPERED = "another move than this|not what this move wrote|did not make"


@pytest.fixture
async def mover() -> AsyncIterator[Mover]:
    async with moving() as opened:
        yield opened


@asynccontextmanager
async def moving(record_key: str | None = None) -> AsyncIterator[Mover]:
    async with open_world(MemoryStore("local"), record_key=record_key) as world:

        def with_around(activity: Activity[Any, Any]) -> Activity[Any, Any]:
            async def run(resources: Resources, given: Any) -> Any:
                if activity.name in world.around:
                    return await world.around[activity.name](activity.run, resources, given)
                return await activity.run(resources, given)

            return replace(activity, run=run)

        async with LocalEngine(world.resources, map(with_around, ACTIVITIES), [MOVE_INDEX]) as engine:
            yield Mover(world, engine)


def state(asked: MoveJob, **changes: Any) -> MoveState:
    members: dict[str, Any] = {
        "job": asked,
        "fingerprint": asked.fingerprint,
        "records": "forged",
        "execution": "forged",
        "started": STARTED,
    }
    return MoveState(**(members | changes))


def states(mover: Mover) -> RecordStore[MoveState]:
    return RecordStore(mover.world.store.runs, MoveState)


async def forge(mover: Mover, forged: MoveState) -> None:
    await states(mover).write(move_name(EAST, "hotels"), forged)


OTHER: dict[str, dict[str, Any]] = {
    "target": {"target_index": "stolen"},
    "source": {"index": "secrets"},
    "patch": {"patch": '{"fields":{"stars":null}}'},
    "alias": {"alias": "guests"},
    "overlay": {"overlay": "west"},
}


@pytest.mark.parametrize("delete_source", [True, False], ids=["deleting", "keeping"])
@pytest.mark.parametrize("member", OTHER)
async def test_a_move_does_what_it_was_asked_and_not_what_its_state_says(
    mover: Mover, member: str, *, delete_source: bool
) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    asked = mover.job()
    job = msgspec.structs.replace(asked, delete_source=delete_source, **OTHER[member])
    await forge(mover, state(asked, job=job))
    with pytest.raises(IntegrityError, match=TAMPERED):
        await mover.move()
    assert await mover.world.west.index_names() == []
    assert await mover.world.east.count("hotels") == 20


async def test_a_state_does_not_ask_for_the_source_to_be_deleted(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    asked = mover.job()
    deleting = msgspec.structs.replace(asked, delete_source=True)
    await forge(mover, state(asked, job=deleting, fingerprint=deleting.fingerprint))
    assert not (await mover.move()).source_deleted
    assert await mover.world.east.count("hotels") == 20


async def test_an_index_that_a_state_calls_held_is_not_overwritten(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    snapshot = (await mover.world.back_up("hotels")).snapshot
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(3, seed=2), service=WEST)
    before = await mover.world.documents(WEST, "hotels", "id")
    asked = mover.job()
    proof = Proof(
        snapshot=f"{EAST}/hotels@{snapshot}",
        target=f"{WEST}/hotels",
        mode="create",
        compared=20,
        identical=20,
        equal=0,
        different=0,
        missing=0,
        extra=0,
        refused=0,
        differences=[],
        proved=True,
    )
    await mover.world.store.runs.put(report_name("forged-restore", "proof"), msgspec.json.encode(proof))
    for forged in (
        state(asked, snapshot=snapshot, held=snapshot, rounds=1, restores=["forged-restore"]),
        state(asked, snapshot=snapshot, rounds=1, restores=["forged-restore"]),
    ):
        await forge(mover, forged)
        with pytest.raises(IntegrityError, match=TAMPERED):
            await mover.move()
    assert await mover.world.documents(WEST, "hotels", "id") == before


async def test_a_move_that_a_state_calls_ended_is_not_believed(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))
    snapshot = (await mover.world.back_up("hotels")).snapshot
    present = await mover.world.east.index_definition("hotels")
    await mover.world.east.delete_index("hotels", before=present)
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(3), service=WEST)
    asked = mover.job(alias="guests")
    forged = state(asked, snapshot=snapshot, held=snapshot, rounds=1, removing=True, compared=20)
    forged = msgspec.structs.replace(forged, deleting=IndexState(etag=present.etag, count=20))
    await forge(mover, forged)
    with pytest.raises(IntegrityError, match=TAMPERED):
        await mover.move(alias="guests")
    assert await mover.world.west.alias("guests") is None


async def test_a_state_that_is_altered_before_the_cut_over_deletes_nothing(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))

    async def alter(run: Run, resources: Resources, given: Any) -> Any:
        found = await states(mover).read(move_name(EAST, "hotels"))
        assert found is not None
        await forge(mover, msgspec.structs.replace(found, job=msgspec.structs.replace(found.job, delete_source=True)))
        return await run(resources, given)

    mover.world.around["cut_over_move"] = alter
    with pytest.raises(IntegrityError, match=TAMPERED):
        await mover.move()
    assert await mover.world.east.count("hotels") == 20


async def test_a_source_that_changed_is_kept_whatever_the_state_says_of_it(mover: Mover) -> None:
    await mover.world.fill(hotels.DEFINITION, hotels.hotels(20))

    async def alter(run: Run, resources: Resources, given: Any) -> Any:
        late = msgspec.json.encode({"value": [{"@search.action": "upload", **hotels.hotels(1)[0], "id": "late"}]})
        await mover.world.east.index_documents("hotels", late)
        found = await states(mover).read(move_name(EAST, "hotels"))
        assert found is not None
        now = await state_of(mover.world.east, "hotels")
        await forge(mover, msgspec.structs.replace(found, deleting=now))
        return await run(resources, given)

    mover.world.around["cut_over_move"] = alter
    with pytest.raises(ConflictError, match="kept"):
        await mover.move(delete_source=True)
    assert await mover.world.east.count("hotels") == 21


async def test_stretches_of_the_sources_snapshot_that_are_altered_prove_nothing(mover: Mover) -> None:
    await mover.world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(20))

    async def alter(run: Run, resources: Resources, given: Any) -> Any:
        runs = mover.world.store.runs
        for name in [blob.name async for blob in runs.list("runs/") if "/stretch-" in blob.name]:
            blob = await runs.read(name, 2**20)
            assert blob is not None
            await runs.put(name, msgspec.json.encode(msgspec.json.decode(blob.data) | {"chunks": []}))
        return await run(resources, given)

    mover.world.around["compare_snapshot"] = alter
    with pytest.raises(IntegrityError, match="not what this restore wrote"):
        await mover.move(delete_source=True)
    assert await mover.world.east.count("hotels") == 20


@pytest.mark.parametrize(
    ("definition", "activity"),
    [
        (hotels.with_field("id", filterable=False, sortable=False), "divide_snapshot"),
        (hotels.with_field("id", filterable=False, sortable=False), "cut_over_move"),
        (hotels.DEFINITION, "cut_over_move"),
    ],
    ids=["compared", "last", "held"],
)
async def test_with_a_key_a_replaced_snapshot_has_no_source_deleted(definition: dict[str, Any], activity: str) -> None:
    async with moving(KEY) as mover:
        await mover.world.fill(definition, hotels.hotels(20))

        async def replace_manifests(run: Run, resources: Resources, given: Any) -> Any:
            blobs = mover.world.store.snapshots
            for listed in [blob async for blob in blobs.list(f"{EAST}/hotels/manifests/")]:
                genuine = open_manifest(await blobs.read(listed.name, MANIFEST_LIMIT), listed.name)
                await blobs.delete(listed.name)
                forged = seal(msgspec.structs.replace(genuine, tool="forged"))
                await blobs.create(listed.name, forged, metadata=listed.metadata)
            return await run(resources, given)

        mover.world.around[activity] = replace_manifests
        with pytest.raises(UnauthenticError, match="proves nothing"):
            await mover.move(delete_source=True)
        assert await mover.world.east.count("hotels") == 20
