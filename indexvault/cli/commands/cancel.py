"""`indexvault cancel`: stop a run of a deployment."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from indexvault.api.run_views import RunView
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.remote.runs import print_run, run_path
from indexvault.cli.remote.session import RemoteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Stop a run of a deployment."""

    run: str


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="the run")


def read_request(arguments: Namespace) -> CancelRequest:
    """Return what the arguments ask for."""
    return CancelRequest(run=arguments.run)


async def run_remotely(session: RemoteSession, request: CancelRequest) -> int:
    """Stop a run, and print how far it had come."""
    print_run(session.output, await session.deployment.delete(run_path(request.run), RunView))
    return DONE


COMMAND = Command(
    description="Cancel a run of a deployment and release its locks, so that it can't commit. What it has finished is"
    " kept.",
    add_arguments=add_arguments,
    read_request=read_request,
    run_remotely=run_remotely,
)
