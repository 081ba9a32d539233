"""The definitions that belong to an index, as the service sent them, in two api-versions."""

from collections.abc import Awaitable, Callable

from errors import NotFoundError, RefusedError
from search.service import Definition as ReadDefinition
from search.service import SearchService
from snapshots.manifest import Definition, SynonymMap, VersionedDefinition


async def read_index_definition(service: SearchService, index: str) -> tuple[Definition, str]:
    """Give an index's definition and its ETag.

    Raises NotFoundError with the indexes there are, or saying that the name is an alias: reading through an alias
    could switch to another index half way.
    """

    async def read(*, preview: bool) -> ReadDefinition:
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
    """Give a synonym map's definition."""

    async def read(*, preview: bool) -> ReadDefinition:
        return await service.synonym_map(name, preview=preview)

    definition, _etag = await _both(read)
    return SynonymMap(name=name, definition=definition)


async def _both(read: Callable[..., Awaitable[ReadDefinition]]) -> tuple[Definition, str]:
    """Read with the stable api-version, then with the preview, which a service may not know yet."""
    stable = await read(preview=False)
    try:
        preview = await read(preview=True)
    except RefusedError:
        return Definition(stable=_versioned(stable)), stable.etag
    return Definition(stable=_versioned(stable), preview=_versioned(preview)), stable.etag


def _versioned(definition: ReadDefinition) -> VersionedDefinition:
    return VersionedDefinition(api_version=definition.api_version, body=definition.body)
