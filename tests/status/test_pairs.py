"""What the status says of pairs: roles, the standby's age, what failed, and drift."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from indexvault.errors import ConflictError
from indexvault.recovery.drift_records import DriftState, write_drift
from indexvault.recovery.pair_role import SeenRole
from indexvault.recovery.standby_records import StandbyState, write_state
from indexvault.settings.model import PairSettings, PolicySettings
from indexvault.snapshots.roles import PairRole, first_role
from indexvault.status.alerts import alerts_of, oldest_recovery_point
from indexvault.status.facts import PairFacts
from indexvault.status.gather import read_fleet
from indexvault.status.pairs import PairReadings, pair_facts
from tests.recovery.conftest import NOTES, note
from tests.recovery.dead import DeadStore
from tests.recovery.pairs import PAIR, PairWorld, open_pair
from tests.world import EAST, WEST

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOT = replace(PAIR, mode="hot-hot", drift_schedule="0 0 * * * *")
FIRST = SeenRole(first_role("contoso", EAST))
EQUAL = StandbyState(
    pair="contoso",
    index="notes",
    source=EAST,
    service=WEST,
    generation=0,
    run="follow-1",
    tried_at=NOW - 10 * MINUTE,
    snapshot="20261122T083000Z-7f3a9c",
    created=NOW - 30 * MINUTE,
    equal_at=NOW - 10 * MINUTE,
)
ALIKE = DriftState(
    pair="contoso", index="notes", one=EAST, other=WEST, run="x", tried_at=NOW, measured=NOW - 5 * MINUTE
)
FAILURE = ConflictError("its schema is another", on="contoso-west/notes", do="Delete it").record()


def facts(
    *states: StandbyState,
    pair: PairSettings = PAIR,
    drifts: Sequence[DriftState] | str = (),
    seen: SeenRole | str = FIRST,
    expected: Sequence[str] | None = ("notes",),
) -> PairFacts:
    read = PairReadings(seen=seen, states=states, drifts=drifts)
    return pair_facts("contoso", pair, read, expected=expected, last_drill=None, now=NOW)


def told(found: PairFacts) -> list[tuple[str, str]]:
    """Return the levels and kinds of all that is said of a pair and its indexes."""
    healths = [found.health, *(each.health for each in found.indexes)]
    return [(reason.level, reason.kind) for health in healths for reason in health.reasons if reason.kind != "indexes"]


def test_a_standby_within_its_recovery_point_is_green() -> None:
    found = facts(EQUAL)
    assert told(found) == [("green", "well"), ("green", "well")]
    assert (found.active, found.standby, found.generation, found.following) == (EAST, WEST, 0, True)
    assert found.as_of == EQUAL.created


OLD = replace(EQUAL, created=NOW - 2 * HOUR)


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        (OLD, [("red", "standby")]),
        (replace(OLD, unchanged=NOW - 5 * MINUTE), [("green", "well")]),
        (replace(EQUAL, failure=FAILURE, failed_since=NOW - HOUR), [("amber", "follow-failed")]),
        (replace(OLD, failure=FAILURE, failed_since=NOW - HOUR), [("red", "standby"), ("amber", "follow-failed")]),
        (replace(OLD, gone_since=NOW), [("amber", "gone")]),
        (replace(EQUAL, snapshot=None, created=None, towards="x"), [("red", "standby")]),
    ],
)
def test_what_is_wrong_with_an_index_of_the_standby(state: StandbyState, kinds: list[tuple[str, str]]) -> None:
    found = facts(state)
    assert told(found)[len(found.health.reasons) - sum(r.kind == "indexes" for r in found.health.reasons) :] == kinds


def test_an_index_that_has_no_copy_is_red_and_makes_the_pair_red() -> None:
    found = facts(EQUAL, expected=["notes", "rooms"])
    assert [(each.index, each.health.level) for each in found.indexes] == [("notes", "green"), ("rooms", "red")]
    assert found.indexes[1].health.reasons[0].what == "contoso-west has no copy of it that was proved"
    assert (found.health.level, found.health.reasons[0].what) == ("red", "rooms is red")
    assert found.as_of is None


def test_after_a_planned_swap_the_old_active_service_is_as_recent_as_the_swap() -> None:
    role = PairRole(pair="contoso", generation=1, active=WEST, since=NOW - 30 * MINUTE, run="failover-1")
    assert told(facts(seen=SeenRole(role))) == [("green", "well"), ("green", "well")]
    assert told(facts(seen=SeenRole(replace(role, since=NOW - 2 * HOUR))))[-1] == ("red", "standby")
    # It may differ where the swap was not planned, and following was turned on since.
    assert told(facts(seen=SeenRole(replace(role, planned=False))))[-1] == ("red", "standby")


def test_the_role_fails_closed() -> None:
    assert told(facts(seen="store east: no answer"))[0] == ("red", "role")
    partly = facts(EQUAL, seen=SeenRole(FIRST.role, ("west",)))
    assert told(partly)[0] == ("red", "role")
    assert partly.unread == ("west",)


def test_following_that_is_off_is_told_with_what_to_do() -> None:
    role = PairRole(pair="contoso", generation=1, active=WEST, run="failover-1", planned=False, following=False)
    found = facts(seen=SeenRole(role))
    assert told(found) == [("amber", "follow-off"), ("green", "well")]
    reason = found.health.reasons[0]
    assert reason.what == (
        "following is off since run failover-1: contoso-east may hold documents that contoso-west lacks"
    )
    assert "indexvault follow contoso" in reason.do


@pytest.mark.parametrize(
    ("drift", "kinds"),
    [
        (ALIKE, [("green", "well")]),
        (replace(ALIKE, changed=3, since=NOW - 5 * MINUTE), [("amber", "drift")]),
        (replace(ALIKE, changed=3, since=NOW - 2 * HOUR), [("red", "drift")]),
        (replace(ALIKE, measured=NOW - 3 * HOUR), [("amber", "drift")]),
        (replace(ALIKE, failure=FAILURE), [("amber", "drift")]),
        (replace(ALIKE, measured=None), [("amber", "drift")]),
        (replace(ALIKE, absent=WEST, since=NOW), [("amber", "drift")]),
    ],
)
def test_what_is_wrong_with_an_index_that_both_are_written_to(drift: DriftState, kinds: list[tuple[str, str]]) -> None:
    (index,) = facts(pair=HOT, drifts=[drift]).indexes
    assert [(reason.level, reason.kind) for reason in index.health.reasons] == kinds


def test_a_drift_says_how_much_and_how_to_repair_it() -> None:
    drift = replace(ALIKE, changed=37, missing=5, extra=3, definition=["fields/text"], since=NOW - 5 * MINUTE)
    (index,) = facts(pair=replace(HOT, authority=WEST), drifts=[drift]).indexes
    reason = index.health.reasons[0]
    assert reason.what == (
        "37 documents changed, 5 missing and 3 extra on contoso-west; definitions differ: fields/text, for 5 minutes"
    )
    assert reason.do == "`indexvault compare contoso --repair-from contoso-west` repairs documents"


def test_an_index_that_was_never_measured_is_told() -> None:
    (index,) = facts(pair=HOT).indexes
    assert [(reason.level, reason.kind) for reason in index.health.reasons] == [("amber", "drift")]


def test_of_a_cold_pair_only_the_role_is_told() -> None:
    found = facts(pair=replace(PAIR, mode="hot-cold"))
    assert (told(found), found.indexes) == ([("green", "well")], ())


async def test_it_is_gathered_and_becomes_alerts() -> None:
    policies = {
        "hourly": PolicySettings(service=EAST, schedule="0 0 * * * *", replicate_to=("westus2",)),
        "west": PolicySettings(service=WEST, schedule="0 0 * * * *"),
    }
    async with open_pair(policies=policies) as pair:
        await paired(pair)
        fleet = await read_fleet(pair.resources)
        (found,) = fleet.pairs
        assert [(each.index, each.health.level) for each in found.indexes] == [("notes", "green"), ("rooms", "red")]
        alerts = {(each.kind, each.subject): each for each in alerts_of(fleet)}
        assert ("standby", "contoso-west/rooms") in alerts
        assert alerts["standby", "contoso-west/rooms"].level == "red"
        # Nothing is expected of the standby's own backups meanwhile.
        west = next(each for each in fleet.services if each.service == WEST)
        assert (west.health.level, west.policies) == ("grey", ())
        assert not any(subject.startswith("contoso-west/notes") for _kind, subject in alerts)
        assert oldest_recovery_point(fleet)[0] is not None

        await pair.world.fill(NOTES | {"name": "own"}, [note(1)], service=WEST)
        only = await read_fleet(pair.resources, service=WEST)
        assert [each.pair for each in only.pairs] == ["contoso"]


async def paired(pair: PairWorld) -> None:
    for name in ("notes", "rooms"):
        await pair.world.fill(NOTES | {"name": name}, [note(1)])
    await pair.back_up()
    await pair.tick()
    await pair.back_up("rooms")


async def test_a_store_that_is_gone_is_told_and_holds_nothing_up() -> None:
    async with open_pair() as pair:
        await paired(pair)
        dead = DeadStore("westus2")
        pair.world.clients._given_stores = {**pair.world.clients._given_stores, "westus2": dead}
        pair.world.clients._stores.pop("westus2", None)
        fleet = await read_fleet(pair.resources)
        (found,) = fleet.pairs
        assert ("red", "role") in told(found)
        assert ("red", "unread") in told(found)
        assert found.active == EAST


async def test_a_drift_is_gathered_from_the_standby_s_store() -> None:
    async with open_pair(pair=HOT) as pair:
        await pair.world.fill(NOTES, [note(1)])
        drift: Any = replace(ALIKE, changed=1, since=pair.clock.now, measured=pair.clock.now, tried_at=pair.clock.now)
        await write_drift(pair.west_runs, drift)
        await write_state(pair.west_runs, replace(EQUAL, tried_at=pair.clock.now))  # of another mode, and not read
        fleet = await read_fleet(pair.resources)
        (index,) = fleet.pairs[0].indexes
        assert index.drift is not None
        assert (index.drift.changed, index.as_of) == (1, None)
        assert ("drift", "contoso-west/notes") in {(each.kind, each.subject) for each in alerts_of(fleet)}
