"""Mark the target of a restore as unfinished before it is touched, and unmark it once it is proved.

The restore state is the mark. At the end it is removed first, then the holds of the snapshot and the run's checkpoints:
a restore is finished when no state names it.
"""

import asyncio
import contextlib
from contextlib import aclosing
from itertools import batched

import msgspec

from indexvault.errors import ConflictError, IntegrityError, NotFoundError, SettingsError
from indexvault.maintenance.holds import Held, hold_snapshot, release_snapshots
from indexvault.model import IndexName
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.followed import forget_followed
from indexvault.restore.job import Claimed, ClaimedStretch, RestoreJob, RestoreRun, StartedRestore
from indexvault.restore.load import load_part
from indexvault.restore.report import RestoreFinished
from indexvault.restore.resumption import require_follows
from indexvault.restore.start import has_written_index
from indexvault.restore.state import (
    PLAN,
    LoadCheckpoint,
    RestorePlan,
    RestoreState,
    forget_restore_state,
    marked_by,
    read_restore_state,
    require_unended,
    unfinished,
    write_restore_state,
)
from indexvault.restore.stored_packs import PackCount
from indexvault.restore.stretch_source import has_sources, read_sources, write_sources
from indexvault.restore.target import discard_trial
from indexvault.restore.target_facts import resolve_name
from indexvault.restore.target_name import describe
from indexvault.settings.load import service_settings
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.holds import Hold
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.restored import note_restored
from indexvault.snapshots.run_names import checkpoint_name, restore_name
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.payload_size import SHOW, listed

_READS_AT_ONCE = 16


async def claim(resources: Resources, started: StartedRestore) -> Claimed:
    """Hold the snapshot, and write the restore state under the locks of all its names.

    The plan is first held against the manifest, and what each stretch needs of that is written. Raises IntegrityError
    if the plan does not follow from the manifest, with nothing touched. Raises ConflictError if what was decided before
    the names were locked no longer fits: an alias points elsewhere, an index is gone, another restore came in between,
    the snapshot is being removed, the restore to resume has ended (EndedMeanwhileError). Raises NotFoundError if the
    snapshot is gone and the target is untouched.
    """
    run, service = started.run, started.run.target.service
    if run.records != run.execution:
        await require_unended(resources.clients.store_of(service).runs, run.mark, run.records)
    context = await open_context(resources, run)
    runs, plan = context.runs, context.plan
    earlier = await read_restore_state(runs, run.mark)
    is_ours = earlier is not None and earlier.records == run.records
    touched = earlier is not None and is_ours and earlier.touched
    await _require_unmoved_names(resources, run, plan, touched=touched)
    held = await _hold(resources, run, plan)
    manifest = await _prove_plan(context, started.source, touched=touched)
    for index in dict.fromkeys((plan.job.target_index, plan.written_index)):
        there = await read_restore_state(runs, IndexName(service, index))
        if there is None or there.records == run.records:
            continue
        if (
            there.touched
            and not started.source.discard_unfinished
            and await has_written_index(resources, there, plan.job)
        ):
            raise unfinished(there, run.target)
        await forget_restore_state(runs, service, there)
        await discard_trial(resources, service, there.records)
        await forget_records(resources, service, there.records, there.snapshot)
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
    if manifest is None:
        gone = "the snapshot is gone from every store: the index was proved by what the restore had noted of it"
        return await _claimed_as_noted(context, [*held.notes, gone])
    packs = _PacksToProve(await _loaded(context) if is_ours else frozenset())
    written = await write_sources(
        context.records,
        context.store.snapshots,
        manifest,
        plan.stretches,
        keys=plan.job.keys,
        on_chunk=packs.add,
    )
    return Claimed(
        source=written.source,
        stretches=_claimed_stretches(plan, written.stretches),
        packs=await packs.count.write(context.records) if context.selection.everything else [],
        stored=written.stored,
        losses=manifest.lacks,
        notes=held.notes,
        presumption=manifest.presumption,
    )


