"""`indexvault unpin`: remove a snapshot's pin."""

from argparse import Namespace
from dataclasses import dataclass

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.options import add_snapshot
from indexvault.cli.session import Session
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import unpin


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpinRequest:
    """Let the policies decide on a snapshot again."""

    snapshot: SnapshotReference


def read_request(arguments: Namespace) -> UnpinRequest:
    """Return what the arguments ask for. Raises SettingsError for what is no snapshot."""
    return UnpinRequest(snapshot=SnapshotReference.parse(arguments.snapshot))


async def run(session: Session, request: UnpinRequest) -> int:
    """Remove the pin of one snapshot."""
    async with session.clients() as clients:
        store = clients.store_of(request.snapshot.service)
        reference = (await resolve(store.snapshots, request.snapshot, now=session.clock())).reference
        was_pinned = await unpin(store.runs, reference)
    session.output.result(
        "unpinned",
        {"reference": str(reference), "was_pinned": was_pinned},
        f"{reference} is no longer pinned" if was_pinned else f"{reference} was not pinned",
    )
    return DONE


COMMAND = Command(
    description="Remove a snapshot's pin.",
    add_arguments=add_snapshot,
    read_request=read_request,
    run=run,
)
