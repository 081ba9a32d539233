"""The clients behind the configured names, opened when they are first asked for.

The SDKs are imported when a client is opened: they take longer to load than all of indexvault.
"""

import random
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from indexvault.errors import SettingsError
from indexvault.model import Clock
from indexvault.search.client import SearchService
from indexvault.search.credentials import authority
from indexvault.search.retry import RetryPolicy
from indexvault.search.throttle import ThrottleLimits
from indexvault.settings.load import service_settings, store_settings
from indexvault.settings.model import EnvironmentSecret, Settings, StoreSettings
from indexvault.settings.overlays import OverlayEntry, overlay_entry, overlay_of
from indexvault.settings.policies import reading_order
from indexvault.settings.secrets import secret_value
from indexvault.settings.store_hosts import store_authority
from indexvault.snapshots.divided_store import DividedStore
from indexvault.snapshots.record_keys import NO_KEYS, RecordKeys, read_record_keys
from indexvault.snapshots.replicas import Replicas
from indexvault.snapshots.signed_records import SignedRunBlobs
from indexvault.snapshots.signed_store import SignedStore, UnsignedStore
from indexvault.snapshots.store import Store, StoreReader

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from indexvault.snapshots.azure_store import AzureStore

type IdentityOf = Callable[[str, str | None], AsyncTokenCredential]
"""Returns an Entra identity that asks the given host for tokens: a managed one by its client id, or this machine's."""

FIRST_CONTACT = RetryPolicy(attempts=3, first_wait=0.5, longest_wait=1.0, longest_retry_after=5.0)
"""How often to ask at the start. Work under way is worth retrying for minutes; a service that is down, a wrong key or a
missing role should show in seconds."""

