"""What a dry run of a restore or a move found, as a person reads it, and the exit code that goes with it."""

from rich.table import Table
from rich.text import Text

from indexvault.cli.exit_codes import DONE
from indexvault.restore.checks import Check, Findings, failure

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


def code_of(found: Findings) -> int:
    """Return the exit code that the work would end with."""
    stop = failure(found.checks, "")
    return DONE if stop is None else stop.exit_code


def findings_table(found: Findings, title: str) -> Table:
    """Return the checks as a person reads them."""
    table = Table(title=title, title_justify="left")
    table.add_column("check")
    table.add_column("outcome")
    table.add_column("what was found, and what to do", overflow="fold")
    for check in found.checks:
        table.add_row(check.name, Text(check.outcome, style=_STYLES[check.outcome]), _finding(check))
    return table


def _finding(check: Check) -> str:
    return f"{check.what}. {check.do}" if check.do and check.outcome != "ok" else check.what
