"""`indexvault runs`: the runs of a deployment."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.api.run_views import RunList, RunView
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.formatting import instant
from indexvault.cli.remote.runs import STYLES, print_run, run_path
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.tables import Column, Table
from indexvault.errors import from_record


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsRequest:
    """List the runs of a deployment, or show the progress of one."""

    run: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="only this run, with each of its indexes")


def read_request(arguments: Namespace) -> RunsRequest:
    """Return what the arguments ask for."""
    return RunsRequest(run=arguments.run)


async def run_remotely(session: RemoteSession, request: RunsRequest) -> int:
    """List the newest runs, or show the progress of one."""
    if request.run is not None:
        print_run(session.output, await session.deployment.get(run_path(request.run), RunView))
        return DONE
    found = await session.deployment.get("runs", RunList)
    for view in found.runs:
        session.output.result("run", msgspec.to_builtins(view))
    session.output.show(runs_table(found.runs) if found.runs else "There are no runs")
    return worst([session.output.error(from_record(each.error)) for each in found.unread])


def runs_table(found: Sequence[RunView]) -> Table:
    """Return runs as a table."""
    columns = [Column("run", names=True), Column("state", names=True), Column("created"), Column("what", prose=True)]
    return Table(
        columns,
        [
            (view.run, Text(view.state, style=STYLES.get(view.state, "")), instant(view.created), view.asked)
            for view in found
        ],
    )


COMMAND = Command(
    description="List the newest runs of a deployment, or show the progress of one.",
    add_arguments=add_arguments,
    read_request=read_request,
    run_remotely=run_remotely,
)
