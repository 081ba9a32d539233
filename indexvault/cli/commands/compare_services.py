"""`indexvault compare` of whole services: all of two, or those of a pair."""

from dataclasses import dataclass

import msgspec

from indexvault.backup.service_objects import KINDS
from indexvault.cli.commands.compare_print import print_objects, print_report, print_services, print_uncompared
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.remote.follow import follow, start
from indexvault.cli.remote.options import refuse_options
from indexvault.cli.remote.reports import read_report
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.clients import Clients
from indexvault.errors import IndexvaultError, SettingsError
from indexvault.recovery.drift import Absent, Drift, ServiceDrift
from indexvault.recovery.drift_run import ACTIVITIES, COMPARE_INDEXES
from indexvault.recovery.job import DriftJob, DriftReport, ObjectsReport
from indexvault.recovery.pair_drift import sides_of
from indexvault.recovery.services import compare_objects
from indexvault.settings.load import service_settings
from indexvault.settings.model import Settings
from indexvault.settings.pairs import pair_of, pair_settings
from indexvault.settings.patterns import select
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.reports import read_report as read_written
from indexvault.workflow.reports import remove_report
from indexvault.workflow.submit import item_run


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """Compare two states of indexes, two services, or those of a pair; `repair_from` is the side that is right.

    Of a pair, `one` is the name and `other` is None.
    """

    one: str
    other: str | None
    services: bool
    counts: bool
    repair_from: str | None
    accept_loss: bool
    allow_cross_region: bool
    all: bool


async def compared(session: Session, clients: Clients, workflows: Workflows, job: DriftJob) -> DriftReport:
    """Compare two states of an index, and repair one if the job says so. Return the report."""
    with session.output.progress(f"{job.one} and {job.other}") as display:
        await workflows.run(COMPARE_INDEXES, job, run=job.run, display=display)
    store = clients.store_of(job.work.service)
    written = await read_written(store.runs, job.run)
    await remove_report(store.runs, job.run)
    assert written is not None  # noqa: S101 - the workflow wrote it
    return msgspec.json.decode(written, type=DriftReport)


def job_of(request: CompareRequest, one: str, other: str, run: str) -> DriftJob:
    """Return the comparison of two states of an index that is asked for."""
    return DriftJob(
        one=one,
        other=other,
        run=run,
        repair_from=request.repair_from,
        by_counts=request.counts,
        accept_loss=request.accept_loss,
        allow_cross_region=request.allow_cross_region,
        owner="indexvault compare",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Services:
    """Two services to compare whole; `pair` is the hot-hot pair that they are, if they are one.

    `indexes` and `kinds` are what is compared.
    """

    one: str
    other: str
    indexes: tuple[str, ...] = ("*",)
    kinds: tuple[str, ...] = KINDS
    pair: str | None = None


def _services(settings: Settings, request: CompareRequest) -> _Services:
    if request.other is None:
        pair = pair_settings(settings, request.one)
        one, other = sides_of(request.one, pair)
        if request.repair_from not in {None, one, other}:
            raise SettingsError(
                f"--repair-from names {request.repair_from!r}",
                on=f"pair {request.one}",
                do=f"Name {one} or {other}",
            )
        name = request.one if pair.mode == "hot-hot" and not request.counts else None
        return _Services(one=one, other=other, indexes=pair.indexes, pair=name)
    for service in (request.one, request.other):
        service_settings(settings, service)
    found = pair_of(settings, request.one)
    is_pair = (
        found is not None
        and found[1].mode == "hot-hot"
        and {request.one, request.other} == {found[1].primary, found[1].standby}
    )
    name = found[0] if found is not None and is_pair and not request.counts else None
    return _Services(one=request.one, other=request.other, pair=name)


async def run_services(session: Session, request: CompareRequest) -> int:
    """Compare two services index by index, and repair each that deviates if asked to. One's trouble ends no other's."""
    asked = _services(session.settings, request)
    drifts: list[Drift] = []
    unreadable: list[tuple[str, str]] = []
    run = session.new_run("compare")
    async with session.clients() as clients:
        sides = clients.service(asked.one), clients.service(asked.other)
        here, there = [set(select(await each.index_names(), asked.indexes).found) for each in sides]
        await clients.store_of(asked.one).prepare()
        await clients.store_of(asked.other).prepare()
        async with Workflows(session, clients, ACTIVITIES, COMPARE_INDEXES) as workflows:
            # That one of a pair lacks an index is kept too.
            for position, index in enumerate(sorted(here | there if asked.pair else here & there)):
                job = _index_job(session.settings, request, asked, index, item_run(run, position))
                try:
                    report = await compared(session, clients, workflows, job)
                except IndexvaultError as error:
                    if index in here & there:
                        unreadable.append((index, f"{error.what}. {error.do}"))
                    continue
                print_report(session.output, report, show_all=request.all)
                drifts.append(report.left or report.drift)
        absent = [Absent("indexes", name, asked.one if name in here else asked.other) for name in sorted(here ^ there)]
        lacking, objects = await compare_objects(*sides, asked.kinds)
    drift = ServiceDrift(
        one=asked.one,
        other=asked.other,
        indexes=drifts,
        absent=[*absent, *lacking],
        objects=objects,
        unreadable=unreadable,
    )
    print_services(session.output, drift)
    return DONE if drift.is_alike else FAILED


def _index_job(settings: Settings, request: CompareRequest, asked: _Services, index: str, run: str) -> DriftJob:
    """Return the comparison of one index; that of a pair's is kept as its drift."""
    job = job_of(request, f"{asked.one}/{index}", f"{asked.other}/{index}", run)
    repair_from = None if request.repair_from is None else f"{request.repair_from}/{index}"
    pair = None if asked.pair is None else pair_settings(settings, asked.pair)
    if pair is None or not select([index], pair.indexes).found:
        return msgspec.structs.replace(job, repair_from=repair_from)
    return msgspec.structs.replace(
        job,
        repair_from=repair_from,
        pair=asked.pair,
        home=pair.standby,
        allow_cross_region=job.allow_cross_region or pair.allow_cross_region,
    )


async def run_pair_remotely(session: RemoteSession, request: CompareRequest) -> int:
    """Have a deployment compare the services of a pair, and print as `run_services` does."""
    refuse_options({"--counts": request.counts})
    body = {
        "pair": request.one,
        "repair_from": request.repair_from,
        "accept_loss": request.accept_loss,
        "allow_cross_region": request.allow_cross_region,
    }
    view = await follow(session, await start(session, "drifts", body), f"pair {request.one}")
    codes = []
    for position, item in enumerate(view.indexes):
        try:
            if item.index == SERVICE_OBJECTS:
                objects = await read_report(session, view, position, ObjectsReport)
                codes.append(print_objects(session.output, objects.drift))
            else:
                report = await read_report(session, view, position, DriftReport)
                codes.append(print_report(session.output, report, show_all=request.all))
        except IndexvaultError as error:
            codes.append(print_uncompared(session.output, item.index, error))
    return max(codes, default=DONE)
