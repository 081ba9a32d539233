"""`indexvault failover`: make the other service of a pair the active one."""

from argparse import ArgumentParser, Namespace

from indexvault.cli.command import Command
from indexvault.cli.failovers import (
    FailoverRequest,
    add_failover_options,
    read_failover,
    run_failover,
    run_failover_remotely,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_failover_options(parser)
    parser.add_argument("--to", metavar="SERVICE", help="the service that becomes active (default: the pair's standby)")
    parser.add_argument("--planned", action="store_true", help="read the active service first, so that nothing is lost")
    parser.add_argument("--at", metavar="TIME", help="use the newest snapshots at or before a time")
    parser.add_argument(
        "--snapshot",
        metavar="SNAPSHOT",
        action="append",
        default=[],
        help="use this snapshot of its index, by its id; may be given several times",
    )


def read_request(arguments: Namespace) -> FailoverRequest:
    """Return what the arguments ask for. Raises SettingsError as `read_failover`."""
    return read_failover(arguments, "failover")


COMMAND = Command(
    description="Bring the standby of a pair to the newest snapshots in reach, prove every document, make it the active"
    " service, and enable its indexers. It works with the other region's service and store gone. An interrupted"
    " failover resumes with the same command. Exit code 3 if something is left out.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run_failover,
    run_remotely=run_failover_remotely,
)
