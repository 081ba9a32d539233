"""`indexvault follow`: bring the standby of a pair to the newest snapshots of the active service."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.api.run_views import IndexView
from indexvault.cli.command import Command
from indexvault.cli.confirmation import confirm, require_answerable
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count, one_line
from indexvault.cli.output import Output
from indexvault.cli.progress import ProgressDisplay
from indexvault.cli.remote.follow import failure_of, follow, start
from indexvault.cli.remote.options import refuse_options
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import IndexvaultError
from indexvault.recovery.drift import Drift, ServiceDrift
from indexvault.recovery.follow_index import FOLLOW_INDEX
from indexvault.recovery.follow_job import FollowJob, FollowObjectsJob, FollowObjectsReport, FollowReport
from indexvault.recovery.follow_objects import FOLLOW_OBJECTS
from indexvault.recovery.follow_plan import FollowPlan, plan_following
from indexvault.recovery.follow_run import ACTIVITIES
from indexvault.recovery.follow_schedule import note_gone
from indexvault.recovery.follow_switch import turn_on, what_would_go
from indexvault.recovery.pair_role import SeenRole, pair_role
from indexvault.snapshots.names import SERVICE_OBJECTS

_VERB = "follow"
_MOST_SHOWN = 10
"""Documents and other differences that are named to a person; --json names them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRequest:
    """Bring a pair's standby on; with `confirmed`, overwrite what only the other service holds without asking."""

    pair: str
    dry_run: bool
    confirmed: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("pair", metavar="PAIR", help="a pair of the settings")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done, and overwritten")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="after a failover that was not planned, overwrite what only the other service holds without asking",
    )


def read_request(arguments: Namespace) -> FollowRequest:
    """Return what the arguments ask for."""
    return FollowRequest(pair=arguments.pair, dry_run=arguments.dry_run, confirmed=arguments.yes)


async def run(session: Session, request: FollowRequest) -> int:
    """Bring the standby on, and return 1 unless all of it is as the newest snapshots are.

    Where following is off, first show what only the other service holds, and ask. Raises SettingsError where nobody can
    be asked, CancelledError if the answer is not yes.
    """
    name = session.new_run(_VERB)
    async with session.clients() as clients:
        resources = session.resources(clients)
        seen = await pair_role(clients, request.pair)
        is_off = not seen.role.following
        asks = is_off and not (request.confirmed or request.dry_run)
        if asks:
            require_answerable(session.output, _VERB, does="overwrite")
        if is_off:
            drift = await what_would_go(resources, request.pair, seen.role)
            _print_what_would_go(session.output, drift)
            if asks:
                question = f"Overwrite {drift.other} with what {drift.one} holds, from now on?"
                await confirm(session.output, question, _VERB, does="overwrite")
        if is_off and not request.dry_run:
            seen = await turn_on(resources, request.pair, seen, run=name)
        owner = f"pair {request.pair}: indexvault follow"
        plan = await plan_following(resources, request.pair, run=name, owner=owner, again=True, seen=seen)
        _print_plan(session.output, plan, seen, dry_run=request.dry_run)
        if request.dry_run:
            return DONE
        await note_gone(resources, plan)
        ended: list[bool] = []
        async with Workflows(session, clients, ACTIVITIES, FOLLOW_INDEX, FOLLOW_OBJECTS) as workflows:
            for job in plan.jobs:
                with session.output.progress(_title(str(job.target))) as display:
                    report = await _carry_out(workflows, job, display)
                ended.append(_print_report(session.output, str(job.target), report))
    return _print_end(session.output, plan.pair, plan.standby, len(plan.jobs), is_equal=all(ended))


async def _carry_out(
    workflows: Workflows, job: FollowJob | FollowObjectsJob, display: ProgressDisplay
) -> FollowReport | FollowObjectsReport | IndexvaultError:
    """Carry one part of a plan out. Its failure does not stop the others."""
    try:
        if isinstance(job, FollowJob):
            return await workflows.run(FOLLOW_INDEX, job, run=job.run, display=display)
        return await workflows.run(FOLLOW_OBJECTS, job, run=job.run, display=display)
    except IndexvaultError as error:
        return error


async def run_remotely(session: RemoteSession, request: FollowRequest) -> int:
    """Have a deployment bring the standby on, and print as `run` does."""
    refuse_options({"--dry-run": request.dry_run})
    body = {"pair": request.pair, "overwrite": request.confirmed}
    view = await follow(session, await start(session, "followings", body), f"pair {request.pair}")
    ended = [_print_report(session.output, f"{each.service}/{each.index}", _report_of(each)) for each in view.indexes]
    return _print_end(session.output, request.pair, view.service, len(ended), is_equal=all(ended))


def _report_of(view: IndexView) -> FollowReport | FollowObjectsReport | IndexvaultError:
    if view.report is not None and view.index == SERVICE_OBJECTS:
        return msgspec.convert(view.report, FollowObjectsReport)
    failure = failure_of(view)
    if failure is not None or view.report is None:
        return failure or IndexvaultError("it has no report", on=view.index, do="Check the app's log")
    return msgspec.convert(view.report, FollowReport)


def _title(target: str) -> str:
    return target.replace(SERVICE_OBJECTS, "other objects")


