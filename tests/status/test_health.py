"""How an index is judged: every level with its reason in words."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from indexvault.status.health import Judged, JudgedReplica, health_of, in_words, judge_index, worst

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
DUE = datetime(2026, 11, 20, 2, tzinfo=UTC)
DAY = timedelta(days=1)
WELL = Judged(
    now=NOW,
    is_on_service=True,
    policies=("nightly",),
    recovery_point=2 * DAY,
    scheduled=DUE,
    newest_state="complete",
    first=NOW - 3 * DAY,
    last_whole=DUE + timedelta(minutes=3),
    last_proved=DUE + timedelta(minutes=3),
    last_verified=NOW - 3 * DAY,
)


def test_an_index_with_all_it_should_have_is_green_and_says_how_old_its_snapshot_is() -> None:
    found = judge_index(WELL)
    assert (found.level, found.words) == ("green", "the last complete snapshot is 6 hours 57 minutes old")


@pytest.mark.parametrize(
    ("changes", "level", "kind", "words"),
    [
        ({"last_whole": NOW - 2 * DAY}, "amber", "late", "was due 7 hours ago"),
        ({"last_whole": NOW - 2 * DAY - timedelta(seconds=1)}, "red", "recovery-point", "2 days old, and 2 days is"),
        ({"last_whole": None, "newest_state": None}, "red", "no-snapshot", "there is no complete snapshot"),
        ({"last_whole": None, "newest_state": "lossy"}, "red", "no-snapshot", "the newest is lossy"),
        ({"newest_state": "lossy"}, "amber", "lossy", "it lacks fields"),
        ({"newest_state": "unsettled"}, "amber", "unsettled", "may lack documents"),
        ({"failure": "no such key"}, "amber", "run-failed", "the last run failed: no such key"),
        ({"damage": ["the manifest of snapshot 1 has vanished"]}, "red", "integrity", "has vanished"),
        ({"unauthentic": 2}, "amber", "unauthentic", "2 snapshots"),
        ({"is_revealed": True}, "red", "revealed", "left revealed"),
        ({"unread": ["store east: no answer"]}, "red", "unread", "store east: no answer"),
        ({"last_verified": NOW - 16 * DAY}, "amber", "unverified", "16 days"),
        ({"last_verified": None, "first": NOW - 40 * DAY}, "amber", "unverified", "40 days"),
        ({"drill_failure": "a chunk is damaged"}, "red", "drill", "the last drill failed: a chunk is damaged"),
        ({"drill_within": 14 * DAY, "last_drill": NOW - 15 * DAY}, "amber", "drill", "15 days old"),
        ({"drill_within": 14 * DAY, "first": NOW - 15 * DAY}, "amber", "drill", "no drill has succeeded"),
        ({"prove_every": 7 * DAY, "last_proved": NOW - 10 * DAY}, "amber", "unproved", "10 days old"),
        ({"prove_every": 7 * DAY, "last_proved": None}, "amber", "unproved", "none was"),
        ({"is_on_service": False, "last_whole": NOW - 90 * DAY}, "grey", "gone", "not on the service any more"),
        ({"policies": (), "recovery_point": None, "scheduled": None}, "grey", "no-policy", "no policy"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, object], level: str, kind: str, words: str) -> None:
    found = judge_index(replace(WELL, **changes))
    assert (found.level, found.reasons[0].kind) == (level, kind)
    assert words in found.words


@pytest.mark.parametrize(
    ("replica", "level", "words"),
    [
        (JudgedReplica(store="west", last_whole=DUE), "green", "complete"),
        (JudgedReplica(store="west", last_whole=DUE - DAY, behind=1), "amber", "store west lacks 1 complete snapshot"),
        (JudgedReplica(store="west", last_whole=DUE - 3 * DAY, behind=3), "red", "last complete copy in store west"),
        (JudgedReplica(store="west", behind=3), "red", "store west has no complete copy"),
        (JudgedReplica(store="west", unread="store west: no answer"), "red", "store west: no answer"),
    ],
)
def test_a_replica_has_a_recovery_point_too(replica: JudgedReplica, level: str, words: str) -> None:
    found = judge_index(replace(WELL, replicas=[replica]))
    assert found.level == level
    assert words in found.words


def test_nothing_is_called_well_that_could_not_be_read() -> None:
    """An index of which only a part could be read has no green reason."""
    found = judge_index(replace(WELL, unread=["the records can't be read"]))
    assert {reason.level for reason in found.reasons} == {"red"}


def test_while_a_run_is_at_work_nothing_is_late() -> None:
    assert judge_index(replace(WELL, last_whole=NOW - DAY, is_running=True)).level == "green"
    soon = replace(WELL, now=DUE + timedelta(minutes=15), last_whole=DUE - DAY)
    assert judge_index(soon).level == "green"
    assert judge_index(replace(soon, now=DUE + timedelta(minutes=16))).level == "amber"


def test_the_worst_reason_comes_first() -> None:
    found = judge_index(replace(WELL, newest_state="lossy", damage=["pack x is damaged"], is_revealed=True))
    assert [reason.level for reason in found.reasons] == ["red", "red", "amber"]
    assert worst(["green", "amber", "grey"]) == "amber"
    assert worst([]) == "grey"
    assert health_of([]).level == "green"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(days=1, hours=2, minutes=3), "1 day 2 hours"),
        (timedelta(days=2, minutes=3), "2 days 3 minutes"),
        (timedelta(hours=26), "1 day 2 hours"),
    ],
)
def test_spans_in_words(span: timedelta, words: str) -> None:
    assert in_words(span) == words
