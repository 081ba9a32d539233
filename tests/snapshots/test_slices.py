"""Slices: every chunk is due once in a period."""

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import SettingsError
from indexvault.snapshots.slices import Slice, due_slices, turn_of

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = timedelta(days=7)


def test_every_chunk_is_in_one_slice_and_slices_are_even() -> None:
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(12_000)]
    slices = [Slice(number, 12) for number in range(1, 13)]
    found = Counter(str(part) for sha256 in hashes for part in slices if part.has(sha256))
    assert sum(found.values()) == len(hashes)
    assert min(found.values()) > 850


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "1/0", "-1/3", "1/3/5", "1/x", "٣/٤"])
def test_what_is_no_slice_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        Slice.parse(text)


def test_a_slice_reads_as_it_is_written() -> None:
    assert str(Slice.parse("3/12")) == "3/12"


def test_weekly_turns_begin_on_monday() -> None:
    sunday = MONDAY - timedelta(seconds=1)
    assert turn_of(MONDAY, WEEK) == turn_of(MONDAY + WEEK - timedelta(seconds=1), WEEK) == turn_of(sunday, WEEK) + 1


def test_the_same_turn_is_not_due_twice() -> None:
    assert due_slices(turn_of(MONDAY, WEEK), MONDAY + timedelta(days=3), every=WEEK, period=4 * WEEK) == []


def test_a_last_turn_in_the_future_stops_nothing() -> None:
    """A clock that was wrong once must not keep chunks from being verified until that day."""
    wrong = turn_of(MONDAY + 500 * WEEK, WEEK)
    (due,) = due_slices(wrong, MONDAY, every=WEEK, period=4 * WEEK)
    assert due == due_slices(None, MONDAY, every=WEEK, period=4 * WEEK)[0]


def test_a_period_shorter_than_a_turn_reads_everything() -> None:
    assert due_slices(None, MONDAY, every=WEEK, period=timedelta(days=1)) == [Slice(1, 1)]


@given(st.lists(st.integers(min_value=0, max_value=6), max_size=60), st.integers(min_value=1, max_value=9))
def test_whatever_turns_are_missed_a_period_covers_every_slice(gaps: list[int], total: int) -> None:
    """In any `total` turns that end with a tick, every slice has been due."""
    last: int | None = None
    dealt: dict[int, int] = {}
    now = MONDAY
    for gap in [0, *gaps, *[1] * total]:
        now += gap * WEEK
        for part in due_slices(last, now, every=WEEK, period=total * WEEK):
            assert part.total == total
            dealt[part.number] = turn_of(now, WEEK)
        last = turn_of(now, WEEK)
    assert set(dealt) == set(range(1, total + 1))
    assert min(dealt.values()) > turn_of(now, WEEK) - total
