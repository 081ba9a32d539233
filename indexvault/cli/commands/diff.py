"""`indexvault diff`: what changed between two states of an index."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from rich.text import Text

from indexvault.backup.live_index import LiveIndex
from indexvault.cli.connect import clients
from indexvault.cli.contents import DiffRequest
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import one_line
from indexvault.cli.session import Session
from indexvault.clients import Clients
from indexvault.model import IndexName
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.diff import Change, Tally, diff_snapshots
from indexvault.snapshots.field_diff import Difference, changed_fields, definition_differences
from indexvault.snapshots.manifest import Definition, Manifest

_MOST_SHOWN = 1000
"""Documents that are named to a person; a program is told of all."""

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


async def run(session: Session, request: DiffRequest) -> int:
    """Compare a snapshot with another one, or with an index as it is now."""
    tally = Tally()
    async with clients(session) as opened:
        before = await read_manifest(opened.reading_store(request.before.service).snapshots, request.before)
        definition, changes = await _other(opened, request, before, tally)
        differences = definition_differences(before.definition, definition)
        for difference in differences:
            _tell_definition(session, difference)
        shown = 0
        async with aclosing(changes):
            async for change in changes:
                shown += 1
                _tell_change(session, change, fields=request.fields, quiet=shown > _MOST_SHOWN)
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
    opened: Clients, request: DiffRequest, before: Manifest, tally: Tally
) -> tuple[Definition, AsyncGenerator[Change]]:
    blobs = opened.reading_store(request.before.service).snapshots
    if isinstance(request.after, IndexName):
        live = await LiveIndex.open(opened.service(request.after.service), request.after.index)
        return live.definition, live.changes_since(blobs, before, tally)
    other = opened.reading_store(request.after.service).snapshots
    after = await read_manifest(other, request.after)
    return after.definition, diff_snapshots(blobs, before, after, tally, after_blobs=other)


def _tell_definition(session: Session, difference: Difference) -> None:
    record = {"path": difference.path, "before": difference.before, "after": difference.after}
    told = f"definition {difference.path}: {_short(difference.before)} -> {_short(difference.after)}"
    session.output.result("definition", record, Text(one_line(told)))


def _tell_change(session: Session, change: Change, *, fields: bool, quiet: bool) -> None:
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
