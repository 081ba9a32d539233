"""Mark the target of a restore as unfinished before it is touched, and unmark it once it is proved.

The restore state is the mark. At the end it is removed first, then the run's checkpoints: a restore is finished when no
state names it.
"""

import msgspec

from indexvault.errors import ConflictError
from indexvault.model import IndexName
from indexvault.restore.context import open_context
from indexvault.restore.job import RestoreRun, StartedRestore
from indexvault.restore.report import Finished
from indexvault.restore.start import has_written_index
from indexvault.restore.state import (
    RestorePlan,
    RestoreState,
    forget_restore_state,
    read_restore_state,
    require_plan,
    unfinished,
    write_restore_state,
)
from indexvault.restore.stretch_source import has_sources, write_sources
from indexvault.restore.target_facts import resolve_name
from indexvault.restore.target_name import describe
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done


async def claim(resources: Resources, started: StartedRestore) -> Done:
    """Write the restore state under the locks of all its names, and what each stretch needs of the manifest.

    Raises ConflictError if what was decided before the names were locked no longer fits: an alias points elsewhere, an
    index is gone, another restore came in between.
    """
    run, service = started.run, started.run.target.service
    runs = resources.clients.store_of(service).runs
    plan = await require_plan(runs, run.records)
    earlier = await read_restore_state(runs, run.mark)
    is_ours = earlier is not None and earlier.records == run.records
    touched = earlier is not None and is_ours and earlier.touched
    await _require_unmoved_names(resources, run, plan, touched=touched)
    for index in dict.fromkeys((plan.job.target_index, plan.written_index)):
        there = await read_restore_state(runs, IndexName(service, index))
        if there is None or there.records == run.records:
            continue
        if there.touched and not plan.job.discard_unfinished and await has_written_index(resources, there, plan.job):
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
            written_index=plan.written_index,
            records=run.records,
            execution=run.execution,
            started=plan.started,
            touched=touched,
        ),
    )
    context = await open_context(resources, run)
    if not await has_sources(context.records, plan.stretches):
        await write_sources(context.records, await context.manifest(), plan.stretches)
    return Done()


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


async def abandon(resources: Resources, run: RestoreRun) -> Done:
    """After a failure, forget the restore if it has touched nothing; else keep all that is needed to resume it."""
    runs = resources.clients.store_of(run.target.service).runs
    restore_state = await read_restore_state(runs, run.mark)
    if restore_state is not None and restore_state.records == run.records and not restore_state.touched:
        await forget_restore_state(runs, run.target.service, restore_state)
        await Checkpoints(runs, run.records).clear()
    return Done()


async def conclude(resources: Resources, run: RestoreRun) -> Finished:
    """Unmark the target as finished, then remove the run's checkpoints, which nothing needs any more."""
    runs = resources.clients.store_of(run.target.service).runs
    restore_state = await read_restore_state(runs, run.mark)
    if restore_state is not None and restore_state.records == run.records:
        await forget_restore_state(runs, run.target.service, restore_state)
    await Checkpoints(runs, run.records).clear()
    return Finished(finished=resources.clock())


async def _require_unmoved_names(resources: Resources, run: RestoreRun, plan: RestorePlan, *, touched: bool) -> None:
    """Check, now that no other run of ours can move them, that the names stand for what they stood for.

    Raises ConflictError if they don't.
    """
    target = resources.clients.service(run.target.service)
    marked = f"; {plan.written_index} stays marked as unfinished" if touched else "; nothing was touched"
    if plan.job.mode in {"sync", "fill"}:
        resolved = await resolve_name(target, run.target.index)
        if resolved.index != plan.written_index:
            raise ConflictError(
                f"it stood for {plan.written_index} when the restore was decided, and is {describe(resolved)} now"
                f"{marked}",
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


CLAIM = Activity("claim_target", StartedRestore, Done, claim, lambda started: started.run.work)
ABANDON = Activity("abandon_restore", RestoreRun, Done, abandon, lambda run: run.work)
TOUCH = Activity("touch_target", RestoreRun, Done, touch, lambda run: run.work)
CONCLUDE = Activity("conclude_restore", RestoreRun, Finished, conclude, lambda run: run.work)
