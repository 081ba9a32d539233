"""The facts that a preflight stands on, gathered from the target and the store without changing either."""

from collections.abc import Sequence

from engine.step import Resources
from errors import ErrorRecord, ForbiddenError, NotFoundError, UnauthorizedError
from restore.changes import schema_changes
from restore.definition import TargetDefinition, same_content, target_definition
from restore.facts import Facts
from restore.job import RestoreJob
from restore.place import Place, is_name
from restore.regions import Regions
from restore.secrets import supplied
from search.schema import read_schema
from search.service import SearchService
from settings.read import service_settings
from snapshots.manifest import Manifest, SynonymMap


async def survey(
    resources: Resources, job: RestoreJob, manifest: Manifest, store: str
) -> tuple[Facts, TargetDefinition]:
    """Give the facts about a restore, and the definition that its target would get, without its overlay's secrets.

    Raises the errors of a target that can't be reached, SettingsError for a patch that can't be applied.
    """
    settings = resources.connections.settings
    target = resources.connections.service(job.target_service)
    statistics = await target.service_statistics()
    place = await place_of(target, job.target_index)
    definition = target_definition(manifest.definition, job.target_index, job.patch)
    complete = supplied(resources, job, definition)
    source = read_schema((manifest.definition.preview or manifest.definition.stable).body, on=job.reference)
    wanted = read_schema(complete.body, on="the patched definition")
    present = None
    if job.mode in {"sync", "fill"} and place.index is not None:
        present = (await target.index_definition(place.index, preview=definition.preview)).body
    changes = schema_changes(source, wanted if present is None else read_schema(present, on=job.target_index))
    missing, differing = await _synonym_maps(target, manifest.synonym_maps)
    stays = job.in_place or job.mode in {"sync", "fill"}
    home = settings.services.get(job.service)
    facts = Facts(
        job=job,
        manifest=manifest,
        definition=complete.body,
        preview=definition.preview,
        schema=wanted,
        changes=changes,
        tier=service_settings(settings, job.target_service).tier,
        regions=Regions(
            source=home.region if home is not None else None,
            store=settings.stores[store].region if store in settings.stores else None,
            target=service_settings(settings, job.target_service).region,
        ),
        allow_cross_region=job.allow_cross_region or settings.allow_cross_region,
        denied=await _denied(target, job.target_index),
        place=place,
        alias_place=await place_of(target, job.alias) if job.alias is not None else None,
        present=present,
        statistics=statistics,
        missing_maps=missing if present is None else [],
        differing_maps=differing if present is None else [],
        knows_preview=not definition.preview or await target.knows_preview(),
        documents=len(job.keys) if job.keys else manifest.counts.documents,
        bytes=manifest.bytes,
        held=await target.index_statistics(place.index) if stays and place.index is not None else None,
    )
    return facts, definition


async def place_of(target: SearchService, name: str) -> Place:
    """Tell what a name stands for."""
    if not is_name(name):
        return Place("absent")
    alias = await target.alias(name)
    if alias is not None:
        return Place("alias", alias.index)
    return Place("index", name) if name in await target.index_names() else Place("absent")


async def _synonym_maps(target: SearchService, maps: Sequence[SynonymMap]) -> tuple[list[str], list[str]]:
    """Give the names of those that the target lacks, and of those that say something else there."""
    missing, differing = [], []
    for entry in maps:
        try:
            present = await target.synonym_map(entry.name)
        except NotFoundError:
            missing.append(entry.name)
            continue
        if not same_content(present.body, entry.definition.stable.body):
            differing.append(entry.name)
    return missing, differing


async def _denied(target: SearchService, index: str) -> ErrorRecord | None:
    try:
        await target.may_write_definitions()
        if is_name(index):
            await target.may_write_documents(index)
    except (UnauthorizedError, ForbiddenError) as error:
        return error.record()
    return None
