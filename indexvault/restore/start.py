"""Start a restore: check it, decide what it does and write the plan down, or resume an interrupted one.

Durable, in this order: the plan, under the run's name; the restore state, under the target's names and their locks;
that the target is touched.
"""

import logging

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.model import IndexName, is_index_name
from indexvault.restore.checks import Check, failure
from indexvault.restore.follow import follow_check
from indexvault.restore.job import RestoreJob, RestoreRun, StartedRestore
from indexvault.restore.plan import decide
from indexvault.restore.preflight import checks, estimate
from indexvault.restore.resumption import behind_alias, require_allowed, require_plan_of
from indexvault.restore.state import (
    PLAN,
    RestorePlan,
    RestoreState,
    marked_by,
    plan_digest,
    read_restore_state,
    require_plan,
    require_unended,
    unfinished,
)
from indexvault.settings.load import service_settings
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.payload_size import SHOW, listed

_LOG = logging.getLogger(__name__)


async def preflight(resources: Resources, job: RestoreJob) -> StartedRestore:
    """Decide what a restore would do, and whether it can. Writes nothing; failed checks are in the answer."""
    service_settings(resources.clients.settings, job.target_service)
    restore_state = await _find_restore_state(resources, job)
    if restore_state is not None and restore_state.touched and _is_same(restore_state, job):
        plan = await _resumed(resources, job, restore_state)
        resumed = Check("unfinished", "warning", f"would resume run {restore_state.records}")
        return _started(job, plan, restore_state, [resumed, *plan.checks])
    facts, plan = await decide(resources, job)
    found = checks(facts)
    if restore_state is not None and restore_state.touched and await has_written_index(resources, restore_state, job):
        conflict = unfinished(restore_state, job.target)
        found.insert(0, Check("unfinished", "failed", conflict.what, conflict.do, "ConflictError"))
    if job.follow and all(check.outcome != "failed" for check in found):
        found.append(await follow_check(resources, job, facts))
    return _started(job, plan, None, found)


async def begin(resources: Resources, job: RestoreJob) -> StartedRestore:
    """Decide what the restore does and write the plan under the run's name. Touches nothing.

    An interrupted restore that asked for the same is resumed instead. Raises the error of the first check that fails,
    ConflictError if another restore has left the target unfinished, NotFoundError if there is none to resume,
    IntegrityError if the plan that would be resumed is not that of this job.
    """
    service_settings(resources.clients.settings, job.target_service)
    store = resources.clients.store_of(job.target_service)
    await store.prepare()
    restore_state = await _find_restore_state(resources, job)
    if restore_state is not None and (_is_same(restore_state, job) or job.resume):
        plan = await _resumed(resources, job, restore_state)
        _report_stage(resources, plan)
        return _started(job, plan, restore_state, plan.checks)
    if job.resume:
        raise NotFoundError("no restore into it is unfinished", on=str(job.target), do="Leave out --resume")
    if restore_state is not None and restore_state.touched and not job.discard_unfinished:
        if await has_written_index(resources, restore_state, job):
            raise unfinished(restore_state, job.target)
        _LOG.info("%s, left unfinished by run %s, is gone", restore_state.written_index, restore_state.records)
    facts, plan = await decide(resources, job)
    found = checks(facts)
    error = failure(found, f"{job.target_service} index {job.target_index}")
    if error is not None:
        raise error
    plan = await Checkpoints(store.runs, job.run).write_once(PLAN, msgspec.structs.replace(plan, checks=found))
    await _require_ours(resources, job, plan)
    _report_stage(resources, plan)
    return _started(job, plan, None, found)


async def has_written_index(resources: Resources, restore_state: RestoreState, job: RestoreJob) -> bool:
    """Return whether the index that a restore has left unfinished still exists."""
    return restore_state.written_index in await resources.clients.service(job.target_service).index_names()


