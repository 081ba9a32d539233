"""`indexvault prune`: remove the snapshots that no policy keeps, and say why."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.confirmation import confirm, require_answerable
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import age, count, size
from indexvault.cli.output import Output
from indexvault.cli.references import PLACE, PLACE_HELP, snapshot_place
from indexvault.cli.remote.follow import follow, start
from indexvault.cli.remote.reports import read_report
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.tables import Column, Table
from indexvault.clients import Clients
from indexvault.maintenance.protection import kept_versions, kind_in_words
from indexvault.maintenance.pruning import PruneResult, prune_failure
from indexvault.maintenance.retention import MaintenanceJob, PrunePlan, prune_stores
from indexvault.maintenance.targets import indexes_with_snapshots
from indexvault.snapshots.retention import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """Remove the snapshots of a service, or of one index, that no policy keeps; with `dry_run` only say which.

    `confirmed` removes them without asking.
    """

    service: str
    index: str | None
    dry_run: bool
    confirmed: bool = False


@dataclass(slots=True)
class _Total:
    """What was decided and done in all stores of all indexes.

    `frees` are stored bytes that later prunes free. `packs` and `pack_bytes` are those that no snapshot needs,
    `rewritten` packs of which few bytes are needed, `rewritten_bytes` what that frees. Of `stored_bytes` that are left,
    `wasted_bytes` are not needed.
    """

    snapshots: int = 0
    going: int = 0
    removed: int = 0
    frees: int = 0
    packs: int = 0
    pack_bytes: int = 0
    rewritten: int = 0
    rewritten_bytes: int = 0
    stored_bytes: int = 0
    wasted_bytes: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to remove or rewrite."""
        return not (self.going or self.packs or self.rewritten)

    def add(self, plan: PrunePlan) -> None:
        """Add the plan, or the result, of one store."""
        self.snapshots += len(plan.decisions)
        self.going += sum(not each.keep for each in plan.decisions)
        self.removed += len(plan.report.removed)
        self.frees += plan.frees or 0
        sweep = plan.report.sweep
        self.packs += sweep.removed
        self.pack_bytes += sweep.removed_bytes
        self.rewritten += sweep.rewritten
        self.rewritten_bytes += sweep.rewritten_bytes
        self.stored_bytes += sweep.stored_bytes
        self.wasted_bytes += sweep.wasted_bytes


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("where", metavar=PLACE, help=PLACE_HELP)
    parser.add_argument("--dry-run", action="store_true", help="only show the table and what would be freed")
    parser.add_argument(
        "--yes", action="store_true", help="remove without asking; needed with --json and where there is no terminal"
    )


def read_request(arguments: Namespace) -> PruneRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    service, index = snapshot_place(arguments.where)
    return PruneRequest(service=service, index=index, dry_run=arguments.dry_run, confirmed=arguments.yes)


async def run(session: Session, request: PruneRequest) -> int:
    """Prune index by index, after asking.

    Raises SettingsError where nobody can be asked, CancelledError if the answer is not yes, IntegrityError when a
    damaged manifest keeps packs from being removed, else what failed in a store.
    """
    asks = not request.dry_run and not request.confirmed
    if asks:
        require_answerable(session.output, "prune")
    async with session.clients() as clients:
        store = clients.store_of(request.service)
        indexes = await indexes_with_snapshots(session.settings, store, request.service, request.index)
        jobs = [MaintenanceJob(service=request.service, index=index) for index in indexes]
        if not asks:
            plans, _total = await _prune(session, clients, jobs, dry_run=request.dry_run)
        else:
            plans, total = await _prune(session, clients, jobs, dry_run=True)
            if not total.is_nothing:
                await confirm(session.output, _question(total), "prune")
                plans, _total = await _prune(session, clients, jobs, dry_run=False, again=True)
    _raise_for(plans)
    return DONE


async def _prune(
    session: Session, clients: Clients, jobs: Sequence[MaintenanceJob], *, dry_run: bool, again: bool = False
) -> tuple[list[tuple[MaintenanceJob, PrunePlan]], _Total]:
    """Prune, and print what is decided, unless that was done before (`again`), and what it comes to."""
    plans: list[tuple[MaintenanceJob, PrunePlan]] = []
    total = _Total()
    for job in jobs:
        with session.output.progress(f"{job.service}/{job.index}") as display:
            found = await prune_stores(session.resources(clients, display), job, dry_run=dry_run, measure=True)
        for plan in found:
            _print_report(session, job, plan, dry_run=dry_run, again=again)
            total.add(plan)
        plans += [(job, plan) for plan in found]
    _print_total(session.output, total, dry_run=dry_run)
    return plans, total


def _question(total: _Total) -> str:
    going = [count(total.going, "snapshot")] if total.going else []
    going += [f"{count(total.packs, 'pack')} that no snapshot needs"] if total.packs else []
    asked = [f"remove {' and '.join(going)}"] if going else []
    asked += [f"rewrite {count(total.rewritten, 'pack')}"] if total.rewritten else []
    question = ", and ".join(asked)
    return f"{question[:1].upper()}{question[1:]}?"


