"""`indexvault failback`: make the primary of a pair the active service again."""

from argparse import Namespace

from indexvault.cli.command import Command
from indexvault.cli.failovers import (
    FailoverRequest,
    add_failover_options,
    read_failover,
    run_failover,
    run_failover_remotely,
)


def read_request(arguments: Namespace) -> FailoverRequest:
    """Return what the arguments ask for."""
    return read_failover(arguments, "failback")


COMMAND = Command(
    description="Compare the primary of a pair with the service that is active, say what only the primary holds, make"
    " the primary equal to the active service, and make it active again. Nothing that the active service holds is lost."
    " An interrupted failback resumes with the same command. Exit code 3 if something is left out.",
    add_arguments=add_failover_options,
    read_request=read_request,
    run=run_failover,
    run_remotely=run_failover_remotely,
)
