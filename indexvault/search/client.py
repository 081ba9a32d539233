"""A search service as indexvault uses it: few operations, raw bytes, typed errors."""

import random
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Self

import msgspec

from indexvault.errors import RefusedError
from indexvault.search.changes import ChangeRequests
from indexvault.search.credentials import audience
from indexvault.search.definitions import (
    Alias,
    FetchedDefinition,
    NamedDefinition,
    read_aliases,
    read_definition,
    read_definitions,
)
from indexvault.search.lists import list_pages
from indexvault.search.retry import RetryPolicy
from indexvault.search.statistics import IndexStatistics, ServiceStatistics
from indexvault.search.throttle import Throttle, ThrottleLimits, Timer
from indexvault.search.transport import PREVIEW, STABLE, Answer, Transport, decode_answer, segment

if TYPE_CHECKING:
    from azure.core.credentials import AzureKeyCredential  # the SDK is slow to load, so only when a client is opened
    from azure.core.credentials_async import AsyncTokenCredential

CONNECT_SECONDS = 15
READ_SECONDS = 90
READ_AT_ONCE = 256 * 1024
"""Bytes of an answer that are taken from the connection at once."""


class SearchService(ChangeRequests):
    """One search service.

    `name` is the service's name in the settings, `credential` a key or an Entra identity, whose tokens go to hosts of
    the service and to `token_host`; `throttle` limits how much the service is asked at once. Every method raises the
    errors below RemoteError, and NotFoundError if it names something that does not exist.
    """

    def __init__(
        self,
        name: str,
        endpoint: str,
        credential: "AzureKeyCredential | AsyncTokenCredential",
        *,
        rng: random.Random,
        retry: RetryPolicy | None = None,
        throttle: ThrottleLimits | None = None,
        timer: Timer | None = None,
        token_host: str | None = None,
    ) -> None:
        from azure.core.credentials import AzureKeyCredential  # noqa: PLC0415 - slow to load
        from azure.search.documents.indexes.aio import SearchIndexClient  # noqa: PLC0415 - slow to load

        from indexvault.search.connections import Connections  # noqa: PLC0415 - slow to load

        timer = timer or Timer()
        by_key = isinstance(credential, AzureKeyCredential)
        client = SearchIndexClient(
            endpoint,
            credential,
            **({} if by_key else {"audience": audience(endpoint, token_host=token_host)}),
            retry_total=0,
            permit_redirects=False,
            transport=Connections(
                connection_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                connection_data_block_size=READ_AT_ONCE,
            ),
        )
        self.by_key = by_key
        self._endpoint = endpoint
        super().__init__(
            name,
            Transport(
                name,
                client,
                by_key=by_key,
                retry=retry or RetryPolicy(),
                rng=rng,
                throttle=Throttle(throttle, timer),
                timer=timer,
            ),
        )

    async def __aenter__(self) -> Self:
        """Use the service within a block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def service_statistics(self, *, preview: bool = False) -> ServiceStatistics:
        """Return what the service holds and what its tier allows; counters lag by seconds to minutes.

        The preview api-version has more counters.
        """
        version = PREVIEW if preview else STABLE
        answer = await self._transport.send("GET", "servicestats", on="statistics", api_version=version)
        return decode_answer(answer, ServiceStatistics, on=f"{self.name} statistics")

    async def knows_preview(self) -> bool:
        """Return whether the service knows the preview api-version."""
        try:
            await self._transport.send("GET", "indexes", on="indexes", query="$select=name", api_version=PREVIEW)
        except RefusedError:
            return False
        return True

    async def index_names(self) -> list[str]:
        """Return the names of all indexes, sorted."""

        class Named(msgspec.Struct):
            name: str

        class Names(msgspec.Struct):
            value: list[Named]

        found: set[str] = set()
        async for answer in self._list("indexes", query="$select=name"):
            found.update(entry.name for entry in decode_answer(answer, Names, on=f"{self.name} indexes").value)
        return sorted(found)

    async def index_definition(self, index: str, *, preview: bool = False) -> FetchedDefinition:
        """Return an index's definition in the stable or the preview api-version."""
        return await self._definition(f"indexes('{segment(index)}')", f"index {index}", preview=preview)

    async def index_statistics(self, index: str) -> IndexStatistics:
        """Return the documents and bytes of an index as last counted. The numbers may lag by minutes."""
        answer = await self._transport.send("GET", f"indexes('{segment(index)}')/search.stats", on=f"index {index}")
        return decode_answer(answer, IndexStatistics, on=f"{self.name} index {index}")

    async def definitions(self, kind: str, *, preview: bool = False) -> list[NamedDefinition]:
        """Return all objects of a collection such as `skillsets`.

        Raises RefusedError or NotFoundError if the service has no such collection in that api-version.
        """
        found: dict[str, NamedDefinition] = {}
        async for answer in self._list(kind, api_version=PREVIEW if preview else STABLE, metadata="minimal"):
            found |= {each.name: each for each in read_definitions(answer, on=f"{self.name} {kind}")}
        return list(found.values())

    async def definition(self, kind: str, name: str, *, preview: bool = False) -> FetchedDefinition:
        """Return an object of a collection such as `skillsets`."""
        return await self._definition(f"{kind}('{segment(name)}')", f"{kind} {name}", preview=preview)

    async def synonym_map(self, name: str, *, preview: bool = False) -> FetchedDefinition:
        """Return a synonym map's definition."""
        return await self._definition(f"synonymmaps('{segment(name)}')", f"synonym map {name}", preview=preview)

    async def alias_target(self, name: str) -> str | None:
        """Return the index behind an alias, or None if there is no such alias."""
        alias = await self.alias(name)
        return alias.index if alias is not None else None

    async def aliases(self) -> list[Alias]:
        """Return all aliases, sorted by name."""
        found: dict[str, Alias] = {}
        async for answer in self._list("aliases", metadata="minimal"):
            found |= {alias.name: alias for alias in read_aliases(answer, on=f"{self.name} aliases")}
        return sorted(found.values(), key=lambda alias: alias.name)

    async def _definition(self, path: str, on: str, *, preview: bool) -> FetchedDefinition:
        version = PREVIEW if preview else STABLE
        answer = await self._transport.send("GET", path, on=on, api_version=version, metadata="minimal")
        return read_definition(answer, on=f"{self.name} {on}")

    def _list(
        self, kind: str, *, query: str = "", api_version: str = STABLE, metadata: str = "none"
    ) -> AsyncGenerator[Answer]:
        return list_pages(
            self._transport, self._endpoint, kind, on=kind, api_version=api_version, query=query, metadata=metadata
        )
