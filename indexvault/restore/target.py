"""The index that documents go to: made, remade or, in modes sync and fill, taken as it is.

What is about to be done is written down before it is done, so that a later attempt knows its own work from another's.
"""

import msgspec

from indexvault.errors import ConflictError, NotFoundError
from indexvault.restore.context import RestoreContext, beside, open_context
from indexvault.restore.definition import (
    TargetDefinition,
    renamed,
    same_definition,
    same_when_shown,
    target_definition,
    with_fields_shown,
)
from indexvault.restore.job import RestoreRun, TargetReady
from indexvault.restore.secrets import missing_paths, supplied
from indexvault.restore.state import HIDING, MADE, Hiding, Made
from indexvault.restore.target_facts import resolve_name
from indexvault.restore.target_name import ResolvedName
from indexvault.search.schema import read_schema
from indexvault.search.secret_scan import without_secrets
from indexvault.snapshots.manifest import SynonymMap, VersionedDefinition
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources

_INTENTION, _DELETION = "target", "deletion"


class _Intention(msgspec.Struct, frozen=True):
    """That this run is about to create the index, which was not there when this was written."""

    index: str


class _Deletion(msgspec.Struct, frozen=True):
    """That this run is about to delete the index it replaces, if it still has this ETag."""

    index: str
    etag: str


async def make_target(resources: Resources, run: RestoreRun) -> TargetReady:
    """See to it that the index is there and is this run's own, or the one that was found at the beginning.

    Raises ConflictError if something else has taken its name, or changed it.
    """
    context = await open_context(resources, run)
    made = await context.records.read(MADE, Made)
    if made is not None:
        made = await _same(context, made)
    elif context.plan.job.mode in {"sync", "fill"}:
        made = await _take(context)
    else:
        made = await _create(context)
    await context.records.write(MADE, made)
    resources.report(ProgressUpdate(stage="load", expected=context.plan.documents))
    return TargetReady(into=context.plan.into, synonym_maps=made.synonym_maps, notes=made.notes)


async def _take(context: RestoreContext) -> Made:
    """Take the existing index, with the snapshot's definition if that was asked for."""
    wanted = context.plan.definition
    present = await context.target.index_definition(context.plan.into, preview=wanted.preview)
    if context.plan.job.update_definition:
        await context.target.update_index(
            context.plan.into,
            bytes(supplied(context.resources, context.plan.job, renamed(wanted, context.plan.into)).body),
            etag=present.etag,
            preview=wanted.preview,
        )
        present = await context.target.index_definition(context.plan.into, preview=wanted.preview)
    hidden = [path for path, field in read_schema(present.body, on=context.on).walk() if not field.is_readable]
    notes = [f"{path} is hidden in the target: documents were not compared by it" for path in hidden]
    return Made(etag=present.etag, body=without_secrets(present.body), synonym_maps=[], notes=notes)


async def _create(context: RestoreContext) -> Made:
    final = renamed(context.plan.definition, context.plan.into)
    begun = await context.records.read(_INTENTION, _Intention) is not None
    missing = [entry for entry in context.manifest.synonym_maps if not await _is_there(context, entry)]
    if not begun:
        if context.plan.job.in_place:
            await _delete_old(context, final)
        _require_free(await resolve_name(context.target, context.plan.into), context)
        await context.records.write(_INTENTION, _Intention(index=context.plan.into))
    for entry in missing:
        definition = target_definition(entry.definition, entry.name)
        await context.target.create_synonym_map(entry.name, bytes(definition.body), preview=definition.preview)
    loading = with_fields_shown(supplied(context.resources, context.plan.job, final))
    try:
        await context.target.create_index(context.plan.into, bytes(loading.body), preview=loading.preview)
    except ConflictError:
        if not begun or not await _is_our_empty_index(context, loading):
            raise
    present = await context.target.index_definition(context.plan.into, preview=loading.preview)
    return Made(
        etag=present.etag,
        body=without_secrets(present.body),
        synonym_maps=[entry.name for entry in missing],
        notes=_notes(loading),
    )


