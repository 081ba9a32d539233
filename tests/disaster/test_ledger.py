"""What is lost follows from the ledger and from what is there."""

from typing import Any

import pytest

from tests.disaster.ledger import Write, judge


def write(seq: int, key: str, *, deleted: bool = False, acknowledged: bool = True) -> Write:
    document = None if deleted else {"id": key, "seq": seq}
    return Write(seq, key, document, "east", sent=seq - 0.5, acknowledged=float(seq) if acknowledged else None)


WRITES = [write(1, "a"), write(2, "b"), write(3, "a"), write(4, "b", deleted=True), write(5, "c"), write(6, "a")]


def state(**seqs: int) -> dict[str, dict[str, Any]]:
    return {key: {"id": key, "seq": seq} for key, seq in seqs.items()}


@pytest.mark.parametrize(
    ("there", "lost", "strange"),
    [
        (state(a=6, c=5), [], []),
        (state(a=3, c=5), [6], []),
        (state(a=1, b=2), [3, 4, 5, 6], []),
        (state(), [1, 3, 5, 6], []),  # b is as it was deleted
        (state(a=6, b=2, c=5), [4], []),
        (state(a=7, c=5), [], ["a"]),
        (state(a=6, c=5, d=9), [], ["d"]),
    ],
)
def test_lost_is_what_was_acknowledged_after_what_is_there(
    there: dict[str, Any], lost: list[int], strange: list[str]
) -> None:
    found = judge(WRITES, there)
    assert ([each.seq for each in found.lost], list(found.strange)) == (lost, strange)


def test_a_write_that_nobody_knows_of_may_be_there_or_not() -> None:
    writes = [write(1, "a"), write(2, "a", acknowledged=False)]
    assert judge(writes, state(a=1)).lost == judge(writes, state(a=2)).lost == ()


def test_the_window_is_the_age_of_the_first_lost_write() -> None:
    assert judge(WRITES, state(a=3, c=5)).since(10.0) == 4.0
    assert judge(WRITES, state(a=6, c=5)).since(10.0) == 0.0


def test_what_was_lost_once_is_forgiven_and_what_it_wrote_over_counts() -> None:
    lost = frozenset({3, 6})
    assert judge(WRITES, state(a=1, c=5), forgiven=lost).lost == ()
