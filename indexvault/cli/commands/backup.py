"""`indexvault backup`: a snapshot of each index."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from rich.text import Text

from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.service_objects import BACK_UP_SERVICE, OBJECTS, ServiceJob, ServiceReport
from indexvault.backup.state import KEY_ORDER
from indexvault.backup.workflow import ACTIVITIES, BACK_UP_INDEX
from indexvault.cli.changes import add_changes, read_changes
from indexvault.cli.command import Command
from indexvault.cli.commands.backup_dry_run import show_plans
from indexvault.cli.exit_codes import DONE, LOSSY, worst
from indexvault.cli.formatting import count, duration, instant, size
from indexvault.cli.notes import losses_and_notes
from indexvault.cli.options import add_parallel, tag
from indexvault.cli.options import duration as duration_given
from indexvault.cli.output import Output
from indexvault.cli.references import service_and_index
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.resume import begin_backup, end_backup
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import CancelledError, IndexvaultError, RemoteError, SettingsError
from indexvault.model import IndexName
from indexvault.settings.load import check_time_limit
from indexvault.settings.model import ChangesSettings, HiddenFields
from indexvault.settings.patterns import check_patterns, select
from indexvault.snapshots.labels import NO_LABELS, Labels, check_labels
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.store import Store
from indexvault.workflow.time_limit import past_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """Back up indexes of a service, named or by patterns; none, or `*`, means all, and the service's other objects.

    With `dry_run` only the plans are made and shown.
    """

    service: str
    indexes: tuple[str, ...]
    parallel: int
    hidden_fields: HiddenFields = "report"
    changes: ChangesSettings | None = None
    dry_run: bool = False
    labels: Labels = NO_LABELS
    time_limit: timedelta | None = None

    @property
    def has_patterns(self) -> bool:
        """Whether the service's own list of indexes decides which are meant."""
        return any("*" in entry or entry.startswith("!") for entry in self.indexes)

    @property
    def with_objects(self) -> bool:
        """Whether the service's other objects are backed up too."""
        return not self.indexes or "*" in self.indexes

    def choose(self, existing: Sequence[str]) -> Sequence[str]:
        """Return the indexes to back up, of those that exist; those named in full whether or not they do."""
        if not self.indexes or not self.has_patterns:
            return self.indexes or existing
        chosen = select(existing, self.indexes)
        return [*chosen.found, *chosen.missing]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("service", metavar="SERVICE[/INDEX]", help="a service of the settings, or an index of it")
    parser.add_argument(
        "indexes",
        metavar="INDEX",
        nargs="*",
        default=[],
        help="an index of it, or a pattern such as 'hotels-*'; '!tmp-*' leaves out (default: all)",
    )
    parser.add_argument(
        "--hidden-fields",
        choices=("report", "fail", "reveal"),
        default="report",
        help="fields that the service does not return: report them as losses (default), fail before anything is read,"
        " or reveal them while the index is read, which changes its definition for that time",
    )
    add_changes(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="show how each index would be read, and why; back up nothing"
    )
    parser.add_argument("--description", metavar="TEXT", default="", help="what the snapshots say of themselves")
    parser.add_argument(
        "--tag",
        metavar="NAME=VALUE",
        type=tag,
        action="append",
        default=[],
        help="tag the snapshots, so that listings and policies tell them from others; repeatable",
    )
    parser.add_argument(
        "--expires",
        metavar="DURATION",
        type=duration_given,
        help="keep the snapshots for so long, such as P30D; then prunes remove them, whatever policies keep",
    )
    parser.add_argument(
        "--time-limit",
        metavar="DURATION",
        type=duration_given,
        help="end the backup of an index that takes longer, such as PT6H, as failed",
    )
    add_parallel(parser, "key ranges of an index read at once")


def read_request(arguments: Namespace) -> BackupRequest:
    """Return what the arguments ask for: each index once. Raises SettingsError for a name that can't be one."""
    service, first = service_and_index(arguments.service)
    indexes = [*([first] if first is not None else []), *(_index_of(service, each) for each in arguments.indexes)]
    if any("*" in each or each.startswith("!") for each in indexes):
        check_patterns(indexes, on="INDEX")
    labels = Labels(description=arguments.description, tags=dict(arguments.tag), expires=arguments.expires)
    check_labels(labels, "options")
    check_time_limit(arguments.time_limit, "--time-limit")
    return BackupRequest(
        service=service,
        indexes=tuple(dict.fromkeys(indexes)),
        parallel=arguments.parallel,
        hidden_fields=arguments.hidden_fields,
        changes=read_changes(arguments),
        dry_run=arguments.dry_run,
        labels=labels,
        time_limit=arguments.time_limit,
    )


