"""`indexvault snapshots`: what there is."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from rich.table import Table
from rich.text import Text

from cli.contact import connections
from cli.exit_codes import DONE, worst
from cli.requests import SnapshotsRequest
from cli.session import Session
from cli.wording import age, size
from errors import IndexvaultError
from settings.connections import Connections
from snapshots.catalogue import list_snapshots, resolve
from snapshots.names import SnapshotReference
from snapshots.summary import Summary

_STYLES = {"complete": "green", "lossy": "yellow", "damaged": "red"}


async def run(session: Session, request: SnapshotsRequest) -> int:
    """List the snapshots of an index, a service, or every store."""
    async with connections(session) as opened:
        if request.service is not None:
            _tell(session, await _of_service(opened, request.service, request.index))
            return DONE
        found: list[Summary] = []
        codes = []
        for store in sorted(session.settings.stores):
            try:
                found += await list_snapshots(opened.store(store).snapshots)
            except IndexvaultError as error:
                codes.append(session.output.error(error))
        if found or not codes:
            _tell(session, found)
        return worst(codes)


async def _of_service(opened: Connections, service: str, index: str | None) -> list[Summary]:
    blobs = opened.store_of(service).snapshots
    found = await list_snapshots(blobs, service, index)
    if not found and index is not None:
        await resolve(blobs, SnapshotReference(service=service, index=index))
    return found


def _tell(session: Session, found: Sequence[Summary]) -> None:
    for summary in found:
        session.output.result("snapshot", {"reference": str(summary.reference), **msgspec.to_builtins(summary)})
    session.output.show(_table(found, session.clock()) if found else "There are no snapshots")


def _table(found: Sequence[Summary], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("snapshot", overflow="fold")
    for heading in ("state", "age"):
        table.add_column(heading, no_wrap=True)
    for heading in ("documents", "size", "stored", "added"):
        table.add_column(heading, justify="right", no_wrap=True)
    for summary in found:
        damaged = summary.state == "damaged"
        table.add_row(
            str(summary.reference),
            Text(summary.state, style=_STYLES[summary.state]),
            age(summary.created, now),
            *(
                ["?"] * 4
                if damaged
                else [f"{summary.documents:,}", size(summary.bytes), size(summary.stored), size(summary.added_stored)]
            ),
        )
    return table
