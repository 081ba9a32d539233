"""Who can write the run container alone can't make a restore do, or prove, anything else than it was asked for."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupReport
from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, OverloadedError, RefusedError
from indexvault.restore.definition import TargetDefinition
from indexvault.restore.job import RestoreJob
from indexvault.restore.plan import decide
from indexvault.restore.state import PLAN, TARGET_INDEX, LoadCheckpoint, RestorePlan, RestoreState, TargetIndex
from indexvault.restore.stretch_source import SnapshotSource, StretchChunks
from indexvault.restore.upload import Refused
from indexvault.search.batch import batch, delete_action
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import checkpoint_name, restore_name
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, WEST, Run, World, open_world

TAMPERED = "not what this restore wrote|another restore than this|does not follow from"
KEY_ONLY = msgspec.Raw(msgspec.json.encode({"name": "restored", "fields": hotels.DEFINITION["fields"][:1]}))
STRANGER = {
    "vectorSearch": {
        "vectorizers": {
            "own": {"kind": "customWebApi", "customWebApiParameters": {"uri": "https://stranger.example/api"}},
        }
    }
}
OVERLAY = {
    "vectorSearch": {
        "vectorizers": {"own": {"customWebApiParameters": {"httpHeaders": {"x-functions-key": {"env": "EMBED"}}}}}
    }
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        settings = opened.clients.settings
        opened.clients.settings = msgspec.structs.replace(settings, overlays={"west": {"indexes/hotels": OVERLAY}})
        opened.clients._environment = {**{name: KEYS[name] for name in (EAST, WEST)}, "EMBED": "west-canary-secret"}
        yield opened


async def change[Record](world: World, name: str, kind: type[Record], how: Callable[[Record], Record]) -> None:
    """Change a record as whoever can write the run container can."""
    records = RecordStore(world.store.runs, kind)
    found = await records.read(name)
    assert found is not None
    await records.write(name, how(found))


async def forge(
    world: World, asked: RestoreJob, plan: RestorePlan, *, under: str = "restored", touched: bool = True
) -> None:
    """Put a plan and a state that claims to be the asked restore's into the run container."""
    runs = world.store.runs
    await RecordStore(runs, RestorePlan).write(checkpoint_name("forged", PLAN), plan)
    state = RestoreState(
        fingerprint=asked.fingerprint,
        snapshot=asked.reference,
        mode=plan.job.mode,
        target=plan.job.target_index,
        written_index=plan.written_index,
        records="forged",
        execution="forged",
        started=plan.started,
        touched=touched,
    )
    await RecordStore(runs, RestoreState).write(restore_name(WEST, under), state)


async def backed_up(world: World, documents: int = 500) -> BackupReport:
    await world.fill(hotels.DEFINITION, hotels.hotels(documents))
    return await world.back_up("hotels")


async def planned(world: World, job: RestoreJob) -> RestorePlan:
    return (await decide(world.resources, job))[1]


def key_only(plan: RestorePlan) -> RestorePlan:
    return msgspec.structs.replace(plan, definition=TargetDefinition(KEY_ONLY, preview=False))


def without_stretches(plan: RestorePlan) -> RestorePlan:
    return msgspec.structs.replace(plan, stretches=[], documents=0)


def with_a_gap(plan: RestorePlan) -> RestorePlan:
    [(_start, end)] = plan.stretches
    return msgspec.structs.replace(plan, stretches=[(0, 2), (3, end)])


def with_a_repeat(plan: RestorePlan) -> RestorePlan:
    [(_start, end)] = plan.stretches
    return msgspec.structs.replace(plan, stretches=[(0, 2), (1, end)])


def with_fewer_documents(plan: RestorePlan) -> RestorePlan:
    return msgspec.structs.replace(plan, documents=plan.documents - 1)


def with_a_shown_field(plan: RestorePlan) -> RestorePlan:
    body = msgspec.json.decode(plan.definition.body)
    body["corsOptions"] = {"allowedOrigins": ["*"]}
    return msgspec.structs.replace(
        plan, definition=TargetDefinition(msgspec.Raw(msgspec.json.encode(body)), preview=plan.definition.preview)
    )


@pytest.mark.parametrize("touched", [True, False])
@pytest.mark.parametrize(
    "how",
    [key_only, without_stretches, with_a_gap, with_a_repeat, with_fewer_documents, with_a_shown_field],
    ids=lambda how: how.__name__,
)
async def test_a_forged_plan_is_compared_with_the_manifest(
    world: World, how: Callable[[RestorePlan], RestorePlan], *, touched: bool
) -> None:
    snapshot = await backed_up(world)
    asked = world.restore_job(snapshot)
    await forge(world, asked, how(await planned(world, asked)), touched=touched)
    with pytest.raises(IntegrityError, match=TAMPERED):
        await world.restore(snapshot)
    assert await world.west.index_names() == []


