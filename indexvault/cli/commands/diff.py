"""`indexvault diff`: what changed between two states of an index."""

from argparse import ArgumentParser, Namespace
from contextlib import aclosing
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any

import msgspec
from rich.text import Text

from indexvault.backup.comparison import Comparison, NamedChange, open_comparison
from indexvault.backup.comparison import named as named_change
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count, one_line, short_value
from indexvault.cli.options import SNAPSHOT_HELP
from indexvault.cli.output import Output
from indexvault.cli.references import index_or_snapshot, snapshot_reference
from indexvault.cli.remote.follow import follow, start
from indexvault.cli.remote.reports import read_report
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.clients import Clients
from indexvault.model import IndexName
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.diff import DiffTally
from indexvault.snapshots.field_diff import DefinitionDifference, definition_differences
from indexvault.snapshots.names import SnapshotReference

_MOST_SHOWN = 24
"""Documents that are named to a person without --all; --json names them all."""
_MOST_HELD = 1024 * 1024
"""Bytes of names that are held in memory until the totals are known; further ones wait in a file."""

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRequest:
    """Say what changed from a snapshot to another one, or to a live index; `fields` asks for the fields too.

    `all` names every document, `exit_code` asks for exit code 1 if anything differs.
    """

    before: SnapshotReference
    after: SnapshotReference | IndexName
    fields: bool
    all: bool = False
    exit_code: bool = False


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("before", metavar="SNAPSHOT", help=SNAPSHOT_HELP)
    parser.add_argument("after", metavar="SNAPSHOT|SERVICE/INDEX", help="another snapshot, or an index as it is now")
    parser.add_argument(
        "--all", action="store_true", help=f"name every document that differs, not only the first {_MOST_SHOWN}"
    )
    parser.add_argument("--exit-code", action="store_true", help="end with 1 if anything differs")
    parser.add_argument("--fields", action="store_true", help="also name the fields that changed")


def read_request(arguments: Namespace) -> DiffRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    return DiffRequest(
        before=snapshot_reference(arguments.before),
        after=index_or_snapshot(arguments.after),
        fields=arguments.fields,
        all=arguments.all,
        exit_code=arguments.exit_code,
    )


async def run(session: Session, request: DiffRequest) -> int:
    """Compare a snapshot with another one, or with an index as it is now.

    A person reads the totals first, a program each difference as it is found.
    """
    tally, found = DiffTally(), 0
    with SpooledTemporaryFile(max_size=_MOST_HELD, mode="w+", encoding="utf-8") as named:
        async with session.clients() as clients:
            store = clients.reading_store(request.before.service)
            before = await resolve_manifest(store.snapshots, request.before, now=session.clock())
            after = await _behind_alias(session.output, clients, request.after)
            definition, changes = await open_comparison(clients, before, after, tally, session.clock())
            differences = definition_differences(before.definition, definition)
            for each in differences:
                record = {"path": each.path, "before": each.before, "after": each.after}
                session.output.result("definition", record)
            async with aclosing(changes):
                async for change in changes:
                    found += 1
                    record = _named_record(named_change(change, fields=request.fields))
                    session.output.result("change", record)
                    if request.all or found <= _MOST_SHOWN:
                        named.writelines((msgspec.json.encode(record).decode(), "\n"))
        _print_totals(session.output, tally, len(differences))
        session.output.show(*map(_definition_line, differences))
        named.seek(0)
        for line in named:
            session.output.show(_change_line(msgspec.json.decode(line)))
    if not request.all and found > _MOST_SHOWN:
        session.output.show(f"… and {found - _MOST_SHOWN:,} more: --all names them")
    return FAILED if request.exit_code and (found or differences) else DONE


async def _behind_alias(
    output: Output, clients: Clients, named: SnapshotReference | IndexName
) -> SnapshotReference | IndexName:
    """Return the index that an alias leads to, with a note that says so; anything else as it is."""
    if isinstance(named, SnapshotReference):
        return named
    target = await clients.service(named.service).alias_target(named.index)
    if target is None:
        return named
    output.note(f"{named.service}: the alias {named.index} leads to {target}")
    return IndexName(named.service, target)


async def run_remotely(session: RemoteSession, request: DiffRequest) -> int:
    """Have a deployment compare, and print as `run` does."""
    body: dict[str, Any] = {"before": str(request.before), "fields": request.fields}
    if isinstance(request.after, IndexName):
        body["live"] = {"service": request.after.service, "index": request.after.index}
    else:
        body["after"] = str(request.after)
    view = await follow(session, await start(session, "comparisons", body), str(request.before))
    compared = await read_report(session, view, 0, Comparison)
    records = [_named_record(each) for each in compared.changes]
    for each in compared.definition:
        session.output.result("definition", {"path": each.path, "before": each.before, "after": each.after})
    for record in records:
        session.output.result("change", record)
    _print_totals(session.output, compared.tally, len(compared.definition))
    session.output.show(*map(_definition_line, compared.definition))
    session.output.show(*map(_change_line, records if request.all else records[:_MOST_SHOWN]))
    found = len(records) + compared.left_out
    if not request.all and found > _MOST_SHOWN:
        session.output.show(f"… and {found - _MOST_SHOWN:,} more: --all names them")
    elif compared.left_out:
        session.output.show(f"… and {compared.left_out:,} more, which the deployment does not name")
    return FAILED if request.exit_code and (found or compared.definition) else DONE


def _named_record(change: NamedChange) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": change.kind, "key": change.key}
    return record if change.fields is None else record | {"fields": change.fields}


def _print_totals(output: Output, tally: DiffTally, differences: int) -> None:
    record: dict[str, Any] = {
        "added": tally.added,
        "removed": tally.removed,
        "changed": tally.changed,
        "definition_differences": differences,
        "chunks_read": tally.chunks_read,
        "chunks_skipped": tally.chunks_skipped,
    }
    output.result(
        "diff",
        record,
        f"{tally.added:,} added, {tally.removed:,} removed, {tally.changed:,} changed;"
        f" {count(differences, 'difference')} in the definition; {count(tally.chunks_read, 'chunk')} read,"
        f" {tally.chunks_skipped:,} the same and not read",
    )


def _definition_line(difference: DefinitionDifference) -> Text:
    change = f"{short_value(difference.before)} -> {short_value(difference.after)}"
    return Text(f"definition {one_line(difference.path)}: {change}")


def _change_line(record: dict[str, Any]) -> Text:
    sign, style = _SIGNS[record["kind"]]
    line = Text.assemble((sign, style), f" {one_line(record['key'])}")
    if "fields" in record:
        line.append(f"  {', '.join(record['fields']) or 'only written differently'}", style="dim")
    return line


COMMAND = Command(
    description="List the documents that were added, removed or changed between the two, and what differs"
    " in the definitions. Chunks that both have are not read. The totals come first, then the first keys; with --json"
    " each difference as it is found, and the totals last.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