class _PacksToProve:
    """Counts the packs of stretches, those apart that are loaded: they were proved before."""

    def __init__(self, loaded: frozenset[int]) -> None:
        self._loaded = loaded
        self.count = PackCount()

    def add(self, stretch: int, chunk: Chunk) -> None:
        if stretch not in self._loaded:
            self.count.add(chunk)


async def _loaded(context: RestoreContext) -> frozenset[int]:
    """Return the numbers of the stretches that are loaded."""
    found: set[int] = set()
    for some in batched(enumerate(context.plan.stretches), _READS_AT_ONCE, strict=False):
        parts = await asyncio.gather(
            *(context.records.read(load_part(*stretch), LoadCheckpoint) for _number, stretch in some)
        )
        found |= {number for (number, _), part in zip(some, parts, strict=True) if part is not None and part.done}
    return frozenset(found)


def _claimed_stretches(plan: RestorePlan, digests: list[str]) -> list[ClaimedStretch]:
    return [ClaimedStretch(*cut, digest) for cut, digest in zip(plan.stretches, digests, strict=True)]


async def _prove_plan(context: RestoreContext, asked: RestoreJob, *, touched: bool) -> Manifest | None:
    """Return the manifest, which the plan follows from.

    None if the snapshot is gone and the target is touched: what was noted of it has to do. Raises as `require_follows`.
    """
    try:
        manifest = await context.manifest()
    except (NotFoundError, IntegrityError):
        if not touched or not await has_sources(context.records, context.plan.stretches):
            raise
        return None
    blobs = context.store.snapshots
    await require_follows(context.plan, manifest, blobs, accept_unsettled=asked.accept_unsettled)
    return manifest


async def _claimed_as_noted(context: RestoreContext, notes: list[str]) -> Claimed:
    """Return what was noted of a snapshot that is gone, and is now held to be true."""
    job = context.plan.job
    snapshot = SnapshotReference(service=job.service, index=job.index, id=job.snapshot)
    source, digests, stored = "", [], 0
    packs = _PacksToProve(await _loaded(context))
    for number, (start, end) in enumerate(context.plan.stretches):
        noted = await read_sources(context.records, context.store, snapshot, start, end, keys=job.keys)
        source = noted.source.digest
        digests.append(noted.stretch.digest)
        stored += noted.stretch.documents
        async with aclosing(noted.batches()) as batches:
            async for batch in batches:
                for chunk in batch:
                    packs.add(number, chunk)
    return Claimed(
        source=source,
        stretches=_claimed_stretches(context.plan, digests),
        packs=await packs.count.write(context.records) if context.selection.everything else [],
        stored=stored,
        losses=listed(context.plan.losses, SHOW),
        notes=notes,
    )


async def touch(resources: Resources, run: RestoreRun) -> Done:
    """Note that the target is about to be changed: from here on it is unfinished until it is proved."""
    context = await open_context(resources, run)
    restore_state = await read_restore_state(context.runs, run.mark)
    if restore_state is None or restore_state.records != run.records:
        raise ConflictError(
            "another restore has taken its place", on=context.on, do="See what it does before you start again"
        )
    written = IndexName(run.target.service, context.plan.written_index)
    await forget_followed(context.runs, written)
    store = resources.clients.store_of(run.target.service)
    await note_restored(store, written, at=resources.clock(), run=run.records)
    touched = msgspec.structs.replace(restore_state, touched=True)
    await write_restore_state(context.runs, run.target.service, touched)
    return Done()


async def abandon(resources: Resources, run: RestoreRun) -> Done:
    """After a failure, forget the restore if it has touched nothing; else keep all that is needed to resume it.

    A restore that no state names is forgotten too: it failed before it was marked, or another has taken its place.
    """
    runs = resources.clients.store_of(run.target.service).runs
    restore_state = await read_restore_state(runs, run.mark)
    is_ours = restore_state is not None and restore_state.records == run.records
    if restore_state is not None and is_ours:
        if restore_state.touched:
            return Done()
        await forget_restore_state(runs, run.target.service, restore_state)
    await forget_records(resources, run.target.service, run.records)
    return Done()


