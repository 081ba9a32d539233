"""Both halves of the store contract on containers of Azure Blob Storage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from azure.core import MatchConditions
from azure.core.async_paging import AsyncItemPaged
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobProperties as ListedBlob
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobLeaseClient, BlobPrefix, ContainerClient, StorageStreamDownloader

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError
from indexvault.snapshots.authority import NO_AUTHORITY
from indexvault.snapshots.azure_copy import Grants
from indexvault.snapshots.azure_errors import BLOB_IS_THERE, error_code, translate
from indexvault.snapshots.azure_versions import protection_kind, with_version
from indexvault.snapshots.store import BlobProperties, Protection, ReadGrant, RunBlob, SnapshotReader

_CALL_SECONDS = 600
"""The longest that one call on a blob, or one page of a listing, may take with its retries."""

MOST_AT_ONCE = 32 * MEBIBYTE
"""Bytes of a blob that are read with one request; the library reads a larger blob in parts."""

_LIST_PAGE = 5000
"""Blobs in a page of a listing: the service's maximum. Source: List Blobs (REST API), 2026-09."""


class _Container:
    """What both halves share. `where` names store, account and container for errors."""

    def __init__(self, container: ContainerClient, where: str) -> None:
        self._container = container
        self._where = where

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `SnapshotReader.list` and `RunBlobs.list`."""
        blobs = self._container.list_blobs(name_starts_with=prefix, include=["metadata"], results_per_page=_LIST_PAGE)
        async for page in self._pages(blobs, prefix):
            for blob in page:
                yield _properties(blob)

    async def _pages[Entry](self, blobs: AsyncItemPaged[Entry], prefix: str) -> AsyncIterator[Sequence[Entry]]:
        pages = blobs.by_page()
        while True:
            async with self._call(f"{prefix}*"):
                page = await anext(pages, None)
                found = None if page is None else [blob async for blob in page]
            if found is None:
                return
            yield found

    async def _read(self, name: str, limit: int) -> RunBlob:
        """Return a blob. Raises IntegrityError if it is larger than `limit` bytes, which the first answer shows."""
        download = await self._container.download_blob(name)
        if download.properties.size > limit:
            raise IntegrityError(
                f"it has {download.properties.size} bytes, and can have no more than {limit}",
                on=self._on(name),
                do="Find out who wrote it",
            )
        properties = download.properties
        return RunBlob(
            await _content(download), str(properties.etag), _metadata(properties.metadata), properties.last_modified
        )

    @asynccontextmanager
    async def _call(self, name: str) -> AsyncIterator[None]:
        """Bound one call in time, and raise its errors as this project's."""
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                yield
        except (AzureError, TimeoutError, ValueError) as error:
            raise translate(error, self._on(name)) from error

    def _on(self, name: str) -> str:
        return f"{self._where}/{name}"


