"""How a move begins, is taken up again, goes from round to round, and ends. The source is only read."""

import msgspec

from engine.checkpoints import Checkpoints
from engine.locking import Done
from engine.step import IndexName, Resources, Step
from errors import ConflictError, NotFoundError
from move.job import Ended, Found, MoveBegun, MoveJob, MoveRun, Moving, Restoring, Round
from move.record import add_moving, forget_moving, other_move, read_moving, require_moving, state_of, write_moving
from restore.findings import failure
from restore.place import alias_checks, name_checks
from restore.proof import read_proof
from restore.regions import Regions, region_check
from restore.scene import manifest_of
from restore.survey import place_of
from restore.undertaking import read_undertaking, unfinished
from settings.read import service_settings, store_settings


async def find(resources: Resources, job: MoveJob) -> Found:
    """Say which execution has begun a move of this index and not ended it: what it has locked may have to be freed."""
    store = resources.connections.store_of(job.service)
    await store.prepare()
    moving = await read_moving(store.runs, job.source)
    return Found(moving.execution if moving is not None and moving.execution != job.run else None)


async def begin(resources: Resources, job: MoveJob) -> MoveBegun:
    """Look at source and target and write the move down, or take an earlier one up.

    Raises NotFoundError if there is no such index, ConflictError if another move of it has not ended, if an alias of
    the source stands in the way of deleting it, or if another restore has left the target unfinished.
    """
    connections = resources.connections
    store = connections.store_of(job.service)
    moving = await read_moving(store.runs, job.source)
    if moving is not None and job.forget and moving.records != job.run:
        await forget_moving(store.runs, job.source)
        moving = None
    if moving is not None and moving.fingerprint != job.fingerprint:
        raise other_move(moving)
    resumes = moving.execution if moving is not None and moving.execution != job.run else None
    if moving is None:
        await require_movable(resources, job)
        await _require_names(resources, job)
        alias = await connections.service(job.target_service).alias(job.alias) if job.alias is not None else None
        moving = Moving(
            job=job,
            fingerprint=job.fingerprint,
            records=job.run,
            execution=job.run,
            started=resources.clock(),
            snapshot=job.snapshot,
            alias_etag=alias.etag if alias is not None else None,
        )
        await add_moving(store.runs, moving)
    moving = await _with_ended_restore(resources, moving)
    is_half_synced = await _is_half_synced(resources, moving)
    moving = msgspec.structs.replace(moving, execution=job.run)
    await write_moving(store.runs, moving)
    held = None
    if moving.held is not None:
        held = await manifest_of(store, job.service, job.index, moving.held)
    settings = connections.settings
    source_store = service_settings(settings, job.service).store
    target_store = service_settings(settings, job.target_service).store
    return MoveBegun(
        run=MoveRun(
            execution=job.run,
            records=moving.records,
            source=job.source,
            target=job.target,
            work=job.work,
            owner=job.owner,
            parallel=job.parallel,
        ),
        job=msgspec.structs.replace(moving.job, run=job.run, parallel=job.parallel, skip_refused=job.skip_refused),
        resumes=resumes,
        rounds=moving.rounds,
        snapshot=moving.snapshot,
        held=moving.held,
        documents=held.counts.documents if held is not None else 0,
        losses=[f"{loss.field}: {loss.reason}" for loss in held.losses] if held is not None else [],
        notes=moving.notes,
        is_half_synced=is_half_synced,
        source_is_gone=moving.removing and not await _is_there(resources, job.source),
        same_store=source_store == target_store,
        source_store=source_store,
        target_store=target_store,
        started=moving.started,
    )


async def note_snapshot(resources: Resources, made: Round) -> Done:
    """Write down the snapshot that a round stands on."""
    await _change(resources, made.run, rounds=made.rounds, snapshot=made.snapshot)
    return Done()


async def note_restoring(resources: Resources, order: Restoring) -> Done:
    """Write down which restore writes to the target: only what such a one has proved, or left, is this move's own.

    One that makes the target is noted only while the name is free.
    """
    run = order.run
    runs = resources.connections.store_of(run.source.service).runs
    moving = await require_moving(runs, run.source, run.records)
    if order.mode == "sync":
        await write_moving(runs, msgspec.structs.replace(moving, syncs=[*moving.syncs, order.restore]))
    elif order.restore not in moving.restores and not await _is_there(resources, run.target):
        await write_moving(runs, msgspec.structs.replace(moving, restores=[*moving.restores, order.restore]))
    return Done()


