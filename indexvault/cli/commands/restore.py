"""`indexvault restore`: an index from a snapshot, proved to be the same."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import get_args

import msgspec
from rich.text import Text

from indexvault.cli.changes import duration as duration_of
from indexvault.cli.command import Command
from indexvault.cli.commands.restore_service import RestoreServiceRequest, read_service_request, restore_service
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, duration, instant
from indexvault.cli.notes import losses_and_notes
from indexvault.cli.options import add_parallel, add_snapshot, add_target_options, read_options, read_text
from indexvault.cli.output import Output
from indexvault.cli.preflight import add_write_patch, checks_table, exit_code_of, read_write_patch, write_patch
from indexvault.cli.references import service_and_index, snapshot_reference
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import CancelledError, SettingsError
from indexvault.model import IndexName, Mode, TargetIndexOptions, shared_options
from indexvault.restore.job import PROVE_EVERY, RestoreJob
from indexvault.restore.report import PreflightReport, RestoreReport
from indexvault.restore.source import resolve_source
from indexvault.restore.workflow import ACTIVITIES, PREFLIGHT_RESTORE, RESTORE_INDEX
from indexvault.settings.load import service_settings
from indexvault.snapshots.names import SnapshotReference

_STAGES_ON_TARGET = frozenset({"load", "compare"})


class RestoreOptions(TargetIndexOptions, frozen=True, kw_only=True):
    """The options of a restore, which are members of a `restore.job.RestoreJob`."""

    mode: Mode = "create"
    store: str | None = None
    in_place: bool = False
    delete_old: bool = False
    update_definition: bool = False
    keys: tuple[str, ...] = ()
    filter: str | None = None
    resume: bool = False
    discard_unfinished: bool = False
    follow: bool = False
    prove_every: timedelta = PROVE_EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """Restore one snapshot, to an index of the same name where `index` is None; with `dry_run` only check it."""

    snapshot: SnapshotReference
    service: str
    index: str | None
    options: RestoreOptions
    parallel: int
    dry_run: bool
    write_patch: Path | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_snapshot(parser)
    parser.add_argument(
        "--to",
        metavar="SERVICE[/INDEX]",
        required=True,
        help="the index or alias to restore to (default name: the snapshot's index)",
    )
    parser.add_argument(
        "--mode",
        choices=get_args(Mode.__value__),
        default="create",
        help="create: a new index (default). replace: a new index beside the old one, then the alias is swapped. sync:"
        " the existing index is made equal to the snapshot. fill: only documents that it lacks",
    )
    parser.add_argument(
        "--proved",
        action="store_true",
        help="the newest snapshot, at or before the time if one is named, whose run read the whole index: none that is"
        " presumed",
    )
    parser.add_argument("--dry-run", action="store_true", help="run all checks, write nothing")
    add_write_patch(parser)
    add_target_options(parser)
    parser.add_argument(
        "--replace-in-place",
        action="store_true",
        dest="in_place",
        help="with --mode replace and a plain index: delete it, once every chunk is proved, and make it anew",
    )
    parser.add_argument(
        "--delete-old",
        action="store_true",
        help="delete the replaced index once the new one answers, if it is unchanged",
    )
    parser.add_argument(
        "--update-definition", action="store_true", help="with --mode sync or fill: as far as a live index allows"
    )
    parser.add_argument(
        "--document", action="append", default=[], metavar="KEY", help="only the document with this key; repeatable"
    )
    parser.add_argument("--keys", type=Path, metavar="FILE", help="only the documents with these keys, one key a line")
    parser.add_argument(
        "--filter",
        metavar="JMESPATH",
        help="only documents of the snapshot for which this is true, such as 'Rating >= `4`'",
    )
    parser.add_argument("--store", metavar="STORE", help="read the snapshot from this store (default: the service's)")
    parser.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="RULE",
        help="with a whole service: names on the target, such as '*=dr-*'; repeatable, the first that fits decides",
    )
    parser.add_argument(
        "--indexes",
        action="append",
        default=[],
        metavar="PATTERN",
        help="with a whole service: only these of its indexes, such as '*' and '!tmp-*'; repeatable",
    )
    parser.add_argument(
        "--follow",
        action="store_true",
        help="with --mode sync: write only what differs from the snapshot that the target was last brought to; where"
        " that is not known, and each --prove-every, compare every document",
    )
    parser.add_argument(
        "--prove-every",
        metavar="DURATION",
        type=duration_of,
        default=PROVE_EVERY,
        help="with --follow: after how long every document is compared again (default P7D)",
    )
    parser.add_argument("--resume", action="store_true", help="resume the unfinished restore into this target")
    parser.add_argument(
        "--discard-unfinished",
        action="store_true",
        help="discard the unfinished restore into this target; leave its index as it is",
    )
    add_parallel(parser, "stretches of the snapshot handled at once")


def read_request(arguments: Namespace) -> RestoreRequest | RestoreServiceRequest:
    """Return what the arguments ask for: an index, or a whole service where the snapshot is SERVICE@….

    Raises SettingsError for a name that can't be one, NotFoundError or SettingsError for a file that can't be read.
    """
    service, index = service_and_index(arguments.to)
    source, at, point = arguments.snapshot.partition("@")
    if at and "/" not in source:
        return read_service_request(arguments, source, point, service, index)
    keys = list(arguments.document)
    snapshot = snapshot_reference(arguments.snapshot)
    if arguments.proved:
        snapshot = msgspec.structs.replace(snapshot, proved=True)
    if arguments.keys is not None:
        keys += [line.strip() for line in read_text(arguments.keys).splitlines() if line.strip()]
    return RestoreRequest(
        snapshot=snapshot,
        service=service,
        index=index,
        options=_options(arguments, keys),
        parallel=arguments.parallel,
        dry_run=arguments.dry_run,
        write_patch=read_write_patch(arguments),
    )


def _options(arguments: Namespace, keys: Sequence[str]) -> RestoreOptions:
    """Return the options. Raises SettingsError for those that don't go together."""
    options = read_options(arguments, RestoreOptions, keys=tuple(sorted(set(keys))))
    if options.follow and options.mode != "sync":
        raise SettingsError("it goes with --mode sync only", on="--follow", do="Add --mode sync, or leave it out")
    if options.prove_every != PROVE_EVERY and not options.follow:
        raise SettingsError("it goes with --follow only", on="--prove-every", do="Add --follow, or leave it out")
    if options.prove_every < timedelta():
        raise SettingsError("expected no time or more", on="--prove-every", do="Write it as P7D")
    return options


