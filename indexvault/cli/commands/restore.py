"""`indexvault restore`: an index from a snapshot, proved to be it."""

import asyncio
from collections.abc import Sequence

import msgspec
from rich.text import Text

from indexvault.cli.check_table import code_of, findings_table
from indexvault.cli.connect import clients, index_names
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, duration
from indexvault.cli.notes import shortcomings
from indexvault.cli.output import Output
from indexvault.cli.requests import RestoreRequest, RestoreServiceRequest
from indexvault.cli.service_restore import restore_whole_service
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows, run_name
from indexvault.errors import CancelledError
from indexvault.restore.job import RestoreJob
from indexvault.restore.report import PreflightReport, RestoreReport
from indexvault.restore.workflow import ACTIVITIES, PREFLIGHT_RESTORE, RESTORE_INDEX
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve

_STAGES_ON_TARGET = frozenset({"load", "compare"})


async def run(session: Session, request: RestoreRequest | RestoreServiceRequest) -> int:
    """Restore one snapshot, or only check whether it could be restored; or restore a whole service."""
    if isinstance(request, RestoreServiceRequest):
        return await restore_whole_service(session, request)
    service_settings(session.settings, request.service)
    async with clients(session) as opened:
        chosen = request.options.get("store")
        store = opened.store(chosen) if chosen else opened.reading_store(request.snapshot.service)
        snapshot = await resolve(store.snapshots, request.snapshot)
        await index_names(session, request.service)
        job = RestoreJob(
            service=snapshot.service,
            index=snapshot.index,
            snapshot=snapshot.id,
            target_service=request.service,
            target_index=request.index or snapshot.index,
            run=run_name(session, "restore"),
            **request.options,
        )
        workflow = PREFLIGHT_RESTORE if request.dry_run else RESTORE_INDEX
        async with Workflows(session, opened, ACTIVITIES, workflow) as workflows:
            if request.dry_run:
                return await _check(session, workflows, job)
            report = await _restore(session, workflows, job)
            tell_restore(session.output, report)
    return DONE


def tell_restore(output: Output, report: RestoreReport) -> None:
    """Return a proved restore as a result."""
    reference = f"{report.service}/{report.index}@{report.snapshot}"
    output.result("restore", {"reference": reference, **msgspec.to_builtins(report)}, *_told(reference, report))


async def _check(session: Session, workflows: Workflows, job: RestoreJob) -> int:
    with session.output.progress(str(job.target)) as progress:
        report = await workflows.run(PREFLIGHT_RESTORE, job, run=job.run, progress=progress)
    return tell_preflight(session.output, report)


def tell_preflight(output: Output, report: PreflightReport) -> int:
    """Return the findings as a result, and the exit code that the restore would end with."""
    reference = f"{report.service}/{report.index}@{report.snapshot}"
    verdict = "would be restored" if report.ready else "would not be restored"
    record = {"reference": reference, "ready": report.ready, **msgspec.to_builtins(report)}
    output.result("preflight", record, findings_table(report, f"{reference} {verdict}"))
    return code_of(report)


async def _restore(session: Session, workflows: Workflows, job: RestoreJob) -> RestoreReport:
    target = f"{job.target_service}/{job.target_index}"
    with session.output.progress(target) as progress:
        try:
            return await workflows.run(RESTORE_INDEX, job, run=job.run, progress=progress)
        except asyncio.CancelledError:
            touched = progress.stage in _STAGES_ON_TARGET
            raise CancelledError(
                "the restore was stopped before the index was complete" if touched else "the restore was stopped",
                on=f"{job.target_service} index {job.target_index}",
                do="Give the same command again to go on with it" if touched else "The target was not touched",
            ) from None


def _told(reference: str, report: RestoreReport) -> Sequence[Text]:
    place = f"{report.target_service}/{report.target_index}"
    how = f"{report.identical:,} the same to the byte"
    if report.equal:
        how += f", {report.equal:,} the same in value"
    if report.different or report.extra:
        how += f"; {report.different:,} differ and {report.extra:,} are not in the snapshot: left alone"
    lines = [
        Text.assemble(("restored", "green"), "  ", (place, "bold"), f" from {reference}"),
        Text(
            f"  {count(report.documents, 'document')} read back and compared with the snapshot: {how};"
            f" {duration(report.finished - report.started)}"
        ),
        Text(
            f"  mode {report.mode}: {count(report.uploaded, 'document')} written, {report.deleted:,} deleted, in"
            f" {count(report.requests, 'request')}"
        ),
    ]
    if report.resumed is not None:
        lines.append(Text(f"  went on where run {report.resumed} had stopped"))
    if report.alias is not None:
        before = f", which pointed at {report.old_index}" if report.old_index is not None else ""
        lines.append(Text(f"  alias {report.alias} points at it{before}"))
    if report.old_deleted:
        lines.append(Text(f"  deleted: the index before it, {report.old_index}"))
    if report.synonym_maps:
        lines.append(Text(f"  made for it: {', '.join(f'synonym map {name}' for name in report.synonym_maps)}"))
    return [*lines, *shortcomings(report.losses, report.notes)]