async def note_restored(resources: Resources, made: Round) -> Done:
    """Write down that the target was proved to hold a snapshot."""
    target = made.run.target
    proved = await state_of(resources.connections.service(target.service), target.index)
    await _change(resources, made.run, held=made.snapshot, proved=proved, notes=made.notes)
    return Done()


async def end(resources: Resources, run: MoveRun) -> Ended:
    """Remove the record, and what the steps have left: nothing of the move is open any more."""
    for service in {run.source.service, run.target.service}:
        await Checkpoints(resources.connections.store_of(service).runs, run.execution).clear()
    await forget_moving(resources.connections.store_of(run.source.service).runs, run.source)
    return Ended(finished=resources.clock())


async def require_movable(resources: Resources, job: MoveJob) -> None:
    """Raise the error of whatever of the source, or of the request, stands in the way of a move; none if nothing does.

    That is NotFoundError where there is no such index, ConflictError for what is in the way.
    """
    settings = resources.connections.settings
    there = service_settings(settings, job.target_service)
    regions = Regions(
        source=service_settings(settings, job.service).region,
        store=store_settings(settings, there.store).region,
        target=there.region,
    )
    allowed = job.allow_cross_region or settings.allow_cross_region
    error = failure([region_check(regions, allowed=allowed)], str(job.target))
    if error is not None:
        raise error
    source = resources.connections.service(job.service)
    place = await place_of(source, job.index)
    if place.kind == "alias":
        raise NotFoundError("this is an alias, not an index", on=str(job.source), do=f"Move the index: {place.index}")
    if place.kind == "absent":
        names = ", ".join(await source.index_names()) or "none"
        raise NotFoundError("there is no such index", on=str(job.source), do=f"Indexes of this service: {names}")
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
    """Raise now what the restore would raise of target and alias only after the index has been read."""
    target = resources.connections.service(job.target_service)
    order = msgspec.structs.replace(job.restore("", "", "create", job.run), alias=job.alias)
    found = list(name_checks(order, await place_of(target, job.target_index)))
    if job.alias is not None:
        found += alias_checks(order, await place_of(target, job.alias))
    error = failure(found, str(job.target))
    if error is not None:
        raise error


async def _with_ended_restore(resources: Resources, moving: Moving) -> Moving:
    """See whether a restore that the move had begun has ended without the move having noted it."""
    if moving.held is not None or not moving.restores:
        return moving
    target = moving.job.target
    runs = resources.connections.store_of(target.service).runs
    if await read_undertaking(runs, target) is not None or not await _is_there(resources, target):
        return moving
    # An index that is there need not be the one: a restore that failed before it touched anything left the name free.
    proofs = [await read_proof(runs, restore) for restore in moving.restores]
    is_proved = any(proof is not None and proof.proved for proof in proofs)
    if not is_proved:
        return moving
    proved = await state_of(resources.connections.service(target.service), target.index)
    return msgspec.structs.replace(moving, held=moving.snapshot, proved=proved)


async def _is_half_synced(resources: Resources, moving: Moving) -> bool:
    """Tell whether a sync of this move has not ended. Raises ConflictError if that of another has not."""
    target = moving.job.target
    undertaking = await read_undertaking(resources.connections.store_of(target.service).runs, target)
    if moving.held is None or undertaking is None or not undertaking.touched:
        return False
    if undertaking.records not in moving.syncs:
        raise unfinished(undertaking, target)
    return True


async def _is_there(resources: Resources, index: IndexName) -> bool:
    """Tell whether a name is taken, by an index or an alias."""
    return (await place_of(resources.connections.service(index.service), index.index)).kind != "absent"


async def _change(resources: Resources, run: MoveRun, **changes: object) -> None:
    runs = resources.connections.store_of(run.source.service).runs
    moving = await require_moving(runs, run.source, run.records)
    await write_moving(runs, msgspec.structs.replace(moving, **changes))


FIND = Step("find_move", MoveJob, Found, find)
BEGIN = Step("begin_move", MoveJob, MoveBegun, begin, lambda job: job.work)
NOTE_SNAPSHOT = Step("note_snapshot", Round, Done, note_snapshot, lambda made: made.run.work)
NOTE_RESTORING = Step("note_restoring", Restoring, Done, note_restoring, lambda order: order.run.work)
NOTE_RESTORED = Step("note_restored", Round, Done, note_restored, lambda made: made.run.work)
END = Step("end_move", MoveRun, Ended, end, lambda run: run.ending)
