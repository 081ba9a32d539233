"""`indexvault diff`: what changed between two states of an index."""

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

from indexvault.backup.live_index import LiveIndex
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import one_line
from indexvault.cli.options import SNAPSHOT_HELP
from indexvault.cli.references import index_or_snapshot
from indexvault.cli.session import Session
from indexvault.clients import Clients
from indexvault.model import IndexName
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.diff import DiffTally, DocumentChange, diff_snapshots
from indexvault.snapshots.field_diff import DefinitionDifference, changed_fields, definition_differences
from indexvault.snapshots.manifest import Definition, Manifest
from indexvault.snapshots.names import SnapshotReference

_MOST_SHOWN = 1000
"""Documents that are named to a person; --json names them all."""

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRequest:
    """Say what changed from a snapshot to another one, or to a live index; `fields` asks for the fields too."""

    before: SnapshotReference
    after: SnapshotReference | IndexName
    fields: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("before", metavar="SNAPSHOT", help=SNAPSHOT_HELP)
    parser.add_argument("after", metavar="SNAPSHOT|SERVICE/INDEX", help="another snapshot, or an index as it is now")
    parser.add_argument("--fields", action="store_true", help="also name the fields that changed")


def read_request(arguments: Namespace) -> DiffRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    return DiffRequest(
        before=SnapshotReference.parse(arguments.before),
        after=index_or_snapshot(arguments.after),
        fields=arguments.fields,
    )


async def run(session: Session, request: DiffRequest) -> int:
    """Compare a snapshot with another one, or with an index as it is now."""
    tally = DiffTally()
    async with session.clients() as clients:
        store = clients.reading_store(request.before.service)
        before = await resolve_manifest(store.snapshots, request.before, now=session.clock())
        definition, changes = await _other(clients, request, before, tally, session.clock())
        differences = definition_differences(before.definition, definition)
        for difference in differences:
            _print_definition(session, difference)
        shown = 0
        async with aclosing(changes):
            async for change in changes:
                shown += 1
                _print_change(session, change, fields=request.fields, quiet=shown > _MOST_SHOWN)
    if shown > _MOST_SHOWN:
        session.output.show(f"… and {shown - _MOST_SHOWN:,} more; --json names them all")
    record: dict[str, Any] = {
        "added": tally.added,
        "removed": tally.removed,
        "changed": tally.changed,
        "definition_differences": len(differences),
        "chunks_read": tally.chunks_read,
        "chunks_skipped": tally.chunks_skipped,
    }
    session.output.result(
        "diff",
        record,
        f"{tally.added:,} added, {tally.removed:,} removed, {tally.changed:,} changed; {len(differences)} differences"
        f" in the definition; {tally.chunks_read:,} chunks read, {tally.chunks_skipped:,} the same and not read",
    )
    return DONE


async def _other(
    clients: Clients, request: DiffRequest, before: Manifest, tally: DiffTally, now: datetime
) -> tuple[Definition, AsyncGenerator[DocumentChange]]:
    blobs = clients.reading_store(request.before.service).snapshots
    if isinstance(request.after, IndexName):
        live = await LiveIndex.open(clients.service(request.after.service), request.after.index)
        return live.definition, live.changes_since(blobs, before, tally)
    other = clients.reading_store(request.after.service).snapshots
    after = await resolve_manifest(other, request.after, now=now)
    return after.definition, diff_snapshots(blobs, before, after, tally, after_blobs=other)


def _print_definition(session: Session, difference: DefinitionDifference) -> None:
    record = {"path": difference.path, "before": difference.before, "after": difference.after}
    line = f"definition {difference.path}: {_short(difference.before)} -> {_short(difference.after)}"
    session.output.result("definition", record, Text(one_line(line)))


def _print_change(session: Session, change: DocumentChange, *, fields: bool, quiet: bool) -> None:
    record: dict[str, Any] = {"kind": change.kind, "key": change.key}
    sign, style = _SIGNS[change.kind]
    line = Text.assemble((sign, style), f" {one_line(change.key)}")
    if fields and change.before is not None and change.after is not None:
        record["fields"] = changed_fields(change.before, change.after)
        line.append(f"  {', '.join(record['fields']) or 'only written differently'}", style="dim")
    session.output.result("change", record, *([] if quiet else [line]))


def _short(value: str | None) -> str:
    if value is None:
        return "absent"
    return value if len(value) <= 60 else f"{value[:57]}..."  # noqa: PLR2004 - a line's worth


COMMAND = Command(
    description="List the documents that were added, removed or changed between the two, and what differs"
    " in the definitions. Chunks that both have are not read.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