async def drop_plan(resources: Resources, job: RestoreJob) -> Done:
    """Remove the plan of a restore that failed before it had its locks: no state names it."""
    runs = resources.clients.store_of(job.target_service).runs
    plan = await Checkpoints(runs, job.run).read(PLAN, RestorePlan)
    if plan is None:
        return Done()
    for index in {marked_by(plan.job.mode, plan.job.target_index, plan.written_index), plan.written_index}:
        restore_state = await read_restore_state(runs, IndexName(job.target_service, index))
        if restore_state is not None and restore_state.records == job.run:
            return Done()
    await runs.delete(checkpoint_name(job.run, PLAN))
    return Done()


async def conclude(resources: Resources, run: RestoreRun) -> RestoreFinished:
    """Unmark the target as finished, then remove the run's checkpoints, which nothing needs any more."""
    runs = resources.clients.store_of(run.target.service).runs
    restore_state = await read_restore_state(runs, run.mark)
    if restore_state is not None and restore_state.records == run.records:
        written = IndexName(run.target.service, restore_state.written_index)
        store = resources.clients.store_of(run.target.service)
        await note_restored(store, written, at=resources.clock(), run=run.records)
        await forget_restore_state(runs, run.target.service, restore_state)
    await forget_records(resources, run.target.service, run.records)
    return RestoreFinished(finished=resources.clock())


async def _hold(resources: Resources, run: RestoreRun, plan: RestorePlan) -> Held:
    job = plan.job
    wanted = Hold(
        run=run.records,
        kind="restore",
        target=str(job.target),
        since=resources.clock(),
        store=service_settings(resources.clients.settings, run.target.service).store,
        state=restore_name(run.target.service, plan.written_index),
    )
    reference = SnapshotReference(service=job.service, index=job.index, id=job.snapshot)
    return await hold_snapshot(resources, reference, wanted, plan.store, without=job.without)


async def forget_records(resources: Resources, service: str, records: str, snapshot: str | None = None) -> None:
    """Remove the checkpoints of a run whose state is gone, and its holds of its snapshot, which its plan names."""
    checkpoints = Checkpoints(resources.clients.store_of(service).runs, records)
    store, without = None, tuple[str, ...]()
    with contextlib.suppress(IntegrityError):
        plan = await checkpoints.read(PLAN, RestorePlan)
        if plan is not None:
            store, snapshot, without = plan.store, plan.job.reference, plan.job.without
    if snapshot is not None:
        with contextlib.suppress(SettingsError):
            reference = SnapshotReference.parse(snapshot)
            await release_snapshots(resources, reference.service, reference.index, records, store, without=without)
    await checkpoints.clear()


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
                do="Find what moved it, then restore again",
            )
    if plan.alias is not None and not touched:
        alias, before = await target.alias(plan.alias), plan.alias_before
        if alias is not before and (alias is None or not alias.is_same(before)):
            raise ConflictError(
                f"the alias was changed since the restore was decided{marked}",
                on=f"{run.target.service} alias {plan.alias}",
                do="Find what changed it, then restore again",
            )


CLAIM = Activity("claim_target", StartedRestore, Claimed, claim, lambda started: started.run.work)
ABANDON = Activity("abandon_restore", RestoreRun, Done, abandon, lambda run: run.work)
DROP_PLAN = Activity("drop_restore_plan", RestoreJob, Done, drop_plan)
TOUCH = Activity("mark_target_touched", RestoreRun, Done, touch, lambda run: run.work)
CONCLUDE = Activity("conclude_restore", RestoreRun, RestoreFinished, conclude, lambda run: run.work)
