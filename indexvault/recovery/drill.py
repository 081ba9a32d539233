"""Carry out a drill: restore, prove, query, and remove what was made, whatever happens.

A snapshot that nobody has restored is a hope. A drill restores it under a temporary name, which no pattern of a policy
matches, through the same workflow as a restore on a bad night, and keeps the time it took.
"""

import contextlib
from collections.abc import Mapping, Sequence

import msgspec
from durabletask.task import OrchestrationContext
from msgspec.structs import replace

from indexvault.errors import ConflictError, IndexvaultError, NotFoundError, VerificationError
from indexvault.model import IndexName
from indexvault.recovery.drill_job import (
    Answered,
    DrillJob,
    DrillReport,
    FailedDrill,
    OpenedDrill,
    RestoredDrill,
)
from indexvault.recovery.drill_records import OpenDrill, forget_open, note_open, note_result, read_open
from indexvault.restore.mark_target import forget_records
from indexvault.restore.state import forget_restore_state, read_restore_state
from indexvault.restore.workflow import ACTIVITIES as RESTORE_ACTIVITIES
from indexvault.restore.workflow import restore_index
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import read_schema
from indexvault.settings.model import DrillQuery, DrillSettings, Settings
from indexvault.settings.patterns import select
from indexvault.snapshots.catalogue import list_snapshots, resolve
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.workflow.activity import Activity, Orchestration, Resources, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.fan_out import FanOut, ItemWorkflow, OpenItems, RunOrder, fan_out, open_items, runs_of
from indexvault.workflow.lock_activities import Claim, Done, locked
from indexvault.workflow.runs import Item, Outcome, RunRecord
from indexvault.workflow.submit import item_run


async def open_drill(resources: Resources, job: DrillJob) -> OpenedDrill:
    """Choose the snapshot, and say which index is about to be made.

    What a dead drill left under that name is removed first. Raises NotFoundError if there is no snapshot, ConflictError
    if the temporary index exists and no record says that a drill made it.
    """
    clients = resources.clients
    blobs = clients.reading_store(job.service).snapshots
    wanted = SnapshotReference(service=job.service, index=job.index, id=job.snapshot)
    found = await resolve(blobs, wanted, now=resources.clock())
    runs = clients.store_of(job.target_service).runs
    noted = await read_open(runs, job.temporary)
    if noted is not None and noted.run != job.run:
        await remove_temporary(resources, job.temporary.service, job.temporary.index)
        noted = None
    if noted is None:
        if job.temporary.index in await clients.service(job.target_service).index_names():
            raise ConflictError("it exists, and no drill has made it", on=str(job.temporary), do="See whose it is")
        source = IndexName(job.service, job.index)
        await note_open(runs, OpenDrill(job.run, job.temporary, source, found.id, resources.clock()))
    return OpenedDrill(found.id, found.created, resources.clock())


async def answer_queries(resources: Resources, restored: RestoredDrill) -> RestoredDrill:
    """Ask the restored index and the live one the same, and add how alike the answers are."""
    job = restored.job
    live, drilled = resources.clients.service(job.service), resources.clients.service(job.target_service)
    answers = [
        await _answered(number, query, (live, job.index), (drilled, job.temporary.index))
        for number, query in enumerate(job.queries, 1)
    ]
    return replace(restored, queries=answers)


async def close_drill(resources: Resources, restored: RestoredDrill) -> DrillReport:
    """Remove the temporary index and all that is noted of it, and keep the result."""
    job, opened = restored.job, restored.opened
    left = ""
    try:
        await remove_temporary(resources, job.temporary.service, job.temporary.index)
    except IndexvaultError as error:
        left = f"{error.on}: {error.what}"
    report = DrillReport(
        service=job.service,
        index=job.index,
        target_service=job.target_service,
        run=job.run,
        snapshot=opened.snapshot,
        snapshot_created=opened.created,
        started=opened.started,
        finished=resources.clock(),
        documents=restored.documents,
        seconds=restored.seconds,
        recovery_time=job.recovery_time,
        losses=restored.losses,
        queries=restored.queries,
        failure=restored.failure,
        left=left,
    )
    await note_result(resources.clients.store_of(job.service).runs, report)
    return report


