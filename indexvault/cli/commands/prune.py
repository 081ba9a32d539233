"""`indexvault prune`: what stays, what goes, and why."""

import msgspec
from rich.table import Table
from rich.text import Text

from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import age, count, size
from indexvault.cli.resources import indexes_with_snapshots, resources
from indexvault.cli.session import Session
from indexvault.cli.upkeep import PruneRequest
from indexvault.errors import IntegrityError
from indexvault.maintenance.retention import MaintenanceJob, PrunePlan, prune_stores
from indexvault.snapshots.retention import Decision


async def run(session: Session, request: PruneRequest) -> int:
    """Prune index by index. Raises IntegrityError when a damaged manifest keeps chunks from being removed."""
    hindered = []
    async with clients(session) as opened:
        store = opened.store_of(request.service)
        for index in await indexes_with_snapshots(session, store, request.service, request.index):
            job = MaintenanceJob(service=request.service, index=index)
            with session.output.progress(f"{request.service}/{index}") as progress:
                plans = await prune_stores(resources(session, opened, progress), job, dry_run=request.dry_run)
            for plan in plans:
                _tell(session, job, plan, dry_run=request.dry_run)
                if plan.report is not None and plan.report.sweep.hindrance:
                    hindered.append(f"{plan.report.sweep.hindrance} (store {plan.store})")
    if hindered:
        raise IntegrityError(
            "; ".join(hindered),
            on=f"chunks of {request.service}",
            do="Repair the manifest (indexvault repair), or find out who wrote it: until then no chunk is removed",
        )
    return DONE


def _tell(session: Session, job: MaintenanceJob, plan: PrunePlan, *, dry_run: bool) -> None:
    for decision in plan.decisions:
        record = {
            "reference": str(decision.snapshot.reference),
            "store": plan.store,
            "keep": decision.keep,
            "reasons": decision.reasons,
            "removed": plan.report is not None and decision.snapshot.id in plan.report.removed,
        }
        session.output.result("decision", record)
    if plan.decisions:
        session.output.show(Text(f"{job.service}/{job.index} in store {plan.store}", style="bold"))
        session.output.show(_table(session, plan.decisions, dry_run=dry_run))
    if plan.report is None:
        return
    sweep = plan.report.sweep
    record = {"store": plan.store, "service": job.service, "index": job.index, "dry_run": dry_run}
    session.output.result("pruned", {**record, **msgspec.to_builtins(plan.report)})
    verb = "would be removed" if dry_run else "removed"
    session.output.show(
        f"  {count(sweep.removed, 'chunk')} ({size(sweep.removed_bytes)}) {verb} that no snapshot names;"
        f" {sweep.waiting:,} ({size(sweep.waiting_bytes)}) wait for their day to pass"
    )
    for pinned in plan.report.pinned:
        session.output.show(Text(f"  {pinned} was pinned meanwhile and stays", style="yellow"))
    for refusal in [*plan.report.refused, *sweep.refused]:
        session.output.show(Text(f"  stays: {refusal.blob}: {refusal.why}", style="yellow"))


def _table(session: Session, decisions: list[Decision], *, dry_run: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("snapshot", "state", "age", "documents", "added", "", "why"):
        table.add_column(heading, justify="right" if heading in {"documents", "added"} else "left", no_wrap=True)
    goes = "would go" if dry_run else "goes"
    for decision in decisions:
        snapshot = decision.snapshot
        table.add_row(
            snapshot.id,
            snapshot.state,
            age(snapshot.created, session.clock()),
            f"{snapshot.documents:,}",
            size(snapshot.added_stored),
            Text("stays", style="green") if decision.keep else Text(goes, style="red"),
            ", ".join(decision.reasons),
        )
    return table
