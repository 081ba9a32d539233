"""What the benchmark of speed measures and shows."""

import io
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

from benchmarks.measuring import Measured, run
from benchmarks.plot import bar_chart
from benchmarks.prices import price_of_operations, price_of_storage
from benchmarks.speed import main, print_table, row

MEASURED = Measured(
    corpus="text",
    megabytes=60,
    corpus_bytes=60_000_000,
    operation="backup",
    tool="indexvault",
    seconds=2.0,
    cpu=6.0,
    peak=100_000_000,
    requests={"search": 60, "index documents": 3, "other": 4},
    operations={"PutBlob": 600, "GetBlob": 5, "ListBlobs": 1, "DeleteBlob": 7, "AcquireBlobLease": 2},
    stored=30_000_000,
    added=30_000_000,
    search_cpu=0.1,
    blobs_cpu=0.5,
    load=1.0,
)
LEAN = msgspec.structs.replace(MEASURED, tool="lean", cpu=0.6, operations={})

MOST_WRITES_UNCHANGED = 5
"""Blobs that the command writes for an index as before, whatever its size."""


def test_prices_operations_by_their_kinds() -> None:
    operations = {"PutBlob": 10_000, "GetBlob": 10_000, "ListBlobs": 10_000, "DeleteBlob": 10_000}
    assert price_of_operations(operations) == pytest.approx(0.055 + 0.0044 + 0.055)
    assert price_of_storage(10 * 2**30) == pytest.approx(0.208)
    with pytest.raises(KeyError):
        price_of_operations({"Another": 1})


def test_a_line_has_the_figures_and_those_of_lean_and_of_before() -> None:
    before = msgspec.structs.replace(MEASURED, cpu=9.0)
    cells = row(MEASURED, [MEASURED, LEAN], [before])
    assert cells[:9] == ["text", "60", "backup", "indexvault", "30.0", "100.0", "10.0", "150.0", "100"]
    assert cells[9:15] == ["64", "3", "600", "5", "1", "9"]
    assert cells[-2:] == ["5%", "25%"]


def test_prints_a_line_for_each_figure() -> None:
    out = io.StringIO()
    print_table(Console(file=out, width=230), [MEASURED, LEAN], [])
    assert [line.split()[3] for line in out.getvalue().splitlines()] == ["tool", "indexvault", "lean"]


def test_draws_a_bar_for_each_figure() -> None:
    drawn = ElementTree.fromstring(bar_chart([MEASURED, LEAN]))  # noqa: S314 - drawn here
    _background, *bars = drawn.iter("{http://www.w3.org/2000/svg}rect")
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert len(widths) == 2
    assert widths[0] == pytest.approx(10 * widths[1], rel=0.01)


def test_measures_a_process_from_its_start(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(
        "import sys, time\nheld = b'x' * 80_000_000\n"
        "while time.process_time() < 0.3: pass\nprint('done', sys.argv[1])\n"
    )
    process = run(["busy", "here"], tmp_path, {})
    assert process.output == "done here\n"
    assert 0.3 <= process.cpu < 3
    assert process.seconds >= 0.3
    assert process.peak > 80_000_000


def test_says_what_a_process_that_failed_said(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text("raise SystemExit('no such thing')")
    with pytest.raises(RuntimeError, match="failing ended with 1: no such thing"):
        run(["failing"], tmp_path, {})


@pytest.mark.slow
def test_measures_every_operation_of_a_small_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, plot = tmp_path / "found.json", tmp_path / "found.svg"
    assert main(["--sizes", "1", "--corpora", "small", "--json", str(file), "--plot", str(plot)]) == 0
    found = msgspec.json.decode(file.read_bytes(), type=list[Measured])
    ours = {each.operation: each for each in found if each.tool == "indexvault"}
    assert list(ours) == ["backup", "unchanged", "changed", "verify", "restore", "sync", "diff", "prune"]
    assert ours["unchanged"].operations["PutBlob"] <= MOST_WRITES_UNCHANGED
    assert [each.operation for each in found if each.tool == "plain"] == ["backup", "restore"]
    assert all(each.cpu > 0 and each.peak > 20_000_000 for each in found)
    assert ours["backup"].added > ours["changed"].added > 0
    assert ours["restore"].requests["index documents"] > 0
    assert "verify" in capsys.readouterr().out
