"""What is said of a service from what is known of it."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from indexvault.recovery.drift_records import DriftState
from indexvault.recovery.index_health import Finding
from indexvault.recovery.service_health import Content, RoleHere, SideFacts, judge_content, judge_side, role_here
from indexvault.snapshots.roles import PairRole, first_role

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
EAST, WEST = "contoso-east", "contoso-west"


def test_only_an_active_side_that_answers_with_recent_content_is_up() -> None:
    every = product(
        get_args(RoleHere.__value__),
        [*get_args(Finding.__value__), None],
        get_args(Content.__value__),
        [False, True],
        [False, True],
    )
    up = {
        facts[:3]
        for facts in every
        if judge_side(
            SideFacts(role=facts[0], indexes=facts[1], content=facts[2], is_kept=facts[3], is_alone=facts[4])
        ).status
        == "up"
    }
    assert up == {("active", "answers", "recent")}


def test_the_reason_says_whose_word_the_role_is() -> None:
    assert judge_side(SideFacts(role="active", indexes="answers")).reason == (
        "this side is active, and its indexes answer"
    )
    alone = judge_side(SideFacts(role="active", indexes="answers", is_alone=True)).reason
    kept = judge_side(SideFacts(role="active", indexes="answers", is_kept=True, is_alone=True)).reason
    assert alone.endswith("the role is from one store, since the other does not answer")
    assert kept.endswith("the role is the one that was read last, since no store answers")


def test_one_side_is_active_and_both_of_a_hot_hot_pair() -> None:
    role = first_role("contoso", EAST)
    assert [role_here(role, each, is_hot_hot=False) for each in (EAST, WEST)] == ["active", "other"]
    assert [role_here(role, each, is_hot_hot=True) for each in (EAST, WEST)] == ["active", "active"]
    assert role_here(None, EAST, is_hot_hot=True) == "unknown"


def drift(**changes: object) -> DriftState:
    members = {"pair": "contoso", "index": "hotels", "one": EAST, "other": WEST, "run": "r", "tried_at": NOW}
    return DriftState(**(members | changes))  # type: ignore[arg-type]


SWAPPED = PairRole(pair="contoso", generation=1, active=WEST, since=NOW - HOUR, planned=False, following=False)
FIRST = first_role("contoso", EAST)
BACK = PairRole(pair="contoso", generation=2, active=EAST, since=NOW - HOUR)
NEW, OLD = {"since": NOW - timedelta(minutes=59), "changed": 1}, {"since": NOW - timedelta(minutes=61), "changed": 1}
ALIKE = {"measured": NOW - timedelta(minutes=5)}


@pytest.mark.parametrize(
    ("role", "service", "drifts", "expected"),
    [
        (FIRST, WEST, [], "recent"),
        (FIRST, WEST, [NEW], "recent"),
        (FIRST, WEST, [ALIKE, OLD], "behind"),
        (FIRST, EAST, [ALIKE, OLD], "recent"),  # the authority
        (BACK, WEST, [OLD], "behind"),
        # West took over while east, the authority, was down: west is right, whatever a measurement says.
        (SWAPPED, WEST, [], "recent"),
        (SWAPPED, WEST, [OLD], "recent"),
        (SWAPPED, EAST, [], "unproved"),
        (SWAPPED, EAST, [ALIKE], "recent"),
        (SWAPPED, EAST, [{"measured": NOW - 2 * HOUR}], "unproved"),
        (SWAPPED, EAST, [ALIKE | NEW], "unproved"),
        (SWAPPED, EAST, [ALIKE, {}], "unproved"),
        (SWAPPED, EAST, [OLD], "behind"),
    ],
)
def test_a_side_of_a_hot_hot_pair_is_behind_when_its_drift_lasts(
    role: PairRole, service: str, drifts: list[dict[str, object]], expected: str
) -> None:
    states = [drift(**each) for each in drifts]
    assert judge_content(states, role, service, authority=EAST, recovery_point=HOUR, now=NOW) == expected
