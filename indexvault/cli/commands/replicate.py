"""`indexvault replicate`: snapshots copied to another store."""

import msgspec
from rich.text import Text

from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE, FAILED, worst
from indexvault.cli.formatting import count, duration, size
from indexvault.cli.resources import indexes_with_snapshots, resources
from indexvault.cli.session import Session
from indexvault.cli.upkeep import ReplicateRequest
from indexvault.errors import SettingsError
from indexvault.maintenance.retention import MaintenanceJob, replicate_to
from indexvault.settings.load import store_settings
from indexvault.settings.policies import replica_stores
from indexvault.snapshots.replicate import ReplicationReport


async def run(session: Session, request: ReplicateRequest) -> int:
    """Copy index by index, store by store. Gives FAILED when a snapshot could not be copied."""
    codes = []
    async with clients(session) as opened:
        source = opened.store_of(request.service)
        for index in await indexes_with_snapshots(session, source, request.service, request.index):
            for store in _stores(session, request, index):
                job = MaintenanceJob(service=request.service, index=index)
                with session.output.progress(f"{request.service}/{index} to {store}") as progress:
                    report = await replicate_to(resources(session, opened, progress), job, source, store)
                _tell(session, job, store, report)
                codes.append(FAILED if report.skipped else DONE)
    if not codes:
        raise SettingsError(
            "no policy of it has replicate_to, and no store was named",
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


def _tell(session: Session, job: MaintenanceJob, store: str, report: ReplicationReport) -> None:
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
        f" {count(report.chunks, 'chunk')} ({size(report.bytes)}; {report.by_the_accounts:,} of them by the accounts"
        f" among themselves); {behind}",
    )
    for skipped in report.skipped:
        session.output.show(Text(f"  {skipped.snapshot} not copied: {skipped.why}", style="red"))