async def note_failed(resources: Resources, failed: FailedDrill) -> Done:
    """Keep the result of a drill that failed before it had made anything."""
    job, now = failed.job, resources.clock()
    report = DrillReport(
        service=job.service,
        index=job.index,
        target_service=job.target_service,
        run=job.run,
        snapshot=job.snapshot or "",
        started=now,
        finished=now,
        recovery_time=job.recovery_time,
        failure=failed.failure,
    )
    await note_result(resources.clients.store_of(job.service).runs, report)
    return Done()


def drill_index(ctx: OrchestrationContext, job: DrillJob) -> Orchestration[DrillReport]:
    """Restore a snapshot under a temporary name, prove it, query it, and remove it again.

    What fails after the snapshot was chosen is in the report, and nothing is left behind. What fails before is raised,
    and kept as the last result unless there is no such snapshot.
    """
    return (yield from locked(ctx, Claim(job.work, job.owner), _drill(ctx, job)))


def _drill(ctx: OrchestrationContext, job: DrillJob) -> Orchestration[DrillReport]:
    try:
        opened = yield from call(ctx, OPEN_DRILL, job)
    except NotFoundError:
        raise
    except IndexvaultError as error:
        yield from call(ctx, NOTE_FAILED, FailedDrill(job, error.record()))
        raise
    restored = RestoredDrill(job=job, opened=opened)
    try:
        report = yield from restore_index(ctx, job.restore(opened.snapshot))
        restored = replace(
            restored,
            documents=report.documents,
            seconds=(report.finished - report.started).total_seconds(),
            losses=report.losses,
        )
        if job.queries:
            restored = yield from call(ctx, ANSWER, restored)
    except IndexvaultError as error:
        restored = replace(restored, failure=error.record())
    return (yield from call(ctx, CLOSE_DRILL, restored))


async def remove_temporary(resources: Resources, service: str, index: str) -> None:
    """Remove a temporary index, the state of its restore, and the record that says so.

    Removes nothing without that record: an index of the same name is somebody else's then.
    """
    clients = resources.clients
    runs = clients.store_of(service).runs
    temporary = IndexName(service, index)
    noted = await read_open(runs, temporary)
    if noted is None:
        return
    target = clients.service(service)
    with contextlib.suppress(NotFoundError):
        await target.delete_index(index, before=await target.index_definition(index))
    restore_state = await read_restore_state(runs, temporary)
    if restore_state is not None:
        await forget_restore_state(runs, service, restore_state)
        await forget_records(resources, service, restore_state.records)
    await forget_open(runs, temporary)


async def _answered(
    number: int, query: DrillQuery, live: tuple[SearchService, str], drilled: tuple[SearchService, str]
) -> Answered:
    try:
        expected, found = await _keys(*live, query), await _keys(*drilled, query)
    except IndexvaultError as error:
        return Answered(number, 0, 0, f"{error.on}: {error.what}")
    return Answered(number, len(expected & found), max(len(expected), len(found)))


async def _keys(service: SearchService, index: str, query: DrillQuery) -> set[str]:
    definition = await service.index_definition(index)
    schema = read_schema(definition.body, on=f"{service.name} index {index}")
    key = schema.key.name
    asked = DocumentQuery(search=query.search, filter=query.filter, orderby=query.orderby, top=query.top, select=key)
    page = await service.documents(index, asked, PageReader(key), elevated=schema.is_protected)
    return {document.key for document in page.documents}


def outcome_of(report: DrillReport) -> Outcome:
    """Return the outcome of a drill that has a report: a failed drill is a failed item."""
    failure = report.failure
    if failure is None and report.faults:
        failure = VerificationError(
            report.faults[0], on=f"drill of {report.service}/{report.index}", do="See what was slow or different"
        ).record()
    return Outcome(
        state="done" if failure is None else "failed",
        documents=report.documents,
        snapshot=report.snapshot,
        notes=[*report.losses, *report.faults, *([f"left behind: {report.left}"] if report.left else [])],
        failure=failure,
        report=msgspec.to_builtins(report),
    )


