"""A standby is brought to each new snapshot of the active service, and says what it equals whatever happens."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupJob
from indexvault.backup.workflow import BACK_UP_INDEX
from indexvault.errors import ConflictError, SettingsError
from indexvault.model import IndexName
from indexvault.recovery.follow_index import FOLLOW_INDEX
from indexvault.recovery.follow_plan import Followed, is_due
from indexvault.recovery.follow_run import RUN_FOLLOW
from indexvault.recovery.follow_schedule import tick_following
from indexvault.recovery.standby_records import read_standby
from indexvault.restore.state import read_restore_state
from indexvault.snapshots.roles import PairRole, create_role
from indexvault.snapshots.run_names import unchanged_name
from indexvault.snapshots.unchanged import Unchanged
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.runs import Runs, given_up
from tests.recovery.conftest import NOTES, note
from tests.recovery.pairs import START, InProcess, Kill, PairWorld, equal_standby, open_pair
from tests.world import EAST, WEST, upload_batch

NOTES_WEST = IndexName(WEST, "notes")
STEP = {"empty": 7, "proved": 3, "wider": 7}
"""Which writes are tried: every so many. By hand, with 1, all of them."""


@pytest.fixture
async def pair() -> AsyncIterator[PairWorld]:
    async with open_pair() as opened:
        yield opened


async def change(pair: PairWorld, *documents: dict[str, Any], service: str = EAST) -> None:
    lines = [msgspec.json.encode(each) for each in documents]
    await pair.world.clients.service(service).index_documents("notes", upload_batch(lines))


async def contents(pair: PairWorld, service: str = WEST, index: str = "notes") -> list[dict[str, Any]]:
    return await pair.world.documents(service, index, "id")


async def test_the_standby_is_made_and_then_follows(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(number) for number in range(300)])
    first = await pair.back_up()
    (made,) = await pair.tick()
    assert (made.state, made.items[0].outcome.report["created"]) == ("done", True)  # type: ignore[index]
    assert await contents(pair) == await contents(pair, EAST)
    state = (await pair.states())["notes"]
    assert (state.snapshot, state.is_equal, state.documents, state.failure) == (first, True, 300, None)
    assert await pair.tick() == []  # nothing is newer

    await change(pair, note(7, "changed"), note(900, "added"))
    second = await pair.back_up()
    (followed,) = await pair.tick()
    report = followed.items[0].outcome.report
    assert report is not None
    assert (report["written"], report["deleted"], report["compared"]) == (2, 0, False)
    assert await contents(pair) == await contents(pair, EAST)
    state = (await pair.states())["notes"]
    assert (state.snapshot, state.is_equal, state.documents) == (second, True, 301)


async def test_an_index_that_is_new_on_the_primary_appears_and_one_that_is_gone_is_told(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(1)])
    await pair.back_up()
    await pair.tick()
    await pair.world.fill(NOTES | {"name": "other"}, [note(2)])
    await pair.back_up("other")
    (run,) = await pair.tick()
    assert [item.index.index for item in run.items] == ["other"]
    assert await contents(pair, index="other") == [note(2)]

    east = pair.world.east
    await east.delete_index("notes", before=await east.index_definition("notes"))
    assert await pair.tick() == []
    state = (await pair.states())["notes"]
    assert state.gone_since is not None
    assert await contents(pair) == [note(1)]  # nothing is deleted by itself
    await pair.world.fill(NOTES, [note(3)])
    await pair.back_up()
    await pair.tick()
    assert (await pair.states())["notes"].gone_since is None
    assert await contents(pair) == [note(3)]

    # What neither has any more is forgotten.
    for service in (east, pair.world.west):
        await service.delete_index("notes", before=await service.index_definition("notes"))
    await pair.tick()
    assert set(await pair.states()) == {"other"}


async def test_after_a_failback_no_snapshot_of_before_it_is_followed(pair: PairWorld) -> None:
    """Such a one would take the standby back to what the primary held before the disaster."""
    await pair.world.fill(NOTES, [note(1)])
    await pair.back_up()
    await pair.back_up_objects()
    await pair.tick()
    pair.clock.now += timedelta(minutes=1)
    await pair.swap(WEST, generation=1, following=False)
    await change(pair, note(2, "written to the west"), service=WEST)
    await change(pair, note(2, "written to the west"))  # by the failback
    pair.clock.now += timedelta(minutes=1)
    await pair.swap(EAST, generation=2)
    assert await pair.tick() == []
    assert await contents(pair) == [note(1), note(2, "written to the west")]
    await change(pair, note(3))
    await pair.back_up()
    (run,) = await pair.tick()
    assert [item.index.index for item in run.items] == ["notes"]
    assert await contents(pair) == [note(1), note(2, "written to the west"), note(3)]


async def test_only_what_the_pair_names_is_followed(pair: PairWorld) -> None:
    pair.settle(indexes=("*", "!other"))
    for name in ("notes", "other"):
        await pair.world.fill(NOTES | {"name": name}, [note(1)])
        await pair.back_up(name)
    await pair.tick()
    assert await pair.world.west.index_names() == ["notes"]


async def test_a_new_field_is_added_to_the_standby(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(number) for number in range(50)])
    await pair.back_up()
    await pair.tick()
    wider = NOTES | {"fields": [*NOTES["fields"], {"name": "tag", "type": "Edm.String", "filterable": True}]}
    await update(pair, wider)
    await change(pair, note(3) | {"tag": "red"})
    await pair.back_up()
    (run,) = await pair.tick()
    assert run.state == "done", run.items[0].outcome.failure
    assert await contents(pair) == await contents(pair, EAST)
    # The next one follows again.
    await change(pair, note(4) | {"tag": "blue"})
    await pair.back_up()
    (run,) = await pair.tick()
    assert run.items[0].outcome.report is not None
    assert (run.items[0].outcome.report["compared"], run.items[0].outcome.report["written"]) == (False, 1)


async def update(pair: PairWorld, definition: dict[str, Any]) -> None:
    east = pair.world.east
    before = await east.index_definition("notes")
    await east.update_index("notes", msgspec.json.encode(definition), before=before, preview=False)


async def test_a_definition_that_no_live_index_takes_is_told_with_what_to_do(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(1)])
    first = await pair.back_up()
    await pair.tick()
    east = pair.world.east
    await east.delete_index("notes", before=await east.index_definition("notes"))
    fields = [field | {"type": "Edm.Int32"} if field["name"] == "rank" else field for field in NOTES["fields"]]
    await pair.world.fill(NOTES | {"fields": fields}, [{"id": "n1", "text": "x", "rank": 5}])
    second = await pair.back_up()
    (run,) = await pair.tick()
    assert run.state == "failed"
    state = (await pair.states())["notes"]
    assert state.failure is not None
    assert "delete it there" in state.failure.do
    assert (state.snapshot, state.is_equal, state.failed_since) == (first, False, state.tried_at)
    assert await contents(pair) == [note(1)]  # it answers as before
    assert await pair.tick() == []  # not at every tick

    # What it says to do works.
    west = pair.world.west
    await west.delete_index("notes", before=await west.index_definition("notes"))
    pair.clock.now += timedelta(minutes=31)
    (run,) = await pair.tick()
    assert run.state == "done", run.items[0].outcome.failure
    state = (await pair.states())["notes"]
    assert (state.snapshot, state.is_equal, state.failed_since) == (second, True, None)
    assert await contents(pair) == [{"id": "n1", "text": "x", "rank": 5}]


async def test_an_index_that_was_deleted_on_the_standby_comes_back(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(1)])
    await pair.back_up()
    await pair.tick()
    west = pair.world.west
    await west.delete_index("notes", before=await west.index_definition("notes"))
    await pair.tick()
    assert await contents(pair) == [note(1)]


async def test_nothing_is_written_to_a_service_that_has_become_active(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(1)])
    await pair.back_up()
    await pair.tick()
    await change(pair, note(1, "changed"))
    await pair.back_up()
    plan = await pair.plan()
    await pair.swap(WEST, generation=1)
    with pytest.raises(ConflictError, match="active since generation 1"):
        await pair.engine.run(FOLLOW_INDEX, plan.indexes[0])
    assert await contents(pair) == [note(1)]
    assert (await pair.states())["notes"].failure is None  # nothing is noted of it either


async def test_the_fence_is_what_the_service_s_own_store_says(pair: PairWorld) -> None:
    """A swap whose record could not be copied yet, and a store that does not answer, stop every write."""
    await pair.world.fill(NOTES, [note(1)])
    await pair.back_up()
    await pair.tick()
    await change(pair, note(1, "changed"))
    await pair.back_up()
    plan = await pair.plan()
    later = msgspec.structs.replace(plan.indexes[0], generation=2)
    with pytest.raises(ConflictError, match="does not have the role of generation 2"):
        await pair.engine.run(FOLLOW_INDEX, later)
    role = PairRole(pair="contoso", generation=1, active=WEST, run="failover-1")
    await create_role(pair.west_runs, role)  # in its own store alone
    with pytest.raises(ConflictError, match="active since generation 1"):
        await pair.engine.run(FOLLOW_INDEX, plan.indexes[0])
    assert await contents(pair) == [note(1)]


async def test_the_old_active_service_is_not_overwritten_after_an_unplanned_failover(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(1)])
    await pair.back_up()
    await pair.tick()
    await change(pair, note(1, "only here"))
    await pair.swap(WEST, generation=1, following=False)
    await change(pair, note(1, "in the west"), service=WEST)
    await back_up_west(pair)
    assert await pair.tick() == []
    assert await contents(pair, EAST) == [note(1, "only here")]
    plan = await pair.plan()
    with pytest.raises(ConflictError, match="following is off"):
        await pair.engine.run(FOLLOW_INDEX, plan.indexes[0])
    assert await contents(pair, EAST) == [note(1, "only here")]


async def back_up_west(pair: PairWorld) -> str:
    pair.clock.now += timedelta(minutes=1)
    pair.world.runs += 1
    job = BackupJob(service=WEST, index="notes", run=f"west-{pair.world.runs}")
    return (await pair.world.engine.run(BACK_UP_INDEX, job)).snapshot


async def test_after_a_swap_nothing_that_was_known_of_the_standby_is_believed(pair: PairWorld) -> None:
    """What an index equalled before it was active says nothing: an application has written to it since."""
    await pair.world.fill(NOTES, [note(number) for number in range(20)])
    await pair.back_up()
    await pair.tick()
    await pair.swap(WEST, generation=1)
    await change(pair, note(5, "written while active"), service=WEST)
    await pair.swap(EAST, generation=2)
    await change(pair, note(6, "later"))
    await pair.back_up()
    (run,) = await pair.tick()
    report = run.items[0].outcome.report
    assert report is not None
    assert report["compared"]
    assert await contents(pair) == await contents(pair, EAST)
    assert (await pair.states())["notes"].generation == 2


async def test_the_old_primary_follows_after_a_planned_swap(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(1)])
    await pair.back_up()
    await pair.tick()
    await pair.swap(WEST, generation=1)
    await change(pair, note(2, "in the west"), service=WEST)
    await back_up_west(pair)
    engine = InProcess(pair.engine)
    (started,) = await tick_following(pair.resources, engine)
    await engine.finish()
    assert await contents(pair, EAST) == [note(1), note(2, "in the west")]
    east_runs = pair.world.clients.store_of(EAST).runs
    (state,) = await read_standby(east_runs, "contoso", EAST)
    assert (state.source, state.run, state.is_equal) == (WEST, f"{started}-1", True)


def test_a_standby_never_goes_back_to_an_older_snapshot() -> None:
    now = START
    state = equal_standby("b", now)
    older = Followed("a", now - timedelta(hours=1))
    newer = Followed("c", now + timedelta(hours=1))
    assert not is_due(state, older, is_there=True, now=now, again=True)
    assert is_due(state, newer, is_there=True, now=now, again=False)
    assert not is_due(state, Followed("b", now), is_there=True, now=now, again=False)
    assert is_due(state, Followed("b", now, unchanged=now + timedelta(hours=1)), is_there=True, now=now, again=False)
    failed = msgspec.structs.replace(state, failure=SettingsError("x", on="y", do="z").record(), towards="c")
    assert not is_due(failed, newer, is_there=True, now=now, again=False)
    assert is_due(failed, newer, is_there=True, now=now, again=True)
    assert is_due(failed, newer, is_there=True, now=now + timedelta(minutes=30), again=False)
    assert is_due(failed, Followed("d", now + timedelta(hours=2)), is_there=True, now=now, again=False)


async def test_the_standby_is_kept_while_the_active_service_is_gone(pair: PairWorld) -> None:
    await pair.world.fill(NOTES, [note(1)])
    await pair.back_up()
    await pair.tick()
    await change(pair, note(2))
    last = await pair.back_up()
    await pair.world.faults(EAST, {"fault": "unavailable"})
    await pair.tick()
    assert (await pair.states())["notes"].snapshot == last
    assert (await pair.states())["notes"].gone_since is None
    assert await contents(pair) == [note(1), note(2)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("begins", ["empty", "proved", "wider"])
async def test_killed_at_any_write_the_next_tick_comes_to_the_same(
    begins: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standby says that it is between two snapshots, or that it equals one, and then it does."""
    killed, at = 0, 0
    while True:
        at += STEP[begins]
        async with open_pair() as pair:
            held = await _killed_once(pair, begins, at, when, monkeypatch)
            if held is None:
                break
            killed += 1
    assert killed >= 3


