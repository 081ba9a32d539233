"""How a move begins, is taken up again, goes from round to round, and ends. The source is only read."""

import msgspec

from engine.locking import Done
from engine.step import Resources, Step
from errors import ConflictError, NotFoundError
from move.job import Ended, MoveBegun, MoveJob, MoveRun, Moving, Round
from move.record import forget_moving, read_moving, require_moving, write_moving
from restore.preflight import Regions, failure, region_check
from restore.survey import place_of
from restore.undertaking import read_undertaking
from settings.read import service_settings, store_settings


async def begin(resources: Resources, job: MoveJob) -> MoveBegun:
    """Look at source and target and write the move down, or take an earlier one up.

    Raises NotFoundError if there is no such index, ConflictError if another move of it has not ended, or if an alias
    of the source stands in the way of deleting it.
    """
    connections = resources.connections
    store = connections.store_of(job.service)
    await store.prepare()
    moving = await read_moving(store.runs, job.source) if not job.forget else None
    if moving is not None and moving.fingerprint != job.fingerprint:
        raise ConflictError(
            f"a move of it to {moving.job.target} began {moving.started:%Y-%m-%d %H:%M:%SZ} and has not ended",
            on=str(job.source),
            do="Give the same command again to go on with it, or indexvault move --forget to leave it as it is",
        )
    resumes = moving.execution if moving is not None and moving.execution != job.run else None
    if moving is None:
        await _require_movable(resources, job)
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
    moving = await _with_ended_restore(resources, moving)
    moving = msgspec.structs.replace(moving, execution=job.run)
    await write_moving(store.runs, moving)
    settings = connections.settings
    source_store = service_settings(settings, job.service).store
    target_store = service_settings(settings, job.target_service).store
    return MoveBegun(
        run=MoveRun(
            execution=job.run,
            records=moving.records,
            source=job.source,
            target=job.target,
            owner=job.owner,
            parallel=job.parallel,
        ),
        job=msgspec.structs.replace(moving.job, run=job.run, parallel=job.parallel, skip_refused=job.skip_refused),
        resumes=resumes,
        rounds=moving.rounds,
        snapshot=moving.snapshot,
        restored=moving.restored,
        same_store=source_store == target_store,
        source_store=source_store,
        target_store=target_store,
        started=moving.started,
    )


async def note_snapshot(resources: Resources, made: Round) -> Done:
    """Write down the snapshot that a round stands on."""
    await _change(resources, made.run, rounds=made.rounds, snapshot=made.snapshot)
    return Done()


async def note_restoring(resources: Resources, run: MoveRun) -> Done:
    """Write down that the target was free, so that an index found there later is this move's own."""
    runs = resources.connections.store_of(run.source.service).runs
    moving = await require_moving(runs, run.source, run.records)
    target = resources.connections.service(run.target.service)
    if not moving.restoring and (await place_of(target, run.target.index)).kind == "absent":
        await write_moving(runs, msgspec.structs.replace(moving, restoring=True))
    return Done()


async def note_restored(resources: Resources, run: MoveRun) -> Done:
    """Write down that the target holds the snapshot."""
    await _change(resources, run, restored=True)
    return Done()


async def end(resources: Resources, run: MoveRun) -> Ended:
    """Remove the record: nothing of the move is open any more."""
    await forget_moving(resources.connections.store_of(run.source.service).runs, run.source)
    return Ended(finished=resources.clock())


async def _require_movable(resources: Resources, job: MoveJob) -> None:
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


async def _with_ended_restore(resources: Resources, moving: Moving) -> Moving:
    """See whether a restore that the move had begun has ended without the move having noted it."""
    if moving.restored or not moving.restoring:
        return moving
    target = moving.job.target
    undertaking = await read_undertaking(resources.connections.store_of(target.service).runs, target)
    place = await place_of(resources.connections.service(target.service), target.index)
    return msgspec.structs.replace(moving, restored=undertaking is None and place.kind == "index")


async def _change(resources: Resources, run: MoveRun, **changes: object) -> None:
    runs = resources.connections.store_of(run.source.service).runs
    moving = await require_moving(runs, run.source, run.records)
    await write_moving(runs, msgspec.structs.replace(moving, **changes))


BEGIN = Step("begin_move", MoveJob, MoveBegun, begin)
NOTE_SNAPSHOT = Step("note_snapshot", Round, Done, note_snapshot)
NOTE_RESTORING = Step("note_restoring", MoveRun, Done, note_restoring)
NOTE_RESTORED = Step("note_restored", MoveRun, Done, note_restored)
END = Step("end_move", MoveRun, Ended, end, lambda run: run.work)
