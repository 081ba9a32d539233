"""Copying blobs between two storage accounts without bringing the bytes here.

The account that is written fetches each blob from the account that holds it, which must let it: by a signature that is
good for this blob, for reading and for minutes, where the store is opened with a key; by a token of the same identity
where it is opened with Entra. Source: Copy Blob From URL (up to 256 MiB, synchronous), REST reference, 2026-09.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from azure.core.credentials_async import AsyncTokenCredential
from azure.storage.blob import BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from indexvault.snapshots.store import ReadGrant

SIGNED_FOR = timedelta(minutes=15)
"""How long a signature is good: longer than a call may take with its retries."""

_SKEW = timedelta(minutes=5)
_SCOPE = "https://storage.azure.com/.default"


type Grants = Callable[[str], Awaitable[ReadGrant]]
"""Return the grant for a blob of a container by its name."""


def signed_grants(service: BlobServiceClient, container: ContainerClient) -> Grants:
    """Return grants by the account's key; where the store was opened with a signature, its addresses carry that."""
    key = getattr(service.credential, "account_key", None)

    async def grant(name: str) -> ReadGrant:
        url = container.get_blob_client(name).url
        if key is None:
            return ReadGrant(url=url)
        now = datetime.now(UTC)  # a signature is checked against the account's clock, not one passed in
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
