"""`indexvault protect`: protect a snapshot from deletion."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import msgspec

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.identity import operator
from indexvault.cli.options import add_snapshot
from indexvault.cli.output import Output
from indexvault.cli.references import snapshot_reference
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.maintenance.pinning import ProtectResult, protect_snapshot
from indexvault.snapshots.names import SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectRequest:
    """Protect a snapshot from deletion until two people lift that."""

    snapshot: SnapshotReference
    reason: str


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_snapshot(parser)
    parser.add_argument("--reason", metavar="TEXT", default="", help="why it is protected")


def read_request(arguments: Namespace) -> ProtectRequest:
    """Return what the arguments ask for. Raises SettingsError for what is no snapshot."""
    return ProtectRequest(snapshot=snapshot_reference(arguments.snapshot), reason=arguments.reason)


async def run(session: Session, request: ProtectRequest) -> int:
    """Protect one snapshot."""
    async with session.clients() as clients:
        by = operator(session.environment)
        protected = await protect_snapshot(clients, request.snapshot, by, request.reason, session.clock())
    return _print_protected(session.output, protected)


async def run_remotely(session: RemoteSession, request: ProtectRequest) -> int:
    """Have a deployment protect one snapshot."""
    body = {"snapshot": str(request.snapshot), "reason": request.reason}
    return _print_protected(session.output, await session.deployment.post("protections", body, ProtectResult))


def _print_protected(output: Output, protected: ProtectResult) -> int:
    shown = f"{protected.reference} is protected by {protected.protected_by}: two people lift that"
    output.result("protected", msgspec.to_builtins(protected), shown)
    return DONE


COMMAND = Command(
    description="Protect a snapshot from being pruned, deleted or unpinned, until one person asks for that to be lifted"
    " and another one confirms it. Whoever can write to the store by other means can still delete it: only an"
    " immutability policy of the container prevents that.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