HEALTH = RetryPolicy(attempts=3, first_wait=0.1, longest_wait=0.3, longest_retry_after=1.0)
"""How often to ask for health: whoever routes by it asks again in seconds, and counts failures itself."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def default_identity(authority_host: str, client_id: str | None) -> "AsyncTokenCredential":
    """Return the identity that this machine has: a managed one in Azure, a signed-in one on a desk.

    `client_id` names one of several managed identities; without it, AZURE_CLIENT_ID does. A desk has none, and is
    signed in.
    """
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - slow to load, and keys do without it

    # Passed as None, it would be the machine's own identity, whatever AZURE_CLIENT_ID says.
    named = {} if client_id is None else {"managed_identity_client_id": client_id}
    return DefaultAzureCredential(authority=authority_host, **named)


class Clients:
    """Opens services and stores by their names in the settings, once each, and closes them all.

    `environment` holds the secrets that the settings name; `stores` are stores that the caller has opened, and closes,
    by their names. `clock` tells when a record is signed. Raises NotFoundError for unknown names and SettingsError for
    a secret that is not set.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        rng: random.Random,
        identity: IdentityOf = default_identity,
        retry: RetryPolicy | None = None,
        stores: Mapping[str, Store] | None = None,
        clock: Clock = _utc_now,
    ) -> None:
        self.settings = settings
        self._given_stores = stores or {}
        self._environment = environment
        self._rng = rng
        self._identity = identity
        self._retry = retry
        self._clock = clock
        self._identities: dict[tuple[str, str | None], AsyncTokenCredential] = {}
        self._services: dict[str, SearchService] = {}
        self._health_services: dict[str, SearchService] = {}
        self._stores: dict[str, Store] = {}

    async def __aenter__(self) -> Self:
        """Use the clients within a block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every client that was opened."""
        for service in (*self._services.values(), *self._health_services.values()):
            await service.close()
        for name, store in self._stores.items():
            if name not in self._given_stores:
                await store.close()
        for identity in self._identities.values():
            await identity.close()

    def service(self, name: str) -> SearchService:
        """Return the client of a service."""
        if name not in self._services:
            throttle = service_settings(self.settings, name).throttle
            limits = ThrottleLimits(
                most_at_once=throttle.most_at_once, requests_per_second=throttle.requests_per_second
            )
            self._services[name] = self._open_service(name, self._retry, limits)
        return self._services[name]

    def health_service(self, name: str) -> SearchService:
        """Return the client of a service for health queries.

        It waits for no other request of this process, so that a backup can't make the service look slow, and gives up
        soon.
        """
        if name not in self._health_services:
            self._health_services[name] = self._open_service(name, HEALTH, ThrottleLimits())
        return self._health_services[name]

    def _open_service(self, name: str, retry: RetryPolicy | None, throttle: ThrottleLimits) -> SearchService:
        from azure.core.credentials import AzureKeyCredential  # noqa: PLC0415 - slow to load

        settings = service_settings(self.settings, name)
        credential: AzureKeyCredential | AsyncTokenCredential
        if settings.api_key is not None:
            credential = AzureKeyCredential(
                secret_value(settings.api_key, self._environment, self.settings.place_of(f"$.services.{name}.api_key"))
            )
        else:
            credential = self._identity_of(authority(settings.endpoint, token_host=settings.token_host))
        return SearchService(
            name,
            settings.endpoint,
            credential,
            rng=self._rng,
            retry=retry,
            throttle=throttle,
            token_host=settings.token_host,
        )

    def store(self, name: str) -> Store:
        """Return the client of a store: one that signs and checks what is in it, if there is a record key."""
        settings = store_settings(self.settings, name)
        if name not in self._stores:
            keys = self.record_keys
            given = self._given_stores.get(name)
            if given is None:
                opened = self._open_store(name, settings)
                self._stores[name] = self._guarded(opened, opened.account) if keys else UnsignedStore(opened)
            else:
                self._stores[name] = self._guarded(given, name) if keys else given
        return self._stores[name]

    def signed_records(self, name: str) -> SignedRunBlobs | None:
        """Return the records of a store as what checks their signatures, or None without a record key."""
        runs = self.store(name).runs
        return runs if isinstance(runs, SignedRunBlobs) else None

    @cached_property
    def record_keys(self) -> RecordKeys:
        """The keys that records and manifests are signed with. Raises SettingsError if they can't be used."""
        if self.settings.record_key is None:
            return NO_KEYS
        on = self.settings.place_of("$.record_key")
        return read_record_keys(secret_value(self.settings.record_key, self._environment, on), on)

    def _guarded(self, store: Store, account: str) -> Store:
        return SignedStore(store, self.record_keys, account=account, clock=self._clock)

    def _open_store(self, name: str, settings: StoreSettings) -> "AzureStore | DividedStore":
        from indexvault.snapshots.azure_store import AzureStore  # noqa: PLC0415 - loads the slow SDK

        containers = settings.snapshots_container, settings.runs_container
        url = settings.account_url
        if url is not None:
            host = store_authority(url, token_host=settings.token_host)
            ids = settings.identities
            opened = {
                client_id: AzureStore.from_account_url(
                    name, url, self._identity_of(host, client_id), containers=containers
                )
                for client_id in dict.fromkeys((ids.read, ids.write, ids.prune))
            }
            if len(opened) == 1:
                return opened[ids.write]
            return DividedStore(
                reader=opened[ids.read],
                writer=opened[ids.write],
                pruner=opened[ids.prune],
                account=opened[ids.write].account,
            )
        text = settings.connection_string
        assert text is not None  # noqa: S101 - reading the settings has seen to it
        if not isinstance(text, str):
            text = secret_value(text, self._environment, self.settings.place_of(f"$.stores.{name}.connection_string"))
            try:
                return AzureStore.from_connection_string(name, text, containers=containers)
            except SettingsError as error:
                assert isinstance(settings.connection_string, EnvironmentSecret)  # noqa: S101 - its text was read above
                variable = f"the environment variable {settings.connection_string.env}"
                raise SettingsError(
                    f"{error.what}: {variable}",
                    on=self.settings.place_of(f"$.stores.{name}.connection_string"),
                    do="Copy it from the account's access keys, or name the account with account_url instead",
                ) from None
        return AzureStore.from_connection_string(name, text, containers=containers)

    def store_of(self, service: str) -> Store:
        """Return the client of the store that a service's snapshots go to."""
        return self.store(service_settings(self.settings, service).store)

    def source_store(self, service: str, store: str, *, without: Collection[str] = ()) -> StoreReader:
        """Return a store that holds a service's snapshots, with the others that do behind it should it not answer.

        `without` are stores that are not asked.
        """
        names = dict.fromkeys([store, *(each for each in reading_order(self.settings, service) if each not in without)])
        return self.store(store) if len(names) == 1 else Replicas([self.store(name) for name in names])

    def reading_store(self, service: str, *, near: str | None = None) -> StoreReader:
        """Return the stores that hold a service's snapshots as one to read from: those in the region `near` first."""
        names = reading_order(self.settings, service, near=near)
        return self.store(names[0]) if len(names) == 1 else Replicas([self.store(name) for name in names])

    def secret(self, secret: EnvironmentSecret, on: str) -> str:
        """Return a secret that the settings name; `on` is the setting. Raises SettingsError if it is not set."""
        return secret_value(secret, self._environment, on)

    def overlay(self, name: str, entry: str) -> OverlayEntry | None:
        """Return an overlay's patch of one object with the secrets that it names, or None if it has none.

        Raises NotFoundError for an unknown overlay, SettingsError for a secret that is not set.
        """
        patch = overlay_of(self.settings, name).get(entry)
        return None if patch is None else overlay_entry(patch, self._environment, f"settings $.overlays.{name}.{entry}")

    def identity(self, authority_host: str) -> "AsyncTokenCredential":
        """Return the Entra identity that asks a host for tokens."""
        return self._identity_of(authority_host)

    def _identity_of(self, authority_host: str, client_id: str | None = None) -> "AsyncTokenCredential":
        wanted = authority_host, client_id
        if wanted not in self._identities:
            self._identities[wanted] = self._identity(*wanted)
        return self._identities[wanted]
