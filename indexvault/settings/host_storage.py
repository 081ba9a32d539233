"""The storage account of Azure Functions itself, which should be no store.

Whoever can write to the app's own account can change what the app runs: its queues, its leases, with some plans its
code. So no identity that needs a store should have rights there.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from indexvault.settings.model import EnvironmentSecret, Settings, StoreSettings

HOST_STORAGE = "AzureWebJobsStorage"


def stores_of_host(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Return the names of the stores that are in the account which Azure Functions uses for itself."""
    own = _host_account(environment)
    if own is None:
        return []
    return [name for name, store in settings.stores.items() if _account(store, environment) == own]


def _host_account(environment: Mapping[str, str]) -> str | None:
    """Return the host's account. Source: Identity-based connections for the host storage account, 2026-09."""
    name = environment.get(f"{HOST_STORAGE}__accountName")
    url = environment.get(f"{HOST_STORAGE}__blobServiceUri")
    if name or url:
        return name.lower() if name else _account_of_url(url or "")
    return _account_of_text(environment.get(HOST_STORAGE, ""))


def _account(store: StoreSettings, environment: Mapping[str, str]) -> str | None:
    if store.account_url is not None:
        return _account_of_url(store.account_url)
    text = store.connection_string
    return _account_of_text(environment.get(text.env, "") if isinstance(text, EnvironmentSecret) else text or "")


def _account_of_url(url: str) -> str | None:
    try:
        address = urlsplit(url)
    except ValueError:
        return None
    return (address.hostname or "").partition(".")[0].lower() or None


def _account_of_text(text: str) -> str | None:
    """Return the account of a connection string; Azurite's, which is for development, is none."""
    members = dict(part.strip().split("=", 1) for part in text.split(";") if "=" in part)
    lowered = {name.lower(): value for name, value in members.items()}
    if "accountname" in lowered:
        return lowered["accountname"].lower()
    return _account_of_url(lowered.get("blobendpoint", ""))