async def _resumed(resources: Resources, job: RestoreJob, restore_state: RestoreState) -> RestorePlan:
    """Return the plan of an unfinished restore.

    Raises as `_require_ours` does, EndedMeanwhileError if the restore has ended since its state was read,
    IntegrityError if only the plan is gone.
    """
    runs = resources.clients.store_of(job.target_service).runs
    mark = IndexName(job.target_service, restore_state.marked[0])
    try:
        plan = await require_plan(runs, restore_state.records)
    except IntegrityError:
        await require_unended(runs, mark, restore_state.records)
        raise
    await _require_ours(resources, job, plan)
    return plan


async def _require_ours(resources: Resources, job: RestoreJob, plan: RestorePlan) -> None:
    """Hold a plan that was found against the job. Raises as `require_plan_of` and `require_allowed` do."""
    require_plan_of(job, plan, await behind_alias(resources.clients.service(job.target_service), plan))
    require_allowed(resources.clients.settings, job, plan)


async def _find_restore_state(resources: Resources, job: RestoreJob) -> RestoreState | None:
    """Return the restore under way for the name that is asked for, or for the index behind it if that is written."""
    runs = resources.clients.store_of(job.target_service).runs
    restore_state = await read_restore_state(runs, job.target)
    writes_behind_alias = job.mode in {"sync", "fill"} or job.resume
    if restore_state is not None or not writes_behind_alias or not is_index_name(job.target_index):
        return restore_state
    behind = await resources.clients.service(job.target_service).alias_target(job.target_index)
    return None if behind is None else await read_restore_state(runs, IndexName(job.target_service, behind))


def _started(
    job: RestoreJob, plan: RestorePlan, restore_state: RestoreState | None, found: list[Check]
) -> StartedRestore:
    guess = estimate(plan.documents, plan.bytes, job.parallel)
    records = restore_state.records if restore_state is not None else job.run
    execution = restore_state.execution if restore_state is not None else job.run
    mark = marked_by(plan.job.mode, plan.job.target_index, plan.written_index)
    return StartedRestore(
        run=RestoreRun(
            execution=job.run,
            records=records,
            target=job.target,
            mark=IndexName(job.target_service, mark),
            also=_also_locked(job, plan),
            owner=job.owner,
            parallel=job.parallel,
            plan=plan_digest(plan),
            skip_refused=job.skip_refused,
            locked_by=job.locked_by,
            part_of=job.part_of,
        ),
        mode=plan.job.mode,
        store=plan.store,
        source=_as_asked(job, plan),
        resumes=execution if execution != job.run else None,
        documents=plan.documents,
        bytes=plan.bytes,
        requests=guess.requests,
        seconds=guess.seconds,
        losses=listed(plan.losses, SHOW),
        stretches=plan.stretches,
        checks=found,
        started=plan.started,
    )


def _as_asked(job: RestoreJob, plan: RestorePlan) -> RestoreJob:
    """Return the plan's job, as strict as the job that is asked now: a record does not say what may be missing."""
    return msgspec.structs.replace(
        plan.job,
        skip_refused=job.skip_refused,
        accept_unsettled=job.accept_unsettled or (job.resume and plan.job.accept_unsettled),
        discard_unfinished=job.discard_unfinished,
    )


def _also_locked(job: RestoreJob, plan: RestorePlan) -> tuple[IndexName, ...]:
    """Return the names to lock beside the one that was asked for.

    An old index that is kept is not locked: nothing is done to it, and it may be backed up meanwhile.
    """
    doomed = plan.old_index if plan.job.delete_old else None
    names = {plan.written_index, plan.job.target_index, plan.alias, doomed} - {None, job.target_index}
    return tuple(IndexName(job.target_service, name) for name in sorted(filter(None, names)))


def _is_same(restore_state: RestoreState, job: RestoreJob) -> bool:
    return restore_state.fingerprint == job.fingerprint and not job.discard_unfinished


def _report_stage(resources: Resources, plan: RestorePlan) -> None:
    resources.report(ProgressUpdate(stage="verify", expected=plan.documents))


PREFLIGHT = Activity("preflight_restore", RestoreJob, StartedRestore, preflight)
BEGIN = Activity("begin_restore", RestoreJob, StartedRestore, begin)
