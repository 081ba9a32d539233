"""Start or resume a move, note each round in its state, and end it. The source is only read."""

import msgspec

from indexvault.errors import ConflictError, NotFoundError
from indexvault.model import IndexName
from indexvault.move.checks import of_move
from indexvault.move.holds import hold_for_move, release_for_move
from indexvault.move.job import MoveJob, MoveRun, MoveState, PlannedRestore, Restored, RoundSnapshot, StartedMove
from indexvault.move.state import (
    add_move_state,
    follow_move_state,
    forget_move_state,
    read_move_state,
    refused_report,
    require_own_snapshot,
    require_state_of,
    write_move_state,
)
from indexvault.restore.checks import failure
from indexvault.restore.proof import read_proof
from indexvault.restore.regions import Regions, region_check
from indexvault.restore.report import RestoreFinished
from indexvault.restore.state import read_restore_state, unfinished
from indexvault.restore.stretch_source import manifest_of
from indexvault.restore.target_facts import resolve_name
from indexvault.restore.target_name import alias_checks, name_checks
from indexvault.settings.load import service_settings, store_settings
from indexvault.settings.residency import residencies
from indexvault.suggestions import suggestion
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.payload_size import SHOW, listed
from indexvault.workflow.resume import Interrupted


async def find(resources: Resources, job: MoveJob) -> Interrupted:
    """Return the execution that started a move of this index and has not ended it."""
    store = resources.clients.store_of(job.service)
    await store.prepare()
    move_state = await read_move_state(store.runs, job.source)
    return Interrupted(move_state.execution if move_state is not None and move_state.execution != job.run else None)


async def begin(resources: Resources, job: MoveJob) -> StartedMove:
    """Check source and target and write the move's state, or resume an interrupted move.

    Raises NotFoundError if there is no such index, ConflictError if another move of it has not ended, if an alias keeps
    the source from being deleted, if another restore has left the target unfinished, or if the source has come again
    after this move was about to delete it. Raises IntegrityError if the state's job is not this one, or if its
    snapshots are not of this move's making.
    """
    clients = resources.clients
    store = clients.store_of(job.service)
    move_state = await read_move_state(store.runs, job.source)
    if move_state is not None and job.forget and move_state.records != job.run:
        await forget_move_state(store.runs, job.source)
        await release_for_move(resources, job.service, job.index, move_state.records)
        move_state = None
    if move_state is not None:
        require_state_of(job, move_state)
    resumes = move_state.execution if move_state is not None and move_state.execution != job.run else None
    if move_state is None:
        await require_movable(resources, job)
        await _require_names(resources, job)
        alias = await clients.service(job.target_service).alias(job.alias) if job.alias is not None else None
        move_state = MoveState(
            job=job,
            fingerprint=job.fingerprint,
            records=job.run,
            execution=job.run,
            started=resources.clock(),
            snapshot=job.snapshot,
            alias_etag=alias.etag if alias is not None else None,
            alias_index=alias.index if alias is not None else None,
        )
        if job.snapshot is not None:
            await hold_for_move(resources, move_state, job.snapshot)
        await add_move_state(store.runs, move_state)
    for snapshot in dict.fromkeys((move_state.snapshot, move_state.held)):
        if snapshot is not None:
            require_own_snapshot(move_state, await manifest_of(store, job.service, job.index, snapshot))
    source_is_there = await _is_there(resources, job.source)
    if move_state.removing and source_is_there:
        await _require_undeleted(resources, move_state)
    move_state = await _with_ended_restore(resources, move_state)
    is_half_synced = await _is_half_synced(resources, move_state)
    move_state = msgspec.structs.replace(
        move_state,
        job=msgspec.structs.replace(job, forget=False),
        execution=job.run,
        refused=await refused_report(clients.store_of(job.target_service).runs, move_state),
        removing=move_state.removing and not source_is_there,
    )
    await write_move_state(store.runs, move_state)
    held = None
    if move_state.held is not None:
        held = await manifest_of(store, job.service, job.index, move_state.held)
    settings = clients.settings
    source_store = service_settings(settings, job.service).store
    target_store = service_settings(settings, job.target_service).store
    return StartedMove(
        run=MoveRun(
            execution=job.run,
            records=move_state.records,
            job=move_state.job.digest,
            source=job.source,
            target=job.target,
            work=job.work,
            owner=job.owner,
            parallel=job.parallel,
        ),
        job=move_state.job,
        resumes=resumes,
        rounds=move_state.rounds,
        snapshot=move_state.snapshot,
        held=move_state.held,
        documents=held.counts.documents if held is not None else 0,
        losses=listed(held.lacks, SHOW) if held is not None else [],
        notes=move_state.notes,
        refused=move_state.refused,
        is_half_synced=is_half_synced,
        is_in_use=job.alias is not None
        and await clients.service(job.target_service).alias_target(job.alias) == job.target_index,
        source_is_gone=move_state.removing,
        compared=move_state.compared,
        excepted=move_state.excepted,
        same_store=source_store == target_store,
        source_store=source_store,
        target_store=target_store,
        started=move_state.started,
        not_compared=move_state.not_compared,
    )