def _print_total(output: Output, total: _Total, *, dry_run: bool) -> None:
    gone = total.going if dry_run else total.removed
    record = {"dry_run": dry_run, **asdict(total)}
    frees = f": frees {size(total.frees)} when later prunes remove what only they need" if gone and total.frees else ""
    line = f"in all {gone:,} of {count(total.snapshots, 'snapshot')} {'would go' if dry_run else 'removed'}{frees}"
    freed = size(total.pack_bytes + total.rewritten_bytes)
    now = f"; {freed} {'would be' if dry_run else 'are'} freed now, {_waste(total.wasted_bytes, total.stored_bytes)}"
    output.result("prune_total", record, Text(f"{line}{now}", style="bold"))


def _waste(wasted: int, stored: int) -> str:
    """Return in words how much of what is stored no snapshot needs."""
    return f"of {size(stored)} left no snapshot needs {size(wasted)} ({wasted / stored if stored else 0:.0%})"


async def run_remotely(session: RemoteSession, request: PruneRequest) -> int:
    """Have a deployment prune, after asking. Raises as `run` does."""
    asks = not request.dry_run and not request.confirmed
    if asks:
        require_answerable(session.output, "prune")
    plans, total = await _prune_remotely(session, request, dry_run=request.dry_run or asks)
    if asks and not total.is_nothing:
        await confirm(session.output, _question(total), "prune")
        plans, _total = await _prune_remotely(session, request, dry_run=False, again=True)
    _raise_for(plans)
    return DONE


async def _prune_remotely(
    session: RemoteSession, request: PruneRequest, *, dry_run: bool, again: bool = False
) -> tuple[list[tuple[MaintenanceJob, PrunePlan]], _Total]:
    """Have a deployment prune in one run, and print as `_prune` does. Raises the error of an index without a report."""
    place = "/".join(filter(None, (request.service, request.index)))
    body: dict[str, Any] = {"service": request.service, "dry_run": dry_run}
    body |= {} if request.index is None else {"index": request.index}
    view = await follow(session, await start(session, "prunes", body), place)
    plans: list[tuple[MaintenanceJob, PrunePlan]] = []
    total = _Total()
    for item, index in enumerate(view.indexes):
        job = MaintenanceJob(service=index.service, index=index.index)
        found = (await read_report(session, view, item, PruneResult)).plans
        for plan in found:
            _print_report(session, job, plan, dry_run=dry_run, again=again)
            total.add(plan)
        plans += [(job, plan) for plan in found]
    _print_total(session.output, total, dry_run=dry_run)
    return plans, total


def _raise_for(plans: Sequence[tuple[MaintenanceJob, PrunePlan]]) -> None:
    """Raise IntegrityError for what kept packs from being removed, else the first error of a store."""
    error = prune_failure(plans)
    if error is not None:
        raise error


def _print_report(
    session: Session | RemoteSession, job: MaintenanceJob, plan: PrunePlan, *, dry_run: bool, again: bool
) -> None:
    for decision in plan.decisions:
        decided = {
            "reference": str(decision.snapshot.reference),
            "store": plan.store,
            "keep": decision.keep,
            "reasons": decision.reasons,
            "removed": decision.snapshot.id in plan.report.removed,
        }
        session.output.result("decision", decided)
    if plan.decisions and not again:
        session.output.show(Text(f"{job.service}/{job.index} in store {plan.store}", style="bold"))
        session.output.show(decisions_table(plan.decisions, session.clock(), dry_run=dry_run))
    sweep = plan.report.sweep
    record: dict[str, Any] = {"store": plan.store, "service": job.service, "index": job.index, "dry_run": dry_run}
    record |= {"protection": msgspec.to_builtins(plan.protection), "frees": plan.frees}
    session.output.result("pruned", {**record, **msgspec.to_builtins(plan.report)})
    verb = "would be removed" if dry_run else "removed"
    session.output.show(
        f"  {count(sweep.removed, 'pack')} ({size(sweep.removed_bytes)}) {verb} that no snapshot needs;"
        f" {sweep.waiting:,} ({size(sweep.waiting_bytes)}) are too recent to remove"
    )
    if sweep.rewritten:
        session.output.show(
            f"  {count(sweep.rewritten, 'pack')} {'would be ' if dry_run else ''}rewritten, of which little is needed:"
            f" {size(sweep.rewritten_bytes)} {'would be ' if dry_run else ''}freed"
        )
    session.output.show(f"  {_waste(sweep.wasted_bytes, sweep.stored_bytes)}")
    if sweep.not_rewritten:
        session.output.show(Text(f"  packs are not rewritten: {sweep.not_rewritten}", style="yellow"))
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
    " from the service's store and from its replicas. What only they needed is removed a day later, by the next"
    " prune, which also rewrites packs of which little is needed. Pinned snapshots and the last complete one of an"
    " index are always kept. Asks before it removes anything; without a terminal it needs --yes.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
