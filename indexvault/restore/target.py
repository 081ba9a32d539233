"""Create the index that documents go to, or in modes sync and fill take the existing one.

Each intention is written down before it is carried out, so that a later attempt knows this run's work from another's.
"""

import logging

import msgspec

from indexvault.errors import ConflictError, IndexvaultError, NotFoundError
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
from indexvault.restore.replaced_index import require_replaced_index
from indexvault.restore.secrets import missing_paths, supplied
from indexvault.restore.state import HIDING, PLAN, TARGET_INDEX, Hiding, RestorePlan, TargetIndex
from indexvault.restore.target_facts import resolve_name
from indexvault.restore.target_name import ResolvedName, describe
from indexvault.search.definition_content import is_creation_of, same_content
from indexvault.search.schema import read_schema
from indexvault.search.secret_scan import without_secrets
from indexvault.snapshots.manifest import SynonymMap, VersionedDefinition
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.payload_size import listed
from indexvault.workflow.resume import altered, digest_of

_LOG = logging.getLogger(__name__)
_INTENTION, _DELETION, _TRIAL = "target", "deletion", "trial"


class _Intention(msgspec.Struct, frozen=True):
    """This run is about to create the index, which did not exist when this was written."""

    index: str


class _Trial(msgspec.Struct, frozen=True):
    """This run is about to create this empty index to try the definition; the name was free when this was written."""

    index: str


class _Deletion(msgspec.Struct, frozen=True):
    """This run is about to delete the index it replaces, if that still has this ETag."""

    index: str
    etag: str


async def make_target(resources: Resources, run: RestoreRun) -> TargetReady:
    """Create the index that is written, or take the existing one, and note it as the service returns it.

    Raises ConflictError if another index has taken its name, or the index has changed since this restore began.
    """
    context = await open_context(resources, run)
    index = await context.records.read(TARGET_INDEX, TargetIndex)
    if index is not None:
        index = await _same(context, index)
    elif context.plan.job.mode in {"sync", "fill"}:
        index = await _take(context)
    else:
        index = await _create(context)
    await context.records.write(TARGET_INDEX, index)
    resources.report(ProgressUpdate(stage="load", expected=context.plan.documents))
    return TargetReady(
        written_index=context.plan.written_index,
        digest=digest_of(index),
        synonym_maps=index.synonym_maps,
        notes=listed(index.notes, "see the definition"),
    )


async def _take(context: RestoreContext) -> TargetIndex:
    """Take the existing index, updated to the snapshot's definition if that was asked for."""
    wanted = context.plan.definition
    present = await context.target.index_definition(context.plan.written_index, preview=wanted.preview)
    if context.plan.job.update_definition:
        await context.target.update_index(
            context.plan.written_index,
            bytes(supplied(context.resources, context.plan.job, renamed(wanted, context.plan.written_index)).body),
            before=present,
            preview=wanted.preview,
        )
        present = await context.target.index_definition(context.plan.written_index, preview=wanted.preview)
    hidden = [path for path, field in read_schema(present.body, on=context.on).walk() if not field.is_readable]
    notes = [f"{path} is hidden in the target: documents were not compared by it" for path in hidden]
    return TargetIndex(etag=present.etag, body=without_secrets(present.body), synonym_maps=[], notes=notes)


