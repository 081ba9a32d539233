"""The report of a run: one table, as Markdown and as JSON."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from live.clean_up import CleanedUp
from live.seen import Verdict


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One assumption, what was expected, what was seen and what that means; `seconds` is how long the check took."""

    name: str
    assumption: str
    expected: str
    seen: str
    verdict: Verdict
    if_wrong: str
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. `cleaned` is what was removed at the end."""

    run: str
    endpoint: str
    started: datetime
    finished: datetime
    requests: int
    rows: list[Row]
    cleaned: CleanedUp

    @property
    def exit_code(self) -> int:
        """0 if nothing speaks against an assumption, 3 if something does, 1 if a check crashed or something stays."""
        verdicts = {row.verdict for row in self.rows}
        if "crashed" in verdicts or self.cleaned.kept:
            return 1
        return 3 if "otherwise" in verdicts else 0


def write_report(report: Report, folder: Path) -> Path:
    """Write both forms and return the path of the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    path = folder / "report.md"
    path.write_text(as_markdown(report), encoding="utf-8")
    return path


def as_markdown(report: Report) -> str:
    """Return the report as a page with one table."""
    minutes = (report.finished - report.started).total_seconds() / 60
    wrong = [row for row in report.rows if row.verdict == "otherwise"]
    head = ("assumption", "expected", "seen", "verdict")
    cells = [
        (row.assumption, row.expected, row.seen, f"**{row.verdict}**" if row in wrong else row.verdict)
        for row in report.rows
    ]
    begun = f"Run {report.run}, {report.started:%Y-%m-%d %H:%M}Z, {minutes:.0f} minutes"
    parts = [
        f"# What {report.endpoint} does\n",
        f"{begun}, {report.requests:,} requests of the checks' own.\n",
        _table(head, cells),
    ]
    if wrong:
        parts += ["\n## What follows\n", *(f"- {row.name}: {row.if_wrong}\n" for row in wrong)]
    parts.append(f"\nRemoved: {len(report.cleaned.indexes)} indexes, {report.cleaned.blobs} blobs.\n")
    if report.cleaned.kept:
        parts.append(f"**Still there: {', '.join(report.cleaned.kept)}.** `make live CLEAN=1` tries again.\n")
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_line(head), "|" + "-|" * len(head), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
