"""The end of a move: the alias on the target, then, if asked, the source deleted."""

import msgspec

from engine.step import Resources, Step
from errors import ConflictError, NotFoundError
from move.job import IndexState, MoveRun, Moving, Switched
from move.record import require_moving, state_of, write_moving
from restore.cut_over import require_health, swap_alias
from restore.scene import manifest_of, source_schema
from search.schema import read_schema


async def note_source(resources: Resources, run: MoveRun) -> IndexState:
    """Write down how the source is before it is compared: only a source that is still so may be deleted."""
    runs = resources.connections.store_of(run.source.service).runs
    moving = await require_moving(runs, run.source, run.records)
    state = await state_of(resources.connections.service(run.source.service), run.source.index)
    await write_moving(runs, msgspec.structs.replace(moving, deleting=state))
    return state


async def switch(resources: Resources, run: MoveRun) -> Switched:
    """Point the alias at the new index, see that it answers, and delete the source if that was asked for.

    The source is deleted only if its ETag and count are what they were before the target was compared with it. Raises
    ConflictError otherwise, with the target complete and in use. A source with fields that nobody could compare is
    kept, and the notes say so.
    """
    runs = resources.connections.store_of(run.source.service).runs
    moving = await require_moving(runs, run.source, run.records)
    job = moving.job
    target = resources.connections.service(run.target.service)
    if job.alias is not None:
        await swap_alias(target, job.alias, run.target.index, before=moving.alias_etag, resources=resources)
    schema = read_schema((await target.index_definition(run.target.index)).body, on=str(run.target))
    await require_health(target, job.alias or run.target.index, run.target.index, schema.key.name)
    kept = await _reasons_to_keep(resources, run, moving) if job.delete_source else []
    if job.delete_source and not kept:
        await _delete_source(resources, run, moving)
    return Switched(alias=job.alias, source_deleted=job.delete_source and not kept, notes=kept)


async def _reasons_to_keep(resources: Resources, run: MoveRun, moving: Moving) -> list[str]:
    """Say what the source has, or may have, that the target was not proved to hold."""
    store = resources.connections.store_of(run.source.service)
    manifest = await manifest_of(store, run.source.service, run.source.index, moving.held or "")
    if manifest.losses:
        lost = ", ".join(loss.field for loss in manifest.losses)
        return [f"the source is kept although it was to be deleted: the target lacks {lost}"]
    # A fresh snapshot has shown them for a moment; how they are now, long after an older one, can't be seen.
    hidden = [path for path, field in source_schema(manifest).walk() if not field.is_readable]
    if hidden and moving.job.snapshot is not None:
        fields = ", ".join(hidden)
        return [f"the source is kept although it was to be deleted: {fields} can't be compared with it, being hidden"]
    return []


async def _delete_source(resources: Resources, run: MoveRun, moving: Moving) -> None:
    source = resources.connections.service(run.source.service)
    try:
        state = await state_of(source, run.source.index)
    except NotFoundError:
        return
    if state != moving.deleting:
        raise ConflictError(
            "it was changed while it was compared with the target, so it is kept; the target is complete",
            on=str(run.source),
            do="Stop what writes to it, then give the same command again",
        )
    # So that the move, if it is killed now, knows later that the source is gone by its own hand.
    runs = resources.connections.store_of(run.source.service).runs
    await write_moving(runs, msgspec.structs.replace(moving, removing=True))
    await resources.fence()
    await source.delete_index(run.source.index, etag=state.etag)


NOTE_SOURCE = Step("note_source", MoveRun, IndexState, note_source, lambda run: run.work)
SWITCH = Step("switch_over", MoveRun, Switched, switch, lambda run: run.ending)