OTHER: dict[str, dict[str, Any]] = {
    "mode": {"mode": "fill"},
    "patch": {"patch": msgspec.json.encode(STRANGER).decode()},
    "overlay": {"overlay": "west", "patch": msgspec.json.encode(STRANGER).decode()},
    "target": {"target_index": "other"},
    "keys": {"keys": ("h000001",)},
    "filter": {"filter": "stars == `1`"},
    "store": {"store": "elsewhere"},
}


@pytest.mark.parametrize("member", OTHER)
async def test_a_plan_of_another_job_is_refused_whatever_its_state_claims(world: World, member: str) -> None:
    snapshot = await backed_up(world, 30)
    asked = world.restore_job(snapshot)
    plan = await planned(world, asked)
    await forge(world, asked, msgspec.structs.replace(plan, job=msgspec.structs.replace(plan.job, **OTHER[member])))
    with pytest.raises(IntegrityError, match=TAMPERED):
        await world.restore(snapshot)
    assert await world.west.index_names() == []


async def test_a_secret_goes_into_no_index_that_the_run_did_not_ask_for(world: World) -> None:
    snapshot = await backed_up(world, 30)
    asked = world.restore_job(snapshot, overlay="west", patch="{}")
    plan = await planned(world, msgspec.structs.replace(asked, **OTHER["overlay"]))
    await forge(world, asked, plan)
    with pytest.raises(IntegrityError, match=TAMPERED):
        await world.restore(snapshot, overlay="west", patch="{}")
    plan = msgspec.structs.replace(plan, job=asked)
    await forge(world, asked, plan)
    with pytest.raises(IntegrityError, match=TAMPERED):
        await world.restore(snapshot, overlay="west", patch="{}")
    assert await world.west.index_names() == []


async def test_resume_sends_a_secret_only_if_it_is_told_so_again(world: World) -> None:
    snapshot = await backed_up(world, 30)
    asked = world.restore_job(snapshot)
    plan = await planned(world, msgspec.structs.replace(asked, **OTHER["overlay"]))
    await forge(world, asked, plan)
    for said in ({}, {"overlay": "west"}):
        with pytest.raises(ConflictError, match=r"overlay|patch"):
            await world.restore(snapshot, resume=True, **said)
    assert await world.west.index_names() == []


async def test_resume_deletes_an_index_only_if_it_is_told_so_again(world: World) -> None:
    snapshot = await backed_up(world, 30)
    await world.fill(hotels.DEFINITION | {"name": "restored"}, hotels.hotels(7), service=WEST)
    asked = world.restore_job(snapshot)
    forged = await planned(world, msgspec.structs.replace(asked, mode="replace", in_place=True))
    await forge(world, asked, forged)
    with pytest.raises(ConflictError, match="--replace-in-place"):
        await world.restore(snapshot, resume=True)
    assert await world.west.count("restored") == 7


async def test_a_plain_create_replaces_no_index_that_a_state_names(world: World) -> None:
    snapshot = await backed_up(world, 30)
    await world.fill(hotels.DEFINITION | {"name": "live"}, hotels.hotels(7), service=WEST)
    asked = world.restore_job(snapshot)
    for plan in (
        await planned(world, msgspec.structs.replace(asked, mode="replace", in_place=True, target_index="live")),
        msgspec.structs.replace(await planned(world, asked), written_index="live"),
        msgspec.structs.replace(await planned(world, asked), alias="restored", old_index="live"),
    ):
        await forge(world, asked, plan)
        with pytest.raises(IntegrityError, match=TAMPERED):
            await world.restore(snapshot)
    assert await world.west.index_names() == ["live"]
    assert await world.west.count("live") == 7


async def test_a_replacement_deletes_no_other_index_than_the_one_behind_its_alias(world: World) -> None:
    snapshot = await backed_up(world, 30)
    for name in ("before", "victim"):
        await world.fill(hotels.DEFINITION | {"name": name}, hotels.hotels(7), service=WEST)
    await world.west.point_alias("guests", "before", before=None)
    how: dict[str, Any] = {"index": "guests", "mode": "replace", "delete_old": True}
    asked = world.restore_job(snapshot, **how)
    plan = await planned(world, asked)
    victim = await world.west.index_definition("victim")
    await forge(world, asked, msgspec.structs.replace(plan, old_index="victim", old_etag=victim.etag), under="guests")
    with pytest.raises(IntegrityError, match=TAMPERED):
        await world.restore(snapshot, **how)
    assert set(await world.west.index_names()) == {"before", "victim"}


async def test_a_loss_that_nobody_accepted_is_not_accepted_by_a_record(world: World) -> None:
    await world.fill(hotels.with_field("stars", retrievable=False), hotels.hotels(30))
    snapshot = await world.back_up("hotels")
    asked = world.restore_job(snapshot)
    await forge(world, asked, await planned(world, asked))
    with pytest.raises(IndexvaultError, match=r"lacks|follow"):
        await world.restore(snapshot)
    assert await world.west.index_names() == []


