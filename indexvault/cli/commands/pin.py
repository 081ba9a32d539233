"""`indexvault pin`: keep a snapshot, whatever the policies say."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.options import add_snapshot
from indexvault.cli.session import Session
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Pin, pin


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
    return PinRequest(snapshot=SnapshotReference.parse(arguments.snapshot), reason=arguments.reason)


async def run(session: Session, request: PinRequest) -> int:
    """Pin one snapshot."""
    async with session.clients() as clients:
        store = clients.store_of(request.snapshot.service)
        await store.prepare()
        reference = await pin(store, request.snapshot, Pin(session.clock(), request.reason))
    session.output.result("pinned", {"reference": str(reference)}, f"{reference} is pinned: no policy removes it")
    return DONE


COMMAND = Command(
    description="Keep a snapshot from being pruned, whatever the policies say.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