async def run(session: Session, request: BackupRequest) -> int:
    """Back up one index after the other, whether or not others fail, and return the worst exit code."""
    existing = await session.index_names(request.service)
    indexes = request.choose(existing)
    await session.prepare_store_of(request.service)
    if not indexes:
        fitting = f" that {' '.join(request.indexes)} fits" if request.indexes else ""
        session.output.show(f"{request.service} has no index{fitting}")
    if request.dry_run:
        return await show_plans(
            session, request.service, indexes, parallel=request.parallel, hidden_fields=request.hidden_fields
        )
    codes = []
    activities = (*ACTIVITIES, OBJECTS)
    async with (
        session.clients() as clients,
        Workflows(session, clients, activities, BACK_UP_INDEX, BACK_UP_SERVICE) as workflows,
    ):
        store = clients.store_of(request.service)
        for position, index in enumerate(indexes):
            try:
                codes.append(await _back_up(session, workflows, store, request, index))
            except IndexvaultError as error:
                codes.append(session.output.error(error))
                if isinstance(error, RemoteError) and not await _still_answers(session, request.service):
                    codes.extend(print_not_tried(session.output, request.service, indexes[position + 1 :]))
                    break
        if len(indexes) > 1:
            print_summary(session.output, request.service, codes, presumed=request.changes is not None)
        if request.with_objects:
            codes.append(await _back_up_objects(session, workflows, request.service, request.labels))
    return worst(codes)


async def run_remotely(session: RemoteSession, request: BackupRequest) -> int:
    """Let a deployment back the indexes up, and return the worst exit code."""
    from indexvault.cli.commands.backup_remote import back_up  # noqa: PLC0415 - it prints with this module

    return await back_up(session, request)


def _index_of(service: str, text: str) -> str:
    """Return the index of INDEX, or of SERVICE/INDEX with the same service. Raises SettingsError for another one."""
    if "/" not in text:
        return text
    other, index = service_and_index(text)
    if other != service or index is None:
        raise SettingsError(f"it is not of {service}", on=repr(text), do="Back up one service at a time")
    return index


async def _back_up(session: Session, workflows: Workflows, store: Store, request: BackupRequest, index: str) -> int:
    name = IndexName(request.service, index)
    run, resumed, process = await begin_backup(session, store, name)
    job = BackupJob(
        service=request.service,
        index=index,
        run=run,
        parallel=request.parallel,
        process=process,
        hidden_fields=request.hidden_fields,
        changes=request.changes,
        labels=request.labels,
    )
    if resumed:
        session.output.note(f"{name}: resuming the interrupted run {run} as far as its checkpoints still apply")
    try:
        with session.output.progress(str(name)) as display:
            async with asyncio.timeout(request.time_limit.total_seconds() if request.time_limit is not None else None):
                report = await workflows.run(BACK_UP_INDEX, job, run=job.run, display=display)
    except TimeoutError:
        if request.time_limit is None:
            raise
        raise past_limit(request.time_limit, str(name)) from None
    except asyncio.CancelledError:
        raise CancelledError(
            "the backup was interrupted",
            on=f"{request.service} index {index}",
            do="Run it again: it resumes from its checkpoints",
        ) from None
    except IndexvaultError as error:
        await end_backup(store, name, run, error)
        raise
    await end_backup(store, name, run)
    return print_backup(session.output, report)


async def _back_up_objects(session: Session, workflows: Workflows, service: str, labels: Labels) -> int:
    job = ServiceJob(service=service, run=session.new_run("objects"), labels=labels)
    try:
        with session.output.progress(f"{service}/{SERVICE_OBJECTS}") as display:
            report = await workflows.run(BACK_UP_SERVICE, job, run=job.run, display=display)
    except IndexvaultError as error:
        return session.output.error(error)
    return print_objects(session.output, report)


async def _still_answers(session: Session, service: str) -> bool:
    """Return whether the service answers: if not, each further index would wait minutes to fail the same way."""
    try:
        await session.index_names(service)
    except RemoteError:
        return False
    return True


