"""`indexvault prune`: remove the snapshots that no policy keeps, and say why."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import age, count, size
from indexvault.cli.references import PLACE, PLACE_HELP, indexes_with_snapshots, snapshot_place
from indexvault.cli.session import Session
from indexvault.cli.tables import Column, Table
from indexvault.errors import IndexvaultError, IntegrityError, from_record
from indexvault.maintenance.protection import kept_versions, kind_in_words
from indexvault.maintenance.retention import MaintenanceJob, PrunePlan, prune_stores
from indexvault.snapshots.retention import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """Remove the snapshots of a service, or of one index, that no policy keeps; with `dry_run` only say which."""

    service: str
    index: str | None
    dry_run: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("where", metavar=PLACE, help=PLACE_HELP)
    parser.add_argument("--dry-run", action="store_true", help="only show the table")


def read_request(arguments: Namespace) -> PruneRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    service, index = snapshot_place(arguments.where)
    return PruneRequest(service=service, index=index, dry_run=arguments.dry_run)


async def run(session: Session, request: PruneRequest) -> int:
    """Prune index by index.

    Raises IntegrityError when a damaged manifest keeps chunks from being removed, else what failed in a store.
    """
    hindered: list[str] = []
    failures: list[IndexvaultError] = []
    async with session.clients() as clients:
        store = clients.store_of(request.service)
        for index in await indexes_with_snapshots(session.settings, store, request.service, request.index):
            job = MaintenanceJob(service=request.service, index=index)
            with session.output.progress(f"{request.service}/{index}") as display:
                plans = await prune_stores(session.resources(clients, display), job, dry_run=request.dry_run)
            for plan in plans:
                _print_report(session, job, plan, dry_run=request.dry_run)
                if plan.failure is not None:
                    failures.append(from_record(plan.failure))
                elif plan.report.sweep.hindrance:
                    hindered.append(f"{plan.report.sweep.hindrance} (store {plan.store})")
    if hindered:
        raise IntegrityError(
            "; ".join(hindered),
            on=f"chunks of {request.service}",
            do="Repair the manifest (indexvault repair), or find out who wrote it: until then no chunk is removed",
        )
    if failures:
        raise failures[0]
    return DONE


def _print_report(session: Session, job: MaintenanceJob, plan: PrunePlan, *, dry_run: bool) -> None:
    for decision in plan.decisions:
        decided = {
            "reference": str(decision.snapshot.reference),
            "store": plan.store,
            "keep": decision.keep,
            "reasons": decision.reasons,
            "removed": decision.snapshot.id in plan.report.removed,
        }
        session.output.result("decision", decided)
    if plan.decisions:
        session.output.show(Text(f"{job.service}/{job.index} in store {plan.store}", style="bold"))
        session.output.show(decisions_table(plan.decisions, session.clock(), dry_run=dry_run))
    sweep = plan.report.sweep
    record: dict[str, Any] = {"store": plan.store, "service": job.service, "index": job.index, "dry_run": dry_run}
    record |= {"protection": msgspec.to_builtins(plan.protection)}
    session.output.result("pruned", {**record, **msgspec.to_builtins(plan.report)})
    verb = "would be removed" if dry_run else "removed"
    session.output.show(
        f"  {count(sweep.removed, 'chunk')} ({size(sweep.removed_bytes)}) {verb} that no snapshot names;"
        f" {sweep.waiting:,} ({size(sweep.waiting_bytes)}) are too recent to remove"
    )
    if plan.protection is not None and plan.protection.kind != "none":
        session.output.show(Text(f"  {kind_in_words(plan.protection)}", style="yellow"))
    kept = kept_versions(plan.protection) if plan.protection is not None else None
    if kept is not None:
        session.output.show(Text(f"  {kept}", style="yellow"))
    for pinned in plan.report.pinned:
        session.output.show(Text(f"  {pinned} was pinned meanwhile and is kept", style="yellow"))
    for held in plan.report.held:
        session.output.show(Text(f"  {held} is kept: a restore or move began that needs it", style="yellow"))
    for refusal in [*plan.report.refused, *sweep.refused]:
        session.output.show(Text(f"  kept: {refusal.blob}: {refusal.why}", style="yellow"))


def decisions_table(decisions: Sequence[Decision], now: datetime, *, dry_run: bool) -> Table:
    """Return what is decided on each snapshot, and why, as a table."""
    goes = "would go" if dry_run else "goes"
    columns = [
        Column("snapshot", names=True),
        Column("state"),
        Column("age"),
        Column("documents", right=True),
        Column("added", right=True),
        Column("decision", names=True),
        Column("why", prose=True),
    ]
    return Table(
        columns,
        [
            (
                each.snapshot.id,
                each.snapshot.state,
                age(each.snapshot.created, now),
                f"{each.snapshot.documents:,}",
                size(each.snapshot.added_stored),
                Text("stays", style="green") if each.keep else Text(goes, style="red"),
                ", ".join(each.reasons),
            )
            for each in decisions
        ],
    )


COMMAND = Command(
    description="Decide by the `keep` rules of the policies which snapshots to keep, say why, and remove the others"
    " from the service's store and from its replicas. Chunks that only they had are removed a day later, by the next"
    " prune. Pinned snapshots and the last complete one of an index are always kept.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
