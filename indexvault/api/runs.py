"""`/runs`: list runs, show one and its progress, cancel it."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import RunName
from indexvault.api.run_views import RunList, RunView, view_run
from indexvault.api.start_run import POLL_SECONDS
from indexvault.api.stores import ask_stores
from indexvault.errors import ConflictError, NotFoundError
from indexvault.settings.load import service_settings
from indexvault.snapshots.store import Store
from indexvault.workflow.activity import Resources
from indexvault.workflow.progress import read_progress
from indexvault.workflow.reports import read_report
from indexvault.workflow.runs import RunRecord, Runs, cancelled
from indexvault.workflow.stop import end_items
from indexvault.workflow.telemetry import run_ended


class RunsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many runs to list, newest first."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class RunPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which run."""

    run: RunName


class ReportPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which item of which run: 0 is the first of its `indexes`."""

    run: RunName
    item: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


async def list_runs(call: Call[None, RunsQuery, Nothing]) -> Reply:
    """Answer with the newest runs of all stores."""
    resources = call.resources

    async def ask(store: Store) -> list[RunRecord]:
        names: list[str] = await _found_in(store, lambda runs: runs.names(), [])
        return await Runs(store.runs).read_all(names[: call.query.limit])

    listings, unread = await ask_stores(resources, ask)
    records = list(itertools.chain(*listings))
    now = resources.clock()
    records.sort(key=lambda record: record.run, reverse=True)
    return Reply(200, RunList([view_run(record, {}, now) for record in records[: call.query.limit]], unread))


async def show_run(call: Call[None, Nothing, RunPath]) -> Reply:
    """Answer with one run and its progress."""
    clients = call.resources.clients
    _store, record = await _find(call.resources, call.path.run)
    progress = {}
    if not record.is_finished:
        for item in record.items:
            if item.outcome.state == "waiting":
                stores = {service_settings(clients.settings, index.service).store for index in item.indexes}
                found = await read_progress([clients.store(name).runs for name in sorted(stores)], item.run)
                if found is not None:
                    progress[item.run] = found
    headers = {} if record.is_finished else {"Retry-After": str(POLL_SECONDS)}
    return Reply(200, view_run(record, progress, call.resources.clock()), headers)


async def show_report(call: Call[None, Nothing, ReportPath]) -> Reply:
    """Answer with the full report of an item. Raises NotFoundError if it has none, or none yet."""
    store, record = await _find(call.resources, call.path.run)
    item = call.path.item
    report = await read_report(store.runs, record.items[item].run) if item < len(record.items) else None
    if report is None:
        raise NotFoundError(
            f"it has no report of item {item}", on=f"run {record.run}", do="Wait until it is done, and see the run"
        )
    return Reply(200, report)


async def cancel_run(call: Call[None, Nothing, RunPath]) -> Reply:
    """Cancel a run and answer with what had finished by then. A second call changes nothing."""
    resources = call.resources
    store, found = await _find(resources, call.path.run)
    now = resources.clock()
    record = await Runs(store.runs).change(found.run, lambda record: cancelled(record, now))
    run_ended(record, now)
    if record.state != "cancelled":
        raise ConflictError(
            f"the run has already ended ({record.state})", on=f"run {record.run}", do="There is nothing to cancel"
        )
    await end_items(
        resources, call.engine, record, [item for item in record.items if item.outcome.state == "cancelled"]
    )
    return Reply(200, view_run(record, {}, now))


def _stores(resources: Resources) -> list[Store]:
    return [resources.clients.store(name) for name in resources.clients.settings.stores]


async def _found_in[Found](store: Store, read: Callable[[Runs], Awaitable[Found]], nothing: Found) -> Found:
    """Read a store's records of runs. Return `nothing` if it has no container: only a run makes containers."""
    try:
        return await read(Runs(store.runs))
    except NotFoundError:
        return nothing


async def _find(resources: Resources, run: str) -> tuple[Store, RunRecord]:
    stores = _stores(resources)
    records = await asyncio.gather(
        *(_found_in(store, lambda runs: runs.read(run), None) for store in stores), return_exceptions=True
    )
    for store, record in zip(stores, records, strict=True):
        if isinstance(record, RunRecord):
            return store, record
    for failure in records:
        if isinstance(failure, BaseException):
            raise failure
    raise NotFoundError("no such run", on=f"run {run}", do="GET /api/runs lists the runs")


ENDPOINTS = (
    Endpoint(
        name="list_runs",
        method="GET",
        route="runs",
        summary="The newest runs",
        handle=list_runs,
        query=RunsQuery,
        answers={200: DocumentedAnswer("The runs.", RunList)},
    ),
    Endpoint(
        name="show_run",
        method="GET",
        route="runs/{run}",
        summary="One run: state, documents, bytes, rate and time left, per index; failures in words",
        handle=show_run,
        path=RunPath,
        answers={200: DocumentedAnswer("The run.", RunView)},
    ),
    Endpoint(
        name="show_report",
        method="GET",
        route="runs/{run}/reports/{item}",
        summary="The full report of one index of a run that verifies, prunes or compares",
        handle=show_report,
        path=ReportPath,
        answers={200: DocumentedAnswer("The report.", dict[str, Any])},
    ),
    Endpoint(
        name="cancel_run",
        method="DELETE",
        route="runs/{run}",
        summary="Cancel a run and release its locks, so that it can't commit",
        handle=cancel_run,
        path=RunPath,
        answers={200: DocumentedAnswer("The cancelled run.", RunView)},
    ),
)
