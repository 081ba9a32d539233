"""`indexvault unpin`: remove a snapshot's pin."""

from argparse import Namespace
from dataclasses import dataclass

import msgspec

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.options import add_snapshot
from indexvault.cli.output import Output
from indexvault.cli.references import snapshot_reference
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import snapshot_path
from indexvault.cli.session import Session
from indexvault.maintenance.pinning import UnpinResult, unpin_snapshot
from indexvault.snapshots.names import SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpinRequest:
    """Let the policies decide on a snapshot again."""

    snapshot: SnapshotReference


def read_request(arguments: Namespace) -> UnpinRequest:
    """Return what the arguments ask for. Raises SettingsError for what is no snapshot."""
    return UnpinRequest(snapshot=snapshot_reference(arguments.snapshot))


async def run(session: Session, request: UnpinRequest) -> int:
    """Remove the pin of one snapshot."""
    async with session.clients() as clients:
        unpinned = await unpin_snapshot(clients, request.snapshot, session.clock())
    return _print_unpinned(session.output, unpinned)


async def run_remotely(session: RemoteSession, request: UnpinRequest) -> int:
    """Have a deployment remove the pin of one snapshot."""
    path = f"pins/{snapshot_path(request.snapshot)}"
    return _print_unpinned(session.output, await session.deployment.delete(path, UnpinResult))


def _print_unpinned(output: Output, unpinned: UnpinResult) -> int:
    reference = unpinned.reference
    shown = f"{reference} is no longer pinned" if unpinned.was_pinned else f"{reference} was not pinned"
    output.result("unpinned", msgspec.to_builtins(unpinned), shown)
    return DONE


COMMAND = Command(
    description="Remove a snapshot's pin.",
    add_arguments=add_snapshot,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