async def note_snapshot(resources: Resources, noted: RoundSnapshot) -> Done:
    """Note the snapshot of a round in the move's state, and hold it until the move ends."""
    runs = resources.clients.store_of(noted.run.source.service).runs
    move_state = await follow_move_state(runs, noted.run)
    await hold_for_move(resources, move_state, noted.snapshot)
    await _change(resources, noted.run, rounds=noted.rounds, snapshot=noted.snapshot)
    return Done()


async def note_restoring(resources: Resources, planned: PlannedRestore) -> Done:
    """Note the restore that writes to the target: the target is this move's own only if a noted restore wrote it.

    A restore that creates the target is noted only while the name is free.
    """
    run = planned.run
    runs = resources.clients.store_of(run.source.service).runs
    move_state = await follow_move_state(runs, run)
    if planned.mode == "sync":
        await write_move_state(runs, msgspec.structs.replace(move_state, syncs=[*move_state.syncs, planned.restore]))
    elif planned.restore not in move_state.restores and not await _is_there(resources, run.target):
        await write_move_state(
            runs, msgspec.structs.replace(move_state, restores=[*move_state.restores, planned.restore])
        )
    return Done()


async def note_restored(resources: Resources, noted: RoundSnapshot) -> Restored:
    """Note that a restore has made the target hold a snapshot, apart from what it skipped.

    Nobody relies on it for the source's deletion: the target is compared with the source before.
    """
    run, clients = noted.run, resources.clients
    move_state = await follow_move_state(clients.store_of(run.source.service).runs, run)
    refused = await refused_report(clients.store_of(run.target.service).runs, move_state)
    await _change(resources, run, held=noted.snapshot, notes=noted.notes, refused=refused)
    return Restored(refused)


async def end(resources: Resources, run: MoveRun) -> RestoreFinished:
    """Remove the move's checkpoints, its state and its holds: the move has ended."""
    for service in {run.source.service, run.target.service}:
        await Checkpoints(resources.clients.store_of(service).runs, run.execution).clear()
    await forget_move_state(resources.clients.store_of(run.source.service).runs, run.source)
    await release_for_move(resources, run.source.service, run.source.index, run.records)
    return RestoreFinished(finished=resources.clock())


async def require_movable(resources: Resources, job: MoveJob) -> None:
    """Raise the error for anything about source or request that prevents a move.

    That is NotFoundError if there is no such index, ConflictError for a region, a target or an alias in the way.
    """
    settings = resources.clients.settings
    there = service_settings(settings, job.target_service)
    regions = Regions(
        source=service_settings(settings, job.service).region,
        store=store_settings(settings, there.store).region,
        target=there.region,
        kept=residencies(settings, job.service, job.index),
    )
    allowed = job.allow_cross_region or settings.allow_cross_region
    error = failure([region_check(regions, allowed=allowed)], str(job.target))
    if error is not None:
        raise error
    source = resources.clients.service(job.service)
    resolved = await resolve_name(source, job.index)
    if resolved.kind == "alias":
        raise NotFoundError(
            "this is an alias, not an index", on=str(job.source), do=f"Move the index: {resolved.index}"
        )
    if resolved.kind == "absent":
        names = await source.index_names()
        raise NotFoundError(
            "there is no such index",
            on=str(job.source),
            do=f"Indexes of this service: {', '.join(names) or 'none'}{suggestion(job.index, names)}",
        )
    if job.source == job.target:
        raise ConflictError("source and target are the same", on=str(job.source), do="Name another target with --to")
    holders = [alias.name for alias in await source.aliases() if alias.index == job.index]
    if job.delete_source:
        held = [name for name in holders if not (job.service == job.target_service and name == job.alias)]
        if held:
            raise ConflictError(
                f"it can't be deleted after the move while the aliases {', '.join(held)} point at it",
                on=str(job.source),
                do="Point them elsewhere first, or move without --delete-source",
            )


