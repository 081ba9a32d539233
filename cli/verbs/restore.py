"""`indexvault restore`: a new index from a snapshot, proved to be it."""

import asyncio
from collections.abc import Sequence

import msgspec
from rich.text import Text

from cli.contact import connections, index_names
from cli.exit_codes import DONE
from cli.requests import RestoreRequest
from cli.session import Session
from cli.wording import count, duration
from cli.workflows import Workflows, run_name
from errors import CancelledError
from restore.job import RestoreJob, RestoreReport
from restore.workflow import RESTORE_INDEX, STEPS
from settings.read import service_settings
from snapshots.catalogue import resolve

_STAGES_ON_TARGET = frozenset({"load", "compare"})


async def run(session: Session, request: RestoreRequest) -> int:
    """Restore one snapshot."""
    service_settings(session.settings, request.service)
    async with connections(session) as opened:
        snapshot = await resolve(opened.store_of(request.snapshot.service).snapshots, request.snapshot)
        await index_names(session, request.service)
        job = RestoreJob(
            service=snapshot.service,
            index=snapshot.index,
            snapshot=snapshot.id,
            target_service=request.service,
            target_index=request.index or snapshot.index,
            run=run_name(session, "restore"),
            accept_loss=request.accept_loss,
            parallel=request.parallel,
        )
        async with Workflows(session, opened, STEPS, RESTORE_INDEX) as workflows:
            report = await _restore(session, workflows, job)
            reference = str(snapshot.reference)
            record = {"reference": reference, **msgspec.to_builtins(report)}
            session.output.result("restore", record, *_told(reference, report))
    return DONE


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
                do="Delete the index before you restore again" if touched else "The target was not touched",
            ) from None


def _told(reference: str, report: RestoreReport) -> Sequence[Text]:
    place = f"{report.target_service}/{report.target_index}"
    how = f"{report.identical:,} the same to the byte"
    if report.equal:
        how += f", {report.equal:,} the same in value"
    lines = [
        Text.assemble(("restored", "green"), "  ", (place, "bold"), f" from {reference}"),
        Text(
            f"  {count(report.documents, 'document')} read back and compared with the snapshot: {how};"
            f" {duration(report.finished - report.started)}"
        ),
    ]
    if report.synonym_maps:
        lines.append(Text(f"  made for it: {', '.join(f'synonym map {name}' for name in report.synonym_maps)}"))
    lines += [Text(f"  not in it: {loss}", style="yellow") for loss in report.losses]
    lines += [Text(f"  note: {note}", style="yellow") for note in report.notes]
    return lines