def print_backup(output: Output, report: BackupReport) -> int:
    """Print a finished snapshot, and return the exit code for it."""
    reference = str(SnapshotReference(service=report.service, index=report.index, id=report.snapshot))
    output.result("backup", {"reference": reference, **msgspec.to_builtins(report)}, *_backup_lines(reference, report))
    return LOSSY if report.losses or report.unsettled else DONE


def print_objects(output: Output, report: ServiceReport) -> int:
    """Print a finished snapshot of a service's objects, and return the exit code for it."""
    reference = str(SnapshotReference(service=report.service, index=SERVICE_OBJECTS, id=report.snapshot))
    kept = [_objects_in_words(number, kind) for kind, number in report.objects.items() if number]
    lossy = report.state == "lossy"
    output.result(
        "service_objects",
        {"reference": reference, **msgspec.to_builtins(report)},
        Text.assemble((report.state, "yellow" if lossy else "green"), "  ", (reference, "bold")),
        Text(f"  {', '.join(kept) or 'there are none'}"),
        *(Text(f"  withheld: {each}", style="yellow") for each in report.withheld),
        *(Text(f"  not kept: {each}", style="yellow") for each in report.not_kept),
        *(Text(f"  skipped: {each}") for each in report.skipped),
        *losses_and_notes([], report.notes),
    )
    return LOSSY if lossy else DONE


def _objects_in_words(number: int, kind: str) -> str:
    """Return `1 synonym map`, `2 aliases` for a kind as the service's paths name it."""
    one = {"synonymmaps": "synonym map", "aliases": "alias", "datasources": "data source"}
    one |= {"knowledgesources": "knowledge source", "knowledgebases": "knowledge base"}
    return count(number, one.get(kind, kind.removesuffix("s")))


def print_not_tried(output: Output, service: str, indexes: Sequence[str]) -> list[int]:
    """Print an error for each index that was not tried, and return the exit codes."""
    return [
        output.error(
            IndexvaultError(
                "not attempted: the service no longer answers",
                on=f"{service} index {index}",
                do="Run the backup again when the service answers",
            )
        )
        for index in indexes
    ]


def print_summary(output: Output, service: str, codes: Sequence[int], *, presumed: bool = False) -> None:
    """Print one line for all indexes: how many are done, lossy or unsettled, and failed."""
    complete, lossy = codes.count(DONE), codes.count(LOSSY)
    failed = len(codes) - complete - lossy
    parts = [
        f"{complete} complete{' or presumed' if presumed else ''}",
        *([f"{lossy} lossy or unsettled"] if lossy else []),
        *([f"{failed} failed"] if failed else []),
    ]
    style = "red" if worst(codes) not in {DONE, LOSSY} else "yellow" if lossy else "green"
    output.show(Text(f"{service}: {count(len(codes), 'index')}: {', '.join(parts)}", style=style))


def _backup_lines(reference: str, report: BackupReport) -> Sequence[Text]:
    if report.unchanged:
        until = f"  nothing had changed since, at {instant(report.started)}; no snapshot was made"
        return [
            Text.assemble(("unchanged", "green"), "  ", (reference, "bold")),
            Text(until),
            *losses_and_notes([*report.losses, *report.unsettled], report.notes),
        ]
    style = "yellow" if report.losses or report.unsettled else "green" if report.presumption is None else "cyan"
    state = Text.assemble((report.state, style), "  ", (reference, "bold"))
    added = (
        f"added {size(report.added_bytes)} in {count(report.added_chunks, 'chunk')}"
        if report.added_chunks
        else "added no chunk: all were stored already"
    )
    figures = Text(
        f"  {count(report.documents, 'document')}, {size(report.bytes)} in {count(report.chunks, 'chunk')}"
        f" ({size(report.stored_bytes)} compressed); {added}; {duration(report.finished - report.started)}"
    )
    unusual = report.reading is not None and report.reading.method != KEY_ORDER
    lines = [Text(f"  read by {report.reading.method}: {report.reading.reason}")] if report.reading and unusual else []
    if report.missed is not None and not report.missed.documents:
        lines.append(Text(f"  {report.missed.words}", style="green"))
    if report.presumption is not None:
        when = duration(report.started - report.presumption.proved_at)
        lines.append(Text(f"  builds on the full reading {report.presumption.proved}, {when} older"))
    return [state, figures, *lines, *losses_and_notes([*report.losses, *report.unsettled], report.notes)]


COMMAND = Command(
    description="Make a snapshot of each named index, of those that a pattern fits as in a policy, or of all indexes of"
    " the service. A failed index does not keep"
    " the others from being backed up; the exit code is that of the worst result.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
