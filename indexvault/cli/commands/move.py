"""`indexvault move`: an index moved to another place, proved against its source."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, LOSSY
from indexvault.cli.formatting import count, duration
from indexvault.cli.notes import losses_and_notes
from indexvault.cli.options import add_parallel, add_target_options, read_options
from indexvault.cli.output import Output
from indexvault.cli.preflight import add_write_patch, checks_table, exit_code_of, read_write_patch, write_patch
from indexvault.cli.references import index_name, service_and_index, snapshot_reference
from indexvault.cli.remote.follow import follow, report_of, start
from indexvault.cli.remote.options import parallel_is_given, refuse_options, request_members
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import CancelledError, SettingsError
from indexvault.model import IndexName, TargetIndexOptions, shared_options
from indexvault.move.job import MoveFindings, MoveJob, MovePreflightReport, MoveReport
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX, PREFLIGHT_MOVE
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference


class MoveOptions(TargetIndexOptions, frozen=True, kw_only=True):
    """The options of a move, which are members of a `move.job.MoveJob`."""

    delete_source: bool = False
    lose_refused: bool = False
    forget: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest:
    """Move one index; with `dry_run` only check it. `snapshot` is one made earlier, None a fresh one."""

    source: IndexName
    target: IndexName
    snapshot: SnapshotReference | None
    options: MoveOptions
    parallel: int
    dry_run: bool = False
    write_patch: Path | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("source", metavar="SERVICE/INDEX", help="the index to move")
    parser.add_argument(
        "--to", metavar="SERVICE[/INDEX]", required=True, help="where to move it (default name: the source's)"
    )
    parser.add_argument("--dry-run", action="store_true", help="run all checks, list the steps, write nothing")
    parser.add_argument("--snapshot", metavar="SNAPSHOT", help="use this snapshot of it (default: make a new one)")
    add_write_patch(parser)
    add_target_options(parser)
    parser.add_argument(
        "--delete-source",
        action="store_true",
        help="delete the source at the end, if it is unchanged since the comparison",
    )
    parser.add_argument(
        "--lose-refused",
        action="store_true",
        help="with --delete-source: delete the source even if --skip-refused left documents of it out of the target",
    )
    parser.add_argument("--forget", action="store_true", help="discard the state of an unfinished move of this index")
    add_parallel(parser, "stretches of the index handled at once")


def read_request(arguments: Namespace) -> MoveRequest:
    """Return what the arguments ask for.

    Raises SettingsError for a name that can't be one, NotFoundError or SettingsError for a patch that can't be read.
    """
    source = index_name(arguments.source)
    service, index = service_and_index(arguments.to)
    return MoveRequest(
        source=source,
        target=IndexName(service, index or source.index),
        snapshot=snapshot_reference(arguments.snapshot) if arguments.snapshot is not None else None,
        options=read_options(arguments, MoveOptions),
        parallel=arguments.parallel,
        dry_run=arguments.dry_run,
        write_patch=read_write_patch(arguments),
    )


async def run(session: Session, request: MoveRequest) -> int:
    """Move one index, or only say what that would do and whether it could be done."""
    source, target = request.source, request.target
    for service in (source.service, target.service):
        service_settings(session.settings, service)
        await session.index_names(service)
    async with session.clients() as clients:
        snapshot = None
        if request.snapshot is not None:
            if (request.snapshot.service, request.snapshot.index) != (source.service, source.index):
                raise SettingsError(
                    f"it is no snapshot of {source}",
                    on=f"snapshot {request.snapshot}",
                    do="Name one of the index that is moved, or leave --snapshot out",
                )
            snapshot = (
                await resolve(clients.store_of(source.service).snapshots, request.snapshot, now=session.clock())
            ).id
        job = MoveJob(
            service=source.service,
            index=source.index,
            target_service=target.service,
            target_index=target.index,
            snapshot=snapshot,
            run=session.new_run("move"),
            parallel=request.parallel,
            **shared_options(request.options, MoveOptions),
        )
        async with Workflows(session, clients, ACTIVITIES, MOVE_INDEX, PREFLIGHT_MOVE) as workflows:
            if request.dry_run:
                return await _check(session, workflows, job, request.write_patch)
            report = await _move(session, workflows, job)
    return _print_move(session.output, report)


async def run_remotely(session: RemoteSession, request: MoveRequest) -> int:
    """Let a deployment move one index, or only say what that would do and whether it could be done."""
    refuse_options({"--forget": request.options.forget, "--parallel": parallel_is_given(request.parallel)})
    names: dict[str, Any] = {
        "service": request.source.service,
        "index": request.source.index,
        "target_service": request.target.service,
        "target_index": request.target.index,
    }
    body = {
        **names,
        "snapshot": None if request.snapshot is None else str(request.snapshot),
        **request_members(request.options),
    }
    if request.dry_run:
        findings = await session.deployment.post("moves", {**body, "dry_run": True}, MoveFindings)
        report = MovePreflightReport(**names, **msgspec.structs.asdict(findings))
        return _print_preflight(session.output, report, request.write_patch)
    view = await follow(session, await start(session, "moves", body), f"{request.source} to {request.target}")
    return _print_move(session.output, report_of(view, MoveReport))


async def _check(session: Session, workflows: Workflows, job: MoveJob, patch: Path | None) -> int:
    with session.output.progress(f"{job.source} to {job.target}") as display:
        report = await workflows.run(PREFLIGHT_MOVE, job, run=job.run, display=display)
    return _print_preflight(session.output, report, patch)


async def _move(session: Session, workflows: Workflows, job: MoveJob) -> MoveReport:
    with session.output.progress(f"{job.source} to {job.target}") as display:
        try:
            return await workflows.run(MOVE_INDEX, job, run=job.run, display=display)
        except asyncio.CancelledError:
            raise CancelledError(
                "the move was interrupted; the source is unchanged",
                on=f"{job.source} to {job.target}",
                do="Run the same command again to resume",
            ) from None


def _print_preflight(output: Output, report: MovePreflightReport, patch: Path | None) -> int:
    """Print the findings of a dry run, and return the exit code that the move would end with."""
    verdict = "would be moved" if report.ready else "would not be moved"
    source, target = f"{report.service}/{report.index}", f"{report.target_service}/{report.target_index}"
    steps = [Text(f"  {number}. {step}") for number, step in enumerate(report.would, 1)] if report.ready else []
    output.result(
        "move_preflight",
        {"ready": report.ready, **msgspec.to_builtins(report)},
        checks_table(report, f"{source} {verdict} to {target}"),
        *([Text("it would"), *steps] if steps else []),
    )
    write_patch(report, patch, output)
    return exit_code_of(report)


def _print_move(output: Output, report: MoveReport) -> int:
    """Print a proved move, and return the exit code for it."""
    output.result("move", msgspec.to_builtins(report), *_lines(report))
    return LOSSY if report.losses or report.excepted else DONE


def _lines(report: MoveReport) -> Sequence[Text]:
    source = f"{report.service}/{report.index}"
    lines = [
        Text.assemble(
            ("moved", "green"), "  ", (f"{report.target_service}/{report.target_index}", "bold"), f" from {source}"
        ),
        Text(
            f"  {count(report.compared, 'document')} compared with {report.not_compared.of('source')}, all the same;"
            f" {count(report.rounds, 'round')}, {duration(report.finished - report.started)}"
        ),
    ]
    if report.excepted:
        lines.append(Text(f"  {count(report.excepted, 'document')} refused by the target and not in it", "yellow"))
    if report.resumed is not None:
        lines.append(Text(f"  resumed run {report.resumed}"))
    if report.copied:
        lines.append(Text(f"  {count(report.copied, 'pack')} copied to the target's store"))
    if report.alias is not None:
        lines.append(Text(f"  alias {report.alias} points to it"))
    lines.append(Text(f"  the source is {'deleted' if report.source_deleted else 'kept'}: {source}"))
    return [*lines, *losses_and_notes(report.losses, report.notes)]


COMMAND = Command(
    description="Back the index up, restore it to the target, compare the target with the source's current documents,"
    " and point an alias to it. The source is only read, unless it is to be deleted at the end. The same command"
    " resumes an interrupted move.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
