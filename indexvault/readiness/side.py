"""Read what one service of a pair and its store tell, within a time limit."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from indexvault.clients import Clients
from indexvault.errors import ForbiddenError, IndexvaultError, NotFoundError, RefusedError, UnauthorizedError
from indexvault.readiness.facts import IndexSize, SideFacts
from indexvault.readiness.management import Resource, cloud_of, read_resource
from indexvault.recovery.pair_role import in_time
from indexvault.search.client import SearchService
from indexvault.search.definitions import NamedDefinition
from indexvault.search.statistics import ServiceStatistics
from indexvault.settings.model import PairSettings, ServiceSettings
from indexvault.settings.patterns import select

SECONDS = 15.0
"""How long one service or store may take, with all that it is asked."""
AT_ONCE = 8
_LOG = logging.getLogger(__name__)
KINDS = ("synonymmaps", "aliases", "datasources", "skillsets", "indexers")
_NO_INDEX = "no-index-of-this-name"

type AskManagement = Callable[[Clients, ServiceSettings], Awaitable[Resource]]
"""Asks Azure Resource Manager for a service; raises IndexvaultError, also where nobody is to be asked."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of a service, with its definitions by kind and name; `indexes` are those of the pair."""

    facts: SideFacts
    definitions: Mapping[str, Mapping[str, NamedDefinition]] | None = field(default=None, repr=False)


async def ask_management(clients: Clients, service: ServiceSettings) -> Resource:
    """Ask Azure Resource Manager with the identity that asks the search service for nothing else."""
    return await read_resource(service, clients.identity(cloud_of(service).authority))


async def read_side(clients: Clients, pair: PairSettings, name: str, management: AskManagement) -> Held:
    """Return what is known of a service of a pair. What fails is in the facts."""
    settings = clients.settings.services[name]
    store = clients.settings.stores[settings.store]
    asked, told, store_unread = await asyncio.gather(
        _words(_service(clients, pair, name), f"service {name}"),
        _management(clients, settings, management),
        _store(clients, settings.store),
    )
    answered = asked if isinstance(asked, _Answers) else None
    resource, untold = told
    facts = SideFacts(
        service=name,
        region=settings.region,
        tier=settings.tier,
        replicas=settings.replicas,
        store=settings.store,
        store_region=store.region,
        resource=resource,
        untold=untold,
        unread="" if answered is not None else str(asked),
        store_unread=store_unread,
        statistics=answered.statistics if answered else None,
        may_write=answered.may_write if answered else None,
        sizes=answered.sizes if answered else None,
        objects=None
        if answered is None
        else {kind: frozenset(found) for kind, found in answered.definitions.items() if kind in KINDS},
    )
    return Held(facts, None if answered is None else answered.definitions)


@dataclass(frozen=True, slots=True)
class _Answers:
    statistics: ServiceStatistics
    may_write: bool
    sizes: dict[str, IndexSize]
    definitions: dict[str, dict[str, NamedDefinition]]


async def _service(clients: Clients, pair: PairSettings, name: str) -> _Answers:
    service = clients.service(name)
    # One request first: a service that is down is asked for nothing else.
    statistics = await service.service_statistics()
    room = asyncio.Semaphore(AT_ONCE)

    async def of_kind(kind: str) -> dict[str, NamedDefinition]:
        async with room:
            return await _definitions(service, kind)

    kinds = ("indexes", *KINDS)
    found = dict(zip(kinds, await asyncio.gather(*map(of_kind, kinds)), strict=True))
    found["indexes"] = {index: found["indexes"][index] for index in select(list(found["indexes"]), pair.indexes).found}

    async def size(index: str) -> IndexSize:
        async with room:
            told = await service.index_statistics(index)
        return IndexSize(documents=told.document_count, storage=told.storage_size, vectors=told.vector_index_size)

    names = list(found["indexes"])
    sizes = dict(zip(names, await asyncio.gather(*map(size, names)), strict=True))
    return _Answers(statistics, await _may_write(service, names), sizes, found)


async def _definitions(service: SearchService, kind: str) -> dict[str, NamedDefinition]:
    try:
        return {each.name: each for each in await service.definitions(kind)}
    except (RefusedError, NotFoundError):  # the tier or version has no such collection
        return {}


async def _may_write(service: SearchService, indexes: list[str]) -> bool:
    """Return whether this caller may restore to a service, by requests that can change nothing."""
    try:
        await service.may_write_definitions()
        await service.may_write_documents(indexes[0] if indexes else _NO_INDEX)
    except (ForbiddenError, UnauthorizedError):
        return False
    return True


async def _store(clients: Clients, name: str) -> str:
    """Return why a store can't be read, or an empty text."""

    async def read() -> None:
        async for _folder in clients.store(name).snapshots.folders(""):
            break
        async for _blob in clients.store(name).runs.list("pairs/"):
            break

    found = await _words(read(), f"store {name}")
    return found if isinstance(found, str) else ""


async def _management(
    clients: Clients, settings: ServiceSettings, management: AskManagement
) -> tuple[Resource | None, str]:
    """Return what Azure Resource Manager tells, or in words why it tells nothing."""
    if settings.resource_id is None:
        return None, "the settings have no resource_id"
    found = await _words(management(clients, settings), "Azure Resource Manager")
    return (None, found) if isinstance(found, str) else (found, "")


async def _words[Answer](asking: Awaitable[Answer], on: str) -> Answer | str:
    """Return an answer, or in words why there is none."""
    try:
        return await in_time(asking, on=on, seconds=SECONDS)
    except IndexvaultError as error:
        return error.what if error.on == on else f"{error.on}: {error.what}"
    except Exception:  # noqa: BLE001 - whatever it is, it must not hide the rest
        _LOG.exception("%s failed unexpectedly", on)
        return "it failed unexpectedly; the log says more"
