"""`indexvault restore SERVICE@…`: a whole service, and what became of each of its objects."""

from argparse import Namespace
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count
from indexvault.cli.options import read_options
from indexvault.cli.output import Output
from indexvault.cli.progress import IndexAfterIndex
from indexvault.cli.remote.follow import follow, report_of, start
from indexvault.cli.remote.options import parallel_is_given, refuse_options, request_members
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.tables import Column, Table
from indexvault.cli.workflows import Workflows
from indexvault.errors import SettingsError
from indexvault.model import TargetOptions, shared_options
from indexvault.restore.service.job import ServiceRestoreJob, ServiceRestoreReport
from indexvault.restore.service.workflow import ACTIVITIES, PREFLIGHT_SERVICE, RESTORE_SERVICE
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference

_STYLES = {"made": "green", "there": "green", "left out": "yellow", "failed": "red", "to be made": "green"}


class RestoreServiceOptions(TargetOptions, frozen=True, kw_only=True):
    """The options of a service's restore, which are members of a `restore.service.job.ServiceRestoreJob`."""

    indexes: tuple[str, ...] = ("*",)
    rename: tuple[str, ...] = ()
    proved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreServiceRequest:
    """Restore a whole service to another one, or to itself."""

    snapshot: SnapshotReference
    service: str
    options: RestoreServiceOptions
    parallel: int
    dry_run: bool = False


def read_service_request(
    arguments: Namespace, source: str, point: str, service: str, index: str | None
) -> RestoreServiceRequest:
    """Return the request to restore `source` at `point` to `service`.

    Raises SettingsError where the target is an index, and for options that only an index can have.
    """
    if index is not None:
        raise SettingsError("a whole service is restored to a service", on=repr(arguments.to), do="Leave the index out")
    snapshot = SnapshotReference.parse(f"{source}/{SERVICE_OBJECTS}@{point}")
    if arguments.proved:
        snapshot = msgspec.structs.replace(snapshot, proved=True)
    if snapshot.back not in {None, "yesterday"}:
        raise SettingsError(
            "it means another time whenever the command runs again, and so could not be resumed",
            on=f"snapshot {source}@{point}",
            do="Write the time itself, such as @2026-11-20T02:30, or @yesterday",
        )
    _refuse_index_options(arguments)
    return RestoreServiceRequest(
        snapshot=snapshot,
        service=service,
        options=read_options(
            arguments,
            RestoreServiceOptions,
            rename=tuple(arguments.rename),
            indexes=tuple(arguments.indexes) or ("*",),
            proved=arguments.proved or snapshot.proved,
        ),
        parallel=arguments.parallel,
        dry_run=arguments.dry_run,
    )


def _refuse_index_options(arguments: Namespace) -> None:
    given = {
        "--mode": arguments.mode != "create",
        "--write-patch": arguments.write_patch is not None,
        "--alias": arguments.alias is not None,
        "--patch": arguments.patch is not None,
        "--replace-in-place": arguments.in_place,
        "--delete-old": arguments.delete_old,
        "--update-definition": arguments.update_definition,
        "--document": bool(arguments.document),
        "--keys": arguments.keys is not None,
        "--filter": arguments.filter is not None,
        "--store": arguments.store is not None,
        "--follow": arguments.follow,
        "--resume": arguments.resume,
        "--discard-unfinished": arguments.discard_unfinished,
    }
    refused = [option for option, is_given in given.items() if is_given]
    if refused:
        raise SettingsError(
            f"{', '.join(refused)} can't be used with a whole service", on="restore", do="Restore single indexes so"
        )


async def restore_service(session: Session, request: RestoreServiceRequest) -> int:
    """Restore a service; return FAILED unless everything is on the target afterwards."""
    service_settings(session.settings, request.service)
    async with session.clients() as clients:
        store = clients.store_of(request.snapshot.service)
        snapshot = await resolve(store.snapshots, request.snapshot, now=session.clock())
        await session.index_names(request.service)
        job = ServiceRestoreJob(
            service=snapshot.service,
            snapshot=snapshot.id,
            target_service=request.service,
            run=session.new_run("restore"),
            at=request.snapshot.until(session.clock()),
            parallel=request.parallel,
            **shared_options(request.options, RestoreServiceOptions),
        )
        workflow = PREFLIGHT_SERVICE if request.dry_run else RESTORE_SERVICE
        async with Workflows(session, clients, ACTIVITIES, workflow) as workflows:
            with session.output.progress(f"{job.service} to {job.target_service}") as display:
                report = await workflows.run(workflow, job, run=job.run, display=IndexAfterIndex(display))
    return _print_report(session.output, report, dry_run=request.dry_run)


async def restore_service_remotely(session: RemoteSession, request: RestoreServiceRequest) -> int:
    """Have a deployment restore a service, or find out what would become of each object. Returns as above."""
    refuse_options({"--parallel": parallel_is_given(request.parallel)})
    body = {
        "snapshot": str(request.snapshot),
        "target_service": request.service,
        "dry_run": request.dry_run,
        **request_members(request.options),
    }
    begun = await start(session, "restores", body)
    view = await follow(session, begun, f"{request.snapshot.service} to {request.service}")
    report = report_of(view, ServiceRestoreReport, also_failed=True)
    return _print_report(session.output, report, dry_run=request.dry_run)


def _print_report(output: Output, report: ServiceRestoreReport, *, dry_run: bool) -> int:
    record = {"whole": report.whole, **msgspec.to_builtins(report)}
    event = "preflight_service" if dry_run else "restore_service"
    output.result(event, record, objects_table(report, dry_run=dry_run), _verdict(report))
    return DONE if report.whole else FAILED


def objects_table(report: ServiceRestoreReport, *, dry_run: bool) -> Table:
    """Return what became of each object, or would, as a table."""
    columns = [Column("kind", names=True), Column("name", names=True), Column("outcome", names=True)]
    rows = [
        (
            each.kind,
            each.name if each.name == each.target else f"{each.name} as {each.target}",
            Text(each.outcome, style=_STYLES[each.outcome]),
            each.why or (count(each.documents, "document") if each.documents is not None else ""),
        )
        for each in report.objects
    ]
    done = "would be restored" if dry_run else "restored"
    title = f"{report.service} {done} to {report.target_service}"
    return Table([*columns, Column("why", prose=True)], rows, title=title)


def _verdict(report: ServiceRestoreReport) -> Text:
    missing = sum(each.outcome in {"left out", "failed"} for each in report.objects)
    if missing:
        return Text(f"{count(missing, 'object')} of {len(report.objects)} not on the target: see above", style="yellow")
    if any(each.outcome == "to be made" for each in report.objects):
        return Text("everything can be restored; nothing was written", style="green")
    return Text("everything is on the target; indexers are disabled until you enable them", style="green")
