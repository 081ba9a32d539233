"""A whole service restored, and what became of each of its objects."""

import msgspec
from rich.table import Table
from rich.text import Text

from indexvault.cli.connect import clients, index_names
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count
from indexvault.cli.requests import RestoreServiceRequest
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows, run_name
from indexvault.restore.service.job import ServiceRestoreJob, ServiceRestoreReport
from indexvault.restore.service.workflow import ACTIVITIES, RESTORE_SERVICE
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve

_STYLES = {"made": "green", "there": "green", "left out": "yellow", "failed": "red"}


async def restore_whole_service(session: Session, request: RestoreServiceRequest) -> int:
    """Restore a service; the code is FAILED unless everything is on the target afterwards."""
    service_settings(session.settings, request.service)
    async with clients(session) as opened:
        snapshot = await resolve(opened.store_of(request.snapshot.service).snapshots, request.snapshot)
        await index_names(session, request.service)
        job = ServiceRestoreJob(
            service=snapshot.service,
            snapshot=snapshot.id,
            target_service=request.service,
            run=run_name(session, "restore"),
            at=request.snapshot.at,
            **request.options,
        )
        async with Workflows(session, opened, ACTIVITIES, RESTORE_SERVICE) as workflows:
            with session.output.progress(f"{job.service} to {job.target_service}") as progress:
                report = await workflows.run(RESTORE_SERVICE, job, run=job.run, progress=progress)
    record = {"whole": report.whole, **msgspec.to_builtins(report)}
    session.output.result("restore_service", record, _table(report), _verdict(report))
    return DONE if report.whole else FAILED


def _table(report: ServiceRestoreReport) -> Table:
    table = Table(title=f"{report.service} restored to {report.target_service}", title_justify="left")
    for heading in ("kind", "name", "outcome", "why"):
        table.add_column(heading, overflow="fold")
    for each in report.objects:
        name = each.name if each.name == each.target else f"{each.name} as {each.target}"
        why = each.why or (count(each.documents, "document") if each.documents is not None else "")
        table.add_row(each.kind, name, Text(each.outcome, style=_STYLES[each.outcome]), why)
    return table


def _verdict(report: ServiceRestoreReport) -> Text:
    missing = sum(each.outcome in {"left out", "failed"} for each in report.objects)
    if missing:
        return Text(f"{count(missing, 'object')} of {len(report.objects)} not on the target: see above", style="yellow")
    return Text("everything is on the target; indexers are disabled until you enable them", style="green")
