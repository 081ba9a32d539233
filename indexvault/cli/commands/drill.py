"""`indexvault drill`: restore a snapshot under a temporary name, prove it, and remove it again."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count, duration, one_line
from indexvault.cli.options import SNAPSHOT_HELP
from indexvault.cli.output import Output
from indexvault.cli.references import index_or_snapshot
from indexvault.cli.remote.follow import follow, report_of, start
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import SettingsError
from indexvault.model import IndexName
from indexvault.recovery.drill import ACTIVITIES, DRILL_INDEX, drill_for
from indexvault.recovery.drill_job import DrillJob, DrillReport
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRequest:
    """Drill the restore of a snapshot on a service."""

    snapshot: SnapshotReference
    target: str | None
    allow_cross_region: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("snapshot", metavar="SNAPSHOT|SERVICE/INDEX", help=f"{SNAPSHOT_HELP}; the newest of an index")
    parser.add_argument(
        "--to", metavar="SERVICE", help="where to restore it (default: as the settings' drill of the index has it)"
    )
    parser.add_argument(
        "--allow-cross-region", action="store_true", help="allow the data to leave the region of its service"
    )


def read_request(arguments: Namespace) -> DrillRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    named = index_or_snapshot(arguments.snapshot)
    if isinstance(named, IndexName):
        named = SnapshotReference(service=named.service, index=named.index)
    return DrillRequest(snapshot=named, target=arguments.to, allow_cross_region=arguments.allow_cross_region)


async def run(session: Session, request: DrillRequest) -> int:
    """Drill, and return 1 if the drill failed."""
    named = request.snapshot
    service_settings(session.settings, named.service)
    async with session.clients() as clients:
        blobs = clients.reading_store(named.service).snapshots
        snapshot = (await resolve(blobs, named, now=session.clock())).id
        job = drill_for(
            session.settings,
            DrillJob(
                service=named.service,
                index=named.index,
                target_service=request.target or "",
                run=session.new_run("drill"),
                snapshot=snapshot,
                allow_cross_region=request.allow_cross_region,
                owner="indexvault drill",
            ),
        )
        if not job.target_service:
            raise SettingsError(
                "no drill of the settings covers the index", on=str(named), do="Name the service with --to"
            )
        service_settings(session.settings, job.target_service)
        for service in {job.service, job.target_service}:
            await clients.store_of(service).prepare()
        async with Workflows(session, clients, ACTIVITIES, DRILL_INDEX) as workflows:
            with session.output.progress(f"drill of {job.service}/{job.index}") as display:
                report = await workflows.run(DRILL_INDEX, job, run=job.run, display=display)
    return _print(session.output, report)


async def run_remotely(session: RemoteSession, request: DrillRequest) -> int:
    """Let a deployment drill, and print as `run` does."""
    named = request.snapshot
    body = {
        "service": named.service,
        "index": named.index,
        "target_service": request.target,
        "snapshot": named.id,
        "allow_cross_region": request.allow_cross_region,
    }
    view = await follow(session, await start(session, "drills", body), str(named))
    return _print(session.output, report_of(view, DrillReport))


def _print(output: Output, report: DrillReport) -> int:
    output.result(
        "drill", {"good": report.is_good, "faults": report.faults, **msgspec.to_builtins(report)}, *_lines(report)
    )
    return DONE if report.is_good else FAILED


def _lines(report: DrillReport) -> Sequence[Text]:
    verdict = ("good", "green") if report.is_good else ("failed", "red")
    snapshot = f"{report.service}/{report.index}@{report.snapshot}"
    lines = [Text.assemble("drill ", verdict, "  ", (snapshot, "bold"), f" on {report.target_service}")]
    if report.seconds is not None:
        took = duration(timedelta(seconds=report.seconds))
        allowed = f" of {duration(report.recovery_time)} allowed" if report.recovery_time is not None else ""
        lines.append(Text(f"  {count(report.documents, 'document')} restored and proved in {took}{allowed}"))
    lines += [
        Text(f"  query {each.query}: {each.fault or f'{each.same} of {each.of} documents the same'}")
        for each in report.queries
    ]
    lines += [Text(f"  {one_line(fault)}", "red") for fault in report.faults]
    lines += [Text(f"  without {one_line(loss)}", "yellow") for loss in report.losses]
    if report.left:
        lines.append(Text(f"  the temporary index was left behind: {one_line(report.left)}", "red"))
    elif report.seconds is not None:
        lines.append(Text("  the temporary index is removed"))
    return lines


COMMAND = Command(
    description="Restore the newest snapshot of an index, or another one, under a temporary name, prove it, ask it the"
    " queries of the settings, remove it, and keep the result. Exit code 1 if it could not be restored in time.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
