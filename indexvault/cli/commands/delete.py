"""`indexvault delete`: delete snapshots that an operator names."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.confirmation import confirm, require_answerable
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import age, count, size
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.clients import Clients
from indexvault.errors import ConflictError
from indexvault.maintenance.deletion import Deletion, delete_snapshots, plan_deletion
from indexvault.maintenance.protection import kept_versions, kind_in_words
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.prune import PruneReport


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRequest:
    """Delete snapshots from all stores; with `dry_run` only say what that frees, with `confirmed` without asking."""

    snapshots: tuple[SnapshotReference, ...]
    dry_run: bool
    confirmed: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "snapshots",
        metavar="SNAPSHOT",
        nargs="+",
        help="SERVICE/INDEX@<id>, or four digits of the random part of the id",
    )
    parser.add_argument("--dry-run", action="store_true", help="only show what would be deleted and freed")
    parser.add_argument(
        "--yes", action="store_true", help="delete without asking; needed with --json and where there is no terminal"
    )


def read_request(arguments: Namespace) -> DeleteRequest:
    """Return what the arguments ask for: each snapshot once. Raises SettingsError for what is none."""
    snapshots = tuple(dict.fromkeys(SnapshotReference.parse(each) for each in arguments.snapshots))
    return DeleteRequest(snapshots=snapshots, dry_run=arguments.dry_run, confirmed=arguments.yes)


async def run(session: Session, request: DeleteRequest) -> int:
    """Show what goes and what that frees, ask, then delete.

    Raises SettingsError where nobody can be asked, CancelledError if the answer is not yes, ConflictError if a rule, a
    pin, a run or the store keeps a snapshot.
    """
    asks = not (request.confirmed or request.dry_run)
    if asks:
        require_answerable(session.output, "delete")
    async with session.clients(retry=FIRST_CONTACT) as clients:
        planned = await plan_deletion(session.resources(clients), request.snapshots)
        for deletion in planned:
            _print_plan(session, deletion)
        if request.dry_run:
            return DONE
        if asks:
            ids = {each.reference for deletion in planned for each in deletion.snapshots}
            await confirm(session.output, f"Delete {count(len(ids), 'snapshot')}?", "delete")
        kept = [why for deletion in planned for why in await _delete(session, clients, deletion)]
    if kept:
        raise ConflictError(
            "; ".join(kept),
            on=", ".join(map(str, request.snapshots)),
            do="Look with `indexvault snapshots` what is left",
        )
    return DONE


def _print_plan(session: Session, deletion: Deletion) -> None:
    lines = []
    for each in deletion.snapshots:
        record = {"reference": str(each.reference), "store": deletion.store, "state": each.state}
        session.output.result("deletion", {**record, "documents": each.documents, "created": each.created.isoformat()})
        old = age(each.created, session.clock())
        lines.append(Text(f"{each.reference} in store {deletion.store}: {each.state}, {old} old"))
    freed = f"  frees {size(deletion.frees)} that no other snapshot there needs, a day from now, with the next prune"
    lines.append(Text(freed if deletion.frees else "  frees nothing: other snapshots there need all of its chunks"))
    protection = deletion.protection
    if protection is not None and protection.kind != "none":
        lines.append(Text(f"  {kind_in_words(protection)}", style="yellow"))
    versions = kept_versions(protection) if protection is not None else None
    if versions is not None:
        lines.append(Text(f"  {versions}", style="yellow"))
    record = {"store": deletion.store, "service": deletion.index.service, "index": deletion.index.index}
    session.output.result(
        "frees", {**record, "bytes": deletion.frees, "protection": msgspec.to_builtins(protection)}, *lines
    )


async def _delete(session: Session, clients: Clients, deletion: Deletion) -> Sequence[str]:
    """Delete from one store, print what was, and return in words what stays and why."""
    report: PruneReport = await delete_snapshots(session.resources(clients), deletion)
    for snapshot in report.removed:
        reference = f"{deletion.index}@{snapshot}"
        session.output.result(
            "deleted",
            {"reference": reference, "store": deletion.store},
            Text.assemble(("deleted", "red"), f"  {reference} from store {deletion.store}"),
        )
    return [
        *(f"{snapshot} was pinned meanwhile and stays in store {deletion.store}" for snapshot in report.pinned),
        *(f"a run began that needs {snapshot}: it stays in store {deletion.store}" for snapshot in report.held),
        *(f"{refusal.blob} stays in store {deletion.store}: {refusal.why}" for refusal in report.refused),
    ]


COMMAND = Command(
    description="Delete snapshots by their ids, from the service's store and from its replicas, after showing what that"
    " frees and asking. A pinned snapshot, one that an unfinished restore or move needs, and the last complete one of"
    " an index are not deleted. Chunks that only they had are removed a day later, by the next prune.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