def _print_plan(output: Output, plan: FollowPlan, seen: SeenRole, *, dry_run: bool) -> None:
    role = plan.role
    lines = [
        Text.assemble("pair ", (plan.pair, "bold"), f": {plan.standby} follows {role.active}"),
        *(Text(f"  store {store} does not answer: its role is not known", "yellow") for store in seen.unread),
        *(
            Text(f"  {index} is not on {role.active} any more, and stays on {plan.standby}")
            for index in plan.gone or ()
        ),
    ]
    if dry_run:
        lines += [Text(f"  would bring {_title(str(job.target))} to {job.snapshot}") for job in plan.jobs]
        if not plan.jobs:
            lines.append(Text("  nothing is newer than what it has"))
    output.result(
        "following",
        {
            "pair": plan.pair,
            "active": role.active,
            "standby": plan.standby,
            "generation": role.generation,
            "jobs": [{"index": job.target.index, "snapshot": job.snapshot} for job in plan.jobs],
            "gone": plan.gone,
            "unread": seen.unread,
        },
        *lines,
    )


def _print_what_would_go(output: Output, drift: ServiceDrift) -> None:
    """Show what the other service holds that the active one has not, or has otherwise."""
    lines = [
        Text.assemble(("following is off", "yellow"), f": {drift.other} may hold what {drift.one} lacks"),
        *(line for each in drift.indexes for line in _lost_lines(each, drift.other)),
        *(
            Text(f"  {each.kind} {one_line(each.name)} {'is' if each.kind != 'indexes' else 'are'} only there")
            for each in drift.absent
            if each.only_in == drift.other
        ),
        *(Text(f"  {one_line(name)} can't be compared: {one_line(why)}", "yellow") for name, why in drift.unreadable),
        *(Text(f"  {one_line(each.path)} differs") for each in drift.objects[:_MOST_SHOWN]),
    ]
    output.result("would_overwrite", {"alike": drift.is_alike, **msgspec.to_builtins(drift)}, *lines)


def _lost_lines(drift: Drift, other: str) -> Sequence[Text]:
    name = drift.other.partition("/")[2]
    if drift.is_alike:
        return [Text(f"  {name}: the same on both")]
    only = [each for each in drift.found if each.kind == "extra"]
    changed = [each for each in drift.found if each.kind == "different"]
    lines = [
        Text(
            f"  {name}: {count(drift.extra, 'document')} only on {other}, {drift.different:,} with other values there,"
            f" {drift.missing:,} that it lacks"
        )
    ]
    lines += [Text(f"    + {one_line(each.key)}", "green") for each in only[:_MOST_SHOWN]]
    lines += [Text(f"    ~ {one_line(each.key)}", "yellow") for each in changed[:_MOST_SHOWN]]
    more = len(only[_MOST_SHOWN:]) + len(changed[_MOST_SHOWN:])
    if more:
        lines.append(Text(f"    … and {more:,} more: indexvault compare {drift.one} {drift.other} --all"))
    if drift.definition:
        lines.append(Text(f"    definition: {', '.join(one_line(each.path) for each in drift.definition)}"))
    return lines


def _print_report(output: Output, target: str, report: FollowReport | FollowObjectsReport | IndexvaultError) -> bool:
    """Print what became of one part of the standby, and return whether it is as on the active service."""
    if isinstance(report, IndexvaultError):
        output.result(
            "not_followed",
            {"target": target, **msgspec.to_builtins(report.record())},
            Text.assemble(("failed", "red"), f"  {_title(target)}: {one_line(report.what)}"),
            Text(f"  {one_line(report.do)}"),
        )
        return False
    if isinstance(report, FollowObjectsReport):
        return _print_objects(output, target, report)
    how = "made" if report.created else "compared in full" if report.compared else "followed"
    lines = [
        Text.assemble(("equal", "green"), f"  {target} is {report.source}/{report.target.index}@{report.snapshot}"),
        Text(
            f"  {how}: {count(report.documents, 'document')}, {report.written:,} written and {report.deleted:,} deleted"
        ),
        *(Text(f"  without {one_line(loss)}", "yellow") for loss in report.losses),
        *(Text(f"  {one_line(each)}") for each in report.notes if not report.compared),
    ]
    output.result("followed", msgspec.to_builtins(report), *lines)
    return True


def _print_objects(output: Output, target: str, report: FollowObjectsReport) -> bool:
    is_equal = not report.faults
    verdict = ("equal", "green") if is_equal else ("failed", "red")
    changed = [each for each in report.objects if each.outcome in {"made", "changed"}]
    lines = [
        Text.assemble(verdict, f"  {_title(target)}: {count(len(report.objects), 'object')}, {len(changed):,} written"),
        *(Text(f"  {one_line(fault)}", "red") for fault in report.faults),
        *(Text(f"  only on {report.service}: {one_line(each)}") for each in report.only_there),
    ]
    output.result("followed_objects", msgspec.to_builtins(report), *lines)
    return is_equal


def _print_end(output: Output, pair: str, standby: str, jobs: int, *, is_equal: bool) -> int:
    if not is_equal:
        shown = Text(f"not all of {standby} is as the newest snapshots are: see above", "yellow")
    elif jobs:
        shown = Text(f"{standby} is as the newest snapshots are", "green")
    else:
        shown = Text(f"nothing is newer than what {standby} has", "green")
    output.result("standby", {"pair": pair, "standby": standby, "is_equal": is_equal, "jobs": jobs}, shown)
    return DONE if is_equal else FAILED


COMMAND = Command(
    description="Bring every index of a pair's standby, and the objects that are kept warm, to the newest snapshots of"
    " the active service, and prove them. The app does that by itself after each backup. After a failover that was"
    " not planned, following is off: show what only the other service holds, ask, and turn it on again. Exit code 1"
    " unless all of it came to its end.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
