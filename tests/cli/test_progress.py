import io
import re

import pytest
from rich.console import Console

from indexvault.cli.progress import Bars, Lines


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
    assert "31.2 MB" in last[0]
    assert "  comparing" in last[1]
    assert " 5 documents" in last[1]
