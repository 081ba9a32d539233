"""Cut a move over: point the alias at the target, then delete the source if that was asked for."""

import msgspec

from indexvault.errors import ConflictError, NotFoundError
from indexvault.move.job import IndexState, MoveCutOver, MoveRun, MoveState
from indexvault.move.state import require_move_state, state_of, write_move_state
from indexvault.restore.cut_over import require_health, swap_alias
from indexvault.restore.stretch_source import manifest_of, snapshot_source
from indexvault.search.schema import read_schema
from indexvault.workflow.activity import Activity, Resources


async def note_source(resources: Resources, run: MoveRun) -> IndexState:
    """Note the source's state before it is compared: only a source still in that state may be deleted."""
    runs = resources.clients.store_of(run.source.service).runs
    move_state = await require_move_state(runs, run.source, run.records)
    state = await state_of(resources.clients.service(run.source.service), run.source.index)
    await write_move_state(runs, msgspec.structs.replace(move_state, deleting=state))
    return state


async def switch(resources: Resources, run: MoveRun) -> MoveCutOver:
    """Point the alias at the new index, check that it answers, and delete the source if that was asked for.

    The source is deleted only if its ETag and count are unchanged since before the comparison. Raises ConflictError
    otherwise, with the target complete and in use. A source with fields that can't be compared is kept, and the notes
    say so.
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
    return MoveCutOver(alias=job.alias, source_deleted=job.delete_source and not kept, notes=kept)


async def _reasons_to_keep(resources: Resources, run: MoveRun, move_state: MoveState) -> list[str]:
    """Return what the source has, or may have, that the target was not proved to hold."""
    store = resources.clients.store_of(run.source.service)
    manifest = await manifest_of(store, run.source.service, run.source.index, move_state.held or "")
    if manifest.losses:
        lost = ", ".join(loss.field for loss in manifest.losses)
        return [f"the source is kept although it was to be deleted: the target lacks {lost}"]
    # A new snapshot has revealed hidden fields for a moment; what they hold long after an older one can't be read.
    hidden = [path for path, field in snapshot_source(manifest).schema.walk() if not field.is_readable]
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
    # If the move is interrupted now, it knows later that it deleted the source itself.
    runs = resources.clients.store_of(run.source.service).runs
    await write_move_state(runs, msgspec.structs.replace(move_state, removing=True))
    await resources.fence()
    await source.delete_index(run.source.index, etag=state.etag)


NOTE_SOURCE = Activity("note_source", MoveRun, IndexState, note_source, lambda run: run.work)
SWITCH = Activity("switch_over", MoveRun, MoveCutOver, switch, lambda run: run.ending)
