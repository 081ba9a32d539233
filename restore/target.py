"""The target index and the synonym maps it names: free to be made, then made."""

import msgspec

from engine.checkpoints import Checkpoints
from errors import ConflictError, NotFoundError
from restore.definition import holds_redacted_secrets, same_definition, target_definition
from restore.job import RestoreJob
from search.schema import read_schema
from search.service import SearchService
from snapshots.manifest import Manifest, SynonymMap, VersionedDefinition

_INTENTION = "target"


class _Intention(msgspec.Struct, frozen=True):
    """That this run is about to create the index, which was not there when this was written."""

    service: str
    index: str


class TargetMade(msgspec.Struct, frozen=True):
    """What was made besides the index, and what the operator should know."""

    synonym_maps: list[str]
    notes: list[str]


async def require_free(service: SearchService, job: RestoreJob, checkpoints: Checkpoints) -> None:
    """Raise ConflictError if an index or alias has the target's name, unless this run has begun to make it."""
    if await checkpoints.read(_INTENTION, _Intention) is not None:
        return
    on = f"{service.name} index {job.target_index}"
    if job.target_index in await service.index_names():
        raise ConflictError(
            "an index of this name exists; nothing was touched",
            on=on,
            do=f"Restore under another name (--to {service.name}/NAME), or delete the index first",
        )
    if await service.alias_target(job.target_index) is not None:
        raise ConflictError(
            "an alias has this name; nothing was touched", on=on, do=f"Restore as --to {service.name}/NAME"
        )


async def make_target(
    service: SearchService, job: RestoreJob, manifest: Manifest, checkpoints: Checkpoints
) -> TargetMade:
    """Create the synonym maps, then the index. Raises ConflictError if a map of the same name says something else."""
    begun = await checkpoints.read(_INTENTION, _Intention) is not None
    missing = [entry for entry in manifest.synonym_maps if not await _is_there(service, entry)]
    if not begun:
        await require_free(service, job, checkpoints)
        await checkpoints.write(_INTENTION, _Intention(service=service.name, index=job.target_index))
    for entry in missing:
        definition = target_definition(entry.definition, entry.name)
        await service.create_synonym_map(entry.name, definition.body, preview=definition.preview)
    definition = target_definition(manifest.definition, job.target_index)
    try:
        await service.create_index(job.target_index, definition.body, preview=definition.preview)
    except ConflictError:
        if not begun or not await _is_our_empty_index(service, job, definition.body):
            raise
    notes = []
    if holds_redacted_secrets(definition.body):
        notes.append("secrets in the definition are not part of a snapshot: set them again on the restored index")
    return TargetMade(synonym_maps=[entry.name for entry in missing], notes=notes)


async def _is_there(service: SearchService, entry: SynonymMap) -> bool:
    try:
        present = await service.synonym_map(entry.name)
    except NotFoundError:
        return False
    stored = VersionedDefinition(api_version=present.api_version, body=present.body)
    if not same_definition(stored, entry.definition.stable):
        raise ConflictError(
            "a synonym map of this name exists and says something else; nothing was touched",
            on=f"{service.name} synonym map {entry.name}",
            do="Rename or delete it, if nothing else uses it",
        )
    return True


async def _is_our_empty_index(service: SearchService, job: RestoreJob, body: bytes) -> bool:
    """Tell whether an earlier attempt of this run made the index: it had said so, and the index is as it would be."""
    on = f"{service.name} index {job.target_index}"
    present = read_schema((await service.index_definition(job.target_index)).body, on=on)
    wanted = read_schema(body, on=on)
    names = [path for path, _field in present.walk()]
    return names == [path for path, _field in wanted.walk()] and await service.count(job.target_index) == 0
