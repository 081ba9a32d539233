"""What `indexvault failover` and `indexvault failback` share: their options, the question, and the report."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from rich.text import Text

from indexvault.cli.confirmation import confirm, require_answerable
from indexvault.cli.exit_codes import DONE, LOSSY
from indexvault.cli.formatting import count, duration, one_line
from indexvault.cli.options import TARGET_OPTIONS, add_parallel
from indexvault.cli.output import Output
from indexvault.cli.progress import IndexAfterIndex
from indexvault.cli.references import snapshot_reference
from indexvault.cli.remote.follow import follow, report_of, start
from indexvault.cli.remote.options import parallel_is_given, refuse_options
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import SettingsError
from indexvault.recovery.failover import ACTIVITIES, CHECK_FAILOVER, FAIL_OVER
from indexvault.recovery.failover_facts import require_target
from indexvault.recovery.failover_job import FailoverJob, FailoverReport, IndexResult
from indexvault.recovery.failover_plan import age_in_words
from indexvault.recovery.failover_steps import foresee
from indexvault.settings.overlays import overlay_of
from indexvault.settings.pairs import pair_settings
from indexvault.snapshots.names import SnapshotReference

_ACCEPTED = ("overlay", "accept_loss", "accept_unsettled", "accept_unauthentic")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverRequest:
    """Make a service of a pair the active one; `back` is a failback."""

    verb: str
    pair: str
    to: str | None
    planned: bool
    back: bool
    overlay: str | None
    at: str | None
    snapshots: tuple[str, ...]
    leave_out: tuple[str, ...]
    accept_loss: bool
    accept_unsettled: bool
    accept_unauthentic: bool
    repair: bool
    parallel: int
    dry_run: bool
    confirmed: bool


def add_failover_options(parser: ArgumentParser) -> None:
    """Add what both verbs have."""
    parser.add_argument("pair", metavar="PAIR", help="a pair of the settings")
    for name in _ACCEPTED:
        parser.add_argument(f"--{name.replace('_', '-')}", **TARGET_OPTIONS[name])
    parser.add_argument(
        "--leave-out",
        metavar="INDEX",
        action="append",
        default=[],
        help="do not bring this index over; may be given several times",
    )
    parser.add_argument(
        "--repair", action="store_true", help="make documents in which a hot-hot pair differs as on its authority"
    )
    add_parallel(parser, "parts of an index to load at once")
    parser.add_argument("--dry-run", action="store_true", help="do everything but change something")
    parser.add_argument(
        "--yes", action="store_true", help="do it without asking; needed with --json and where there is no terminal"
    )


def read_failover(arguments: Namespace, verb: str) -> FailoverRequest:
    """Return what the arguments ask for. Raises SettingsError for what is no snapshot or no time."""
    snapshots = [str(snapshot_reference(each)) for each in getattr(arguments, "snapshot", [])]
    at = getattr(arguments, "at", None)
    if at is not None and SnapshotReference.parse(f"service/index@{at}").back is not None:
        raise SettingsError(
            "it means another time whenever the command runs again, and so could not be resumed",
            on=f"--at {at}",
            do="Write the time itself, such as 2026-11-20T02:30",
        )
    back = verb == "failback"
    return FailoverRequest(
        verb=verb,
        pair=arguments.pair,
        to=getattr(arguments, "to", None),
        planned=back or arguments.planned,
        back=back,
        overlay=arguments.overlay,
        at=at,
        snapshots=tuple(snapshots),
        leave_out=tuple(arguments.leave_out),
        accept_loss=arguments.accept_loss,
        accept_unsettled=arguments.accept_unsettled,
        accept_unauthentic=arguments.accept_unauthentic,
        repair=arguments.repair,
        parallel=arguments.parallel,
        dry_run=arguments.dry_run,
        confirmed=arguments.yes,
    )


async def run_failover(session: Session, request: FailoverRequest) -> int:
    """Fail over, after showing what that does and asking. Return LOSSY if something is not brought over.

    Raises SettingsError where nobody can be asked, CancelledError if the answer is not yes.
    """
    asks = not (request.confirmed or request.dry_run)
    if asks:
        require_answerable(session.output, request.verb, does="change")
    job = _job(session, request)
    async with session.clients() as clients:
        if asks:
            async with session.clients(retry=FIRST_CONTACT) as asked:
                seen = await foresee(session.resources(asked), job)
            if seen is not None and request.planned:
                # Only this tells what the service holds that the active one does not, and loses.
                async with Workflows(session, clients, ACTIVITIES, CHECK_FAILOVER) as workflows:
                    with session.output.progress(f"{job.pair} to {job.to}") as display:
                        given = msgspec.structs.replace(job, run=f"{job.run}-check")
                        seen = await workflows.run(
                            CHECK_FAILOVER, given, run=given.run, display=IndexAfterIndex(display)
                        )
            if seen is not None:
                session.output.result("failover", _record(seen), *_lines(seen))
            question = f"Make {job.to} the active service of {job.pair}?"
            await confirm(session.output, question, request.verb, does="change")
        workflow = CHECK_FAILOVER if request.dry_run else FAIL_OVER
        async with Workflows(session, clients, ACTIVITIES, workflow) as workflows:
            with session.output.progress(f"{job.pair} to {job.to}") as display:
                report = await workflows.run(workflow, job, run=job.run, display=IndexAfterIndex(display))
    return _print(session.output, report)


async def run_failover_remotely(session: RemoteSession, request: FailoverRequest) -> int:
    """Have a deployment fail over, after showing what that does and asking, and print as `run_failover` does."""
    refuse_options({"--parallel": parallel_is_given(request.parallel)})
    asks = not (request.confirmed or request.dry_run)
    if asks:
        require_answerable(session.output, request.verb, does="change")
    at = _time(request.at, session.clock())
    body = {
        "pair": request.pair,
        "to": request.to,
        "planned": request.planned,
        "back": request.back,
        "overlay": request.overlay,
        "at": None if at is None else at.isoformat(),
        "snapshots": list(request.snapshots),
        "leave_out": list(request.leave_out),
        "accept_loss": request.accept_loss,
        "accept_unsettled": request.accept_unsettled,
        "accept_unauthentic": request.accept_unauthentic,
        "repair": request.repair,
    }
    if asks:
        seen = await _asked(session, {**body, "dry_run": True}, request.pair)
        session.output.result("failover", _record(seen), *_lines(seen))
        question = f"Make {seen.to} the active service of {seen.pair}?"
        await confirm(session.output, question, request.verb, does="change")
    return _print(session.output, await _asked(session, {**body, "dry_run": request.dry_run}, request.pair))


async def _asked(session: RemoteSession, body: dict[str, object], pair: str) -> FailoverReport:
    view = await follow(session, await start(session, "failovers", body), f"pair {pair}")
    return report_of(view, FailoverReport)


def _job(session: Session, request: FailoverRequest) -> FailoverJob:
    pair = pair_settings(session.settings, request.pair)
    to = request.to or (pair.primary if request.back else pair.standby)
    if to is None:
        raise SettingsError(
            "the settings name no standby",
            on=f"pair {request.pair}",
            do="Name the service that is to become active with --to",
        )
    require_target(session.settings, request.pair, to)
    if request.overlay is not None:
        overlay_of(session.settings, request.overlay)
    return FailoverJob(
        pair=request.pair,
        to=to,
        run=session.new_run("failover"),
        planned=request.planned,
        back=request.back,
        overlay=request.overlay,
        at=_time(request.at, session.clock()),
        snapshots=request.snapshots,
        leave_out=request.leave_out,
        accept_loss=request.accept_loss,
        accept_unsettled=request.accept_unsettled,
        accept_unauthentic=request.accept_unauthentic,
        repair=request.repair,
        parallel=request.parallel,
        owner=f"indexvault {request.verb}",
    )


def _time(at: str | None, now: datetime) -> datetime | None:
    return None if at is None else SnapshotReference.parse(f"service/index@{at}").until(now)


def _print(output: Output, report: FailoverReport) -> int:
    output.result("failover", _record(report), *_lines(report))
    return LOSSY if report.faults else DONE


def _record(report: FailoverReport) -> dict[str, object]:
    return {
        "keeps_point": report.keeps_point,
        "keeps_time": report.keeps_time,
        "faults": report.faults,
        **msgspec.to_builtins(report),
    }


def _lines(report: FailoverReport) -> Sequence[Text]:
    verdict = ("would fail over", "yellow") if report.dry_run else ("active", "green")
    head = f"{report.to} in place of {report.source}, generation {report.generation} of pair {report.pair}"
    lines = [Text.assemble(verdict, "  ", (head, "bold"))]
    if report.repeated:
        lines.append(Text(f"  run {report.run} has done this before: nothing was to be done"))
    lines += [Text(f"  {one_line(each)}", "yellow") for each in report.warnings]
    for each in report.indexes:
        lines += _index_lines(report, each)
    lines += _object_lines(report)
    lines += _promise_lines(report)
    lines += [Text(f"  next: {one_line(each)}") for each in report.next_steps]
    return lines


def _index_lines(report: FailoverReport, each: IndexResult) -> list[Text]:
    if each.outcome in {"left out", "failed"}:
        return [Text(f"  {each.index}: {each.outcome}: {one_line(each.why)}", "red")]
    known = "" if each.documents is None else f", {count(each.documents, 'document')}"
    how = {"create": "made anew", "sync": "made equal", "follow": "brought on"}.get(each.mode, each.outcome)
    proved = " and proved" if each.outcome == "brought" else ""
    lines = [Text(f"  {each.index}: {how}{proved}{known}")]
    if each.snapshot and each.age is not None and not report.planned:
        old = age_in_words(each.age)
        lines.append(Text(f"    the newest snapshot here is {old} old: what was written since is lost", "yellow"))
        lines.append(Text(f"    {report.source}/{each.index}@{each.snapshot}"))
    lines += [Text(f"    without {one_line(loss)}", "yellow") for loss in each.losses]
    lines += [Text(f"    {one_line(note)}") for note in each.notes]
    return lines


def _object_lines(report: FailoverReport) -> list[Text]:
    outcomes = [each.outcome for each in report.objects]
    counted = ", ".join(f"{outcomes.count(each)} {each}" for each in dict.fromkeys(outcomes))
    lines = [Text(f"  other objects: {counted}")] if counted else []
    lines += [
        Text(f"    {each.kind} {one_line(each.name)}: {each.outcome}: {one_line(each.why)}", "red")
        for each in report.objects
        if not each.is_there
    ]
    if report.enabled:
        lines.append(Text(f"  indexers that run now: {one_line(', '.join(report.enabled))}"))
    return lines


def _promise_lines(report: FailoverReport) -> list[Text]:
    lines = []
    if report.window is not None:
        kept = "within" if report.keeps_point else "MORE than"
        lost = "nothing is lost" if report.planned else f"up to {age_in_words(report.window)} of writes are lost"
        style = "green" if report.keeps_point else "red"
        lines.append(Text(f"  {lost}, {kept} the recovery point of {age_in_words(report.recovery_point)}", style))
    if not report.dry_run:
        kept = "within" if report.keeps_time else "MORE than"
        style = "green" if report.keeps_time else "red"
        allowed = age_in_words(report.recovery_time)
        lines.append(Text(f"  it took {duration(report.took)}, {kept} the recovery time of {allowed}", style))
    return lines
