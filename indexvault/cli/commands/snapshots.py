"""`indexvault snapshots`: list snapshots."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from rich.text import Text

from indexvault.api.snapshot_views import ListedSnapshot, SnapshotList, list_stock, with_holds
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.formatting import age, size
from indexvault.cli.output import Output
from indexvault.cli.references import optional_service_and_index
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import read_snapshot
from indexvault.cli.session import Session
from indexvault.cli.tables import Column, Table
from indexvault.clients import Clients
from indexvault.errors import IndexvaultError, from_record
from indexvault.maintenance.holds import list_holds
from indexvault.maintenance.stock import take_stock
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference

MOST_FROM_DEPLOYMENT = 1000
_STYLES = {"complete": "green", "lossy": "yellow", "unsettled": "yellow", "damaged": "red", "missing": "red"}
_FUTURE = "in the future"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotsRequest:
    """List snapshots: of every store, of a service, or of one index."""

    service: str | None
    index: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "where",
        metavar="SERVICE[/INDEX]",
        nargs="?",
        help="only of this service or index (default: all in every store)",
    )


def read_request(arguments: Namespace) -> SnapshotsRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    service, index = optional_service_and_index(arguments.where)
    return SnapshotsRequest(service=service, index=index)


async def run(session: Session, request: SnapshotsRequest) -> int:
    """List the snapshots of an index, a service, or every store; return the worst exit code of the stores."""
    async with session.clients() as clients:
        if request.service is not None:
            now = session.clock()
            found = await _of_service(clients, request.service, request.index, now)
            held = await list_holds(session.resources(clients), {(each.service, each.index) for each in found})
            _print_snapshots(session.output, with_holds(found, held), now)
            return DONE
        every: list[ListedSnapshot] = []
        codes = []
        for store in sorted(session.settings.stores):
            try:
                every += list_stock(await take_stock(clients, store, certain=False), session.clock())
            except IndexvaultError as error:
                codes.append(session.output.error(error))
        if every or not codes:
            held = await list_holds(session.resources(clients), {(each.service, each.index) for each in every})
            _print_snapshots(session.output, with_holds(every, held), session.clock())
        return worst(codes)


async def run_remotely(session: RemoteSession, request: SnapshotsRequest) -> int:
    """List the snapshots of an index, a service, or every store of the deployment."""
    members = {"service": request.service, "index": request.index, "limit": str(MOST_FROM_DEPLOYMENT)}
    query = {name: value for name, value in members.items() if value is not None}
    found = await session.deployment.get("snapshots", SnapshotList, query)
    if not found.snapshots and request.service is not None and request.index is not None:
        await read_snapshot(session, SnapshotReference(service=request.service, index=request.index))
    _print_snapshots(session.output, found.snapshots, session.clock())
    if found.more:
        session.output.notes.print(
            f"the first {MOST_FROM_DEPLOYMENT:,} are listed: name a service or an index to see the others"
        )
    return worst([session.output.error(from_record(each.error)) for each in found.unread])


async def _of_service(clients: Clients, service: str, index: str | None, now: datetime) -> list[ListedSnapshot]:
    """List the snapshots of a service, or of an index. Raises NotFoundError for an index that has none."""
    store = service_settings(clients.settings, service).store
    blobs = clients.store(store).snapshots
    found = list_stock(await take_stock(clients, store, service, index, certain=False), now)
    if not found and index is not None:
        await resolve(blobs, SnapshotReference(service=service, index=index), now=now)
    return found


def _print_snapshots(output: Output, found: Sequence[ListedSnapshot], now: datetime) -> None:
    for summary in found:
        output.result("snapshot", {"reference": str(summary.reference), **msgspec.to_builtins(summary)})
    output.show(snapshots_table(found, now) if found else "There are no snapshots")
    for summary in found:
        for hold in summary.held:
            output.show(Text(f"{summary.reference} is kept: {hold.reason}", style="yellow"))
        if not summary.is_trusted:
            output.show(
                Text(
                    f"{summary.reference} is not authentic, anybody may have written it: only its id finds it; if you"
                    f" know where it is from: indexvault accept {summary.reference}",
                    style="red",
                )
            )
        if summary.in_future:
            output.show(Text(f"{summary.reference} is dated in the future: only its id finds it", style="yellow"))
        if summary.state == "missing":
            copies = f"store {' and '.join(summary.copies)} still has it" if summary.copies else "no other store has it"
            output.show(
                Text(
                    f"{summary.reference} is missing from store {summary.store}, and {copies}:"
                    f" indexvault repair {summary.service}/{summary.index}",
                    style="red",
                )
            )


def snapshots_table(found: Sequence[ListedSnapshot], now: datetime) -> Table:
    """Return snapshots as a table. Their names are whole, to be copied."""
    columns = [
        Column("snapshot", names=True),
        Column("state", names=True),
        Column("age"),
        Column("documents", right=True),
        Column("size", right=True),
        Column("stored", right=True),
        Column("added", right=True),
    ]
    return Table(
        columns,
        [
            (
                str(summary.reference),
                Text(summary.state, style=_STYLES.get(summary.state, "")),
                _FUTURE if summary.in_future else age(summary.created, now),
                _figure(summary, f"{summary.documents:,}"),
                _figure(summary, size(summary.bytes)),
                _figure(summary, size(summary.stored)),
                _figure(summary, size(summary.added_stored)),
            )
            for summary in found
        ],
    )


def _figure(summary: ListedSnapshot, figure: str) -> str:
    return "?" if summary.state in {"damaged", "missing"} else figure


COMMAND = Command(
    description="List snapshots, newest first.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
