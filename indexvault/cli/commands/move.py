"""`indexvault move`: an index at another place, proved against where it came from."""

import asyncio
from collections.abc import Sequence

import msgspec
from rich.text import Text

from indexvault.cli.check_table import code_of, findings_table
from indexvault.cli.connect import clients, index_names
from indexvault.cli.exit_codes import DONE, LOSSY
from indexvault.cli.formatting import count, duration
from indexvault.cli.notes import shortcomings
from indexvault.cli.output import Output
from indexvault.cli.requests import MoveRequest
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows, run_name
from indexvault.errors import CancelledError, SettingsError
from indexvault.move.job import MoveJob, MovePreflightReport, MoveReport
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX, PREFLIGHT_MOVE
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve


async def run(session: Session, request: MoveRequest) -> int:
    """Move one index, or only say what that would do and whether it could be done."""
    for service in (request.service, request.target_service):
        service_settings(session.settings, service)
        await index_names(session, service)
    async with clients(session) as opened:
        snapshot = None
        if request.snapshot is not None:
            if (request.snapshot.service, request.snapshot.index) != (request.service, request.index):
                raise SettingsError(
                    f"it is no snapshot of {request.service}/{request.index}",
                    on=f"snapshot {request.snapshot}",
                    do="Name one of the index that is moved, or leave --snapshot out",
                )
            snapshot = (await resolve(opened.store_of(request.service).snapshots, request.snapshot)).id
        job = MoveJob(
            service=request.service,
            index=request.index,
            target_service=request.target_service,
            target_index=request.target_index or request.index,
            snapshot=snapshot,
            run=run_name(session, "move"),
            **request.options,
        )
        async with Workflows(session, opened, ACTIVITIES, MOVE_INDEX, PREFLIGHT_MOVE) as workflows:
            if request.dry_run:
                return await _check(session, workflows, job)
            report = await _move(session, workflows, job)
    return tell_move(session.output, report)


def tell_move(output: Output, report: MoveReport) -> int:
    """Return a proved move as a result, and the exit code that goes with it."""
    output.result("move", msgspec.to_builtins(report), *_told(report))
    return LOSSY if report.losses else DONE


def tell_move_preflight(output: Output, report: MovePreflightReport) -> int:
    """Return the findings as a result, and the exit code that the move would end with."""
    verdict = "would be moved" if report.ready else "would not be moved"
    source, target = f"{report.service}/{report.index}", f"{report.target_service}/{report.target_index}"
    steps = [Text(f"  {number}. {step}") for number, step in enumerate(report.would, 1)] if report.ready else []
    output.result(
        "move_preflight",
        {"ready": report.ready, **msgspec.to_builtins(report)},
        findings_table(report, f"{source} {verdict} to {target}"),
        *([Text("it would"), *steps] if steps else []),
    )
    return code_of(report)


async def _check(session: Session, workflows: Workflows, job: MoveJob) -> int:
    with session.output.progress(f"{job.source} to {job.target}") as progress:
        report = await workflows.run(PREFLIGHT_MOVE, job, run=job.run, progress=progress)
    return tell_move_preflight(session.output, report)


async def _move(session: Session, workflows: Workflows, job: MoveJob) -> MoveReport:
    with session.output.progress(f"{job.source} to {job.target}") as progress:
        try:
            return await workflows.run(MOVE_INDEX, job, run=job.run, progress=progress)
        except asyncio.CancelledError:
            raise CancelledError(
                "the move was stopped before it was finished; the source is as it was",
                on=f"{job.source} to {job.target}",
                do="Give the same command again to go on with it",
            ) from None


def _told(report: MoveReport) -> Sequence[Text]:
    source = f"{report.service}/{report.index}"
    lines = [
        Text.assemble(
            ("moved", "green"), "  ", (f"{report.target_service}/{report.target_index}", "bold"), f" from {source}"
        ),
        Text(
            f"  {count(report.compared, 'document')} compared with the source, all the same;"
            f" {count(report.rounds, 'round')}, {duration(report.finished - report.started)}"
        ),
    ]
    if report.resumed is not None:
        lines.append(Text(f"  went on where run {report.resumed} had stopped"))
    if report.copied:
        lines.append(Text(f"  {count(report.copied, 'chunk')} copied to the target's store"))
    if report.alias is not None:
        lines.append(Text(f"  alias {report.alias} points at it"))
    lines.append(Text(f"  the source is {'deleted' if report.source_deleted else 'kept'}: {source}"))
    return [*lines, *shortcomings(report.losses, report.notes)]