async def _create(context: RestoreContext) -> TargetIndex:
    final = renamed(context.plan.definition, context.plan.written_index)
    was_begun = await context.records.read(_INTENTION, _Intention) is not None
    manifest = await context.manifest()
    missing = [entry for entry in manifest.synonym_maps if not await _has_synonym_map(context, entry)]
    if not was_begun:
        if context.plan.job.in_place:
            await _delete_old(context, final)
        _require_free(await resolve_name(context.target, context.plan.written_index), context)
        await context.records.write(_INTENTION, _Intention(index=context.plan.written_index))
    for entry in missing:
        definition = target_definition(entry.definition, entry.name)
        await context.target.create_synonym_map(entry.name, bytes(definition.body), preview=definition.preview)
    loading = with_fields_shown(supplied(context.resources, context.plan.job, final))
    try:
        await context.target.create_index(context.plan.written_index, bytes(loading.body), preview=loading.preview)
    except ConflictError:
        if not was_begun or not await _is_our_empty_index(context, context.plan.written_index, loading):
            raise
    present = await context.target.index_definition(context.plan.written_index, preview=loading.preview)
    return TargetIndex(
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
    """Delete the index that is replaced in place, once the service has accepted the definition under another name.

    Raises ConflictError if its definition or the number of its documents has changed since the plan was made. A
    document that was overwritten since shows in neither.
    """
    deletion = await context.records.read(_DELETION, _Deletion)
    if deletion is None:
        await _try_definition(context, final)
        deletion = _Deletion(index=context.plan.written_index, etag=context.plan.old_etag or "")
        await context.records.write(_DELETION, deletion)
    try:
        present = await context.target.index_definition(context.plan.written_index)
    except NotFoundError:
        return
    again = "Back it up again if it holds what matters, then restore again with --discard-unfinished"
    await require_replaced_index(context.target, context.plan, present, again)
    await context.resources.fence()
    await context.target.delete_index(context.plan.written_index, before=present)


async def _try_definition(context: RestoreContext, final: TargetDefinition) -> None:
    """Create an empty index with the definition beside the old one, and delete it: the service validates it so.

    Raises ConflictError if an index of that name is not this run's.
    """
    name = beside(context.plan.written_index, context.plan.started)
    trial = with_fields_shown(supplied(context.resources, context.plan.job, renamed(final, name)))
    was_begun = await context.records.read(_TRIAL, _Trial) is not None
    if not was_begun:
        resolved = await resolve_name(context.target, name)
        if resolved.kind != "absent":
            raise ConflictError(
                f"the name is needed to try the definition, and is {describe(resolved)}; nothing was touched",
                on=f"{context.target.name} index {name}",
                do="Restore again with --discard-unfinished: it takes another name",
            )
        await context.records.write(_TRIAL, _Trial(index=name))
    try:
        await context.target.create_index(name, bytes(trial.body), preview=trial.preview)
    except ConflictError:
        if not was_begun or not await _is_our_empty_index(context, name, trial):
            raise
    present = await context.target.index_definition(name)
    await context.target.delete_index(name, before=present)


async def discard_trial(resources: Resources, service: str, records: str) -> None:
    """Remove the empty index in which a discarded run tried its definition, if it is as that run has made it.

    One that can't be compared or removed is logged, and stays.
    """
    checkpoints = Checkpoints(resources.clients.store_of(service).runs, records)
    try:
        trial, plan = await checkpoints.read(_TRIAL, _Trial), await checkpoints.read(PLAN, RestorePlan)
        if trial is None or plan is None or trial.index != beside(plan.written_index, plan.started):
            return
        target = resources.clients.service(service)
        wanted = with_fields_shown(supplied(resources, plan.job, renamed(plan.definition, trial.index)))
        present = await target.index_definition(trial.index, preview=wanted.preview)
        if is_creation_of(present.body, wanted.body) and await target.count(trial.index) == 0:
            await target.delete_index(trial.index, before=present)
    except NotFoundError:
        return
    except IndexvaultError as error:
        _LOG.warning("the index that run %s tried its definition in may be left: %s", records, error)


def _require_free(resolved: ResolvedName, context: RestoreContext) -> None:
    if resolved.kind != "absent":
        raise ConflictError(
            f"an {resolved.kind} of this name was created while the snapshot was verified; nothing was touched",
            on=context.on,
            do="Restore under another name",
        )


async def _same(context: RestoreContext, index: TargetIndex) -> TargetIndex:
    """Return the index that this run created or took, as it is now. Raises ConflictError if it has changed."""
    try:
        present = await context.target.index_definition(
            context.plan.written_index, preview=context.plan.definition.preview
        )
    except NotFoundError:
        present = None
    if present is not None and context.plan.job.mode in {"create", "replace"}:
        _require_planned_fields(context, present.body)
    if present is not None and (present.etag == index.etag or same_content(present.body, index.body)):
        return msgspec.structs.replace(index, etag=present.etag, body=without_secrets(present.body))
    is_hiding = await context.records.read(HIDING, Hiding) is not None
    if present is None or not is_hiding or not same_when_shown(present.body, index.body):
        raise ConflictError(
            "it is gone, or its definition was changed, since this restore began",
            on=context.on,
            do="Look at what changed, then restore again with --discard-unfinished",
        )
    # It was proved by every field, and its fields were hidden before the run stopped. Readers may use it: they stay so.
    return msgspec.structs.replace(index, etag=present.etag, body=without_secrets(present.body))


def _require_planned_fields(context: RestoreContext, present: msgspec.Raw) -> None:
    """Raise IntegrityError if the index that a record names has other fields than the plan's definition."""
    shapes = [
        [(path, field.type, field.dimensions, field.key) for path, field in read_schema(body, on=context.on).walk()]
        for body in (present, context.plan.definition.body)
    ]
    if shapes[0] != shapes[1]:
        raise altered("the index that is to be written has other fields than this restore gives it", context.on)


async def _has_synonym_map(context: RestoreContext, entry: SynonymMap) -> bool:
    """Return whether the target has a synonym map. Raises ConflictError if it has another one of that name."""
    try:
        present = await context.target.synonym_map(entry.name)
    except NotFoundError:
        return False
    stored = VersionedDefinition(api_version=present.api_version, body=present.body)
    if not same_definition(stored, entry.definition.stable):
        raise ConflictError(
            "a synonym map of this name exists and differs; nothing was touched",
            on=f"{context.target.name} synonym map {entry.name}",
            do="Rename or delete it, if nothing else uses it",
        )
    return True


async def _is_our_empty_index(context: RestoreContext, index: str, definition: TargetDefinition) -> bool:
    """Return whether an earlier attempt of this run created an index: it has the definition and no documents."""
    present = await context.target.index_definition(index, preview=definition.preview)
    return is_creation_of(present.body, definition.body) and await context.target.count(index) == 0


MAKE_TARGET = Activity("make_target", RestoreRun, TargetReady, make_target, lambda run: run.work)
