"""Plots: what they show, they say."""

from datetime import UTC, datetime, timedelta

import pytest

from indexvault.pages.plots import added_plot, documents_plot
from indexvault.status.facts import Point


def points(*added: int) -> list[Point]:
    first = datetime(2026, 11, 20, 2, tzinfo=UTC)
    return [
        Point(
            id=str(at),
            state="complete",
            created=first + timedelta(days=at),
            documents=100 + at,
            bytes=1000,
            stored=100,
            added_stored=value,
        )
        for at, value in enumerate(added)
    ]


@pytest.mark.parametrize(
    ("added", "cut"), [((5,), 0), ((500, 5), 0), ((9000, 10, 12), 1), ((40, 10, 12), 0), ((0, 0, 0), 0)]
)
def test_a_bar_that_hides_the_others_is_cut_off(added: tuple[int, ...], cut: int) -> None:
    plot = added_plot(points(*added))
    assert plot is not None
    assert plot.html.count('class="stick') == len(added)
    assert plot.html.count("over") == cut
    assert ("cut off" in plot.html) is bool(cut)


def test_a_line_needs_two_ends_and_says_what_it_shows() -> None:
    assert documents_plot(points(1)) is None
    plot = documents_plot(points(1, 2, 3))
    assert plot is not None
    assert "Documents in the last 3 snapshots: from 100 to 102, between 100 and 102" in plot.html
