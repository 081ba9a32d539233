"""`indexvault compare`: what differs between two indexes or services, and making one as the other."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count, one_line, short_value
from indexvault.cli.output import Output
from indexvault.cli.references import index_or_snapshot, service_and_index
from indexvault.cli.remote.follow import follow, start
from indexvault.cli.remote.options import refuse_options
from indexvault.cli.remote.reports import read_report
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import SettingsError
from indexvault.recovery.drift import Deviating, Drift, ServiceDrift
from indexvault.recovery.drift_run import ACTIVITIES, COMPARE_INDEXES, settling
from indexvault.recovery.job import DriftJob, DriftReport
from indexvault.recovery.services import compare_services
from indexvault.settings.load import service_settings
from indexvault.workflow.reports import read_report as read_written
from indexvault.workflow.reports import remove_report

_MOST_SHOWN = 24
"""Documents that are named to a person without --all; --json names them all."""
_SIGNS = {"missing": ("-", "red"), "extra": ("+", "green"), "different": ("~", "yellow")}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """Compare two states of indexes, or two services; `repair_from` is the side that is right."""

    one: str
    other: str
    services: bool
    counts: bool
    repair_from: str | None
    accept_loss: bool
    allow_cross_region: bool
    all: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    what = "a service, an index (SERVICE/INDEX) or a snapshot of one"
    parser.add_argument("one", metavar="A", help=what)
    parser.add_argument("other", metavar="B", help="what to compare it with: the same kind, or a snapshot")
    parser.add_argument("--all", action="store_true", help=f"name every document, not only the first {_MOST_SHOWN}")
    parser.add_argument(
        "--counts", action="store_true", help="compare definitions and numbers of documents only, which is quick"
    )
    parser.add_argument(
        "--repair-from",
        metavar="A|B",
        help="the side that is right: write its documents over those that deviate in the other, and delete extra ones",
    )
    parser.add_argument(
        "--accept-loss",
        action="store_true",
        help="with --repair-from: add documents even without fields that the right side does not return",
    )
    parser.add_argument(
        "--allow-cross-region",
        action="store_true",
        help="with --repair-from: allow the data to leave the region of its service",
    )


def read_request(arguments: Namespace) -> CompareRequest:
    """Return what the arguments ask for. Raises SettingsError for names that can't be compared."""
    one, other, right = arguments.one, arguments.other, arguments.repair_from
    services = "/" not in one and "@" not in one
    if services != ("/" not in other and "@" not in other):
        raise SettingsError(
            "one is a service, the other is not", on=f"{one!r} and {other!r}", do="Name two services, or two indexes"
        )
    for text in (one, other):
        service_and_index(text) if services else index_or_snapshot(text)
    if right is not None and (services or right not in {one, other}):
        raise SettingsError(
            f"--repair-from names {right!r}",
            on=f"{one!r} and {other!r}",
            do="Repair index by index, and name one of the two as it is written there",
        )
    if right is not None and arguments.counts:
        raise SettingsError("--counts reads no documents", on="--repair-from", do="Leave one of the two options out")
    return CompareRequest(
        one=one,
        other=other,
        services=services,
        counts=arguments.counts,
        repair_from=right,
        accept_loss=arguments.accept_loss,
        allow_cross_region=arguments.allow_cross_region,
        all=arguments.all,
    )


async def run(session: Session, request: CompareRequest) -> int:
    """Compare, and repair if asked to. Return 1 if the two are not alike at the end."""
    if request.services:
        return await _run_services(session, request)
    for text in (request.one, request.other):
        service_settings(session.settings, index_or_snapshot(text).service)
    job = _job(request, session.new_run("compare"))
    async with session.clients() as clients:
        store = clients.store_of(job.work.service)
        await store.prepare()
        async with Workflows(session, clients, ACTIVITIES, COMPARE_INDEXES) as workflows:
            with session.output.progress(f"{request.one} and {request.other}") as display:
                await workflows.run(COMPARE_INDEXES, job, run=job.run, display=display)
        written = await read_written(store.runs, job.run)
        await remove_report(store.runs, job.run)
    assert written is not None  # noqa: S101 - the workflow wrote it
    return _print_report(session.output, msgspec.json.decode(written, type=DriftReport), request)


async def run_remotely(session: RemoteSession, request: CompareRequest) -> int:
    """Have a deployment compare, and print as `run` does."""
    refuse_options({"a comparison of whole services": request.services})
    body = {
        "one": request.one,
        "other": request.other,
        "repair_from": request.repair_from,
        "by_counts": request.counts,
        "accept_loss": request.accept_loss,
        "allow_cross_region": request.allow_cross_region,
    }
    view = await follow(session, await start(session, "drifts", body), f"{request.one} and {request.other}")
    return _print_report(session.output, await read_report(session, view, 0, DriftReport), request)


