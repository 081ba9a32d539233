"""Entra audiences and authorities of search services."""

from urllib.parse import urlsplit

from indexvault.errors import SettingsError

_AUDIENCES = {
    ".search.windows.net": "https://search.azure.com",
    ".search.azure.us": "https://search.azure.us",
    ".search.azure.cn": "https://search.azure.cn",
}
_AUTHORITIES = {
    "https://search.azure.com": "login.microsoftonline.com",
    "https://search.azure.us": "login.microsoftonline.us",
    "https://search.azure.cn": "login.chinacloudapi.cn",
}


def audience(endpoint: str) -> str:
    """Return the Entra audience for a service's endpoint.

    Raises SettingsError for a host outside the known clouds, since a token must not be sent to a stranger. Source: SDK
    and sovereign cloud documentation, 2026-09.
    """
    host = urlsplit(endpoint).hostname or ""
    for suffix, cloud in _AUDIENCES.items():
        if host.endswith(suffix):
            return cloud
    raise SettingsError(
        "an Entra identity is used only with hosts of Azure AI Search",
        on=f"endpoint {host or endpoint}",
        do=f"Use an endpoint that ends in {', '.join(_AUDIENCES)}, or set api_key",
    )


def authority(endpoint: str) -> str:
    """Return the host that issues Entra tokens in the cloud of a search endpoint."""
    return _AUTHORITIES[audience(endpoint)]
