"""The checks of a dry run, of a restore or a move: as a table, and as an exit code."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import msgspec
from rich.text import Text

from indexvault.cli.exit_codes import DONE
from indexvault.cli.output import Output
from indexvault.cli.tables import Column, Table
from indexvault.errors import SettingsError
from indexvault.restore.checks import Check, Findings, failure

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


def exit_code_of(findings: Findings) -> int:
    """Return the exit code that the work itself would end with."""
    error = failure(findings.checks, "")
    return DONE if error is None else error.exit_code


def add_write_patch(parser: ArgumentParser) -> None:
    """Add --write-patch."""
    parser.add_argument(
        "--write-patch",
        type=Path,
        metavar="FILE",
        help="with --dry-run: write the patch with which the target can create the index, if it needs one; FILE must"
        " not exist",
    )


def read_write_patch(arguments: Namespace) -> Path | None:
    """Return the file for the patch. Raises SettingsError without --dry-run."""
    path: Path | None = arguments.write_patch
    if path is not None and not arguments.dry_run:
        raise SettingsError("only a dry run writes a patch", on="--write-patch", do="Add --dry-run")
    return path


def write_patch(findings: Findings, path: Path | None, output: Output) -> None:
    """Write the patch that the failed checks need, if they need one, and say so.

    Raises SettingsError if the file exists or can't be written.
    """
    if path is None:
        return
    if findings.patch is None:
        output.show("no patch is needed, so none was written")
        return
    text = msgspec.json.format(msgspec.json.encode(findings.patch), indent=2)
    try:
        with path.open("xb") as file:
            file.write(text + b"\n")
    except OSError as error:
        raise SettingsError(
            f"the patch can't be written ({error.strerror})", on=f"file {path}", do="Name a file that does not exist"
        ) from None
    output.show(Text(f"the patch is in {path}: look at it, then restore with --patch {path}"))


def checks_table(findings: Findings, title: str) -> Table:
    """Return the checks as a table."""
    columns = [
        Column("check", names=True),
        Column("outcome", names=True),
        Column("what was found, and what to do", prose=True),
    ]
    rows = [
        (each.name, Text(each.outcome, style=_STYLES[each.outcome]), _what_and_do(each)) for each in findings.checks
    ]
    return Table(columns, rows, title=title)


def _what_and_do(check: Check) -> str:
    return f"{check.what}. {check.do}" if check.do and check.outcome != "ok" else check.what
