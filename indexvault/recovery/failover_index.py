"""Bring one index over: choose how, and note what became of it. The restore itself is that of `restore.workflow`."""

from msgspec.structs import replace

from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.recovery.failover_job import (
    ClosedIndex,
    FailoverJob,
    FailoverPlan,
    IndexResult,
    IndexTurn,
    OpenedIndex,
    PlannedIndex,
)
from indexvault.recovery.failover_state import require_failover, write_failover
from indexvault.recovery.standby_records import read_state, write_state
from indexvault.restore.checks import failure
from indexvault.restore.follow import require_followable
from indexvault.restore.followed import read_followed
from indexvault.restore.job import RestoreJob
from indexvault.restore.preflight import checks
from indexvault.restore.report import RestoreReport
from indexvault.restore.state import read_restore_state
from indexvault.restore.stretch_source import manifest_of
from indexvault.restore.target_facts import gather_facts
from indexvault.search.definition_content import same_content
from indexvault.settings.model import Settings
from indexvault.settings.policies import reading_order
from indexvault.snapshots.manifest import Manifest
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.payload_size import SHOW, listed


def restore_of(settings: Settings, job: FailoverJob, plan: FailoverPlan, index: PlannedIndex) -> RestoreJob:
    """Return the restore that brings an index over, as it is done unless something is found half done."""
    position = next(number for number, each in enumerate(plan.indexes) if each.index == index.index)
    own = settings.services[plan.to].store
    near = reading_order(settings, plan.source, near=settings.services[plan.to].region)[0]
    return RestoreJob(
        service=plan.source,
        index=index.index,
        snapshot=index.snapshot,
        target_service=plan.to,
        target_index=index.index,
        run=f"{job.run}-index-{position}" + (f"-{index.round}" if index.round else ""),
        mode="create" if index.mode == "create" else "sync",
        store=own if near in plan.unread else None,
        overlay=plan.overlay,
        accept_loss=job.accept_loss,
        accept_unsettled=job.accept_unsettled,
        accept_unauthentic=job.accept_unauthentic,
        allow_cross_region=settings.allow_cross_region or settings.pairs[plan.pair].allow_cross_region,
        parallel=job.parallel,
        owner=job.owner,
        locked_by=job.run,
        without=plan.unread,
    )


async def preflight_index(
    resources: Resources, job: FailoverJob, plan: FailoverPlan, index: PlannedIndex
) -> PlannedIndex:
    """Check that an index can be brought over, and return it with the time that its snapshot was begun at.

    Raises the error of the first check that fails; nothing is written.
    """
    restore = restore_of(resources.clients.settings, job, plan, index)
    manifest = await _manifest(resources, restore)
    # What is there is made as the snapshot, so its definition may be changed as far as that can be done.
    restore = replace(restore, update_definition=restore.mode == "sync")
    facts, _definition = await gather_facts(resources, restore, manifest, _first_store(resources, restore))
    error = failure(checks(facts), f"{plan.to} index {index.index}")
    if error is not None:
        raise error
    is_unchanged_since = index.as_of > manifest.created
    return index if is_unchanged_since else replace(index, as_of=min(index.as_of, manifest.started))


async def open_index(resources: Resources, turn: IndexTurn) -> OpenedIndex:
    """Decide how an index is brought over, by what is there now: an interrupted restore of the same is resumed."""
    started, index = turn.started, turn.index
    clients = resources.clients
    job = restore_of(clients.settings, started.job, started.plan, index)
    target = IndexName(started.plan.to, index.index)
    runs = clients.store_of(target.service).runs
    await _note_written(resources, started.plan, index)
    restoring = await read_restore_state(runs, target)
    created = replace(job, mode="create")
    if restoring is not None and restoring.touched and restoring.fingerprint == created.fingerprint:
        return OpenedIndex(created)
    if index.index not in await clients.service(target.service).index_names():
        return OpenedIndex(replace(created, discard_unfinished=restoring is not None))
    wanted = replace(job, mode="sync")
    manifest = await _manifest(resources, wanted)
    followed = await read_followed(runs, target)
    is_known = followed is not None and (followed.record.service, followed.record.index) == (job.service, job.index)
    if (
        followed is not None
        and is_known
        and await _has_definition(resources, wanted, followed.record.equal.id, manifest)
    ):
        wanted = replace(wanted, follow=True)
        require_followable(wanted)
    else:
        wanted = replace(wanted, update_definition=True)
    is_other = restoring is not None and restoring.fingerprint != wanted.fingerprint
    return OpenedIndex(replace(wanted, discard_unfinished=is_other))


