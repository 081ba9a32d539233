"""How a restore begins and ends: what it will do is decided and written down, taken up again, given up, concluded.

Durable, in this plan: the plan, under the run's own name; the restore state, under the target's names and their
locks; that the target is touched. At the end the state goes first, then the records: a restore is finished when no
state names it.
"""

import logging

import msgspec

from indexvault.errors import ConflictError, NotFoundError
from indexvault.model import IndexName, is_index_name
from indexvault.restore.checks import Check, failure
from indexvault.restore.context import open_context
from indexvault.restore.job import StartedRestore, RestoreJob, RestoreRun
from indexvault.restore.plan import decide
from indexvault.restore.preflight import checks, estimate
from indexvault.restore.report import Finished
from indexvault.restore.state import (
    PLAN,
    RestorePlan,
    RestoreState,
    forget_restore_state,
    marked_by,
    read_restore_state,
    require,
    unfinished,
    write_restore_state,
)
from indexvault.restore.target_facts import resolve_name
from indexvault.restore.target_name import describe
from indexvault.settings.load import service_settings
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done

_LOG = logging.getLogger(__name__)


async def preflight(resources: Resources, job: RestoreJob) -> StartedRestore:
    """Decide what a restore would do, and whether it can. Writes nothing; failed checks are in the answer."""
    service_settings(resources.clients.settings, job.target_service)
    runs = resources.clients.store_of(job.target_service).runs
    restore_state = await _standing(resources, job)
    if restore_state is not None and restore_state.touched and _is_same(restore_state, job):
        plan = await require(
            Checkpoints(runs, restore_state.records), PLAN, RestorePlan, f"run {restore_state.records}"
        )
        resumed = Check("unfinished", "warning", f"would go on with run {restore_state.records}")
        return _begun(job, plan, restore_state, [resumed, *plan.checks])
    facts, plan = await decide(resources, job)
    found = checks(facts)
    if restore_state is not None and restore_state.touched and await _is_there(resources, job, restore_state):
        conflict = unfinished(restore_state, job.target)
        found.insert(0, Check("unfinished", "failed", conflict.what, conflict.do, "ConflictError"))
    return _begun(job, plan, None, found)


async def begin(resources: Resources, job: RestoreJob) -> StartedRestore:
    """Decide what the restore does, write it down under the run's name, and touch nothing.

    An earlier restore of the same kind into the same target that has not ended is taken up where it stopped. Raises the
    error of the first check that fails, ConflictError where another restore has left the target unfinished.
    """
    service_settings(resources.clients.settings, job.target_service)
    store = resources.clients.store_of(job.target_service)
    await store.prepare()
    restore_state = await _standing(resources, job)
    if restore_state is not None and (_is_same(restore_state, job) or job.resume):
        records = Checkpoints(store.runs, restore_state.records)
        plan = await require(records, PLAN, RestorePlan, f"run {restore_state.records}")
        if job.skip_refused and not plan.job.skip_refused:
            plan = msgspec.structs.replace(plan, job=msgspec.structs.replace(plan.job, skip_refused=True))
            await records.write(PLAN, plan)
        _report_stage(resources, plan)
        return _begun(job, plan, restore_state, plan.checks)
    if job.resume:
        raise NotFoundError("no restore into it is unfinished", on=str(job.target), do="Leave out --resume")
    if restore_state is not None and restore_state.touched and not job.discard_unfinished:
        if await _is_there(resources, job, restore_state):
            raise unfinished(restore_state, job.target)
        _LOG.info("%s, left unfinished by run %s, is gone", restore_state.into, restore_state.records)
    facts, plan = await decide(resources, job)
    found = checks(facts)
    error = failure(found, f"{job.target_service} index {job.target_index}")
    if error is not None:
        raise error
    plan = await Checkpoints(store.runs, job.run).write_once(PLAN, msgspec.structs.replace(plan, checks=found))
    _report_stage(resources, plan)
    return _begun(job, plan, None, found)


async def claim(resources: Resources, started: StartedRestore) -> Done:
    """Write the restore_state, under the locks of all its names.

    Raises ConflictError if what was decided before they were taken no longer fits: an alias points elsewhere, an index
    is gone, another restore has come in between.
    """
    run, service = started.run, started.run.target.service
    runs = resources.clients.store_of(service).runs
    plan = await require(Checkpoints(runs, run.records), PLAN, RestorePlan, f"run {run.records}")
    earlier = await read_restore_state(runs, run.mark)
    is_ours = earlier is not None and earlier.records == run.records
    touched = earlier is not None and is_ours and earlier.touched
    await _require_same_place(resources, run, plan, touched=touched)
    for index in dict.fromkeys((plan.job.target_index, plan.into)):
        there = await read_restore_state(runs, IndexName(service, index))
        if there is None or there.records == run.records:
            continue
        if there.touched and not plan.job.discard_unfinished and await _is_there(resources, plan.job, there):
            raise unfinished(there, run.target)
        await forget_restore_state(runs, service, there)
        await Checkpoints(runs, there.records).clear()
    await write_restore_state(
        runs,
        service,
        RestoreState(
            fingerprint=plan.job.fingerprint,
            snapshot=plan.job.reference,
            mode=plan.job.mode,
            target=plan.job.target_index,
            into=plan.into,
            records=run.records,
            execution=run.execution,
            started=plan.started,
            touched=touched,
        ),
    )
    return Done()


