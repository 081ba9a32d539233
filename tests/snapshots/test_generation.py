"""When a new generation of chunks begins."""

from datetime import timedelta

import msgspec
import pytest

from indexvault.snapshots.generation import choose_generation
from indexvault.snapshots.summary import Summary, summarise
from indexvault.snapshots.tree import Tree
from tests.snapshots.samples import MORNING, manifest_of

DAY = timedelta(days=1)
MONTH = timedelta(days=30)


def snapshot(days: float, generation: str = "") -> Summary:
    return summarise(manifest_of(Tree(), "0" * 64, created=MORNING + days * DAY, generation=generation))


def test_a_first_snapshot_begins_the_generation_without_a_name() -> None:
    assert choose_generation([], MONTH, MORNING) == ""


def test_without_full_every_a_generation_lasts() -> None:
    assert choose_generation([snapshot(0), snapshot(1)], None, MORNING + 1000 * DAY) == ""
    assert choose_generation([snapshot(0, "g2")], None, MORNING + 1000 * DAY) == "g2"


@pytest.mark.parametrize(
    ("days", "expected"), [(1, ""), (29.9, ""), (30, "20261220T023000Z"), (31, "20261221T023000Z")]
)
def test_the_first_generation_is_as_old_as_its_oldest_snapshot(days: float, expected: str) -> None:
    known = [snapshot(0), snapshot(days / 2)]
    assert choose_generation(known, MONTH, MORNING + days * DAY) == expected


def test_a_named_generation_is_as_old_as_its_name_whatever_was_pruned() -> None:
    known = [snapshot(55, "20261220T023000Z")]
    assert choose_generation(known, MONTH, MORNING + 59 * DAY) == "20261220T023000Z"
    assert choose_generation(known, MONTH, MORNING + 60 * DAY) == "20270119T023000Z"


def test_the_newest_readable_snapshot_tells_the_generation() -> None:
    broken = msgspec.structs.replace(snapshot(2, "20270101T000000Z"), state="damaged")
    assert choose_generation([broken, snapshot(1, "g"), snapshot(0)], None, MORNING + 3 * DAY) == "g"


def test_a_snapshot_of_the_future_tells_no_generation() -> None:
    """A clock that was wrong once began one; it would never end before that day."""
    future = snapshot(3000, "20350207T023000Z")
    assert choose_generation([future, snapshot(0, "g")], None, MORNING + DAY) == "g"
    assert choose_generation([future, snapshot(0)], MONTH, MORNING + 31 * DAY) == "20261221T023000Z"
    assert choose_generation([future], MONTH, MORNING) == ""
