"""`indexvault pin`: keep a snapshot, whatever the policies say."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import msgspec

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.options import add_snapshot
from indexvault.cli.output import Output
from indexvault.cli.references import snapshot_reference
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.maintenance.pinning import PinResult, pin_snapshot
from indexvault.snapshots.names import SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRequest:
    """Keep a snapshot from being pruned, whatever the policies say."""

    snapshot: SnapshotReference
    reason: str


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_snapshot(parser)
    parser.add_argument("--reason", metavar="TEXT", default="", help="why it is pinned")


def read_request(arguments: Namespace) -> PinRequest:
    """Return what the arguments ask for. Raises SettingsError for what is no snapshot."""
    return PinRequest(snapshot=snapshot_reference(arguments.snapshot), reason=arguments.reason)


async def run(session: Session, request: PinRequest) -> int:
    """Pin one snapshot."""
    async with session.clients() as clients:
        pinned = await pin_snapshot(clients, request.snapshot, request.reason, session.clock())
    return _print_pinned(session.output, pinned)


async def run_remotely(session: RemoteSession, request: PinRequest) -> int:
    """Have a deployment pin one snapshot."""
    body = {"snapshot": str(request.snapshot), "reason": request.reason}
    return _print_pinned(session.output, await session.deployment.post("pins", body, PinResult))


def _print_pinned(output: Output, pinned: PinResult) -> int:
    shown = f"{pinned.reference} is pinned: no policy removes it"
    output.result("pinned", msgspec.to_builtins(pinned), shown)
    return DONE


COMMAND = Command(
    description="Keep a snapshot from being pruned, whatever the policies say.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