async def run(session: Session, request: RestoreRequest | RestoreServiceRequest) -> int:
    """Restore one snapshot, or only check whether it could be restored; or restore a whole service."""
    if isinstance(request, RestoreServiceRequest):
        return await restore_service(session, request)
    service_settings(session.settings, request.service)
    async with session.clients() as clients:
        chosen = request.options.store
        store = clients.store(chosen) if chosen else clients.reading_store(request.snapshot.service)
        target = IndexName(request.service, request.index or request.snapshot.index)
        snapshot = await resolve_source(
            clients, store, request.snapshot, target, now=session.clock(), resume=request.options.resume
        )
        await session.index_names(request.service)
        job = RestoreJob(
            service=snapshot.service,
            index=snapshot.index,
            snapshot=snapshot.id,
            target_service=request.service,
            target_index=request.index or snapshot.index,
            run=session.new_run("restore"),
            parallel=request.parallel,
            **shared_options(request.options, RestoreOptions),
        )
        workflow = PREFLIGHT_RESTORE if request.dry_run else RESTORE_INDEX
        async with Workflows(session, clients, ACTIVITIES, workflow) as workflows:
            if request.dry_run:
                return await _check(session, workflows, job, request.write_patch)
            report = await _restore(session, workflows, job)
            print_restore(session.output, report)
    return DONE


async def run_remotely(session: RemoteSession, request: RestoreRequest | RestoreServiceRequest) -> int:
    """Let a deployment restore one snapshot, or only check whether it could be restored."""
    from indexvault.cli.commands.restore_remote import restore  # noqa: PLC0415 - it prints with this module

    return await restore(session, request)


async def _check(session: Session, workflows: Workflows, job: RestoreJob, patch: Path | None) -> int:
    with session.output.progress(str(job.target)) as display:
        report = await workflows.run(PREFLIGHT_RESTORE, job, run=job.run, display=display)
    return print_preflight(session.output, report, patch)


