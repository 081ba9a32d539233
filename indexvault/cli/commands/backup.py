"""`indexvault backup`: a snapshot of each index."""

import asyncio
from collections.abc import Sequence

import msgspec
from rich.text import Text

from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.service_objects import BACK_UP_SERVICE, OBJECTS
from indexvault.backup.state import KEY_ORDER
from indexvault.backup.workflow import ACTIVITIES, BACK_UP_INDEX
from indexvault.cli.connect import clients, index_names, prepare_store_of
from indexvault.cli.dry_run import explain
from indexvault.cli.exit_codes import DONE, LOSSY, worst
from indexvault.cli.formatting import count, duration, size
from indexvault.cli.notes import shortcomings
from indexvault.cli.output import Output
from indexvault.cli.requests import BackupRequest
from indexvault.cli.resume import begin, end
from indexvault.cli.service_objects import back_up_objects
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import CancelledError, IndexvaultError, RemoteError
from indexvault.model import IndexName
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.store import Store

_WORKFLOWS = (BACK_UP_INDEX, BACK_UP_SERVICE)


async def run(session: Session, request: BackupRequest) -> int:
    """Back up one index after the other, whatever becomes of each, and give the worst code."""
    there = await index_names(session, request.service)
    indexes = request.indexes or tuple(there)
    await prepare_store_of(session, request.service)
    if not indexes:
        session.output.show(f"{request.service} has no index")
    if request.dry_run:
        return await explain(session, request, indexes)
    codes = []
    steps = (*ACTIVITIES, OBJECTS)
    async with clients(session) as opened, Workflows(session, opened, steps, *_WORKFLOWS) as workflows:
        store = opened.store_of(request.service)
        for position, index in enumerate(indexes):
            try:
                codes.append(await _back_up(session, workflows, store, request, index))
            except IndexvaultError as error:
                codes.append(session.output.error(error))
                if isinstance(error, RemoteError) and not await _is_still_there(session, request.service):
                    codes.extend(give_up(session.output, request.service, indexes[position + 1 :]))
                    break
        if len(indexes) > 1:
            sum_up(session.output, request.service, codes)
        if not request.indexes:
            codes.append(await back_up_objects(session, workflows, request.service))
    return worst(codes)


async def _back_up(session: Session, workflows: Workflows, store: Store, request: BackupRequest, index: str) -> int:
    name = IndexName(request.service, index)
    run, continued = await begin(session, store, name)
    job = BackupJob(
        service=request.service, index=index, run=run, parallel=request.parallel, hidden_fields=request.hidden_fields
    )
    if continued:
        session.output.notes.print(f"{name}: run {run} was not finished: what it has read is used, if it still fits")
    try:
        with session.output.progress(str(name)) as progress:
            report = await workflows.run(BACK_UP_INDEX, job, run=job.run, progress=progress)
    except asyncio.CancelledError:
        raise CancelledError(
            "the backup was stopped before it was finished",
            on=f"{request.service} index {index}",
            do="Run it again: it goes on from what is finished",
        ) from None
    except IndexvaultError as error:
        await end(store, name, run, error)
        raise
    await end(store, name, run)
    return tell_backup(session.output, report)


def tell_backup(output: Output, report: BackupReport) -> int:
    """Return a finished snapshot as a result, and the exit code for it."""
    reference = str(SnapshotReference(service=report.service, index=report.index, id=report.snapshot))
    output.result("backup", {"reference": reference, **msgspec.to_builtins(report)}, *_told(reference, report))
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
    unusual = report.reading is not None and report.reading.method != KEY_ORDER
    lines = [Text(f"  read by {report.reading.method}: {report.reading.reason}")] if report.reading and unusual else []
    return [state, figures, *lines, *shortcomings(report.losses, report.notes)]


async def _is_still_there(session: Session, service: str) -> bool:
    """Return whether the service answers: if not, each further index would wait minutes to say the same."""
    try:
        await index_names(session, service)
    except RemoteError:
        return False
    return True


def give_up(output: Output, service: str, indexes: Sequence[str]) -> list[int]:
    """Say of each index that it was not tried, and give the codes."""
    return [
        output.error(
            IndexvaultError(
                "not tried, since the service no longer answers",
                on=f"{service} index {index}",
                do="Run the backup again when it does",
            )
        )
        for index in indexes
    ]


def sum_up(output: Output, service: str, codes: Sequence[int]) -> None:
    """Say in one line what became of all indexes."""
    complete, lossy = codes.count(DONE), codes.count(LOSSY)
    failed = len(codes) - complete - lossy
    parts = [f"{complete} complete", *([f"{lossy} lossy"] if lossy else []), *([f"{failed} failed"] if failed else [])]
    style = "red" if worst(codes) not in {DONE, LOSSY} else "yellow" if lossy else "green"
    output.show(Text(f"{service}: {count(len(codes), 'index')}: {', '.join(parts)}", style=style))
