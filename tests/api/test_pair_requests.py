"""`POST /followings` and `POST /drifts` of a pair: what they start, and what they refuse."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from indexvault.api.drifts import DriftRequest, measure
from indexvault.api.endpoint import Call, Nothing, Reply
from indexvault.api.followings import FollowingRequest, bring_on
from indexvault.errors import ConflictError, NotFoundError, RequestError
from indexvault.recovery import drift_run, drift_schedule, follow_run
from indexvault.recovery.pair_role import pair_role
from indexvault.workflow.runs import RunRecord, Runs
from tests.recovery.conftest import NOTES, note
from tests.recovery.pairs import PAIR, InProcess, PairWorld, open_pair
from tests.world import EAST, WEST

HOT = msgspec.structs.replace(PAIR, mode="hot-hot", drift_schedule="0 0 * * * *")
WORKFLOWS = (*drift_run.WORKFLOWS, *drift_schedule.WORKFLOWS)
ACTIVITIES = (*drift_run.ACTIVITIES, *drift_schedule.ACTIVITIES)


async def ask(world: PairWorld, kind: type[Any], **members: Any) -> Reply:
    """Ask, and carry out the run that was started."""
    body = msgspec.convert(members, kind)
    host = cast("Any", SimpleNamespace(resources=world.resources))
    engine = InProcess(world.engine, (*follow_run.WORKFLOWS, *WORKFLOWS))
    call: Any = Call(body=body, query=Nothing(), path=Nothing(), host=host, engine=engine)
    reply: Reply = await (bring_on if kind is FollowingRequest else measure)(call)
    await engine.finish()
    return reply


async def record_of(pair: PairWorld, reply: Reply) -> RunRecord:
    record = await Runs(pair.west_runs).read(reply.content.run)
    assert record is not None
    return record


async def test_a_following_that_is_asked_for_brings_the_standby_on() -> None:
    async with open_pair() as pair:
        await pair.world.fill(NOTES, [note(1)])
        await pair.back_up()
        reply = await ask(pair, FollowingRequest, pair="contoso")
        assert reply.status == 202
        record = await record_of(pair, reply)
        assert (record.kind, record.state, [item.index.index for item in record.items]) == ("follow", "done", ["notes"])
        again = await record_of(pair, await ask(pair, FollowingRequest, pair="contoso"))
        assert (again.state, again.items) == ("done", [])
        with pytest.raises(NotFoundError, match="no pair of this name"):
            await ask(pair, FollowingRequest, pair="none")


async def test_following_is_turned_on_again_only_where_overwriting_is_asked_for() -> None:
    async with open_pair() as pair:
        await pair.world.fill(NOTES, [note(1)])
        await pair.swap(WEST, generation=1, following=False)
        with pytest.raises(ConflictError, match="following is off"):
            await ask(pair, FollowingRequest, pair="contoso")
        assert (await pair_role(pair.world.clients, "contoso")).role.generation == 1
        await ask(pair, FollowingRequest, pair="contoso", overwrite=True)
        seen = await pair_role(pair.world.clients, "contoso")
        assert (seen.role.generation, seen.role.active, seen.role.following) == (2, WEST, True)


async def test_a_pair_is_measured_and_repaired_on_request() -> None:
    async with open_pair(pair=HOT, activities=ACTIVITIES, workflows=WORKFLOWS) as pair:
        await pair.world.fill(NOTES, [note(1), note(2)])
        await pair.world.fill(NOTES, [note(1), note(3)], service=WEST)
        record = await record_of(pair, await ask(pair, DriftRequest, pair="contoso"))
        assert (record.kind, [item.index.index for item in record.items]) == ("drift", ["notes", "$service"])
        assert len(await pair.world.documents(WEST, "notes", "id")) == 2
        await ask(pair, DriftRequest, pair="contoso", repair_from=EAST)
        assert await pair.world.documents(WEST, "notes", "id") == [note(1), note(2)]


@pytest.mark.parametrize(
    ("members", "on"),
    [
        ({"pair": "contoso", "one": f"{EAST}/notes"}, "body.one"),
        ({"pair": "contoso", "by_counts": True}, "body.by_counts"),
        ({"pair": "contoso", "repair_from": "contoso-north"}, "body.repair_from"),
        ({"one": f"{EAST}/notes"}, "body.other"),
        ({}, "body.one"),
    ],
)
async def test_what_makes_no_sense_is_refused(members: dict[str, Any], on: str) -> None:
    async with open_pair(pair=HOT) as pair:
        with pytest.raises(RequestError) as raised:
            await ask(pair, DriftRequest, **members)
        assert raised.value.on == on
