"""Gather the facts that the preflight checks of a restore are made on."""

from collections.abc import Sequence

import msgspec

from indexvault.errors import ErrorRecord, ForbiddenError, NotFoundError, UnauthorizedError
from indexvault.model import is_index_name
from indexvault.restore.definition import TargetDefinition, target_definition
from indexvault.restore.job import RestoreJob
from indexvault.restore.regions import Regions
from indexvault.restore.schema_changes import SchemaChanges, schema_changes
from indexvault.restore.secrets import completed_for
from indexvault.restore.target_name import ResolvedName
from indexvault.search.client import SearchService
from indexvault.search.definition_content import same_content
from indexvault.search.definitions import Alias
from indexvault.search.schema import Schema, read_schema
from indexvault.search.statistics import IndexStatistics, ServiceStatistics
from indexvault.settings.load import service_settings
from indexvault.settings.residency import residencies
from indexvault.snapshots.manifest import Manifest, SynonymMap
from indexvault.workflow.activity import Resources


class TargetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a restore and its target.

    `definition` is what the target would get, with its `schema`; `misdirected` are secrets of the overlay that it would
    send to another host than their own; `changes` lead from the snapshot's schema to the one that documents go into.
    `resolved` and `resolved_alias` are what the names stand for now. `present` is the definition of the existing index
    in modes sync and fill, `held` the statistics of the index that is written or replaced in place. `aliases` are those
    of the target, if an index is to be deleted. `missing_maps` and `differing_maps` are synonym maps that the
    definition names. `denied` is the target's error for a caller without the roles. `bytes` are uncompressed.
    """

    job: RestoreJob
    manifest: Manifest
    definition: msgspec.Raw
    misdirected: Sequence[str]
    preview: bool
    schema: Schema
    changes: SchemaChanges
    tier: str
    regions: Regions
    allow_cross_region: bool
    denied: ErrorRecord | None
    resolved: ResolvedName
    resolved_alias: ResolvedName | None
    present: msgspec.Raw | None
    statistics: ServiceStatistics
    missing_maps: Sequence[str]
    differing_maps: Sequence[str]
    knows_preview: bool
    documents: int
    bytes: int
    held: IndexStatistics | None
    aliases: Sequence[Alias] = ()


async def gather_facts(
    resources: Resources, job: RestoreJob, manifest: Manifest, store: str
) -> tuple[TargetFacts, TargetDefinition]:
    """Return the facts about a restore, and the definition for its target, without the overlay's secrets.

    Raises the errors of a target that can't be reached, SettingsError for a patch that can't be applied.
    """
    settings = resources.clients.settings
    target = resources.clients.service(job.target_service)
    statistics = await target.service_statistics()
    resolved = await resolve_name(target, job.target_index)
    definition = target_definition(manifest.definition, job.target_index, job.patch)
    complete = completed_for(resources, job, definition)
    source = read_schema(manifest.definition.fullest.body, on=job.reference)
    wanted = read_schema(complete.body, on="the patched definition")
    present = None
    if job.mode in {"sync", "fill"} and resolved.index is not None:
        present = (await target.index_definition(resolved.index, preview=definition.preview)).body
    changes = schema_changes(source, wanted if present is None else read_schema(present, on=job.target_index))
    missing, differing = await _synonym_maps(target, manifest.synonym_maps)
    stays = job.in_place or job.mode in {"sync", "fill"}
    home = settings.services.get(job.service)
    facts = TargetFacts(
        job=job,
        manifest=manifest,
        definition=complete.body,
        misdirected=complete.misdirected,
        preview=definition.preview,
        schema=wanted,
        changes=changes,
        tier=service_settings(settings, job.target_service).tier,
        regions=Regions(
            source=home.region if home is not None else None,
            store=settings.stores[store].region if store in settings.stores else None,
            target=service_settings(settings, job.target_service).region,
            kept=residencies(settings, job.service, job.index),
        ),
        allow_cross_region=job.allow_cross_region or settings.allow_cross_region,
        denied=await _denied(target, job.target_index),
        resolved=resolved,
        resolved_alias=await resolve_name(target, job.alias) if job.alias is not None else None,
        present=present,
        statistics=statistics,
        missing_maps=missing if present is None else [],
        differing_maps=differing if present is None else [],
        knows_preview=not definition.preview or await target.knows_preview(),
        documents=len(job.keys) if job.keys else manifest.counts.documents,
        bytes=manifest.bytes,
        aliases=await target.aliases() if job.in_place or job.delete_old else (),
        held=await target.index_statistics(resolved.index) if stays and resolved.index is not None else None,
    )
    return facts, definition


async def resolve_name(target: SearchService, name: str) -> ResolvedName:
    """Return what a name stands for on a service."""
    if not is_index_name(name):
        return ResolvedName("absent")
    alias = await target.alias(name)
    if alias is not None:
        return ResolvedName("alias", alias.index)
    return ResolvedName("index", name) if name in await target.index_names() else ResolvedName("absent")


async def _synonym_maps(target: SearchService, maps: Sequence[SynonymMap]) -> tuple[list[str], list[str]]:
    """Return the names of the maps that the target lacks, and of those that have other content there."""
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
        if is_index_name(index):
            await target.may_write_documents(index)
    except (UnauthorizedError, ForbiddenError) as error:
        return error.record()
    return None
