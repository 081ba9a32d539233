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
from indexvault.cli.output import Output
from indexvault.cli.references import snapshot_reference
from indexvault.cli.remote.follow import follow, start
from indexvault.cli.remote.reports import read_report
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import point_of
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.errors import IndexvaultError
from indexvault.maintenance.deletion import Deletion, delete_snapshots, failure_of, plan_deletion, require_ids
from indexvault.maintenance.deletion_run import DeletionResult
from indexvault.maintenance.protection import kept_versions, kind_in_words
from indexvault.model import IndexName
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
    snapshots = tuple(dict.fromkeys(snapshot_reference(each) for each in arguments.snapshots))
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
        done = []
        for deletion in planned:
            report = await delete_snapshots(session.resources(clients), deletion)
            _print_deleted(session.output, deletion, report)
            done.append((deletion, report))
    failure = failure_of(done, request.snapshots)
    if failure is not None:
        raise failure
    return DONE


async def run_remotely(session: RemoteSession, request: DeleteRequest) -> int:
    """Have a deployment delete, after showing what goes and asking. Raises as `run` does."""
    require_ids(request.snapshots)
    asks = not (request.confirmed or request.dry_run)
    if asks:
        require_answerable(session.output, "delete")
    planned, failures = await _ask(session, request.snapshots, dry_run=True)
    if failures:
        raise failures[0]
    for result in planned:
        for deletion in result.planned:
            _print_plan(session, deletion)
    if request.dry_run:
        return DONE
    if asks:
        ids = {each.reference for result in planned for deletion in result.planned for each in deletion.snapshots}
        await confirm(session.output, f"Delete {count(len(ids), 'snapshot')}?", "delete")
    results, failures = await _ask(session, request.snapshots, dry_run=False)
    done = [pair for result in results for pair in zip(result.planned, result.reports, strict=True)]
    for deletion, report in done:
        _print_deleted(session.output, deletion, report)
    failure = failure_of(done, request.snapshots) or (failures[0] if failures else None)
    if failure is not None:
        raise failure
    return DONE


async def _ask(
    session: RemoteSession, snapshots: Sequence[SnapshotReference], *, dry_run: bool
) -> tuple[list[DeletionResult], list[IndexvaultError]]:
    """Have a deployment plan or delete in a run for each index.

    Return the reports of the indexes that have one, and the failures of the others.
    """
    results, failures = [], []
    for name in dict.fromkeys(IndexName(each.service, each.index) for each in snapshots):
        of_index = [point_of(each) for each in snapshots if (each.service, each.index) == (name.service, name.index)]
        body = {"service": name.service, "index": name.index, "snapshots": of_index, "dry_run": dry_run}
        view = await follow(session, await start(session, "deletions", body), str(name))
        try:
            results.append(await read_report(session, view, 0, DeletionResult))
        except IndexvaultError as error:
            failures.append(error)
    return results, failures


def _print_plan(session: Session | RemoteSession, deletion: Deletion) -> None:
    lines = []
    for each in deletion.snapshots:
        record = {"reference": str(each.reference), "store": deletion.store, "state": each.state}
        session.output.result("deletion", {**record, "documents": each.documents, "created": each.created.isoformat()})
        old = age(each.created, session.clock())
        lines.append(Text(f"{each.reference} in store {deletion.store}: {each.state}, {old} old"))
    freed = f"  frees {size(deletion.frees)} that no other snapshot there needs, a day from now, with the next prune"
    lines.append(Text(freed if deletion.frees else "  frees nothing: other snapshots there need all that it has"))
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


def _print_deleted(output: Output, deletion: Deletion, report: PruneReport) -> None:
    """Print what was deleted from one store."""
    for snapshot in report.removed:
        reference = f"{deletion.index}@{snapshot}"
        output.result(
            "deleted",
            {"reference": reference, "store": deletion.store},
            Text.assemble(("deleted", "red"), f"  {reference} from store {deletion.store}"),
        )


COMMAND = Command(
    description="Delete snapshots by their ids, from the service's store and from its replicas, after showing what that"
    " frees and asking. A pinned snapshot, one that an unfinished restore or move needs, and the last complete one of"
    " an index are not deleted. What only they needed is removed a day later, by the next prune.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
