"""`indexvault snapshots`: what there is."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.formatting import age, size
from indexvault.cli.output import Output
from indexvault.cli.requests import SnapshotsRequest
from indexvault.cli.session import Session
from indexvault.clients import Clients
from indexvault.errors import IndexvaultError
from indexvault.snapshots.catalogue import list_snapshots, resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.summary import Summary

_STYLES = {"complete": "green", "lossy": "yellow", "damaged": "red"}


async def run(session: Session, request: SnapshotsRequest) -> int:
    """List the snapshots of an index, a service, or every store."""
    async with clients(session) as opened:
        if request.service is not None:
            tell_snapshots(session.output, await _of_service(opened, request.service, request.index), session.clock())
            return DONE
        found: list[Summary] = []
        codes = []
        for store in sorted(session.settings.stores):
            try:
                found += await list_snapshots(opened.store(store).snapshots)
            except IndexvaultError as error:
                codes.append(session.output.error(error))
        if found or not codes:
            tell_snapshots(session.output, found, session.clock())
        return worst(codes)


async def _of_service(opened: Clients, service: str, index: str | None) -> list[Summary]:
    blobs = opened.store_of(service).snapshots
    found = await list_snapshots(blobs, service, index)
    if not found and index is not None:
        await resolve(blobs, SnapshotReference(service=service, index=index))
    return found


def tell_snapshots(output: Output, found: Sequence[Summary], now: datetime) -> None:
    """Return a listing as a result."""
    for summary in found:
        output.result("snapshot", {"reference": str(summary.reference), **msgspec.to_builtins(summary)})
    output.show(_Listing(found, now) if found else "There are no snapshots")


class _Listing:
    """A table of snapshots whose names stay whole, to be copied: a narrow terminal gets fewer figures."""

    def __init__(self, found: Sequence[Summary], now: datetime) -> None:
        self._columns: dict[str, list[str]] = {
            "snapshot": [str(summary.reference) for summary in found],
            "state": [summary.state for summary in found],
            "age": [age(summary.created, now) for summary in found],
            "documents": [_figure(summary, f"{summary.documents:,}") for summary in found],
            "size": [_figure(summary, size(summary.bytes)) for summary in found],
            "stored": [_figure(summary, size(summary.stored)) for summary in found],
            "added": [_figure(summary, size(summary.added_stored)) for summary in found],
        }

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        columns = dict(self._columns)
        for dispensable in ("stored", "size", "age"):
            if _width(columns) > options.max_width:
                del columns[dispensable]
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in columns:
            justify: JustifyMethod = "right" if heading in {"documents", "size", "stored", "added"} else "left"
            table.add_column(heading, justify=justify, overflow="fold", no_wrap=heading != "snapshot")
        for row in zip(*columns.values(), strict=True):
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        yield table


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    """Return the width of a table, with two blanks between its columns."""
    return sum(max(map(len, [heading, *cells])) for heading, cells in columns.items()) + 2 * (len(columns) - 1)


def _figure(summary: Summary, figure: str) -> str:
    return "?" if summary.state == "damaged" else figure
