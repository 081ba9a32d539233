"""The checks of a dry run, of a restore or a move: as a table, and as an exit code."""

from rich.table import Table
from rich.text import Text

from indexvault.cli.exit_codes import DONE
from indexvault.restore.checks import Check, Findings, failure

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


def exit_code_of(findings: Findings) -> int:
    """Return the exit code that the work itself would end with."""
    error = failure(findings.checks, "")
    return DONE if error is None else error.exit_code


def checks_table(findings: Findings, title: str) -> Table:
    """Return the checks as a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("check")
    table.add_column("outcome")
    table.add_column("what was found, and what to do", overflow="fold")
    for check in findings.checks:
        table.add_row(check.name, Text(check.outcome, style=_STYLES[check.outcome]), _what_and_do(check))
    return table


def _what_and_do(check: Check) -> str:
    return f"{check.what}. {check.do}" if check.do and check.outcome != "ok" else check.what