async def _note_written(resources: Resources, plan: FailoverPlan, index: PlannedIndex) -> None:
    """Note that an index of a standby is written to: if the failover fails, following makes it equal again."""
    runs = resources.clients.store_of(plan.to).runs
    version = await read_state(runs, plan.pair, IndexName(plan.to, index.index))
    if version is not None and version.record.generation == plan.generation - 1:
        await resources.fence()
        await write_state(runs, replace(version.record, towards=index.snapshot))


async def is_still_brought(resources: Resources, plan: FailoverPlan, result: IndexResult) -> bool:
    """Return whether an index is known to equal the snapshot that an interrupted failover has brought it to."""
    runs = resources.clients.store_of(plan.to).runs
    known = await read_followed(runs, IndexName(plan.to, result.index))
    if known is None or known.record.towards is not None:
        return False
    return (known.record.service, known.record.index, known.record.equal.id) == (
        plan.source,
        result.index,
        result.snapshot,
    )


async def close_index(resources: Resources, closed: ClosedIndex) -> Done:
    """Note what became of an index, so that a run which resumes this one does not do it again."""
    job = closed.started.job
    runs = resources.clients.store_of(job.to).runs
    state = await require_failover(runs, job)
    others = [each for each in state.results if each.index != closed.result.index]
    await write_failover(runs, replace(state, results=[*others, closed.result]))
    return Done()


def brought(plan: FailoverPlan, index: PlannedIndex, report: RestoreReport) -> IndexResult:
    """Return the result of an index that was restored and proved."""
    return IndexResult(
        index=index.index,
        outcome="brought",
        snapshot=index.snapshot,
        as_of=index.as_of,
        age=plan.age(index.as_of),
        mode="follow" if report.followed is not None else report.mode,
        documents=report.documents,
        written=report.uploaded + report.deleted,
        losses=listed(report.losses, SHOW),
        notes=listed([*([index.note] if index.note else []), *report.notes], SHOW),
    )


def kept(plan: FailoverPlan, index: PlannedIndex) -> IndexResult:
    """Return the result of an index that is newer than what could be restored."""
    return IndexResult(
        index=index.index,
        outcome="left as it is",
        snapshot=index.snapshot,
        as_of=index.as_of,
        age=plan.age(index.as_of),
        mode=index.mode,
        notes=[index.note],
    )


def not_brought(index: PlannedIndex, error: IndexvaultError) -> IndexResult:
    """Return the result of an index that could not be restored."""
    return IndexResult(
        index=index.index,
        outcome="failed",
        snapshot=index.snapshot,
        as_of=index.as_of,
        mode=index.mode,
        why=f"{error.what}. {error.do}",
    )


async def _manifest(resources: Resources, job: RestoreJob) -> Manifest:
    store = resources.clients.source_store(job.service, _first_store(resources, job), without=job.without)
    return await manifest_of(store, job.service, job.index, job.snapshot)


def _first_store(resources: Resources, job: RestoreJob) -> str:
    settings = resources.clients.settings
    near = settings.services[job.target_service].region
    return job.store or reading_order(settings, job.service, near=near)[0]


async def _has_definition(resources: Resources, job: RestoreJob, equal: str, manifest: Manifest) -> bool:
    """Return whether the snapshot that the index equals has the same definition, so that it can be followed."""
    if equal == manifest.id:
        return True
    try:
        before = await _manifest(resources, replace(job, snapshot=equal))
    except IndexvaultError:
        return False
    return same_content(before.definition.fullest.body, manifest.definition.fullest.body)


OPEN_INDEX = Activity("open_failover_index", IndexTurn, OpenedIndex, open_index, lambda turn: turn.started.work)
CLOSE_INDEX = Activity("close_failover_index", ClosedIndex, Done, close_index, lambda closed: closed.started.work)
