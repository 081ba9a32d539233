"""Read the definitions that belong to an index, as the service sends them, in two api-versions.

Values that look like secrets are removed as they are read, so that they reach no snapshot, record or report.
"""

from collections.abc import Awaitable, Callable, Iterable

from indexvault.errors import NotFoundError, RefusedError
from indexvault.search.client import SearchService
from indexvault.search.definitions import FetchedDefinition
from indexvault.search.secret_scan import withheld_members, without_secrets
from indexvault.search.transport import PREVIEW
from indexvault.snapshots.manifest import Definition, SynonymMap, VersionedDefinition, Withheld
from indexvault.suggestions import suggestion


async def read_index_definition(service: SearchService, index: str) -> tuple[Definition, str]:
    """Return an index's definition without secrets, and its ETag. Raises NotFoundError."""
    definition, etag = await read_whole_index_definition(service, index)
    return definition_without_secrets(definition), etag


async def read_whole_index_definition(service: SearchService, index: str) -> tuple[Definition, str]:
    """Return an index's definition with its secrets, to be sent back and stored nowhere else, and its ETag.

    Raises NotFoundError, naming the indexes of the service, or saying that the name is an alias: the alias could be
    pointed at another index while it is read.
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
        names = await service.index_names()
        raise NotFoundError(
            "there is no such index",
            on=f"{service.name} index {index}",
            do=f"Indexes of this service: {', '.join(names) or 'none'}{suggestion(index, names)}",
        ) from None


async def read_synonym_map(service: SearchService, name: str) -> SynonymMap:
    """Return a synonym map's definition without secrets. Raises NotFoundError."""

    async def read(*, preview: bool) -> FetchedDefinition:
        return await service.synonym_map(name, preview=preview)

    definition, _etag = await _both(read)
    return SynonymMap(name=name, definition=definition_without_secrets(definition))


def definition_without_secrets(definition: Definition) -> Definition:
    """Return a definition that may be stored: `<withheld>` replaces each value that looks like a secret."""
    return Definition(
        stable=_without_secrets(definition.stable),
        preview=_without_secrets(definition.preview) if definition.preview is not None else None,
    )


def withheld_from(kind: str, name: str, definition: Definition) -> list[Withheld]:
    """Return the members that were withheld from a definition, by their paths in either api-version."""
    paths = dict.fromkeys(path for version in definition.versions for path in withheld_members(version.body))
    return [Withheld(kind, name, path) for path in paths]


def withheld_from_index(index: str, definition: Definition, maps: Iterable[SynonymMap]) -> list[Withheld]:
    """Return the members that were withheld from an index's definition and from its synonym maps."""
    found = withheld_from("indexes", index, definition)
    for entry in maps:
        found += withheld_from("synonymmaps", entry.name, entry.definition)
    return found


def _without_secrets(version: VersionedDefinition) -> VersionedDefinition:
    return VersionedDefinition(api_version=version.api_version, body=without_secrets(version.body))


async def _both(read: Callable[..., Awaitable[FetchedDefinition]]) -> tuple[Definition, str]:
    """Read in the stable api-version, then in the preview version, which a service may not know yet.

    If the stable version refuses what was made with a newer one, there is only the preview's form.
    """
    stable = await read(preview=False)
    if stable.api_version == PREVIEW:
        return Definition(stable=_versioned(stable)), stable.etag
    try:
        preview = await read(preview=True)
    except RefusedError:
        return Definition(stable=_versioned(stable)), stable.etag
    return Definition(stable=_versioned(stable), preview=_versioned(preview)), stable.etag


def _versioned(definition: FetchedDefinition) -> VersionedDefinition:
    return VersionedDefinition(api_version=definition.api_version, body=definition.body)
