"""A search service, as indexvault uses it: few operations, raw bytes, typed errors."""

import contextlib
import random
from typing import Self

import msgspec
from azure.core.credentials import AzureKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.search.documents.indexes.aio import SearchIndexClient

from indexvault.errors import ConflictError, NotFoundError, RefusedError, UnexpectedAnswerError
from indexvault.search.batch import BatchAnswer, read_batch_answer
from indexvault.search.credentials import audience
from indexvault.search.errors import without_quoted_values
from indexvault.search.page import Page, PageReader, document_line
from indexvault.search.query import DocumentQuery, encode_query
from indexvault.search.retry import RetryPolicy
from indexvault.search.statistics import IndexStatistics, ServiceStatistics
from indexvault.search.throttle import Throttle, ThrottleLimits, Timer
from indexvault.search.transport import PREVIEW, STABLE, Answer, Transport, segment

CONNECT_SECONDS = 15
READ_SECONDS = 90
ELEVATED = {"x-ms-enable-elevated-read": "true"}
"""Asks for documents whatever their access lists say. Source: document-level access control, 2026-09."""


class FetchedDefinition(msgspec.Struct, frozen=True):
    """A definition as the service sent it, with its ETag."""

    api_version: str
    body: msgspec.Raw
    etag: str


class NamedDefinition(msgspec.Struct, frozen=True):
    """One object of a service's collection, as the service sent it."""

    name: str
    api_version: str
    body: msgspec.Raw


class Alias(msgspec.Struct, frozen=True):
    """An alias, the indexes behind it (the service allows one), and its ETag."""

    name: str
    indexes: tuple[str, ...]
    etag: str

    @property
    def index(self) -> str | None:
        """The index behind it."""
        return self.indexes[0] if self.indexes else None


class _Alias(msgspec.Struct):
    name: str
    indexes: list[str]
    etag: str = msgspec.field(default="", name="@odata.etag")


