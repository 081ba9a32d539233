"""The store on Azure Blob Storage, and on Azurite, its local emulator."""

import ipaddress
import logging
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry

from indexvault.errors import SettingsError
from indexvault.snapshots.azure_blobs import MOST_AT_ONCE, AzureRunBlobs, AzureSnapshotBlobs
from indexvault.snapshots.azure_connections import Connections
from indexvault.snapshots.azure_copy import signed_grants, token_grants
from indexvault.snapshots.azure_errors import error_code, translate
from indexvault.snapshots.names import SNAPSHOT_CONTAINER
from indexvault.snapshots.run_names import RUN_CONTAINER

_API_VERSION = "2024-11-04"
"""Pinned, so that a new library changes no behaviour and an older Azurite suffices."""

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_RETRIES = 4
_CONNECT_RETRIES = 1
"""Waiting does not help with a store that does not exist. An outage in the middle of a run is waited out by the retries
of the run's own steps."""

_log = logging.getLogger(__name__)


class _LoggedRetry(ExponentialRetry):
    """The library's own policy with shorter pauses (2, 3, 5, 9 seconds, plus or minus one) and a log line for each."""

    def __init__(self, store: str) -> None:
        super().__init__(
            initial_backoff=1,
            increment_base=2,
            random_jitter_range=1,
            retry_total=_RETRIES,
            retry_connect=_CONNECT_RETRIES,
            retry_read=_RETRIES,
            retry_status=_RETRIES,
        )
        self._store = store

    def increment(self, settings: dict[str, Any], request: Any, response: Any = None, error: Any = None) -> bool:
        """Return whether to try again: not without an identity. Whoever looks for one has tried often enough."""
        if isinstance(error, ClientAuthenticationError) and error.response is None:
            return False
        again: bool = super().increment(settings, request, response, error)
        return again

    async def sleep(self, settings: dict[str, Any], transport: Any) -> None:
        _log.warning("store %s did not answer as it should; trying again (attempt %d)", self._store, settings["count"])
        await super().sleep(settings, transport)  # type: ignore[no-untyped-call]  # the library leaves it untyped


CONTAINERS = (SNAPSHOT_CONTAINER, RUN_CONTAINER)
"""The containers' names where the settings give no others."""


class AzureStore:
    """A storage account as a store.

    Open it with `from_connection_string` or `from_account_url`; use it as a context manager, or call `close`. `account`
    is the name of the account, or the host of one with an address of its own; and the runs container, if it has
    another name than usual. `containers` are the names of the two, for snapshots and for runs.
    """

    def __init__(
        self,
        name: str,
        service: BlobServiceClient,
        credential: AsyncTokenCredential | None = None,
        *,
        containers: tuple[str, str] = CONTAINERS,
    ) -> None:
        self.name = name
        account = service.account_name or urlsplit(service.url).netloc
        self.account = account if containers[1] == RUN_CONTAINER else f"{account}/{containers[1]}"
        self._service = service
        where = f"store {name}, {service.account_name}"
        self._containers = [service.get_container_client(container) for container in containers]
        self._where = where
        grants = (
            signed_grants(service, self._containers[0])
            if credential is None
            else token_grants(credential, self._containers[0])
        )
        self.snapshots = AzureSnapshotBlobs(self._containers[0], f"{where}/{containers[0]}", grants)
        self.runs = AzureRunBlobs(self._containers[1], f"{where}/{containers[1]}")

    @classmethod
    def from_connection_string(
        cls, name: str, connection_string: str, *, containers: tuple[str, str] = CONTAINERS
    ) -> Self:
        """Open a store by a connection string, `UseDevelopmentStorage=true` included.

        Raises SettingsError if it is no connection string, or means plain http to another machine.
        """
        try:
            service = BlobServiceClient.from_connection_string(connection_string, **_options(name))
        except ValueError as error:
            raise _unusable(name, "connection_string", "this is not a storage connection string") from error
        return cls(name, _protected(service, name, "connection_string"), containers=containers)

    @classmethod
    def from_account_url(
        cls,
        name: str,
        account_url: str,
        credential: AsyncTokenCredential,
        *,
        containers: tuple[str, str] = CONTAINERS,
    ) -> Self:
        """Open a store by its account's URL and an Entra credential, which the caller closes.

        Raises SettingsError if it is no account URL, carries a signature, or means plain http to another machine.
        """
        if "?" in account_url:
            raise _unusable(name, "account_url", "a URL with a signature is a secret")
        try:
            service = BlobServiceClient(account_url, credential, **_options(name))
        except ValueError as error:
            raise _unusable(name, "account_url", "this is not the address of a storage account") from error
        return cls(name, _protected(service, name, "account_url"), credential, containers=containers)

    async def prepare(self) -> None:
        """See `Store.prepare`."""
        for container in self._containers:
            on = f"{self._where}/{container.container_name}"
            try:
                # An identity that may only write blobs can't create containers, so look first.
                if not await container.exists():
                    await container.create_container()
            except ResourceExistsError as error:
                if error_code(error) != "ContainerAlreadyExists":
                    raise translate(error, on) from error
            except (AzureError, ValueError) as error:
                raise translate(error, on) from error

    async def close(self) -> None:
        """See `Store.close`."""
        await self._service.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _options(store: str) -> dict[str, Any]:
    return {
        "api_version": _API_VERSION,
        "transport": Connections(connect_seconds=_CONNECT_SECONDS, read_seconds=_READ_SECONDS),
        "retry_policy": _LoggedRetry(store),
        "max_single_get_size": MOST_AT_ONCE,
        "max_chunk_get_size": MOST_AT_ONCE,
        # No account sends any: whoever does would have documents and tokens sent elsewhere.
        "permit_redirects": False,
    }


def _protected(service: BlobServiceClient, store: str, setting: str) -> BlobServiceClient:
    """Raise SettingsError for a URL that would send documents, and perhaps a signature, unencrypted."""
    address = urlsplit(service.url)
    if address.scheme != "https" and not _is_loopback(address.hostname or ""):
        raise _unusable(store, setting, "plain http is allowed for loopback only")
    return service


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unusable(store: str, setting: str, what: str) -> SettingsError:
    return SettingsError(
        what,
        on=f"stores.{store}.{setting}",
        do="Use https://<account>.blob.core.windows.net, or UseDevelopmentStorage=true for Azurite",
    )
