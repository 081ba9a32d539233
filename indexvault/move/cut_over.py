"""Cut a move over: point the alias at the target, then delete the source if that was asked for."""

import msgspec

from indexvault.backup.definitions import read_index_definition
from indexvault.errors import ConflictError, NotFoundError
from indexvault.move.job import BeforeComparing, MoveCutOver, MoveJob, MoveRun, MoveState, ProvedMove
from indexvault.move.state import follow_move_state, require_own_snapshot, state_of, write_move_state
from indexvault.restore.cut_over import require_health, swap_alias
from indexvault.restore.definition import target_definition
from indexvault.restore.secrets import supplied
from indexvault.restore.stretch_source import manifest_of, snapshot_source
from indexvault.search.definition_content import includes
from indexvault.search.schema import Schema, read_schema
from indexvault.workflow.activity import Activity, Resources


async def note_source(resources: Resources, run: MoveRun) -> BeforeComparing:
    """Note the states of source and target before they are compared: while they last, the source may be deleted."""
    clients = resources.clients
    runs = clients.store_of(run.source.service).runs
    move_state = await follow_move_state(runs, run)
    source = await state_of(clients.service(run.source.service), run.source.index)
    target = await state_of(clients.service(run.target.service), run.target.index)
    await write_move_state(runs, msgspec.structs.replace(move_state, deleting=source, proved=target))
    return BeforeComparing(source=source, target=target)


async def switch(resources: Resources, proved: ProvedMove) -> MoveCutOver:
    """Point the alias at the new index, check that it answers, and delete the source if that was asked for.

    The source is deleted only if its ETag and count are unchanged since before the comparison, and the target is still
    the index that was compared. If one has another ETag and the same definition, ask for another comparison. Raises
    ConflictError otherwise, with the target in use. A source with fields that can't be compared is kept, and the notes
    say so.
    """
    run = proved.run
    runs = resources.clients.store_of(run.source.service).runs
    move_state = await follow_move_state(runs, run)
    # What the comparison began with comes from the workflow: the record may have been altered meanwhile.
    before = proved.before
    move_state = msgspec.structs.replace(
        move_state,
        deleting=before.source if before is not None else None,
        proved=before.target if before is not None else None,
    )
    job = move_state.job
    target = resources.clients.service(run.target.service)
    if job.alias is not None:
        await swap_alias(target, job.alias, run.target.index, before=move_state.alias_before, resources=resources)
    schema = read_schema((await target.index_definition(run.target.index)).body, on=str(run.target))
    await require_health(target, job.alias or run.target.index, run.target.index, schema.key.name)
    if not job.delete_source:
        return MoveCutOver(alias=job.alias, source_deleted=False, notes=[])
    kept = await _reasons_to_keep(resources, run, move_state, schema)
    if not kept and await _is_to_compare_again(resources, run, move_state):
        return MoveCutOver(alias=job.alias, source_deleted=False, notes=[], compare_again=True)
    if not kept:
        await _delete_source(resources, proved, move_state)
    return MoveCutOver(alias=job.alias, source_deleted=not kept, notes=kept)