def _job(request: CompareRequest, run: str) -> DriftJob:
    return DriftJob(
        one=request.one,
        other=request.other,
        run=run,
        repair_from=request.repair_from,
        by_counts=request.counts,
        accept_loss=request.accept_loss,
        allow_cross_region=request.allow_cross_region,
        owner="indexvault compare",
    )


async def _run_services(session: Session, request: CompareRequest) -> int:
    for name in (request.one, request.other):
        service_settings(session.settings, name)
    async with session.clients() as clients:
        resources = session.resources(clients)
        drift = await compare_services(
            clients.service(request.one),
            clients.service(request.other),
            wait=lambda: settling(resources),
            by_counts=request.counts,
            compared=lambda each: _print_drift(session.output, each, request),
        )
    _print_services(session.output, drift)
    return DONE if drift.is_alike else FAILED


def _print_report(output: Output, report: DriftReport, request: CompareRequest) -> int:
    _print_drift(output, report.drift, request)
    mended = report.mended
    if mended is not None:
        output.result(
            "repaired",
            msgspec.to_builtins(mended),
            f"{mended.target}: {count(mended.written, 'document')} written, {mended.deleted:,} deleted",
            *(f"  refused {one_line(key)}: {one_line(reason)}" for key, reason in mended.refused[:_MOST_SHOWN]),
        )
    if report.left is not None:
        _print_drift(output, report.left, request)
    return DONE if report.is_alike else FAILED


def _print_drift(output: Output, drift: Drift, request: CompareRequest) -> None:
    shown = drift.found if request.all else drift.found[:_MOST_SHOWN]
    more = len(drift.found) + drift.left_out - len(shown)
    output.result(
        "drift",
        {"alike": drift.is_alike, **msgspec.to_builtins(drift)},
        _headline(drift),
        *_details(drift),
        *map(_found_line, shown),
        *([f"  … and {more:,} more{'' if request.all else ': --all names them'}"] if more else []),
    )


def _headline(drift: Drift) -> Text:
    sides = f"{drift.one} and {drift.other}"
    verdict = ("alike", "green") if drift.is_alike else ("differ", "yellow")
    return Text.assemble(verdict, "  ", (sides, "bold"))


def _details(drift: Drift) -> Sequence[str]:
    if drift.by_counts:
        differing = [each for each in drift.ranges if each.differs]
        known = [each for each in drift.ranges if each.one is not None and each.other is not None]
        total = f"{sum(each.one or 0 for each in known):,} and {sum(each.other or 0 for each in known):,} documents"
        lines = [f"  {total}; {len(differing):,} of {count(len(known), 'range')} differ; documents were not compared"]
    else:
        same = count(drift.identical + drift.equal, "document")
        deviating = f"{drift.different:,} different, {drift.missing:,} missing, {drift.extra:,} extra"
        lines = [f"  {same} the same; {deviating}; {count(drift.requests, 'request')}"]
    if drift.moving:
        lines.append(f"  {count(drift.moving, 'document')} changed while they were read: compare again")
    if drift.uncounted:
        lines.append(f"  {count(drift.uncounted, 'document')} more in {drift.other}, known by its count alone")
    if drift.not_compared.hidden or drift.not_compared.dropped:
        lines.append(f"  compared with {drift.not_compared.of(drift.one)}")
    lines += [
        f"  definition {one_line(each.path)}: {short_value(each.before)} -> {short_value(each.after)}"
        for each in drift.definition
    ]
    return lines


def _found_line(each: Deviating) -> Text:
    sign, style = _SIGNS[each.kind]
    line = Text.assemble("  ", (sign, style), f" {one_line(each.key)}")
    if each.moving:
        line.append("  changing", style="dim")
    return line


def _print_services(output: Output, drift: ServiceDrift) -> None:
    alike = sum(each.is_alike for each in drift.indexes)
    output.result(
        "service_drift",
        {
            "alike": drift.is_alike,
            "one": drift.one,
            "other": drift.other,
            "indexes": len(drift.indexes),
            "indexes_alike": alike,
            "absent": msgspec.to_builtins(drift.absent),
            "objects": msgspec.to_builtins(drift.objects),
            "unreadable": drift.unreadable,
        },
        f"{alike} of the {len(drift.indexes)} indexes that both have are alike",
        *(f"  only in {each.only_in}: {each.kind} {one_line(each.name)}" for each in drift.absent),
        *(
            f"  {one_line(each.path)}: {short_value(each.before)} -> {short_value(each.after)}"
            for each in drift.objects
        ),
        *(f"  {one_line(name)} was not compared: {one_line(reason)}" for name, reason in drift.unreadable),
    )


COMMAND = Command(
    description="Compare definitions, numbers of documents, then documents. What differs only because it was read at"
    " two moments is read again until it settles. With --repair-from, write what deviates and nothing else, under the"
    " index's lock. Exit code 1 if the two are not alike.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
