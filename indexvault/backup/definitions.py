"""The definitions that belong to an index, as the service sent them, in two api-versions.

What looks like a secret is taken out as they are read, so that it reaches no snapshot, no record and no report.
"""

from collections.abc import Awaitable, Callable, Iterable

from indexvault.errors import NotFoundError, RefusedError
from indexvault.search.client import FetchedDefinition, SearchService
from indexvault.search.secret_scan import withheld_members, without_secrets
from indexvault.snapshots.manifest import Definition, SynonymMap, VersionedDefinition, Withheld


async def read_index_definition(service: SearchService, index: str) -> tuple[Definition, str]:
    """Return an index's definition without secrets, and its ETag. Raises NotFoundError."""
    definition, etag = await read_whole_index_definition(service, index)
    return kept(definition), etag


async def read_whole_index_definition(service: SearchService, index: str) -> tuple[Definition, str]:
    """Return an index's definition with all that is in it, to be sent back and written nowhere else, and its ETag.

    Raises NotFoundError with the indexes there are, or saying that the name is an alias: reading through an alias
    could switch to another index half way.
    """

    async def read(*, preview: bool) -> FetchedDefinition:
        return await service.index_definition(index, preview=preview)

    try:
        return await _both(read)
    except NotFoundError:
        target = await service.alias_target(index)
        if target is not None:
            raise NotFoundError(
                "this is an alias, not an index", on=f"{service.name} index {index}", do=f"Name the index: {target}"
            ) from None
        names = ", ".join(await service.index_names()) or "none"
        raise NotFoundError(
            "there is no such index", on=f"{service.name} index {index}", do=f"Indexes of this service: {names}"
        ) from None


async def read_synonym_map(service: SearchService, name: str) -> SynonymMap:
    """Return a synonym map's definition."""

    async def read(*, preview: bool) -> FetchedDefinition:
        return await service.synonym_map(name, preview=preview)

    definition, _etag = await _both(read)
    return SynonymMap(name=name, definition=kept(definition))


def kept(definition: Definition) -> Definition:
    """Return a definition as it may be written down: `<withheld>` stands for each value that looks like a secret."""
    return Definition(
        stable=_without_secrets(definition.stable),
        preview=_without_secrets(definition.preview) if definition.preview is not None else None,
    )


def withheld_from(kind: str, name: str, definition: Definition) -> list[Withheld]:
    """Return what was taken out of a definition that was kept, by its paths in either api-version."""
    paths = dict.fromkeys(path for version in definition.versions for path in withheld_members(version.body))
    return [Withheld(kind, name, path) for path in paths]


def withheld_from_index(index: str, definition: Definition, maps: Iterable[SynonymMap]) -> list[Withheld]:
    """Return what was taken out of an index's definition and out of the synonym maps that it names."""
    found = withheld_from("indexes", index, definition)
    for entry in maps:
        found += withheld_from("synonymmaps", entry.name, entry.definition)
    return found


def _without_secrets(version: VersionedDefinition) -> VersionedDefinition:
    return VersionedDefinition(api_version=version.api_version, body=without_secrets(version.body))


async def _both(read: Callable[..., Awaitable[FetchedDefinition]]) -> tuple[Definition, str]:
    """Read with the stable api-version, then with the preview, which a service may not know yet."""
    stable = await read(preview=False)
    try:
        preview = await read(preview=True)
    except RefusedError:
        return Definition(stable=_versioned(stable)), stable.etag
    return Definition(stable=_versioned(stable), preview=_versioned(preview)), stable.etag


def _versioned(definition: FetchedDefinition) -> VersionedDefinition:
    return VersionedDefinition(api_version=definition.api_version, body=definition.body)