def _notes(loading: TargetDefinition) -> list[str]:
    notes = []
    missing = missing_paths(loading.body)
    if missing:
        notes.append(f"no snapshot holds secrets: set {', '.join(missing)} again on the restored index")
    schema = read_schema(loading.body, on="definition")
    notes.extend(
        f"{path} is a vector that the service does not store: what was loaded into it could not be read back"
        for path, field in schema.walk()
        if field.stored is False
    )
    return notes


async def _delete_old(context: RestoreContext, final: TargetDefinition) -> None:
    """Delete the index that is replaced in place, after the service has taken the new definition under another name."""
    deletion = await context.records.read(_DELETION, _Deletion)
    if deletion is None:
        await _try_definition(context, final)
        deletion = _Deletion(index=context.plan.into, etag=context.plan.old_etag or "")
        await context.records.write(_DELETION, deletion)
    try:
        present = await context.target.index_definition(context.plan.into)
    except NotFoundError:
        return
    if present.etag != deletion.etag:
        raise ConflictError(
            "its definition was changed since the restore began; it was not deleted",
            on=context.on,
            do="Look at what changed, then restore again with --discard-unfinished",
        )
    await context.resources.fence()
    await context.target.delete_index(context.plan.into, etag=deletion.etag)


async def _try_definition(context: RestoreContext, final: TargetDefinition) -> None:
    """Let the service judge the definition on an empty index beside the old one, and remove that again."""
    name = beside(context.plan.into, context.plan.started)
    trial = with_fields_shown(supplied(context.resources, context.plan.job, renamed(final, name)))
    try:
        await context.target.create_index(name, bytes(trial.body), preview=trial.preview)
    except ConflictError:
        if await context.target.count(name):
            raise
    present = await context.target.index_definition(name)
    await context.target.delete_index(name, etag=present.etag)


def _require_free(place: ResolvedName, context: RestoreContext) -> None:
    if place.kind != "absent":
        raise ConflictError(
            f"an {place.kind} of this name has come while the snapshot was verified; nothing was touched",
            on=context.on,
            do="Restore under another name",
        )


async def _same(context: RestoreContext, made: Made) -> Made:
    """Return the index that this run made or took, as it is now. Raises ConflictError unless it is still that one."""
    try:
        present = await context.target.index_definition(context.plan.into, preview=context.plan.definition.preview)
    except NotFoundError:
        present = None
    if present is not None and present.etag == made.etag:
        return made
    is_hiding = await context.records.read(HIDING, Hiding) is not None
    if present is None or not is_hiding or not same_when_shown(present.body, made.body):
        raise ConflictError(
            "it is gone, or its definition was changed, since this restore began",
            on=context.on,
            do="Look at what changed, then restore again with --discard-unfinished",
        )
    # Proved by every field and hidden right before it stopped. Readers may have it by now: it stays hidden.
    return msgspec.structs.replace(made, etag=present.etag, body=without_secrets(present.body))


async def _is_there(context: RestoreContext, entry: SynonymMap) -> bool:
    try:
        present = await context.target.synonym_map(entry.name)
    except NotFoundError:
        return False
    stored = VersionedDefinition(api_version=present.api_version, body=present.body)
    if not same_definition(stored, entry.definition.stable):
        raise ConflictError(
            "a synonym map of this name exists and says something else; nothing was touched",
            on=f"{context.target.name} synonym map {entry.name}",
            do="Rename or delete it, if nothing else uses it",
        )
    return True


async def _is_our_empty_index(context: RestoreContext, definition: TargetDefinition) -> bool:
    """Return whether an earlier attempt of this run made the index: it had said so, and the index is as it would be."""
    present = read_schema((await context.target.index_definition(context.plan.into)).body, on=context.on)
    names = [path for path, _field in present.walk()]
    wanted = [path for path, _field in read_schema(definition.body, on=context.on).walk()]
    return names == wanted and await context.target.count(context.plan.into) == 0


MAKE_TARGET = Activity("make_target", RestoreRun, TargetReady, make_target, lambda run: run.work)