async def _restore(session: Session, workflows: Workflows, job: RestoreJob) -> RestoreReport:
    target = f"{job.target_service}/{job.target_index}"
    with session.output.progress(target) as display:
        try:
            return await workflows.run(RESTORE_INDEX, job, run=job.run, display=display)
        except asyncio.CancelledError:
            touched = display.stage in _STAGES_ON_TARGET
            raise CancelledError(
                "the restore was interrupted; the index is incomplete" if touched else "the restore was interrupted",
                on=f"{job.target_service} index {job.target_index}",
                do="Run the same command again to resume" if touched else "The target was not touched",
            ) from None


def print_preflight(output: Output, report: PreflightReport, patch: Path | None) -> int:
    """Print the findings of a dry run, and return the exit code that the restore would end with.

    `patch` is the file for the patch that the target needs.
    """
    reference = f"{report.service}/{report.index}@{report.snapshot}"
    verdict = "would be restored" if report.ready else "would not be restored"
    record = {"reference": reference, "ready": report.ready, **msgspec.to_builtins(report)}
    output.result("preflight", record, checks_table(report, f"{reference} {verdict}"))
    write_patch(report, patch, output)
    return exit_code_of(report)


def print_restore(output: Output, report: RestoreReport) -> None:
    """Print a proved restore."""
    reference = f"{report.service}/{report.index}@{report.snapshot}"
    output.result("restore", {"reference": reference, **msgspec.to_builtins(report)}, *_lines(reference, report))


def _lines(reference: str, report: RestoreReport) -> Sequence[Text]:
    target = f"{report.target_service}/{report.target_index}"
    how = f"{report.identical:,} the same to the byte"
    if report.equal:
        how += f", {report.equal:,} the same in value"
    if report.different or report.extra:
        how += f"; {report.different:,} differ and {report.extra:,} are not in the snapshot: left unchanged"
    if report.refused:
        how += f", {report.refused:,} refused by the target and not in it"
    if report.followed is not None:
        return _followed_lines(reference, target, report)
    read_back = report.identical + report.equal + report.different
    lines = [
        Text.assemble(("restored", "green"), "  ", (target, "bold"), f" from {reference}"),
        Text(
            f"  {count(read_back, 'document')} read back and compared with {report.not_compared.of('snapshot')}: {how};"
            f" {duration(report.finished - report.started)}"
        ),
        Text(
            f"  mode {report.mode}: {count(report.uploaded, 'document')} written, {report.deleted:,} deleted, in"
            f" {count(report.requests, 'request')}"
        ),
    ]
    if report.presumption is not None:
        lines.append(Text(f"  {report.presumption.words}", style="cyan"))
    if report.resumed is not None:
        lines.append(Text(f"  resumed run {report.resumed}"))
    if report.alias is not None:
        before = f", which pointed to {report.old_index}" if report.old_index is not None else ""
        lines.append(Text(f"  alias {report.alias} points to it{before}"))
    if report.old_deleted:
        lines.append(Text(f"  deleted: the index before it, {report.old_index}"))
    if report.synonym_maps:
        lines.append(Text(f"  made for it: {', '.join(f'synonym map {name}' for name in report.synonym_maps)}"))
    return [*lines, *losses_and_notes(report.losses, report.notes)]


def _followed_lines(reference: str, target: str, report: RestoreReport) -> Sequence[Text]:
    compared = "" if report.proved_at is None else f"; every document was last compared {instant(report.proved_at)}"
    lines = [
        Text.assemble(("followed", "green"), "  ", (target, "bold"), f" to {reference}"),
        Text(
            f"  {count(report.uploaded, 'document')} written, {report.deleted:,} deleted, in"
            f" {count(report.requests, 'request')}: what differs from {report.followed};"
            f" {duration(report.finished - report.started)}"
        ),
        Text(f"  it counts {count(report.documents, 'document')}{compared}"),
    ]
    if report.presumption is not None:
        lines.append(Text(f"  {report.presumption.words}", style="cyan"))
    if report.resumed is not None:
        lines.append(Text(f"  finished what run {report.resumed} had begun"))
    return [*lines, *losses_and_notes(report.losses, report.notes)]


COMMAND = Command(
    description="Check that the restore can work, prove the snapshot, write the target, and compare every document of"
    " it with the snapshot. An existing index is never touched, unless another mode is asked for. The same"
    " command resumes an interrupted restore. SERVICE@latest or SERVICE@<time> restores"
    " a whole service: its synonym maps, indexes, data sources, skillsets, indexers (disabled), knowledge"
    " sources and bases, and aliases.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