class AzureSnapshotBlobs(_Container):
    """The half that is written once. `grants` makes the grants that let another account read a blob."""

    def __init__(self, container: ContainerClient, where: str, grants: Grants) -> None:
        super().__init__(container, where)
        self._grants = grants
        self.authority = NO_AUTHORITY

    async def grant(self, name: str) -> ReadGrant:
        """See `SnapshotWriter.grant`."""
        async with self._call(name):
            return await self._grants(name)

    async def copy(self, name: str, grant: ReadGrant) -> bool:
        """See `SnapshotWriter.copy`."""
        async with self._call(name):
            optional: dict[str, Any] = (
                {} if grant.authorization is None else {"source_authorization": grant.authorization}
            )
            try:
                await self._container.get_blob_client(name).start_copy_from_url(
                    grant.url, requires_sync=True, headers={"If-None-Match": "*"}, **optional
                )
            except HttpResponseError as error:
                if error_code(error) in BLOB_IS_THERE:
                    return False
                raise
            return True

    async def create(
        self,
        name: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/octet-stream",
    ) -> bool:
        """See `SnapshotWriter.create`."""
        async with self._call(name):
            try:
                await self._container.get_blob_client(name).upload_blob(
                    data,
                    overwrite=False,
                    metadata=dict(metadata or {}),
                    content_settings=ContentSettings(content_type=content_type),
                    validate_content=True,
                )
            except HttpResponseError as error:
                if error_code(error) in BLOB_IS_THERE:
                    return False
                raise
            return True

    async def read(self, name: str, limit: int) -> bytes:
        """See `SnapshotReader.read`."""
        async with self._call(name):
            return (await self._read(name, limit)).data

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        """See `SnapshotReader.read_range`. Up to MOST_AT_ONCE bytes are one request."""
        async with self._call(name):
            try:
                download = await self._container.download_blob(name, offset=offset, length=length)
                data = await _content(download)
            except HttpResponseError as error:
                if error_code(error) != "InvalidRange":
                    raise
                data = b""
            if len(data) > length:
                raise ValueError("more bytes than the range has")
        if len(data) < length:
            raise IntegrityError(
                f"the blob ends before byte {offset + length}",
                on=self._on(name),
                do="Find out who wrote it, or take a copy of another store",
            )
        return data

    async def first_sound[Found](self, read: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        """See `SnapshotReader.first_sound`."""
        return await read(self)

    async def properties(self, name: str) -> BlobProperties | None:
        """See `SnapshotReader.properties`."""
        async with self._call(name):
            try:
                return _properties(await self._container.get_blob_client(name).get_blob_properties())
            except ResourceNotFoundError as error:
                _require_container(error)
                return None

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        """See `SnapshotReader.folders`."""
        blobs = self._container.walk_blobs(name_starts_with=prefix, delimiter="/", results_per_page=_LIST_PAGE)
        async for page in self._pages(blobs, prefix):
            for entry in page:
                if isinstance(entry, BlobPrefix):
                    yield entry.name.removeprefix(prefix).removesuffix("/")

    async def protection(self, prefix: str) -> Protection:
        """See `SnapshotWriter.protection`. Source: Get Container Properties; List Blobs (REST API), 2026-09."""
        async with self._call(""):
            container = await self._container.get_container_properties()
        found = Protection(kind=protection_kind(container))
        blobs = self._container.list_blobs(
            name_starts_with=prefix,
            include=["versions", "immutabilitypolicy", "legalhold"],
            results_per_page=_LIST_PAGE,
        )
        async for page in self._pages(blobs, prefix):
            for blob in page:
                found = with_version(found, blob)
        return found

    async def delete(self, name: str) -> bool:
        """See `SnapshotWriter.delete`."""
        async with self._call(name):
            try:
                await self._container.delete_blob(name)
            except ResourceNotFoundError as error:
                _require_container(error)
                return False
            return True


class AzureRunBlobs(_Container):
    """The half that changes."""

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        lease: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See `RunBlobs.put`."""
        async with self._call(name):
            written = await self._container.get_blob_client(name).upload_blob(
                data,
                overwrite=not if_absent,
                lease=None if lease is None else self._lease(name, lease),
                metadata=dict(metadata or {}),
                validate_content=True,
                **_unless_changed(if_match),
            )
            return str(written["etag"])

    async def read(self, name: str, limit: int) -> RunBlob | None:
        """See `RunBlobs.read`."""
        async with self._call(name):
            try:
                return await self._read(name, limit)
            except ResourceNotFoundError as error:
                _require_container(error)
                return None

    async def delete(self, name: str, *, if_match: str | None = None, lease: str | None = None) -> bool:
        """See `RunBlobs.delete`."""
        async with self._call(name):
            try:
                await self._container.delete_blob(name, lease=lease, **_unless_changed(if_match))
            except ResourceNotFoundError as error:
                _require_container(error)
                return False
            return True

    async def acquire(self, name: str, lease: str, seconds: int) -> None:
        """See `RunBlobs.acquire`."""
        async with self._call(name):
            await self._lease(name, lease).acquire(lease_duration=seconds)

    async def renew(self, name: str, lease: str) -> None:
        """See `RunBlobs.renew`."""
        async with self._call(name):
            await self._lease(name, lease).renew()

    async def release(self, name: str, lease: str) -> None:
        """See `RunBlobs.release`."""
        async with self._call(name):
            await self._lease(name, lease).release()

    async def break_lease(self, name: str) -> None:
        """See `RunBlobs.break_lease`."""
        async with self._call(name):
            try:
                await BlobLeaseClient(self._container.get_blob_client(name)).break_lease(lease_break_period=0)
            except HttpResponseError as error:
                if error_code(error) not in {"BlobNotFound", "LeaseNotPresentWithLeaseOperation"}:
                    raise

    def _lease(self, name: str, lease: str) -> BlobLeaseClient:
        return BlobLeaseClient(self._container.get_blob_client(name), lease_id=lease)


async def _content(download: StorageStreamDownloader[bytes]) -> bytes:
    """Return the bytes of a download. What one request has answered is not copied, as `readall` does."""
    if download.size > MOST_AT_ONCE:
        return await download.readall()
    return b"".join([part async for part in download.chunks()])


def _unless_changed(if_match: str | None) -> dict[str, Any]:
    """Return the library's arguments for the condition. The library accepts None for neither."""
    return {} if if_match is None else {"etag": if_match, "match_condition": MatchConditions.IfNotModified}


def _require_container(error: HttpResponseError) -> None:
    """Raise the error unless it is the blob alone that is absent, and not its container."""
    if error_code(error) == "ContainerNotFound":
        raise error


def _properties(blob: ListedBlob) -> BlobProperties:
    md5 = blob.content_settings.content_md5
    return BlobProperties(
        name=blob.name,
        size=blob.size,
        modified=blob.last_modified,
        content_md5=bytes(md5) if md5 else None,
        metadata=_metadata(blob.metadata),
        etag=f'"{blob.etag.strip('"')}"' if blob.etag else "",  # a listing's ETags have no quotes
    )


def _metadata(found: Mapping[str, str | None] | None) -> dict[str, str]:
    return {name.lower(): value or "" for name, value in (found or {}).items()}