class SearchService:
    """One search service.

    `name` is the service's name in the settings, `credential` a key or an Entra identity; `throttle` limits what the
    service is asked at once. Every method raises the errors below RemoteError; NotFoundError where it names something
    that does not exist.
    """

    def __init__(
        self,
        name: str,
        endpoint: str,
        credential: AzureKeyCredential | AsyncTokenCredential,
        *,
        rng: random.Random,
        retry: RetryPolicy | None = None,
        throttle: ThrottleLimits | None = None,
        timer: Timer | None = None,
    ) -> None:
        timer = timer or Timer()
        by_key = isinstance(credential, AzureKeyCredential)
        client = SearchIndexClient(
            endpoint,
            credential,
            **({} if by_key else {"audience": audience(endpoint)}),
            retry_total=0,
            permit_redirects=False,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
        )
        self.name = name
        self.by_key = by_key
        self._transport = Transport(
            name,
            client,
            by_key=by_key,
            retry=retry or RetryPolicy(),
            rng=rng,
            throttle=Throttle(throttle, timer),
            timer=timer,
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

    async def service_statistics(self) -> ServiceStatistics:
        """Return what the service holds and what its tier allows."""
        answer = await self._transport.send("GET", "servicestats", on="statistics")
        return _read(answer, ServiceStatistics, f"{self.name} statistics")

    async def index_names(self) -> list[str]:
        """Return the names of all indexes, sorted."""
        return await self._names("indexes", "indexes")

    async def definitions(self, kind: str, *, preview: bool = False) -> list[NamedDefinition]:
        """Return all objects of a collection such as `skillsets`.

        Raises RefusedError or NotFoundError if the service has no such collection in that api-version.
        """

        class Listed(msgspec.Struct):
            value: list[msgspec.Raw]

        class Named(msgspec.Struct):
            name: str

        version = PREVIEW if preview else STABLE
        answer = await self._transport.send("GET", kind, on=kind, api_version=version, metadata="minimal")
        return [
            NamedDefinition(
                name=msgspec.json.decode(raw, type=Named).name, api_version=version, body=msgspec.Raw(bytes(raw))
            )
            for raw in _read(answer, Listed, f"{self.name} {kind}").value
        ]

    async def definition(self, kind: str, name: str, *, preview: bool = False) -> FetchedDefinition:
        """Return an object of a collection such as `skillsets`."""
        return await self._definition(f"{kind}('{segment(name)}')", f"{kind} {name}", preview=preview)

    async def create_definition(self, kind: str, name: str, definition: bytes, *, preview: bool) -> None:
        """Create an object of a collection that must not exist. Raises ConflictError if it does."""
        await self._create(f"{kind}('{segment(name)}')", definition, f"{kind} {name}", preview=preview)

    async def index_definition(self, index: str, *, preview: bool = False) -> FetchedDefinition:
        """Return an index's definition, as a stable or the preview api-version tells it."""
        return await self._definition(f"indexes('{segment(index)}')", f"index {index}", preview=preview)

    async def index_statistics(self, index: str) -> IndexStatistics:
        """Return the documents and bytes of an index as last counted; it may lag by minutes."""
        answer = await self._transport.send("GET", f"indexes('{segment(index)}')/search.stats", on=f"index {index}")
        return _read(answer, IndexStatistics, f"{self.name} index {index}")

    async def create_index(self, index: str, definition: bytes, *, preview: bool) -> None:
        """Create an index that must not exist. Raises ConflictError if it does."""
        await self._create(f"indexes('{segment(index)}')", definition, f"index {index}", preview=preview)

    async def alias_target(self, name: str) -> str | None:
        """Return the index behind an alias, or None if there is no such alias."""
        alias = await self.alias(name)
        return alias.index if alias is not None else None

    async def alias(self, name: str) -> Alias | None:
        """Return an alias, or None if there is no such alias."""
        on = f"alias {name}"
        try:
            answer = await self._transport.send("GET", f"aliases('{segment(name)}')", on=on, metadata="minimal")
        except NotFoundError:
            return None
        read = _read(answer, _Alias, f"{self.name} {on}")
        return Alias(name=read.name, indexes=tuple(read.indexes), etag=read.etag or answer.headers.get("etag", ""))

    async def aliases(self) -> list[Alias]:
        """Return all aliases, by name."""

        class Aliases(msgspec.Struct):
            value: list[_Alias]

        answer = await self._transport.send("GET", "aliases", on="aliases", metadata="minimal")
        found = _read(answer, Aliases, f"{self.name} aliases").value
        return sorted(
            (Alias(name=each.name, indexes=tuple(each.indexes), etag=each.etag) for each in found),
            key=lambda alias: alias.name,
        )

    async def point_alias(self, name: str, index: str, *, etag: str | None) -> None:
        """Point an alias at an index: the alias with this ETag, or with None one that must not exist.

        It takes up to ten seconds until every query goes there. Raises ConflictError if the alias is no longer what the
        ETag says.
        """
        await self._transport.send(
            "PUT",
            f"aliases('{segment(name)}')",
            on=f"alias {name}",
            body=msgspec.json.encode({"name": name, "indexes": [index]}),
            headers={"Prefer": "return=representation"}
            | ({"If-None-Match": "*"} if etag is None else {"If-Match": etag}),
            metadata="minimal",
        )

    async def update_index(self, index: str, definition: bytes, *, etag: str, preview: bool) -> None:
        """Change the definition of the index that has this ETag.

        Raises ConflictError if it has another one by now, RefusedError if the change would need a rebuild.
        """
        await self._transport.send(
            "PUT",
            f"indexes('{segment(index)}')",
            on=f"index {index}",
            body=definition,
            headers={"If-Match": etag, "Prefer": "return=representation"},
            query="allowIndexDowntime=false",
            api_version=PREVIEW if preview else STABLE,
            metadata="minimal",
        )

    async def delete_index(self, index: str, *, etag: str) -> None:
        """Delete the index that has this ETag. Raises ConflictError if it has another one by now."""
        await self._transport.send(
            "DELETE", f"indexes('{segment(index)}')", on=f"index {index}", headers={"If-Match": etag}
        )

    async def may_write_definitions(self) -> None:
        """Ask for a change that can't happen, to learn whether this caller could make one.

        The change is conditional on an ETag that no index has, and its definition lacks what every index needs. Raises
        UnauthorizedError or ForbiddenError.
        """
        name = "indexvault-asks-for-its-roles"
        with contextlib.suppress(ConflictError, RefusedError, NotFoundError):
            await self._transport.send(
                "PUT",
                f"indexes('{name}')",
                on="definitions",
                body=msgspec.json.encode({"name": name}),
                headers={"If-Match": '"none"', "Prefer": "return=representation"},
            )

    async def may_write_documents(self, index: str) -> None:
        """Send a batch without actions, to learn whether this caller could write documents; the index may be absent.

        Raises UnauthorizedError or ForbiddenError.
        """
        with contextlib.suppress(ConflictError, RefusedError, NotFoundError):
            await self._transport.send(
                "POST", f"indexes('{segment(index)}')/docs/search.index", on="documents", body=b'{"value":[]}'
            )

    async def knows_preview(self) -> bool:
        """Return whether the service speaks the preview api-version."""
        try:
            await self._transport.send("GET", "indexes", on="indexes", query="$select=name", api_version=PREVIEW)
        except RefusedError:
            return False
        return True

    async def document(self, index: str, key: str) -> bytes | None:
        """Look one document up by its key and give it on one line, or None if there is none."""
        path = f"indexes('{segment(index)}')/docs('{segment(key)}')"
        try:
            answer = await self._transport.send("GET", path, on=f"index {index}", holds_documents=True)
        except NotFoundError:
            return None
        return document_line(answer.body.removeprefix(b"\xef\xbb\xbf").strip())

    async def synonym_map(self, name: str, *, preview: bool = False) -> FetchedDefinition:
        """Return a synonym map's definition."""
        return await self._definition(f"synonymmaps('{segment(name)}')", f"synonym map {name}", preview=preview)

    async def create_synonym_map(self, name: str, definition: bytes, *, preview: bool) -> None:
        """Create a synonym map that must not exist. Raises ConflictError if it does."""
        await self._create(f"synonymmaps('{segment(name)}')", definition, f"synonym map {name}", preview=preview)

    async def count(self, index: str) -> int:
        """Return an index's count of documents; it lags behind writes by seconds."""
        on = f"index {index}"
        answer = await self._transport.send("GET", f"indexes('{segment(index)}')/docs/$count", on=on)
        text = answer.body.decode("utf-8-sig", errors="replace").strip()
        if not text.isdecimal():
            raise UnexpectedAnswerError("the count is no number", on=f"{self.name} {on}", do="Repeat")
        return int(text)

    async def documents(
        self, index: str, query: DocumentQuery, reader: PageReader, *, elevated: bool = False, may_shrink: bool = False
    ) -> Page:
        """Return one page of documents.

        With `elevated`, documents that are protected one by one are read too, which takes a role and the preview
        api-version. With `may_shrink`, a page that does not come in time is TooSlowError at once, so that a smaller one
        can be asked for. Raises TooLargeError likewise, and UnexpectedAnswerError if the page does not cover the whole
        index: what is missing from it can't be seen.
        """
        on = f"index {index}"
        answer = await self._transport.send(
            "POST",
            f"indexes('{segment(index)}')/docs/search.post.search",
            on=on,
            body=encode_query(query),
            headers=ELEVATED if elevated else None,
            api_version=PREVIEW if elevated else STABLE,
            holds_documents=True,
            can_ask_for_less=may_shrink,
        )
        page = reader.read(answer.body, on=f"{self.name} {on}")
        if page.coverage is not None and page.coverage < 100:  # noqa: PLR2004 - per cent
            raise UnexpectedAnswerError(
                f"the answer covers {page.coverage:g} % of the index only",
                on=f"{self.name} {on}",
                do="Wait until all partitions of the service answer, then repeat",
            )
        return page

    async def count_found(self, index: str, query: DocumentQuery, reader: PageReader, *, elevated: bool = False) -> int:
        """Return how many documents a query finds. Unlike `count`, it does not lag behind what queries can see."""
        counting = msgspec.structs.replace(query, top=0, skip=None, orderby=None, select=None, count=True)
        found = (await self.documents(index, counting, reader, elevated=elevated)).count
        if found is None:
            raise UnexpectedAnswerError(
                "the answer has no count, though it was asked for", on=f"{self.name} index {index}", do="Repeat"
            )
        return found

    async def index_documents(self, index: str, body: bytes) -> BatchAnswer:
        """Send one batch of actions and give its results by key.

        Raises TooLargeError for a batch to be split, RefusedError for one that holds a malformed document, QuotaError
        where the service has no room left.
        """
        on = f"index {index}"
        answer = await self._transport.send(
            "POST", f"indexes('{segment(index)}')/docs/search.index", on=on, body=body, holds_documents=True
        )
        return read_batch_answer(answer.body, on=f"{self.name} {on}")

    async def _names(self, path: str, on: str) -> list[str]:
        class Named(msgspec.Struct):
            name: str

        class Names(msgspec.Struct):
            value: list[Named]

        answer = await self._transport.send("GET", path, on=on, query="$select=name")
        return sorted(entry.name for entry in _read(answer, Names, f"{self.name} {on}").value)

    async def _definition(self, path: str, on: str, *, preview: bool) -> FetchedDefinition:
        version = PREVIEW if preview else STABLE
        answer = await self._transport.send("GET", path, on=on, api_version=version, metadata="minimal")

        class Tagged(msgspec.Struct):
            etag: str = msgspec.field(default="", name="@odata.etag")

        etag = _read(answer, Tagged, f"{self.name} {on}").etag or answer.headers.get("etag", "")
        return FetchedDefinition(
            api_version=version, body=msgspec.Raw(answer.body.removeprefix(b"\xef\xbb\xbf")), etag=etag
        )

    async def _create(self, path: str, definition: bytes, on: str, *, preview: bool) -> None:
        await self._transport.send(
            "PUT",
            path,
            on=on,
            body=definition,
            headers={"If-None-Match": "*", "Prefer": "return=representation"},
            api_version=PREVIEW if preview else STABLE,
            metadata="minimal",
        )


def _read[Kind](answer: Answer, kind: type[Kind], on: str) -> Kind:
    try:
        return msgspec.json.decode(answer.body.removeprefix(b"\xef\xbb\xbf"), type=kind)
    except msgspec.MsgspecError as error:
        raise UnexpectedAnswerError(
            f"an answer in another form than documented ({without_quoted_values(str(error))})",
            on=on,
            do="Check that the endpoint is an Azure AI Search service",
        ) from None
