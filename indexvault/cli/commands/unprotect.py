"""`indexvault unprotect`: ask for a snapshot's protection to be lifted, or confirm it as the second person."""

from argparse import Namespace
from dataclasses import dataclass

import msgspec

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import instant
from indexvault.cli.identity import operator
from indexvault.cli.options import add_snapshot
from indexvault.cli.output import Output
from indexvault.cli.references import snapshot_reference
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import snapshot_path
from indexvault.cli.session import Session
from indexvault.maintenance.pinning import UnprotectResult, unprotect_snapshot
from indexvault.snapshots.names import SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprotectRequest:
    """Ask for a protection to be lifted, or confirm it."""

    snapshot: SnapshotReference


def read_request(arguments: Namespace) -> UnprotectRequest:
    """Return what the arguments ask for. Raises SettingsError for what is no snapshot."""
    return UnprotectRequest(snapshot=snapshot_reference(arguments.snapshot))


async def run(session: Session, request: UnprotectRequest) -> int:
    """Ask, or confirm."""
    async with session.clients() as clients:
        by = operator(session.environment)
        found = await unprotect_snapshot(clients, request.snapshot, by, session.clock())
    return _print_found(session.output, found)


async def run_remotely(session: RemoteSession, request: UnprotectRequest) -> int:
    """Ask a deployment, or confirm."""
    path = f"protections/{snapshot_path(request.snapshot)}"
    return _print_found(session.output, await session.deployment.delete(path, UnprotectResult))


def _print_found(output: Output, found: UnprotectResult) -> int:
    shown = f"{found.reference} is no longer protected"
    if found.state == "asked":
        until = f" until {instant(found.lapses)}" if found.lapses is not None else ""
        shown = (
            f"{found.reference} is still protected: {found.asked_by} asks to lift that, and another person must confirm"
            f" it by the same command{until}"
        )
    output.result("unprotected", msgspec.to_builtins(found), shown)
    return DONE


COMMAND = Command(
    description="Ask for the protection of a snapshot to be lifted. Once another person gives the same command, within"
    " seven days, it is; `protect` withdraws the request.",
    add_arguments=add_snapshot,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
