"""`indexvault compare`: what differs between two indexes or services, and making one as the other."""

from argparse import ArgumentParser, Namespace

from indexvault.cli.command import Command
from indexvault.cli.commands.compare_print import MOST_SHOWN, print_report
from indexvault.cli.commands.compare_services import (
    CompareRequest,
    compared,
    job_of,
    run_pair_remotely,
    run_services,
)
from indexvault.cli.references import index_or_snapshot, service_and_index
from indexvault.cli.remote.follow import follow, start
from indexvault.cli.remote.options import refuse_options
from indexvault.cli.remote.reports import read_report
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import SettingsError
from indexvault.recovery.drift_run import ACTIVITIES, COMPARE_INDEXES
from indexvault.recovery.job import DriftReport
from indexvault.settings.load import service_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    what = "a service, an index (SERVICE/INDEX) or a snapshot of one; without B, a pair of the settings"
    parser.add_argument("one", metavar="A", help=what)
    parser.add_argument("other", metavar="B", nargs="?", help="what to compare it with: the same kind, or a snapshot")
    parser.add_argument("--all", action="store_true", help=f"name every document, not only the first {MOST_SHOWN}")
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
    if other is None and not services:
        raise SettingsError("it is no pair", on=repr(one), do="Name what to compare it with, or a pair of the settings")
    if other is not None:
        _check_sides(one, other, services=services)
    if right is not None and other is not None and right not in {one, other}:
        raise SettingsError(
            f"--repair-from names {right!r}",
            on=f"{one!r} and {other!r}",
            do="Name one of the two as it is written there",
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


def _check_sides(one: str, other: str, *, services: bool) -> None:
    if services != ("/" not in other and "@" not in other):
        raise SettingsError(
            "one is a service, the other is not", on=f"{one!r} and {other!r}", do="Name two services, or two indexes"
        )
    for text in (one, other):
        service_and_index(text) if services else index_or_snapshot(text)


async def run(session: Session, request: CompareRequest) -> int:
    """Compare, and repair if asked to. Return 1 if the two are not alike at the end."""
    if request.services:
        return await run_services(session, request)
    assert request.other is not None  # noqa: S101 - reading the request has seen to it
    for text in (request.one, request.other):
        service_settings(session.settings, index_or_snapshot(text).service)
    job = job_of(request, request.one, request.other, session.new_run("compare"))
    async with session.clients() as clients:
        await clients.store_of(job.work.service).prepare()
        async with Workflows(session, clients, ACTIVITIES, COMPARE_INDEXES) as workflows:
            report = await compared(session, clients, workflows, job)
    return print_report(session.output, report, show_all=request.all)


async def run_remotely(session: RemoteSession, request: CompareRequest) -> int:
    """Have a deployment compare, and print as `run` does."""
    refuse_options({"a comparison of whole services": request.services and request.other is not None})
    if request.services:
        return await run_pair_remotely(session, request)
    body = {
        "one": request.one,
        "other": request.other,
        "repair_from": request.repair_from,
        "by_counts": request.counts,
        "accept_loss": request.accept_loss,
        "allow_cross_region": request.allow_cross_region,
    }
    view = await follow(session, await start(session, "drifts", body), f"{request.one} and {request.other}")
    return print_report(session.output, await read_report(session, view, 0, DriftReport), show_all=request.all)


COMMAND = Command(
    description="Compare definitions, numbers of documents, then documents. What differs only because it was read at"
    " two moments is read again until it settles. With --repair-from, write what deviates and nothing else, under the"
    " index's lock. Exit code 1 if the two are not alike.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
