"""`indexvault snapshots`: list snapshots."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from rich.text import Text

from indexvault.api.snapshot_views import ListedSnapshot, SnapshotList, list_stock, with_keepers
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.formatting import age, instant, size
from indexvault.cli.options import positive, tag_filter
from indexvault.cli.output import Output
from indexvault.cli.references import optional_service_and_index
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import read_snapshot
from indexvault.cli.session import Session
from indexvault.cli.tables import Column, Table
from indexvault.cli.times import TIMES, TimeBound
from indexvault.clients import Clients
from indexvault.errors import IndexvaultError, from_record
from indexvault.maintenance.pass_over import is_unused
from indexvault.maintenance.stock import take_stock
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.labels import has_tags, tags_in_words
from indexvault.snapshots.names import SnapshotReference

MOST_FROM_DEPLOYMENT = 1000
_STYLES = {
    "complete": "green",
    "presumed": "cyan",
    "lossy": "yellow",
    "unsettled": "yellow",
    "damaged": "red",
    "missing": "red",
}
_FUTURE = "in the future"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotsRequest:
    """List snapshots: of every store, of a service, or of one index.

    `limit` is how many of each index in each store, the newest; `since` asks for those made then or later, `tags` for
    those that have all of these.
    """

    service: str | None
    index: str | None
    limit: int | None = None
    since: TimeBound | None = None
    tags: tuple[str, ...] = ()


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "where",
        metavar="SERVICE[/INDEX]",
        nargs="?",
        help="only of this service or index (default: all in every store)",
    )

    parser.add_argument("--limit", metavar="N", type=positive, help="only the newest N of each index (default: all)")
    parser.add_argument(
        "--since", metavar="TIME", type=TimeBound.parse, help=f"only those made at a time or later: {TIMES}"
    )
    parser.add_argument(
        "--tag",
        metavar="NAME[=VALUE]",
        type=tag_filter,
        action="append",
        default=[],
        help="only those with this tag, such as release or 'release=4.*'; repeatable",
    )


def read_request(arguments: Namespace) -> SnapshotsRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    service, index = optional_service_and_index(arguments.where)
    return SnapshotsRequest(
        service=service, index=index, limit=arguments.limit, since=arguments.since, tags=tuple(arguments.tag)
    )


async def run(session: Session, request: SnapshotsRequest) -> int:
    """List the snapshots of an index, a service, or every store; return the worst exit code of the stores."""
    async with session.clients() as clients:
        if request.service is not None:
            now = session.clock()
            found = await _of_service(clients, request.service, request.index, now)
            kept = await with_keepers(session.resources(clients), narrowed(found, request, now))
            _print_snapshots(session.output, kept, now)
            return DONE
        every: list[ListedSnapshot] = []
        codes = []
        for store in sorted(session.settings.stores):
            try:
                if len(session.settings.stores) > 1 and await is_unused(clients.store(store)):
                    session.output.note(f"store {store} has no containers yet: the first backup or copy makes them")
                    continue
                every += list_stock(await take_stock(clients, store, certain=False), session.clock())
            except IndexvaultError as error:
                codes.append(session.output.error(error))
        if every or not codes:
            now = session.clock()
            kept = await with_keepers(session.resources(clients), narrowed(every, request, now))
            _print_snapshots(session.output, kept, now)
        return worst(codes)


async def run_remotely(session: RemoteSession, request: SnapshotsRequest) -> int:
    """List the snapshots of an index, a service, or every store of the deployment."""
    members = {
        "service": request.service,
        "index": request.index,
        "limit": str(MOST_FROM_DEPLOYMENT),
        "tag": ",".join(request.tags) or None,
    }
    query = {name: value for name, value in members.items() if value is not None}
    found = await session.deployment.get("snapshots", SnapshotList, query)
    if not found.snapshots and request.service is not None and request.index is not None and not request.tags:
        await read_snapshot(session, SnapshotReference(service=request.service, index=request.index))
    now = session.clock()
    _print_snapshots(session.output, narrowed(found.snapshots, request, now), now)
    if found.more:
        session.output.note(
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


def narrowed(found: Sequence[ListedSnapshot], request: SnapshotsRequest, now: datetime) -> list[ListedSnapshot]:
    """Return the listed snapshots that are asked for, in their order: by service and index, the newest first."""
    since = request.since.first_moment(now) if request.since is not None else None
    places: Counter[tuple[str, str, str]] = Counter()
    chosen: list[ListedSnapshot] = []
    for each in found:
        place = (each.store, each.service, each.index)
        is_meant = (since is None or each.created >= since) and has_tags(each.tags, request.tags)
        if is_meant and (request.limit is None or places[place] < request.limit):
            places[place] += 1
            chosen.append(each)
    return chosen


def _print_snapshots(output: Output, found: Sequence[ListedSnapshot], now: datetime) -> None:
    for summary in found:
        output.result("snapshot", {"reference": str(summary.reference), **msgspec.to_builtins(summary)})
    output.show(snapshots_table(found, now) if found else "There are no snapshots")
    for summary in found:
        if summary.unchanged is not None:
            output.show(f"{summary.reference}: {summary.unchanged.words}")
        if summary.pinned is not None:
            output.show(Text(f"{summary.reference} is kept: {summary.pinned.words}", style="yellow"))
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
    """Return snapshots as a table. Their names are whole, to be copied.

    Where one is presumed, each says which full reading it builds on, by the random part of its id, and how old that is.
    """
    has_presumed = any(summary.proved for summary in found)
    has_labels = any(_labels(summary) for summary in found)
    columns = [
        Column("snapshot", names=True),
        Column("state", names=True),
        *([Column("full reading")] if has_presumed else []),
        Column("age"),
        Column("documents", right=True),
        Column("size", right=True),
        Column("stored", right=True),
        Column("added", right=True),
        *([Column("tags", prose=True)] if has_labels else []),
    ]
    return Table(
        columns,
        [
            (
                str(summary.reference),
                Text(summary.state, style=_STYLES.get(summary.state, "")),
                *([_full_reading(summary, now)] if has_presumed else []),
                _FUTURE if summary.in_future else age(summary.created, now),
                _figure(summary, f"{summary.documents:,}"),
                _figure(summary, size(summary.bytes)),
                _figure(summary, size(summary.stored)),
                _figure(summary, size(summary.added_stored)),
                *([_labels(summary)] if has_labels else []),
            )
            for summary in found
        ],
    )


def _full_reading(summary: ListedSnapshot, now: datetime) -> str:
    if summary.proved_at is None:
        return ""
    passed = age(summary.proved_at, now)
    return f"@{summary.proved.rpartition('-')[2]} {'just now' if passed == 'now' else f'{passed} ago'}"


def _labels(summary: ListedSnapshot) -> str:
    """Return what whoever made a snapshot wrote on it."""
    expiry = f"until {instant(summary.expires)}" if summary.expires is not None else ""
    return "; ".join(filter(None, [tags_in_words(summary.tags), summary.description, expiry]))


def _figure(summary: ListedSnapshot, figure: str) -> str:
    return "?" if summary.state in {"damaged", "missing"} else figure


COMMAND = Command(
    description="List snapshots, newest first.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
