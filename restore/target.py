"""The index that documents go to: made, remade or, in modes sync and fill, taken as it is.

What is about to be done is written down before it is done, so that a later attempt knows its own work from another's.
"""

import msgspec

from engine.step import Progress, Resources, Step
from errors import ConflictError, NotFoundError
from restore.definition import (
    TargetDefinition,
    renamed,
    same_definition,
    same_when_shown,
    target_definition,
    with_fields_shown,
)
from restore.job import RestoreRun, TargetReady
from restore.place import Place
from restore.scene import Scene, beside, open_scene
from restore.secrets import missing_paths, supplied
from restore.survey import place_of
from restore.undertaking import HIDING, MADE, Hiding, Made
from search.schema import read_schema
from search.secret_scan import without_secrets
from snapshots.manifest import SynonymMap, VersionedDefinition

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
    scene = await open_scene(resources, run)
    made = await scene.records.read(MADE, Made)
    if made is not None:
        made = await _same(scene, made)
    elif scene.order.job.mode in {"sync", "fill"}:
        made = await _take(scene)
    else:
        made = await _create(scene)
    await scene.records.write(MADE, made)
    resources.report(Progress(stage="load", expected=scene.order.documents))
    return TargetReady(into=scene.order.into, synonym_maps=made.synonym_maps, notes=made.notes)


async def _take(scene: Scene) -> Made:
    """Take the existing index, with the snapshot's definition if that was asked for."""
    wanted = scene.order.definition
    present = await scene.target.index_definition(scene.order.into, preview=wanted.preview)
    if scene.order.job.update_definition:
        await scene.target.update_index(
            scene.order.into,
            bytes(supplied(scene.resources, scene.order.job, renamed(wanted, scene.order.into)).body),
            etag=present.etag,
            preview=wanted.preview,
        )
        present = await scene.target.index_definition(scene.order.into, preview=wanted.preview)
    hidden = [path for path, field in read_schema(present.body, on=scene.on).walk() if not field.is_readable]
    notes = [f"{path} is hidden in the target: documents were not compared by it" for path in hidden]
    return Made(etag=present.etag, body=without_secrets(present.body), synonym_maps=[], notes=notes)


async def _create(scene: Scene) -> Made:
    final = renamed(scene.order.definition, scene.order.into)
    begun = await scene.records.read(_INTENTION, _Intention) is not None
    missing = [entry for entry in scene.manifest.synonym_maps if not await _is_there(scene, entry)]
    if not begun:
        if scene.order.job.in_place:
            await _delete_old(scene, final)
        _require_free(await place_of(scene.target, scene.order.into), scene)
        await scene.records.write(_INTENTION, _Intention(index=scene.order.into))
    for entry in missing:
        definition = target_definition(entry.definition, entry.name)
        await scene.target.create_synonym_map(entry.name, bytes(definition.body), preview=definition.preview)
    loading = with_fields_shown(supplied(scene.resources, scene.order.job, final))
    try:
        await scene.target.create_index(scene.order.into, bytes(loading.body), preview=loading.preview)
    except ConflictError:
        if not begun or not await _is_our_empty_index(scene, loading):
            raise
    present = await scene.target.index_definition(scene.order.into, preview=loading.preview)
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


async def _delete_old(scene: Scene, final: TargetDefinition) -> None:
    """Delete the index that is replaced in place, after the service has taken the new definition under another name."""
    deletion = await scene.records.read(_DELETION, _Deletion)
    if deletion is None:
        await _try_definition(scene, final)
        deletion = _Deletion(index=scene.order.into, etag=scene.order.old_etag or "")
        await scene.records.write(_DELETION, deletion)
    try:
        present = await scene.target.index_definition(scene.order.into)
    except NotFoundError:
        return
    if present.etag != deletion.etag:
        raise ConflictError(
            "its definition was changed since the restore began; it was not deleted",
            on=scene.on,
            do="Look at what changed, then restore again with --discard-unfinished",
        )
    await scene.resources.fence()
    await scene.target.delete_index(scene.order.into, etag=deletion.etag)


async def _try_definition(scene: Scene, final: TargetDefinition) -> None:
    """Let the service judge the definition on an empty index beside the old one, and remove that again."""
    name = beside(scene.order.into, scene.order.started)
    trial = with_fields_shown(supplied(scene.resources, scene.order.job, renamed(final, name)))
    try:
        await scene.target.create_index(name, bytes(trial.body), preview=trial.preview)
    except ConflictError:
        if await scene.target.count(name):
            raise
    present = await scene.target.index_definition(name)
    await scene.target.delete_index(name, etag=present.etag)


def _require_free(place: Place, scene: Scene) -> None:
    if place.kind != "absent":
        raise ConflictError(
            f"an {place.kind} of this name has come while the snapshot was verified; nothing was touched",
            on=scene.on,
            do="Restore under another name",
        )


async def _same(scene: Scene, made: Made) -> Made:
    """Give the index that this run made or took, as it is now. Raises ConflictError unless it is still that one."""
    try:
        present = await scene.target.index_definition(scene.order.into, preview=scene.order.definition.preview)
    except NotFoundError:
        present = None
    if present is not None and present.etag == made.etag:
        return made
    is_hiding = await scene.records.read(HIDING, Hiding) is not None
    if present is None or not is_hiding or not same_when_shown(present.body, made.body):
        raise ConflictError(
            "it is gone, or its definition was changed, since this restore began",
            on=scene.on,
            do="Look at what changed, then restore again with --discard-unfinished",
        )
    # Proved by every field and hidden right before it stopped. Readers may have it by now: it stays hidden.
    return msgspec.structs.replace(made, etag=present.etag, body=without_secrets(present.body))


async def _is_there(scene: Scene, entry: SynonymMap) -> bool:
    try:
        present = await scene.target.synonym_map(entry.name)
    except NotFoundError:
        return False
    stored = VersionedDefinition(api_version=present.api_version, body=present.body)
    if not same_definition(stored, entry.definition.stable):
        raise ConflictError(
            "a synonym map of this name exists and says something else; nothing was touched",
            on=f"{scene.target.name} synonym map {entry.name}",
            do="Rename or delete it, if nothing else uses it",
        )
    return True


async def _is_our_empty_index(scene: Scene, definition: TargetDefinition) -> bool:
    """Tell whether an earlier attempt of this run made the index: it had said so, and the index is as it would be."""
    present = read_schema((await scene.target.index_definition(scene.order.into)).body, on=scene.on)
    names = [path for path, _field in present.walk()]
    wanted = [path for path, _field in read_schema(definition.body, on=scene.on).walk()]
    return names == wanted and await scene.target.count(scene.order.into) == 0


MAKE_TARGET = Step("make_target", RestoreRun, TargetReady, make_target, lambda run: run.work)