async def interrupted(world: World, snapshot: BackupReport, **asked: Any) -> str:
    """Interrupt a restore after it has loaded everything, and return its run."""

    async def stop(_run: Any, _resources: Any, _given: Any) -> Any:
        raise OverloadedError("it is too busy", on="contoso-west", do="Try again later")

    world.around["settle_target"] = stop
    with pytest.raises(OverloadedError):
        await world.restore(snapshot, **asked)
    del world.around["settle_target"]
    state = await RecordStore(world.store.runs, RestoreState).read(restore_name(WEST, "restored"))
    assert state is not None
    return state.records


async def test_what_a_checkpoint_calls_loaded_is_loaded_if_it_is_missing(world: World) -> None:
    snapshot = await backed_up(world, 30)
    run = await interrupted(world, snapshot)
    await world.west.index_documents("restored", batch([delete_action("id", f"h{n:06}") for n in range(20)]))
    report = await world.restore(snapshot)
    assert (report.resumed, report.identical) == (run, 30)


async def test_what_a_checkpoint_calls_refused_is_tried_again(world: World) -> None:
    snapshot = await backed_up(world, 30)
    run = await interrupted(world, snapshot, skip_refused=True)
    gone = [f"h{number:06}" for number in range(20)]
    await world.west.index_documents("restored", batch([delete_action("id", key) for key in gone]))
    [name] = [blob.name async for blob in world.store.runs.list(f"runs/{run}/") if "/loaded-" in blob.name]
    await change(
        world,
        name,
        LoadCheckpoint,
        lambda found: msgspec.structs.replace(found, refused=[Refused(key, "it said so") for key in gone]),
    )
    report = await world.restore(snapshot, skip_refused=True)
    assert (report.identical, report.refused) == (30, 0)


async def test_a_record_does_not_say_that_refused_documents_may_be_skipped(world: World) -> None:
    snapshot = await backed_up(world, 30)
    never = {"fault": "item", "status": 400, "key": "h000003", "operation": "index_documents"}
    run = await interrupted(world, snapshot)
    await change(
        world,
        checkpoint_name(run, PLAN),
        RestorePlan,
        lambda plan: msgspec.structs.replace(plan, job=msgspec.structs.replace(plan.job, skip_refused=True)),
    )
    await world.west.index_documents("restored", batch([delete_action("id", "h000003")]))
    [name] = [blob.name async for blob in world.store.runs.list(f"runs/{run}/") if "/loaded-" in blob.name]
    await world.store.runs.delete(name)
    await world.faults(WEST, never)
    with pytest.raises(RefusedError):
        await world.restore(snapshot)


async def test_an_altered_definition_of_the_target_is_not_compared_by(world: World) -> None:
    snapshot = await backed_up(world, 30)
    run = await interrupted(world, snapshot)
    await change(
        world,
        checkpoint_name(run, TARGET_INDEX),
        TargetIndex,
        lambda found: msgspec.structs.replace(found, body=KEY_ONLY),
    )
    documents = [{"@search.action": "merge", "id": f"h{number:06}", "stars": 9} for number in range(30)]
    await world.west.index_documents("restored", msgspec.json.encode({"value": documents}))
    with pytest.raises(IndexvaultError, match=r"30 documents differ|changed"):
        await world.restore(snapshot)


LIVE: dict[str, tuple[str, type[Any], dict[str, Any]]] = {
    "plan": (PLAN, RestorePlan, {"written_index": "live"}),
    "target": (TARGET_INDEX, TargetIndex, {"body": KEY_ONLY}),
    "snapshot": ("snapshot", SnapshotSource, {"key_field": "name"}),
    "stretch": ("stretch-0-*", StretchChunks, {"chunks": ()}),
}


@pytest.mark.parametrize("step", ["load_documents", "settle_target", "compare_restored", "report_proof", "cut_over"])
@pytest.mark.parametrize("record", LIVE)
async def test_a_record_that_is_altered_while_the_restore_runs_stops_it(world: World, record: str, step: str) -> None:
    snapshot = await backed_up(world, 30)
    await world.fill(hotels.DEFINITION | {"name": "live"}, hotels.hotels(7, seed=2), service=WEST)
    part, kind, changes = LIVE[record]

    async def alter(run: Run, resources: Any, given: Any) -> Any:
        prefix = checkpoint_name(world.restore_job(snapshot).run, "x").rpartition("/")[0]
        stem = prefix.rpartition("-")[0]
        for blob in [blob.name async for blob in world.store.runs.list(f"{stem}-")]:
            if blob.rpartition("/")[2].startswith(part.rstrip("*")):
                await change(world, blob, kind, lambda found: msgspec.structs.replace(found, **changes))
        return await run(resources, given)

    world.around[step] = alter
    before = await world.documents(WEST, "live", "id")
    is_no_more_read = {("snapshot", "cut_over"), ("stretch", "cut_over"), ("stretch", "report_proof")}
    if (record, step) not in is_no_more_read:
        with pytest.raises(IntegrityError, match=TAMPERED):
            await world.restore(snapshot)
    else:
        assert (await world.restore(snapshot)).identical == 30
    assert await world.documents(WEST, "live", "id") == before
