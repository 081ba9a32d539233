"""The end of a move: the alias on the target, then, if asked, the source deleted."""

import msgspec

from indexvault.errors import ConflictError, NotFoundError
from indexvault.move.job import IndexState, MoveRun, MoveState, Switched
from indexvault.move.state import require_move_state, state_of, write_move_state
from indexvault.restore.context import manifest_of, source_schema
from indexvault.restore.cut_over import require_health, swap_alias
from indexvault.search.schema import read_schema
from indexvault.workflow.activity import Activity, Resources


async def note_source(resources: Resources, run: MoveRun) -> IndexState:
    """Write down how the source is before it is compared: only a source that is still so may be deleted."""
    runs = resources.clients.store_of(run.source.service).runs
    move_state = await require_move_state(runs, run.source, run.records)
    state = await state_of(resources.clients.service(run.source.service), run.source.index)
    await write_move_state(runs, msgspec.structs.replace(move_state, deleting=state))
    return state


async def switch(resources: Resources, run: MoveRun) -> Switched:
    """Point the alias at the new index, see that it answers, and delete the source if that was asked for.

    The source is deleted only if its ETag and count are what they were before the target was compared with it. Raises
    ConflictError otherwise, with the target complete and in use. A source with fields that nobody could compare is
    kept, and the notes say so.
    """
    runs = resources.clients.store_of(run.source.service).runs
    move_state = await require_move_state(runs, run.source, run.records)
    job = move_state.job
    target = resources.clients.service(run.target.service)
    if job.alias is not None:
        await swap_alias(target, job.alias, run.target.index, before=move_state.alias_etag, resources=resources)
    schema = read_schema((await target.index_definition(run.target.index)).body, on=str(run.target))
    await require_health(target, job.alias or run.target.index, run.target.index, schema.key.name)
    kept = await _reasons_to_keep(resources, run, move_state) if job.delete_source else []
    if job.delete_source and not kept:
        await _delete_source(resources, run, move_state)
    return Switched(alias=job.alias, source_deleted=job.delete_source and not kept, notes=kept)


async def _reasons_to_keep(resources: Resources, run: MoveRun, move_state: MoveState) -> list[str]:
    """Say what the source has, or may have, that the target was not proved to hold."""
    store = resources.clients.store_of(run.source.service)
    manifest = await manifest_of(store, run.source.service, run.source.index, move_state.held or "")
    if manifest.losses:
        lost = ", ".join(loss.field for loss in manifest.losses)
        return [f"the source is kept although it was to be deleted: the target lacks {lost}"]
    # A fresh snapshot has shown them for a moment; how they are now, long after an older one, can't be seen.
    hidden = [path for path, field in source_schema(manifest).walk() if not field.is_readable]
    if hidden and move_state.job.snapshot is not None:
        fields = ", ".join(hidden)
        return [f"the source is kept although it was to be deleted: {fields} can't be compared with it, being hidden"]
    return []


async def _delete_source(resources: Resources, run: MoveRun, move_state: MoveState) -> None:
    source = resources.clients.service(run.source.service)
    try:
        state = await state_of(source, run.source.index)
    except NotFoundError:
        return
    if state != move_state.deleting:
        raise ConflictError(
            "it was changed while it was compared with the target, so it is kept; the target is complete",
            on=str(run.source),
            do="Stop what writes to it, then give the same command again",
        )
    # So that the move, if it is killed now, knows later that the source is gone by its own hand.
    runs = resources.clients.store_of(run.source.service).runs
    await write_move_state(runs, msgspec.structs.replace(move_state, removing=True))
    await resources.fence()
    await source.delete_index(run.source.index, etag=state.etag)


NOTE_SOURCE = Activity("note_source", MoveRun, IndexState, note_source, lambda run: run.work)
SWITCH = Activity("switch_over", MoveRun, Switched, switch, lambda run: run.ending)