async def abandon(resources: Resources, run: RestoreRun) -> Done:
    """After a failure: forget the restore if it has touched nothing, else leave all that is needed to go on."""
    runs = resources.clients.store_of(run.target.service).runs
    restore_state = await read_restore_state(runs, run.mark)
    if restore_state is not None and restore_state.records == run.records and not restore_state.touched:
        await forget_restore_state(runs, run.target.service, restore_state)
        await Checkpoints(runs, run.records).clear()
    return Done()


async def conclude(resources: Resources, run: RestoreRun) -> Finished:
    """Say that the target is finished, then remove the run's records, since nothing depends on them any more."""
    runs = resources.clients.store_of(run.target.service).runs
    restore_state = await read_restore_state(runs, run.mark)
    if restore_state is not None and restore_state.records == run.records:
        await forget_restore_state(runs, run.target.service, restore_state)
    await Checkpoints(runs, run.records).clear()
    return Finished(finished=resources.clock())


async def touch(resources: Resources, run: RestoreRun) -> Done:
    """Note that the target is about to be changed: from here on it is unfinished until it is proved."""
    context = await open_context(resources, run)
    restore_state = await read_restore_state(context.runs, run.mark)
    if restore_state is None or restore_state.records != run.records:
        raise ConflictError(
            "another restore has taken its place", on=context.on, do="See what it does before you start again"
        )
    touched = msgspec.structs.replace(restore_state, touched=True)
    await write_restore_state(context.runs, run.target.service, touched)
    return Done()


async def _standing(resources: Resources, job: RestoreJob) -> RestoreState | None:
    """Return what is under way for the name that is asked for, or for the index behind it where that is written."""
    runs = resources.clients.store_of(job.target_service).runs
    restore_state = await read_restore_state(runs, job.target)
    if (
        restore_state is not None
        or not (job.mode in {"sync", "fill"} or job.resume)
        or not is_index_name(job.target_index)
    ):
        return restore_state
    behind = await resources.clients.service(job.target_service).alias_target(job.target_index)
    return None if behind is None else await read_restore_state(runs, IndexName(job.target_service, behind))


async def _require_same_place(resources: Resources, run: RestoreRun, plan: RestorePlan, *, touched: bool) -> None:
    """See, now that nobody else of ours can move it, that the name still stands for what it stood for."""
    target = resources.clients.service(run.target.service)
    marked = f"; {plan.into} stays marked as unfinished" if touched else "; nothing was touched"
    if plan.job.mode in {"sync", "fill"}:
        resolved = await resolve_name(target, run.target.index)
        if resolved.index != plan.into:
            raise ConflictError(
                f"it stood for {plan.into} when the restore was decided, and is {describe(resolved)} now{marked}",
                on=str(run.target),
                do="Look at who moved it, then restore again",
            )
    if plan.alias is not None and not touched:
        alias = await target.alias(plan.alias)
        if (alias.etag if alias is not None else None) != plan.alias_etag:
            raise ConflictError(
                f"the alias was changed since the restore was decided{marked}",
                on=f"{run.target.service} alias {plan.alias}",
                do="Look at who changed it, then restore again",
            )


def _begun(job: RestoreJob, plan: RestorePlan, restore_state: RestoreState | None, found: list[Check]) -> StartedRestore:
    guess = estimate(plan.documents, plan.bytes, job.parallel)
    records = restore_state.records if restore_state is not None else job.run
    execution = restore_state.execution if restore_state is not None else job.run
    return StartedRestore(
        run=RestoreRun(
            execution=job.run,
            records=records,
            target=job.target,
            mark=IndexName(job.target_service, marked_by(plan.job.mode, plan.job.target_index, plan.into)),
            also=_also_locked(job, plan),
            owner=job.owner,
            parallel=job.parallel,
            locked_by=job.locked_by,
        ),
        mode=plan.job.mode,
        store=plan.store,
        source=plan.job,
        resumes=execution if execution != job.run else None,
        documents=plan.documents,
        bytes=plan.bytes,
        requests=guess.requests,
        seconds=guess.seconds,
        losses=plan.losses,
        stretches=plan.stretches,
        checks=found,
        started=plan.started,
    )


def _also_locked(job: RestoreJob, plan: RestorePlan) -> tuple[IndexName, ...]:
    """Return what is locked beside the name that was asked for.

    An old index that is kept is not among it: nothing is done to it, and it may be backed up meanwhile.
    """
    doomed = plan.old_index if plan.job.delete_old else None
    names = {plan.into, plan.job.target_index, plan.alias, doomed} - {None, job.target_index}
    return tuple(IndexName(job.target_service, name) for name in sorted(filter(None, names)))


def _is_same(restore_state: RestoreState, job: RestoreJob) -> bool:
    return restore_state.fingerprint == job.fingerprint and not job.discard_unfinished


async def _is_there(resources: Resources, job: RestoreJob, restore_state: RestoreState) -> bool:
    """Return whether the index that was left unfinished still exists."""
    return restore_state.into in await resources.clients.service(job.target_service).index_names()


def _report_stage(resources: Resources, plan: RestorePlan) -> None:
    resources.report(ProgressUpdate(stage="verify", expected=plan.documents))


PREFLIGHT = Activity("preflight_restore", RestoreJob, StartedRestore, preflight)
BEGIN = Activity("begin_restore", RestoreJob, StartedRestore, begin)
CLAIM = Activity("claim_target", StartedRestore, Done, claim, lambda started: started.run.work)
ABANDON = Activity("abandon_restore", RestoreRun, Done, abandon, lambda run: run.work)
TOUCH = Activity("touch_target", RestoreRun, Done, touch, lambda run: run.work)
CONCLUDE = Activity("conclude_restore", RestoreRun, Finished, conclude, lambda run: run.work)
