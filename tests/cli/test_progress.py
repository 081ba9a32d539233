import io
import re
from datetime import timedelta

import pytest
from rich.console import Console

from indexvault.cli.progress import Bars, IndexAfterIndex, Lines, time_left


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def paper() -> io.StringIO:
    return io.StringIO()


def test_lines_come_now_and_then_and_at_the_end_of_each_stage(paper: io.StringIO) -> None:
    watch = Watch()
    with Lines(Console(file=paper, width=200), "contoso-east/notes", now=watch) as progress:
        progress.advance("read", expected=1000)
        for _ in range(100):
            watch.seconds += 0.25
            progress.advance("read", documents=10, bytes=2000)
        progress.advance("verify", documents=1000, expected=1000)
        watch.seconds += 2
    assert paper.getvalue().splitlines() == [
        "contoso-east/notes reading: 400 of 1,000 documents, 80.0 kB, 40/s, 15.0 s left",
        "contoso-east/notes reading: 800 of 1,000 documents, 160.0 kB, 40/s, 5.0 s left",
        "contoso-east/notes reading: 1,000 documents, 200.0 kB in 25.0 s",
        "contoso-east/notes proving chunks: 1,000 documents in 2.0 s",
    ]


def test_lines_say_nothing_of_what_never_began(paper: io.StringIO) -> None:
    with Lines(Console(file=paper), "contoso-east/notes"):
        pass
    assert paper.getvalue() == ""


def test_lines_of_a_repeated_step_never_count_more_than_there_is(paper: io.StringIO) -> None:
    with Lines(Console(file=paper, width=200), "contoso-east/notes", now=Watch()) as progress:
        progress.advance("read", documents=15, expected=10)
    assert paper.getvalue() == "contoso-east/notes reading: 10 documents in 0.0 s\n"


@pytest.mark.parametrize("width", [80, 160])
def test_bars_show_documents_bytes_and_rate_of_each_stage(paper: io.StringIO, width: int) -> None:
    console = Console(file=paper, force_terminal=True, width=width, color_system=None)
    with Bars(console, "contoso-east/notes") as progress:
        progress.advance("load", expected=2000)
        progress.advance("load", documents=2500, bytes=31_200_000)
        progress.advance("compare", documents=5)
        assert progress.stage == "compare"
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", paper.getvalue()).splitlines()[-2:]
    assert "contoso-east/notes\n" in paper.getvalue().replace("\r", "")
    assert "  loading" in last[0]
    assert "2,000/2,000 documents" in last[0]
    assert ("31.2 MB" in last[0]) == (width > 80)
    assert "  comparing" in last[1]
    assert " 5 documents" in last[1]


@pytest.mark.parametrize(
    ("elapsed", "done", "expected", "seconds"),
    [
        (0.5, 1, 1_000_000, None),
        (9.9, 500, 1000, None),
        (30.0, 1, 1000, None),
        (30.0, 5, None, None),
        (30.0, 0, 0, None),
        (10.0, 250, 1000, 30.0),
        (60.0, 1200, 1000, 0.0),
    ],
)
def test_time_left_is_told_once_it_means_something(
    elapsed: float, done: int, expected: int | None, seconds: float | None
) -> None:
    left = time_left(elapsed, done, expected)
    assert left == (None if seconds is None else timedelta(seconds=seconds))


def test_a_bar_of_a_narrow_terminal_is_wide_enough_to_move(paper: io.StringIO) -> None:
    console = Console(file=paper, force_terminal=True, width=80, color_system=None)
    with Bars(console, "contoso-east/notes") as progress:
        progress.advance("verify", documents=12_345_678, bytes=31_200_000, expected=12_345_678)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", paper.getvalue()).splitlines()[-1]
    assert "12,345,678/12,345,678 documents" in last
    assert len(re.findall("[━╸╺]", last)) >= 10
    assert "…" not in last


def test_a_run_of_several_indexes_counts_all_of_them(paper: io.StringIO) -> None:
    with Lines(Console(file=paper, width=200), "contoso-east to contoso-west", now=Watch()) as lines:
        progress = IndexAfterIndex(lines)
        for documents in (300, 20):
            for stage in ("verify", "load"):
                progress.advance(stage, expected=documents)
                progress.advance(stage, documents=documents)
        assert progress.stage == "load"
    assert paper.getvalue().splitlines() == [
        "contoso-east to contoso-west proving chunks: 300 documents in 0.0 s",
        "contoso-east to contoso-west loading: 300 documents in 0.0 s",
        "contoso-east to contoso-west proving chunks: 320 documents in 0.0 s",
        "contoso-east to contoso-west loading: 320 documents in 0.0 s",
    ]