async def _require_names(resources: Resources, job: MoveJob) -> None:
    """Raise now what the restore would raise about target and alias only after the index was read."""
    target = resources.clients.service(job.target_service)
    restore_job = msgspec.structs.replace(job.restore("", "", "create", job.run), alias=job.alias)
    found = of_move(job, name_checks(restore_job, await resolve_name(target, job.target_index)))
    if job.alias is not None:
        found += alias_checks(restore_job, await resolve_name(target, job.alias))
    error = failure(found, str(job.target))
    if error is not None:
        raise error


async def _with_ended_restore(resources: Resources, move_state: MoveState) -> MoveState:
    """Return the state with a restore noted that ended before the move could note it.

    The target may have been changed since. That only matters to the comparison with the source, which is still to come.
    """
    if move_state.held is not None or not move_state.restores:
        return move_state
    target = move_state.job.target
    runs = resources.clients.store_of(target.service).runs
    if await read_restore_state(runs, target) is not None or not await _is_there(resources, target):
        return move_state
    # The index need not be ours: a restore that failed before it touched anything left the name free for others.
    proofs = [await read_proof(runs, restore) for restore in move_state.restores]
    held = f"{move_state.job.source}@{move_state.snapshot}"
    is_proved = any(
        proof is not None and proof.proved and (proof.snapshot, proof.target) == (held, str(target)) for proof in proofs
    )
    return msgspec.structs.replace(move_state, held=move_state.snapshot) if is_proved else move_state


async def _is_half_synced(resources: Resources, move_state: MoveState) -> bool:
    """Return whether a sync of this move has not ended. Raises ConflictError if another restore has not."""
    target = move_state.job.target
    restore_state = await read_restore_state(resources.clients.store_of(target.service).runs, target)
    if move_state.held is None or restore_state is None or not restore_state.touched:
        return False
    if restore_state.records not in move_state.syncs:
        raise unfinished(restore_state, target)
    return True


async def _require_undeleted(resources: Resources, move_state: MoveState) -> None:
    """Raise ConflictError unless the source is still the index that this move was about to delete.

    If the move has deleted it, what has the name now says nothing about the target: to catch up with it, the move would
    delete the documents that only the target holds.
    """
    source = move_state.job.source
    definition = await resources.clients.service(source.service).index_definition(source.index)
    if move_state.deleting is None or definition.etag != move_state.deleting.etag:
        raise ConflictError(
            f"run {move_state.execution} was about to delete it after it had been moved to {move_state.job.target};"
            " since then it was changed, or deleted and made anew, so it is kept, and the target left as it is",
            on=str(source),
            do="Look at both indexes. The move is done if the target has all; indexvault move --forget starts another",
        )


async def _is_there(resources: Resources, index: IndexName) -> bool:
    """Return whether a name is taken, by an index or an alias."""
    return (await resolve_name(resources.clients.service(index.service), index.index)).kind != "absent"


async def _change(resources: Resources, run: MoveRun, **changes: object) -> None:
    runs = resources.clients.store_of(run.source.service).runs
    move_state = await follow_move_state(runs, run)
    await write_move_state(runs, msgspec.structs.replace(move_state, **changes))


FIND = Activity("find_move", MoveJob, Interrupted, find)
BEGIN = Activity("begin_move", MoveJob, StartedMove, begin, lambda job: job.work)
NOTE_SNAPSHOT = Activity("note_snapshot", RoundSnapshot, Done, note_snapshot, lambda noted: noted.run.work)
NOTE_RESTORING = Activity("note_restoring", PlannedRestore, Done, note_restoring, lambda planned: planned.run.work)
NOTE_RESTORED = Activity("note_restored", RoundSnapshot, Restored, note_restored, lambda noted: noted.run.work)
END = Activity("end_move", MoveRun, RestoreFinished, end, lambda run: run.ending)