async def _killed_once(
    pair: PairWorld, begins: str, at: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> bool | None:
    """Kill a run and tick again. Return None if the run ended before."""
    held: dict[str | None, Any] = {None: None}
    await pair.world.fill(NOTES, [note(number) for number in range(30)])
    if begins != "empty":
        held[await pair.back_up()] = await contents(pair, EAST)
        await pair.tick()
    if begins == "wider":
        await update(pair, NOTES | {"fields": [*NOTES["fields"], {"name": "tag", "type": "Edm.String"}]})
    await change(pair, *(note(number, "changed") for number in range(5)))
    held[await pair.back_up()] = wanted = await contents(pair, EAST)
    with monkeypatch.context() as patched:
        kill = Kill(pair, at, after=when == "after")
        kill.install(patched)
        with contextlib.suppress(Exception):
            await pair.tick()
    state = (await pair.states()).get("notes")
    if state is not None and state.is_equal:
        assert await contents(pair) == held[state.snapshot]
    if not kill.is_dead:
        return None
    lost = SettingsError("lost", on="run", do="x").record()
    for record in await Runs(pair.west_runs).unfinished():
        if at % 2:
            await pair.engine.run(RUN_FOLLOW, RunOrder(WEST, record.run), run=f"{record.run}-again")
        else:
            await Runs(pair.west_runs).change(record.run, lambda record: given_up(record, pair.clock.now, lost))
    pair.clock.now += timedelta(minutes=31)
    await pair.tick()
    state = (await pair.states())["notes"]
    assert (state.is_equal, state.failure) == (True, None)
    assert await contents(pair) == wanted
    assert await read_restore_state(pair.west_runs, NOTES_WEST) is None
    return True


async def test_an_index_that_was_found_unchanged_makes_the_standby_as_recent(pair: PairWorld) -> None:
    """A run by changes makes no snapshot then. The standby is counted, and nothing is written."""
    await pair.world.fill(NOTES, [note(1)])
    made = await pair.back_up()
    await pair.tick()
    before = (await pair.states())["notes"]
    later = pair.clock.now + timedelta(hours=1)
    east_runs = pair.world.clients.store_of(EAST).runs
    unchanged = Unchanged(service=EAST, index="notes", snapshot=made, first=later, last=later, times=1, run="a run")
    await east_runs.put(unchanged_name(EAST, "notes"), msgspec.json.encode(unchanged))
    pair.clock.now = later
    (run,) = await pair.tick()
    report = run.items[0].outcome.report
    assert report is not None
    assert (report["written"], report["compared"]) == (0, False)
    state = (await pair.states())["notes"]
    assert (before.as_of, state.as_of) == (before.created, later)
    assert await pair.tick() == []
