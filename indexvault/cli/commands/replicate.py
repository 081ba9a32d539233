"""`indexvault replicate`: copy snapshots to another store."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, FAILED, worst
from indexvault.cli.formatting import count, duration, size
from indexvault.cli.references import PLACE, PLACE_HELP, snapshot_place
from indexvault.cli.session import Session
from indexvault.errors import SettingsError
from indexvault.maintenance.retention import MaintenanceJob, replicate_to
from indexvault.maintenance.targets import indexes_with_snapshots
from indexvault.settings.load import store_settings
from indexvault.settings.policies import replica_stores
from indexvault.snapshots.replicate import ReplicationReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicateRequest:
    """Copy the snapshots of a service, or of one index, to another store; None means those that policies name."""

    service: str
    index: str | None
    store: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("where", metavar=PLACE, help=PLACE_HELP)
    parser.add_argument("--to", metavar="STORE", help="which store (default: those in the policies' replicate_to)")


def read_request(arguments: Namespace) -> ReplicateRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    service, index = snapshot_place(arguments.where)
    return ReplicateRequest(service=service, index=index, store=arguments.to)


async def run(session: Session, request: ReplicateRequest) -> int:
    """Copy index by index, store by store. Gives FAILED when a snapshot could not be copied."""
    codes = []
    async with session.clients() as clients:
        source = clients.store_of(request.service)
        for index in await indexes_with_snapshots(session.settings, source, request.service, request.index):
            for store in _stores(session, request, index):
                job = MaintenanceJob(service=request.service, index=index)
                with session.output.progress(f"{request.service}/{index} to {store}") as display:
                    report = await replicate_to(session.resources(clients, display), job, source, store)
                _print_report(session, job, store, report)
                codes.append(FAILED if report.skipped else DONE)
    if not codes:
        raise SettingsError(
            "no store was named, and none of its policies has replicate_to",
            on=request.service,
            do="Name one with --to, or set replicate_to in a policy",
        )
    return worst(codes)


def _stores(session: Session, request: ReplicateRequest, index: str) -> list[str]:
    if request.store is None:
        return replica_stores(session.settings, request.service, index)
    store_settings(session.settings, request.store)
    if request.store == session.settings.services[request.service].store:
        raise SettingsError(
            "this is the store that the snapshots are in", on=f"store {request.store}", do="Name another one"
        )
    return [request.store]


def _print_report(session: Session, job: MaintenanceJob, store: str, report: ReplicationReport) -> None:
    record = {"service": job.service, "index": job.index, "store": store, **msgspec.to_builtins(report)}
    behind = (
        f"{report.lag.snapshots:,} behind, the oldest by {duration(report.lag.time)}"
        if report.lag.snapshots
        else "nothing behind"
    )
    session.output.result(
        "replicated",
        record,
        f"{job.service}/{job.index} to store {store}: {count(len(report.copied), 'snapshot')} copied,"
        f" {count(report.packs, 'pack')} ({size(report.bytes)}; {report.by_the_accounts:,} of them directly"
        f" between the accounts); {behind}",
    )
    for skipped in report.skipped:
        session.output.show(Text(f"  {skipped.snapshot} not copied: {skipped.why}", style="red"))


COMMAND = Command(
    description="Copy the snapshots that another store lacks, prove their checksums, and say how far it is behind.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