def failed(_item: Item, error: IndexvaultError) -> Outcome:
    """Return the outcome of a drill that found no snapshot, or could not be ended."""
    return Outcome(state="failed", failure=error.record())


async def open_drills(resources: Resources, order: RunOrder) -> OpenItems:
    """Begin a run of drills: one of each index that its patterns match among those that have snapshots."""
    record = await runs_of(resources, order.service).read(order.run)
    indexes: list[str] = []
    if record is not None and not record.items:
        blobs = resources.clients.reading_store(order.service).snapshots
        kept = await list_snapshots(blobs, order.service)
        indexes = sorted({each.index for each in kept if each.index != SERVICE_OBJECTS})
    drills = resources.clients.settings.drills
    return await open_items(resources, order, lambda record: choose(record, indexes, drills))


def choose(record: RunRecord, indexes: Sequence[str], drills: Mapping[str, DrillSettings]) -> RunRecord:
    """Return the record with an item for each index of its drill, if it has no items yet."""
    settings = drills.get(record.drill or "")
    if record.items or settings is None:
        return record
    jobs = [
        drill_job(settings, index, run=item_run(record.run, position), owner=record.owner)
        for position, index in enumerate(select(indexes, settings.indexes).found)
    ]
    return replace(record, items=[item_of(job) for job in jobs])


def drill_job(settings: DrillSettings, index: str, *, run: str, owner: str) -> DrillJob:
    """Return the drill of one index as the settings have it."""
    return DrillJob(
        service=settings.service,
        index=index,
        target_service=settings.target,
        run=run,
        overlay=settings.overlay,
        recovery_time=settings.recovery_time,
        queries=settings.queries,
        owner=owner,
    )


def drill_for(settings: Settings, job: DrillJob) -> DrillJob:
    """Return a drill with what it leaves open as the settings' drill of its index has it, if there is one."""
    for drill in settings.drills.values():
        wanted = job.target_service or drill.target
        if (drill.service, drill.target) == (job.service, wanted) and select([job.index], drill.indexes).found:
            return replace(
                job,
                target_service=drill.target,
                overlay=drill.overlay,
                recovery_time=drill.recovery_time,
                queries=drill.queries,
            )
    return job


def item_of(job: DrillJob) -> Item:
    """Return the item of a run that carries a drill out."""
    return Item(index=IndexName(job.service, job.index), run=job.run, job=job)


OPEN_DRILL = Activity("open_drill", DrillJob, OpenedDrill, open_drill, lambda job: job.work)
ANSWER = Activity("answer_drill_queries", RestoredDrill, RestoredDrill, answer_queries)
CLOSE_DRILL = Activity("close_drill", RestoredDrill, DrillReport, close_drill, lambda restored: restored.job.work)
NOTE_FAILED = Activity("note_failed_drill", FailedDrill, Done, note_failed, lambda failed: failed.job.work)
OPEN_DRILLS = Activity("open_drills", RunOrder, OpenItems, open_drills)
DRILL_INDEX = Workflow("drill_index", DrillJob, DrillReport, drill_index)
_FAN_OUT = FanOut(opening=OPEN_DRILLS, each=ItemWorkflow(DRILL_INDEX, outcome_of), failed=failed)


def run_drill(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Carry out the drills that a run's record names."""
    return (yield from fan_out(ctx, order, _FAN_OUT))


RUN_DRILL = Workflow("run_drill", RunOrder, Done, run_drill)
OWN_ACTIVITIES = (OPEN_DRILL, ANSWER, CLOSE_DRILL, NOTE_FAILED, OPEN_DRILLS)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, *RESTORE_ACTIVITIES, *OWN_ACTIVITIES)
WORKFLOWS = (DRILL_INDEX, RUN_DRILL)
