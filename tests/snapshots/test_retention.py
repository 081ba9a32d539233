"""Golden tables of what is kept and why, and properties of every policy."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.snapshots.names import SnapshotReference, snapshot_id
from indexvault.snapshots.retention import Decision, Retention, decide
from indexvault.snapshots.summary import Summary, damaged_summary

GOLDEN = Path(__file__).resolve().parent.parent / "fixtures" / "retention"
STATES = {"c": "complete", "l": "lossy", "d": "damaged", "p": "presumed", "u": "unsettled"}
FULL = "20260101T000000Z-7f3a9c"


def snapshot(time: str | datetime, state: str = "complete", index: str = "hotels") -> Summary:
    created = datetime.fromisoformat(time).replace(tzinfo=UTC) if isinstance(time, str) else time
    made = snapshot_id(created, created.isoformat().encode()[-3:])
    summary = damaged_summary(SnapshotReference(service="contoso-east", index=index, id=made))
    return msgspec.structs.replace(summary, state=state, proved=FULL if state == "presumed" else "")


def every(step: timedelta, number: int, until: str = "2026-11-20T02:30") -> list[Summary]:
    newest = datetime.fromisoformat(until).replace(tzinfo=UTC)
    return [snapshot(newest - step * back) for back in range(number)]


def with_states(snapshots: list[Summary], states: str) -> list[Summary]:
    """Return snapshots with these states, from the newest on and repeating: c complete, l lossy, d damaged,
    p presumed, P presumed with a loss, u unsettled.
    """
    kinds = [states[place % len(states)] for place in range(len(snapshots))]
    return [
        msgspec.structs.replace(
            each,
            state=STATES[kind.lower()],
            proved=FULL if kind in "pP" else "",
            losses=1 if kind in "Pl" else 0,
        )
        for kind, each in zip(kinds, snapshots, strict=True)
    ]


def table(decisions: list[Decision]) -> str:
    lines = [
        f"{each.snapshot.created:%Y-%m-%dT%H:%M %a} {each.snapshot.state:8} {'keep  ' if each.keep else 'remove'} "
        f"{', '.join(each.reasons)}"
        for each in decisions
    ]
    return "\n".join(lines) + "\n"


DAYS = every(timedelta(days=1), 45)
NEW_YEAR = every(timedelta(days=1), 40, until="2027-01-06T02:30")
BUSY = every(timedelta(minutes=20), 80)

SCENARIOS = {
    "last": (DAYS[:6], [Retention(last=3)]),
    "hourly": (BUSY[:20], [Retention(hourly=4)]),
    "daily": (BUSY, [Retention(daily=2)]),
    "weekly": (DAYS, [Retention(weekly=4)]),
    "weekly_around_new_year": (NEW_YEAR, [Retention(weekly=3, yearly=2)]),
    "monthly": (every(timedelta(days=9), 20), [Retention(monthly=5)]),
    "yearly": (every(timedelta(days=100), 12), [Retention(yearly=3)]),
    "within": (DAYS[:10], [Retention(within=timedelta(days=3))]),
    "grandfather": (
        every(timedelta(hours=12), 150),
        [Retention(last=2, daily=7, weekly=4, monthly=3, within=timedelta(hours=36))],
    ),
    "gaps": ([*DAYS[:2], *DAYS[20:23], *DAYS[40:]], [Retention(daily=4, weekly=2)]),
    "lossy_between": (with_states(DAYS[:12], "lclc"), [Retention(daily=3)]),
    "lossy_within_a_day": (with_states(BUSY, "lllc"), [Retention(daily=2)]),
    "lossy_lately": (with_states(DAYS[:12], "llllllcccccc"), [Retention(daily=3)]),
    "lossy_always": (with_states(DAYS[:12], "l"), [Retention(daily=3)]),
    "lossy_once": (with_states(DAYS[:12], "cccccccccccl"), [Retention(daily=3)]),
    "lossy_within": (with_states(DAYS[:8], "lc"), [Retention(within=timedelta(days=2))]),
    "presumed_days": (with_states(DAYS[:16], "pppppcppppppc"), [Retention(daily=4)]),
    "presumed_within_a_day": (with_states(BUSY, "ppppppppppppppppppppppppppcp"), [Retention(daily=2, hourly=3)]),
    "presumed_last": (with_states(DAYS[:10], "ppppppcpc"), [Retention(last=3)]),
    "presumed_of_a_lossy_index": (with_states(DAYS[:10], "PPPPlPPlPP"), [Retention(daily=2)]),
    "presumed_and_lossy": (with_states(DAYS[:10], "lPpupcplcp"), [Retention(daily=3)]),
    "presumed_always": (with_states(DAYS[:6], "p"), [Retention(last=2)]),
    "presumed_around_a_proof": (with_states(BUSY, "pppppc" + "p" * 74), [Retention(within=timedelta(hours=3))]),
    "damaged": (with_states(DAYS[:8], "dcdc"), [Retention(last=1)]),
    "two_policies": (DAYS[:20], [Retention(daily=2), Retention(weekly=2)]),
    "a_policy_without_rules": (DAYS[:3], [Retention(last=1), Retention()]),
    "no_policy": (DAYS[:3], []),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_is_as_in_the_golden_table(scenario: str) -> None:
    snapshots, policies = SCENARIOS[scenario]
    assert table(decide(snapshots, policies)) == (GOLDEN / f"{scenario}.txt").read_text()


def test_every_golden_table_has_its_scenario() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SCENARIOS)


def test_pins_hold() -> None:
    oldest = DAYS[9]
    decisions = decide(DAYS[:10], [Retention(last=1)], pinned={oldest.id})
    assert [(each.snapshot.id, each.reasons) for each in decisions if each.keep] == [
        (DAYS[0].id, ("last 1", "the last complete one")),
        (oldest.id, ("pinned",)),
    ]


def test_nothing_goes_for_a_snapshot_of_a_clock_that_was_wrong() -> None:
    wrong = snapshot("2030-01-01T02:30")
    decisions = decide([wrong, *DAYS[:4]], [Retention(within=timedelta(days=1))], now=DAYS[0].created)
    assert [each.keep for each in decisions] == [True, True, True, False, False]
    assert decisions[0].reasons == ("it is dated in the future",)


def test_a_snapshot_made_by_a_clock_a_little_ahead_counts_as_any_other() -> None:
    decisions = decide(DAYS[:2], [Retention(last=1)], now=DAYS[0].created - timedelta(minutes=5))
    assert [each.keep for each in decisions] == [True, False]


def test_periods_end_at_natural_boundaries_in_utc() -> None:
    before, after = snapshot("2026-11-19T23:59:59"), snapshot("2026-11-20T00:00:00")
    assert [each.keep for each in decide([before, after], [Retention(daily=2)])] == [True, True]
    sunday, monday = snapshot("2026-11-15T23:59:59"), snapshot("2026-11-16T00:00:00")
    assert [each.keep for each in decide([sunday, monday], [Retention(weekly=2)])] == [True, True]
    assert [each.keep for each in decide([monday, after], [Retention(weekly=2)])] == [True, False]


def test_indexes_are_decided_each_for_itself() -> None:
    mixed = [*DAYS[:3], *(msgspec.structs.replace(each, index="motels") for each in DAYS[1:4])]
    kept = [each.snapshot for each in decide(mixed, [Retention(last=1)]) if each.keep]
    assert [(each.index, each.id) for each in kept] == [("hotels", DAYS[0].id), ("motels", DAYS[1].id)]


def test_nothing_is_decided_about_nothing() -> None:
    assert decide([], [Retention(last=1, within=timedelta(days=1))]) == []


def test_settings_are_read_with_durations_and_without_negatives() -> None:
    read = msgspec.json.decode(b'{"daily":7,"within":"P30D"}', type=Retention)
    assert read == Retention(daily=7, within=timedelta(days=30))
    for wrong in (b'{"daily":-1}', b'{"dayly":7}', b'{"within":30.5e30}', b'{"within":"a month"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=Retention)


numbers = st.integers(min_value=0, max_value=4)
retentions = st.builds(
    Retention,
    last=numbers,
    hourly=numbers,
    daily=numbers,
    weekly=numbers,
    monthly=numbers,
    yearly=numbers,
    within=st.none() | st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=60)),
)
timelines = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=24 * 500),
        st.sampled_from(["complete", "complete", "lossy", "presumed", "presumed", "damaged"]),
    ),
    max_size=40,
    unique_by=lambda pair: pair[0],
).map(
    lambda pairs: [
        snapshot(datetime(2026, 11, 20, 2, 30, tzinfo=UTC) - timedelta(hours=hours), state) for hours, state in pairs
    ]
)


def kept(snapshots: list[Summary], *policies: Retention) -> set[str]:
    return {each.snapshot.id for each in decide(snapshots, policies) if each.keep}


def _newest(snapshots: list[Summary]) -> set[str]:
    return {max(snapshots, key=lambda each: each.created).id} if snapshots else set()


class TestForEveryPolicy:
    @given(timelines, retentions)
    def test_every_snapshot_gets_one_decision_with_a_reason(self, line: list[Summary], policy: Retention) -> None:
        decisions = decide(line, [policy])
        assert sorted(each.snapshot.id for each in decisions) == sorted(each.id for each in line)
        assert all(each.reasons for each in decisions)

    @given(timelines, retentions)
    def test_the_last_complete_one_stays(self, line: list[Summary], policy: Retention) -> None:
        complete = [each for each in line if each.state == "complete"]
        if complete:
            assert max(complete, key=lambda each: each.created).id in kept(line, policy)

    @given(timelines, retentions)
    def test_the_newest_readable_one_stays(self, line: list[Summary], policy: Retention) -> None:
        readable = [each for each in line if each.state != "damaged"]
        if readable:
            assert max(readable, key=lambda each: each.created).id in kept(line, policy)

    @given(timelines, retentions)
    def test_lossy_ones_change_nothing_for_complete_ones(self, line: list[Summary], policy: Retention) -> None:
        line = [each for each in line if each.state != "presumed"]
        complete = [each for each in line if each.state == "complete"]
        assert kept(line, policy) & {each.id for each in complete} == kept(complete, policy)

    @given(timelines, retentions)
    def test_lossy_ones_change_nothing_for_presumed_ones(self, line: list[Summary], policy: Retention) -> None:
        whole = [each for each in line if each.state in {"complete", "presumed"}]
        assert kept(line, policy) & {each.id for each in whole} >= kept(whole, policy) - _newest(whole)

    @given(timelines, retentions)
    def test_the_last_proved_one_stays_where_some_are_presumed(self, line: list[Summary], policy: Retention) -> None:
        proved = [each for each in line if each.is_proved]
        if proved and any(each.state == "presumed" for each in line):
            assert _newest(proved) <= kept(line, policy)

    @given(timelines, st.sampled_from(["hourly", "daily", "weekly", "monthly", "yearly"]))
    def test_a_presumed_one_never_stands_for_a_complete_one_of_its_period(self, line: list[Summary], rule: str) -> None:
        policy = msgspec.structs.replace(Retention(), **{rule: 500})
        for each in decide(line, [policy]):
            if each.snapshot.state == "presumed" and any(why.startswith(rule) for why in each.reasons):
                (period,) = (why for why in each.reasons if why.startswith(rule))
                others = decide([one for one in line if one.state == "complete"], [policy])
                assert not any(period in other.reasons for other in others)

    @given(timelines, retentions, retentions)
    def test_another_policy_removes_no_more(self, line: list[Summary], one: Retention, other: Retention) -> None:
        assert kept(line, one, other) == kept(line, one) | kept(line, other)

    @given(timelines, retentions)
    def test_pruning_again_removes_nothing(self, line: list[Summary], policy: Retention) -> None:
        once = kept(line, policy)
        assert kept([each for each in line if each.id in once], policy) == once

    @given(timelines, retentions, st.data())
    def test_a_pin_keeps_and_removes_nothing_else(
        self, line: list[Summary], policy: Retention, data: st.DataObject
    ) -> None:
        pinned = set(data.draw(st.lists(st.sampled_from([each.id for each in line] or [""]), max_size=3)))
        with_pins = {each.snapshot.id for each in decide(line, [policy], pinned) if each.keep}
        assert with_pins == kept(line, policy) | (pinned & {each.id for each in line})

    @given(timelines)
    def test_no_rules_remove_nothing(self, line: list[Summary]) -> None:
        assert kept(line, Retention()) == kept(line) == {each.id for each in line}

    @given(timelines, retentions, st.randoms(use_true_random=False))
    def test_the_order_they_come_in_does_not_matter(
        self, line: list[Summary], policy: Retention, order: object
    ) -> None:
        shuffled = list(line)
        order.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
        assert decide(shuffled, [policy]) == decide(line, [policy])
