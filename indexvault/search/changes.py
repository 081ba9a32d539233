"""The requests that change definitions. Each knows what it wants, and so a lost answer from another writer's change.

An answer can be lost after the change was made; sent again, the request is refused, since the state has changed. A
service can also renew an ETag by itself. So a refusal is a conflict only if the state is neither what was wanted nor
what the change was based on.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from indexvault.errors import ConflictError, NotFoundError, RefusedError
from indexvault.search.definition_content import includes, is_creation_of, same_content
from indexvault.search.definitions import Alias, FetchedDefinition, read_alias, read_definition
from indexvault.search.documents import DocumentRequests
from indexvault.search.transport import PREVIEW, STABLE, segment

_ATTEMPTS = 3
"""How often a change is sent under a new ETag of the same contents."""
_SHOW = {"Prefer": "return=representation"}

type _Send = Callable[[str], Awaitable[None]]
"""Sends a change under an ETag."""


class ChangeRequests(DocumentRequests):
    """What can be changed about the definitions of one service."""

    async def create_index(self, index: str, definition: bytes, *, preview: bool) -> None:
        """Create an index that must not exist. Raises ConflictError if it does.

        If an earlier attempt got no answer, an empty index with this definition is the one that it made.
        """
        path, on = f"indexes('{segment(index)}')", f"index {index}"

        async def was_made() -> bool:
            present = await self._read(path, on, preview=preview)
            return is_creation_of(present.body, msgspec.Raw(definition)) and await self.count(index) == 0

        await self._create(path, definition, on, preview=preview, was_made=was_made)

    async def update_index(self, index: str, definition: bytes, *, before: FetchedDefinition, preview: bool) -> None:
        """Change the definition of an index that has the contents `before`.

        Raises ConflictError if it has other contents by now, RefusedError if the change would need a rebuild.
        """
        path, on = f"indexes('{segment(index)}')", f"index {index}"

        async def send(etag: str) -> None:
            await self._transport.send(
                "PUT",
                path,
                on=on,
                body=definition,
                headers=_SHOW | {"If-Match": etag},
                query="allowIndexDowntime=false",
                api_version=PREVIEW if preview else STABLE,
                metadata="minimal",
            )

        async def look() -> str | None:
            present = await self._read(path, on, preview=preview)
            if is_creation_of(present.body, msgspec.Raw(definition)):
                return None
            return await self._unchanged(path, on, before)

        await _send_until_settled(send, before.etag, look)

    async def delete_index(self, index: str, *, before: FetchedDefinition) -> None:
        """Delete the index that was fetched `before`. It may be gone already.

        Raises ConflictError if it has another ETag by now, unless it is empty and its definition is the same: documents
        may have been replaced by others under the same definition.
        """
        path, on = f"indexes('{segment(index)}')", f"index {index}"

        async def send(etag: str) -> None:
            await self._transport.send(
                "DELETE", path, on=on, headers={"If-Match": etag}, api_version=before.api_version
            )

        async def look() -> str | None:
            try:
                etag = await self._unchanged(path, on, before)
                return etag if await self.count(index) == 0 else ""
            except NotFoundError:
                return None

        await _send_until_settled(send, before.etag, look)

    async def create_definition(self, kind: str, name: str, definition: bytes, *, preview: bool) -> None:
        """Create an object of a collection that must not exist. Raises ConflictError if it does.

        If an earlier attempt got no answer, an object with this definition is the one that it made.
        """
        await self._create_object(f"{kind}('{segment(name)}')", definition, f"{kind} {name}", preview=preview)

    async def update_definition(
        self, kind: str, name: str, definition: bytes, *, before: FetchedDefinition, preview: bool
    ) -> None:
        """Change an object of a collection that has the contents `before`.

        Raises ConflictError if it has other contents by now.
        """
        path, on = f"{kind}('{segment(name)}')", f"{kind} {name}"

        async def send(etag: str) -> None:
            await self._transport.send(
                "PUT",
                path,
                on=on,
                body=definition,
                headers=_SHOW | {"If-Match": etag},
                api_version=PREVIEW if preview else STABLE,
                metadata="minimal",
            )

        async def look() -> str | None:
            # What is left out of a definition does not show in what it includes, so what was there is looked for first.
            unchanged = await self._unchanged(path, on, before)
            if unchanged:
                return unchanged
            present = await self._read(path, on, preview=preview)
            return None if includes(present.body, msgspec.Raw(definition)) else ""

        await _send_until_settled(send, before.etag, look)

    async def create_synonym_map(self, name: str, definition: bytes, *, preview: bool) -> None:
        """Create a synonym map that must not exist. Raises ConflictError if it does."""
        await self._create_object(f"synonymmaps('{segment(name)}')", definition, f"synonym map {name}", preview=preview)

    async def alias(self, name: str) -> Alias | None:
        """Return an alias, or None if there is no such alias."""
        on = f"alias {name}"
        try:
            answer = await self._transport.send("GET", f"aliases('{segment(name)}')", on=on, metadata="minimal")
        except NotFoundError:
            return None
        return read_alias(answer, on=f"{self.name} {on}")

    async def point_alias(self, name: str, index: str, *, before: Alias | None) -> None:
        """Point an alias at an index: one that is as it was `before`, or with None one that must not exist.

        It takes up to ten seconds until every query goes there. Raises ConflictError if the alias leads elsewhere by
        now than before.
        """

        async def send(etag: str) -> None:
            await self._transport.send(
                "PUT",
                f"aliases('{segment(name)}')",
                on=f"alias {name}",
                body=msgspec.json.encode({"name": name, "indexes": [index]}),
                headers=_SHOW | ({"If-Match": etag} if before is not None else {"If-None-Match": "*"}),
                metadata="minimal",
            )

        async def look() -> str | None:
            present = await self.alias(name)
            if present is not None and present.indexes == (index,):
                return None
            is_unchanged = present is not None and before is not None and present.indexes == before.indexes
            return present.etag if present is not None and is_unchanged else ""

        await _send_until_settled(send, before.etag if before is not None else "", look)

    async def may_write_definitions(self) -> None:
        """Ask for a change that can't happen, to learn whether this caller may change definitions.

        The change depends on an ETag that no index has, and its definition lacks what every index needs. Raises
        UnauthorizedError or ForbiddenError.
        """
        name = "indexvault-asks-for-its-roles"
        with contextlib.suppress(ConflictError, RefusedError, NotFoundError):
            await self._transport.send(
                "PUT",
                f"indexes('{name}')",
                on="definitions",
                body=msgspec.json.encode({"name": name}),
                headers=_SHOW | {"If-Match": '"none"'},
            )

    async def _read(self, path: str, on: str, *, preview: bool) -> FetchedDefinition:
        version = PREVIEW if preview else STABLE
        answer = await self._transport.send("GET", path, on=on, api_version=version, metadata="minimal")
        return read_definition(answer, on=f"{self.name} {on}")

    async def _unchanged(self, path: str, on: str, before: FetchedDefinition) -> str:
        """Return the present ETag of a definition that has the contents `before`, or an empty text if it has others."""
        present = await self._read(path, on, preview=before.api_version == PREVIEW)
        return present.etag if same_content(present.body, before.body) else ""

    async def _create_object(self, path: str, definition: bytes, on: str, *, preview: bool) -> None:
        async def was_made() -> bool:
            return includes((await self._read(path, on, preview=preview)).body, msgspec.Raw(definition))

        await self._create(path, definition, on, preview=preview, was_made=was_made)

    async def _create(
        self, path: str, definition: bytes, on: str, *, preview: bool, was_made: Callable[[], Awaitable[bool]]
    ) -> None:
        headers: Mapping[str, str] = _SHOW | {"If-None-Match": "*"}
        await self._transport.send(
            "PUT",
            path,
            on=on,
            body=definition,
            headers=headers,
            api_version=PREVIEW if preview else STABLE,
            metadata="minimal",
            was_done=was_made,
        )


async def _send_until_settled(send: _Send, etag: str, look: Callable[[], Awaitable[str | None]]) -> None:
    """Send a change under an ETag; if it is refused, look at the state before that counts.

    `look` returns None if the state is what was wanted, the present ETag if it is what the change is based on, and an
    empty text if it is neither. Raises ConflictError or NotFoundError.
    """
    for attempt in range(_ATTEMPTS):
        try:
            await send(etag)
        except (ConflictError, NotFoundError):
            present = await look()
            if present is None:
                return
            if not present or present == etag or attempt == _ATTEMPTS - 1:
                raise
            etag = present
        else:
            return
