"""`indexvault backup`: a snapshot of each index."""

import asyncio
from collections.abc import Sequence

import msgspec
from rich.text import Text

from backup.job import BackupJob, BackupReport
from backup.workflow import BACK_UP_INDEX, STEPS
from cli.contact import connections, index_names, prepare_store_of
from cli.exit_codes import DONE, LOSSY, worst
from cli.requests import BackupRequest
from cli.session import Session
from cli.wording import count, duration, size
from cli.workflows import Workflows, run_name
from errors import CancelledError, IndexvaultError, RemoteError
from snapshots.names import SnapshotReference


async def run(session: Session, request: BackupRequest) -> int:
    """Back up one index after the other, whatever becomes of each, and give the worst code."""
    there = await index_names(session, request.service)
    indexes = request.indexes or tuple(there)
    if not indexes:
        session.output.show(f"{request.service} has no index: there is nothing to back up")
        return DONE
    await prepare_store_of(session, request.service)
    codes = []
    async with connections(session) as opened, Workflows(session, opened, STEPS, BACK_UP_INDEX) as workflows:
        for position, index in enumerate(indexes):
            try:
                codes.append(await _back_up(session, workflows, request, index))
            except IndexvaultError as error:
                codes.append(session.output.error(error))
                if isinstance(error, RemoteError) and not await _is_still_there(session, request.service):
                    codes.extend(_give_up(session, request.service, indexes[position + 1 :]))
                    break
    if len(indexes) > 1:
        _sum_up(session, request.service, codes)
    return worst(codes)


async def _back_up(session: Session, workflows: Workflows, request: BackupRequest, index: str) -> int:
    job = BackupJob(service=request.service, index=index, run=run_name(session, "backup"), parallel=request.parallel)
    try:
        with session.output.progress(f"{request.service}/{index}") as progress:
            report = await workflows.run(BACK_UP_INDEX, job, run=job.run, progress=progress)
    except asyncio.CancelledError:
        raise CancelledError(
            "the backup was stopped before it was finished",
            on=f"{request.service} index {index}",
            do="Run it again; chunks that are stored already are not sent again",
        ) from None
    reference = str(SnapshotReference(service=report.service, index=report.index, id=report.snapshot))
    session.output.result("backup", {"reference": reference, **msgspec.to_builtins(report)}, *_told(reference, report))
    return LOSSY if report.losses else DONE


def _told(reference: str, report: BackupReport) -> Sequence[Text]:
    state = Text.assemble((report.state, "yellow" if report.losses else "green"), "  ", (reference, "bold"))
    added = (
        f"added {size(report.added_bytes)} in {count(report.added_chunks, 'chunk')}"
        if report.added_chunks
        else "added no chunk: all were there already"
    )
    figures = Text(
        f"  {count(report.documents, 'document')}, {size(report.bytes)} in {count(report.chunks, 'chunk')}"
        f" ({size(report.stored_bytes)} compressed); {added}; {duration(report.finished - report.started)}"
    )
    losses = [Text(f"  not in it: {loss}", style="yellow") for loss in report.losses]
    return [state, figures, *losses]


async def _is_still_there(session: Session, service: str) -> bool:
    """Tell whether the service answers: if not, each further index would wait minutes to say the same."""
    try:
        await index_names(session, service)
    except RemoteError:
        return False
    return True


def _give_up(session: Session, service: str, indexes: Sequence[str]) -> list[int]:
    return [
        session.output.error(
            IndexvaultError(
                "not tried, since the service no longer answers",
                on=f"{service} index {index}",
                do="Run the backup again when it does",
            )
        )
        for index in indexes
    ]


def _sum_up(session: Session, service: str, codes: Sequence[int]) -> None:
    complete, lossy = codes.count(DONE), codes.count(LOSSY)
    failed = len(codes) - complete - lossy
    parts = [f"{complete} complete", *([f"{lossy} lossy"] if lossy else []), *([f"{failed} failed"] if failed else [])]
    style = "red" if worst(codes) not in {DONE, LOSSY} else "yellow" if lossy else "green"
    session.output.show(Text(f"{service}: {count(len(codes), 'index')}: {', '.join(parts)}", style=style))
