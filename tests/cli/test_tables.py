"""Every table, on terminals of every width and in a file: names and decisions are whole, nothing is left out."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from rich.text import Text

from indexvault.api.run_views import RunView
from indexvault.api.snapshot_views import ListedSnapshot
from indexvault.cli.commands.find import history_table
from indexvault.cli.commands.prune import decisions_table
from indexvault.cli.commands.restore_service import objects_table
from indexvault.cli.commands.runs import runs_table
from indexvault.cli.commands.snapshots import snapshots_table
from indexvault.cli.output import Output
from indexvault.cli.preflight import checks_table
from indexvault.cli.tables import Column, Details, Table
from indexvault.restore.checks import Check, Findings
from indexvault.restore.service.job import ObjectOutcome, ServiceRestoreReport
from indexvault.snapshots.history import Event
from indexvault.snapshots.retention import Decision

NOW = datetime(2026, 11, 21, 13, 10, tzinfo=UTC)
LONG = "an-index-with-a-name-as-long-as-a-service-takes-" + "x" * 80
WIDTHS = [60, 80, 120]
WHY = "daily 2026-11-21, weekly 2026-W47, monthly 2026-11, yearly 2026, last 1, the last complete one"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(shown: Any, width: int | None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a terminal of a width gets, or a file, without styles."""
    stream = io.StringIO() if width is None else Screen()
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
    output = Output(as_json=False, stdout=stream, stderr=io.StringIO())
    output.show(shown)
    return Text.from_ansi(stream.getvalue()).plain


def snapshot(index: str, **changes: Any) -> ListedSnapshot:
    members: dict[str, Any] = {
        "id": "20261121T031035Z-7d2cd4", "service": "contoso-east", "index": index, "state": "unsettled",
        "created": NOW - timedelta(hours=10), "format": "2", "tool": "t", "run": "r", "documents": 20_123_456,
        "chunks": 9, "losses": 0, "bytes": 31_200_000_000, "stored": 9_100_000_000, "added_chunks": 1,
        "added_bytes": 5, "added_stored": 7_700_000, "content_digest": "0" * 64,
    }  # fmt: skip
    return ListedSnapshot(**(members | changes))


def snapshots(index: str) -> tuple[Any, list[str], list[str]]:
    one = snapshot(index)
    return (
        snapshots_table([one], NOW),
        [str(one.reference), "unsettled"],
        ["10 h", "20,123,456", "31.2 GB", "9.1 GB", "7.7 MB"],
    )


def test_presumed_snapshots_name_their_full_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    full = snapshot("hotels", id="20261118T031035Z-aaaaaa", state="complete")
    presumed = snapshot("hotels", state="presumed", proved=full.id, proved_at=NOW - timedelta(days=3))
    heading, *rows = drawn(snapshots_table([presumed, full], NOW), None, monkeypatch).splitlines()
    assert heading.split()[:4] == ["snapshot", "state", "full", "reading"]
    assert ["presumed  @aaaaaa 3 d ago" in row for row in rows] == [True, False]
    assert "full reading" not in drawn(snapshots_table([full], NOW), None, monkeypatch)


def prune(index: str) -> tuple[Any, list[str], list[str]]:
    kept = Decision(snapshot(index), keep=True, reasons=tuple(WHY.split(", ")))
    gone = Decision(snapshot(index, id="20261120T031035Z-aaaaaa"), keep=False, reasons=("no rule keeps it",))
    return (
        decisions_table([kept, gone], NOW, dry_run=True),
        ["20261121T031035Z-7d2cd4", "20261120T031035Z-aaaaaa", "stays", "would go"],
        ["unsettled", "10 h", "20,123,456", "7.7 MB", *WHY.split()],
    )


def find(index: str) -> tuple[Any, list[str], list[str]]:
    event = Event("unreadable", snapshot(index), detail=f"chunk of {index} is damaged: its sha256 is another")
    return (
        history_table([event]),
        ["unreadable", "20261121T031035Z-7d2cd4"],
        ["2026-11-21 03:10:00 UTC", "damaged: its", "another"],
    )


