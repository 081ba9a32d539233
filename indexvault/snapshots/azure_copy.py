"""Grants by which one storage account copies blobs from another, without the bytes coming here.

The target account reads each blob from the source account. A store opened with a key grants that by a signature for
this blob alone, to read, for minutes; a store opened with Entra by a token of the same identity. Source: Copy Blob From
URL (REST API): up to 256 MiB, synchronous, 2026-09.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from azure.core.credentials_async import AsyncTokenCredential
from azure.storage.blob import BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from indexvault.snapshots.store import ReadGrant

SIGNED_FOR = timedelta(minutes=15)
"""How long a signature is valid: longer than a call may take with its retries."""

_SKEW = timedelta(minutes=5)
_SCOPE = "https://storage.azure.com/.default"


type Grants = Callable[[str], Awaitable[ReadGrant]]
"""Returns the grant for a blob of a container by its name."""


def signed_grants(service: BlobServiceClient, container: ContainerClient) -> Grants:
    """Return grants by the account's key. If the store was opened with a signature, its URLs carry that one."""
    key = getattr(service.credential, "account_key", None)

    async def grant(name: str) -> ReadGrant:
        url = container.get_blob_client(name).url
        if key is None:
            return ReadGrant(url=url)
        now = datetime.now(UTC)  # the account checks a signature against its own clock
        signature = generate_blob_sas(
            account_name=str(service.account_name),
            container_name=container.container_name,
            blob_name=name,
            account_key=key,
            permission=BlobSasPermissions(read=True),
            start=now - _SKEW,
            expiry=now + SIGNED_FOR,
        )
        return ReadGrant(url=f"{url}?{signature}")

    return grant


def token_grants(credential: AsyncTokenCredential, container: ContainerClient) -> Grants:
    """Return grants by the identity that the store was opened with."""

    async def grant(name: str) -> ReadGrant:
        token = await credential.get_token(_SCOPE)
        return ReadGrant(url=container.get_blob_client(name).url, authorization=f"Bearer {token.token}")

    return grant
