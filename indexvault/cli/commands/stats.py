"""`indexvault stats`: what snapshots take up, and about what that costs."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import size
from indexvault.cli.output import Output
from indexvault.cli.references import optional_service_and_index
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.cli.tables import Column, Table
from indexvault.status.statistics import IndexStatistics, Statistics, statistics_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsRequest:
    """Tell what snapshots take up: of all services, a service, or one index."""

    service: str | None
    index: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "where", metavar="SERVICE[/INDEX]", nargs="?", help="only of this service or index (default: all)"
    )


def read_request(arguments: Namespace) -> StatsRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    service, index = optional_service_and_index(arguments.where)
    return StatsRequest(service=service, index=index)


async def run(session: Session, request: StatsRequest) -> int:
    """Count what is in the stores."""
    async with session.clients(retry=FIRST_CONTACT) as clients:
        return _print(session.output, await statistics_of(session.resources(clients), request.service, request.index))


async def run_remotely(session: RemoteSession, request: StatsRequest) -> int:
    """Have a deployment count."""
    members = {"service": request.service, "index": request.index}
    query = {name: value for name, value in members.items() if value is not None}
    return _print(session.output, await session.deployment.get("stats", Statistics, query))


def _print(output: Output, found: Statistics) -> int:
    for each in found.indexes:
        output.result("stats", msgspec.to_builtins(each))
    output.result("estimate", msgspec.to_builtins(found.estimate))
    if not found.indexes:
        output.show("There are no snapshots")
        return DONE
    figures = ("snapshots", "documents", "size", "apart", "stored", "shared", "a day")
    columns = [
        Column("index", names=True),
        Column("store"),
        *(Column(name, right=True) for name in figures),
    ]
    output.show(Table(columns, [_row(each) for each in found.indexes]))
    cost = found.estimate
    output.show(
        Text(
            f"about {cost.storage:,.2f} {cost.currency} a month for storage, {cost.next_month:,.2f} in 30 days at this"
            f" growth, and {cost.writes:,.2f} for writes"
        ),
        Text(f"prices: {cost.as_of}; set your own in the settings (prices)", style="dim"),
    )
    return DONE


def _row(each: IndexStatistics) -> tuple[str, ...]:
    return (
        f"{each.service}/{each.index}",
        each.store,
        f"{each.snapshots:,}",
        f"{each.documents:,}",
        size(each.bytes),
        size(each.apart),
        size(each.stored),
        "" if each.shared is None else f"{each.shared:.1f}x",
        size(round(each.growth)),
    )


COMMAND = Command(
    description="Tell what snapshots take up in each store: the size of the newest (uncompressed), what all would take"
    " up if they shared nothing (apart), what they do take up (stored), what the last 30 days have added a day, and an"
    " estimate of the cost by the prices in the settings.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