def runs(index: str) -> tuple[Any, list[str], list[str]]:
    view = msgspec.convert(
        {
            "run": "backup-20261121T031035Z-7d2cd4", "kind": "backup", "state": "cancelled", "service": "contoso-east",
            "asked": f"contoso-east/{index} and 12 others", "started_by": "x", "policy": None, "scheduled": None,
            "created": NOW, "started": None, "finished": None, "documents": 0, "bytes": 0, "rate": None,
            "seconds_left": None, "failure": None, "notes": [], "indexes": [],
        },
        RunView,
    )  # fmt: skip
    return runs_table([view]), [view.run, "cancelled"], ["2026-11-21 13:10:00 UTC", index, "others"]


def restored(index: str) -> tuple[Any, list[str], list[str]]:
    outcomes = [
        ObjectOutcome("indexes", index, f"dr-{index}", "left out", why="the target has an index of this name"),
        ObjectOutcome("synonymmaps", "cities", "cities", "made"),
    ]
    report = ServiceRestoreReport(
        service="contoso-east", snapshot="s", target_service="contoso-west", objects=outcomes, started=NOW, finished=NOW
    )
    named = ["indexes", f"{index} as dr-{index}", "left out", "synonymmaps", "cities", "made"]
    return objects_table(report, dry_run=False), named, ["the target has", "name"]


def checks(index: str) -> tuple[Any, list[str], list[str]]:
    found = [Check("name_and_permissions", "failed", f"an index {index} exists", "Restore under another name")]
    findings = Findings(resumes=None, documents=0, bytes=0, requests=0, seconds=0, checks=found, patch=None)
    shown = checks_table(findings, f"contoso-east/{index}@20261121T031035Z-7d2cd4 would not be restored")
    return (
        shown,
        ["name_and_permissions", "failed", f"contoso-east/{index}@20261121T031035Z-7d2cd4"],
        [index, "another", "name"],
    )


def details(index: str) -> tuple[Any, list[str], list[str]]:
    table = Details()
    table.add_row("snapshot", f"contoso-east/{index}@20261121T031035Z-7d2cd4")
    table.add_row("because", WHY)
    return table, ["because", f"contoso-east/{index}@20261121T031035Z-7d2cd4"], WHY.split()


@pytest.mark.parametrize("index", ["hotels", LONG])
@pytest.mark.parametrize("width", [*WIDTHS, None])
@pytest.mark.parametrize("shown", [snapshots, prune, find, runs, restored, checks, details])
def test_nothing_is_cut_or_left_out(
    shown: Callable[[str], tuple[Any, list[str], list[str]]],
    width: int | None,
    index: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, names, others = shown(index)
    text = drawn(table, width, monkeypatch)
    assert "…" not in text
    for name in names:
        assert any(name in line for line in text.splitlines()), name
    words = " ".join(text.split())
    assert [other for other in others if other not in words] == []
    for line in text.splitlines():
        # A line is longer than the terminal only where a name alone is.
        assert width is None or cell_len(line) <= width or index == LONG, line


def test_a_file_gets_a_line_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(prune(LONG)[0], None, monkeypatch)
    assert len(text.splitlines()) == 3
    assert text.splitlines()[1].endswith(WHY)


def test_prose_goes_on_below_itself_beside_whole_names(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table([Column("id", names=True), Column("why", prose=True)], [("x" * 30, WHY)])
    heading, first, second, *_rest = drawn(table, 60, monkeypatch).splitlines()
    assert heading.split() == ["id", "why"]
    assert first.startswith("x" * 30 + "  daily")
    assert second.startswith(" " * 32 + "2026-W47")


def test_a_record_has_its_names_first_and_every_other_cell_with_its_heading(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(prune("hotels")[0], 80, monkeypatch).splitlines()[:2] == [
        "20261121T031035Z-7d2cd4  stays",
        "  state unsettled, age 10 h, documents 20,123,456, added 7.7 MB",
    ]


def test_numbers_stand_under_their_headings_whatever_characters_are_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = Table([Column("name", names=True), Column("number", right=True)], [("東京", "7"), ("abc\x1b[2J", "1,000")])
    lines = drawn(table, 60, monkeypatch).splitlines()
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
    assert "\x1b" not in "".join(lines)


def test_a_table_without_rows_is_its_headings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(Table([Column("id"), Column("state")], []), 60, monkeypatch).split() == ["id", "state"]