async def _reasons_to_keep(resources: Resources, run: MoveRun, move_state: MoveState, target: Schema) -> list[str]:
    """Return what the source has, or may have, that the target was not proved to hold."""
    store = resources.clients.store_of(run.source.service)
    manifest = await manifest_of(store, run.source.service, run.source.index, move_state.held or "")
    require_own_snapshot(move_state, manifest)
    # The last snapshot is what the target was compared with, if the source's keys have no order.
    compared = manifest
    if move_state.snapshot not in {None, move_state.held}:
        compared = await manifest_of(store, run.source.service, run.source.index, move_state.snapshot or "")
        require_own_snapshot(move_state, compared)
    if manifest.unsettled is not None or compared.unsettled is not None:
        open_documents = max(each.unsettled.documents for each in (manifest, compared) if each.unsettled is not None)
        lacks = f"its snapshot is unsettled, so the target may lack {open_documents:,} of its documents"
        return [f"the source is kept although it was to be deleted: {lacks}"]
    if manifest.presumption is not None or compared.presumption is not None:
        return ["the source is kept although it was to be deleted: the snapshot of the move is presumed, and no proof"]
    if manifest.losses:
        lost = ", ".join(loss.field for loss in manifest.losses)
        return [f"the source is kept although it was to be deleted: the target lacks {lost}"]
    # What such fields hold was proved when the snapshot was restored, and may have been changed in the source since.
    hidden = [path for path, field in target.walk() if not field.is_readable]
    hidden += [path for path, field in snapshot_source(manifest).schema.walk() if not field.is_readable]
    if hidden:
        fields = ", ".join(dict.fromkeys(hidden))
        return [f"the source is kept although it was to be deleted: {fields} can't be compared with it, being hidden"]
    if not await _has_definition(resources, run, move_state.job):
        changed = "its definition was changed since the target was created from it"
        return [f"the source is kept although it was to be deleted: {changed}"]
    return []


async def _has_definition(resources: Resources, run: MoveRun, job: MoveJob) -> bool:
    """Return whether the target has all that a target of the source's present definition would have.

    A source that is gone has nothing that the target could lack.
    """
    try:
        source, _etag = await read_index_definition(resources.clients.service(run.source.service), run.source.index)
    except NotFoundError:
        return True
    wanted = target_definition(source, run.target.index, job.patch)
    sent = supplied(resources, job.restore("", "", "create", run.execution), wanted)
    target = resources.clients.service(run.target.service)
    present = await target.index_definition(run.target.index, preview=wanted.preview)
    return includes(present.body, sent.body)


async def _is_to_compare_again(resources: Resources, run: MoveRun, move_state: MoveState) -> bool:
    """Return whether source or target has another ETag since they were compared, and the same definition."""
    for index, compared in ((run.source, move_state.deleting), (run.target, move_state.proved)):
        try:
            present = await state_of(resources.clients.service(index.service), index.index)
        except NotFoundError:
            continue
        if compared is not None and compared.etag != present.etag and compared.content == present.content:
            return True
    return False


async def _delete_source(resources: Resources, proved: ProvedMove, move_state: MoveState) -> None:
    run = proved.run
    source = resources.clients.service(run.source.service)
    try:
        present = await source.index_definition(run.source.index)
        state = await state_of(source, run.source.index)
    except NotFoundError:
        return
    if state != move_state.deleting or present.etag != state.etag:
        raise ConflictError(
            "it was changed while it was compared with the target, so it is kept; the target is complete",
            on=str(run.source),
            do="Stop what writes to it, then give the same command again",
        )
    await _require_compared_target(resources, run, move_state)
    # If the move is interrupted now, it knows later that it deleted the source itself.
    runs = resources.clients.store_of(run.source.service).runs
    removing = msgspec.structs.replace(
        move_state,
        removing=True,
        compared=proved.compared,
        excepted=proved.excepted,
        not_compared=proved.not_compared,
    )
    await write_move_state(runs, removing)
    await resources.fence()
    await source.delete_index(run.source.index, before=present)


async def _require_compared_target(resources: Resources, run: MoveRun, move_state: MoveState) -> None:
    """Raise ConflictError if the target is another index than the one compared, or lacks documents it had.

    Users of the alias may have added some.
    """
    present = await state_of(resources.clients.service(run.target.service), run.target.index)
    compared = move_state.proved
    if compared is None or present.etag != compared.etag or present.count < compared.count:
        raise ConflictError(
            f"it was changed after it had been compared, so the source {run.source} is kept",
            on=str(run.target),
            do="Find what writes to it, then run the same command again",
        )


NOTE_SOURCE = Activity("note_source", MoveRun, BeforeComparing, note_source, lambda run: run.work)
SWITCH = Activity("cut_over_move", ProvedMove, MoveCutOver, switch, lambda proved: proved.run.ending)
