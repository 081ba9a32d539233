"""Entra audiences and authorities of search services."""

from indexvault.errors import SettingsError
from indexvault.search.addresses import host_of

_AUDIENCES = {
    ".search.windows.net": "https://search.azure.com",
    ".search.azure.us": "https://search.azure.us",
    ".search.azure.cn": "https://search.azure.cn",
}
"""By what hosts end in, names of private endpoints (`contoso.privatelink.search.windows.net`) included. Source: Azure
Private Endpoint private DNS zone values, 2026-07."""
_PUBLIC = ".search.windows.net"
_AUTHORITIES = {
    "https://search.azure.com": "login.microsoftonline.com",
    "https://search.azure.us": "login.microsoftonline.us",
    "https://search.azure.cn": "login.chinacloudapi.cn",
}


def audience(endpoint: str, *, token_host: str | None = None) -> str:
    """Return the Entra audience for a service's endpoint; that of the public cloud for the host `token_host`.

    Raises SettingsError for any other host outside the known clouds, since a token must not be sent to a stranger.
    """
    host = host_of(endpoint)
    if host is not None and endpoint.startswith("https:"):
        for suffix, cloud in _AUDIENCES.items():
            if host.partition(":")[0].endswith(suffix):
                return cloud
        if host == token_host:
            return _AUDIENCES[_PUBLIC]
    raise SettingsError(
        "an Entra identity is used only with hosts of Azure AI Search",
        on=f"endpoint {host or '(no host)'}",
        do=f"Use an endpoint that ends in {', '.join(_AUDIENCES)}, set api_key, or name the host in token_host",
    )


def authority(endpoint: str, *, token_host: str | None = None) -> str:
    """Return the host that issues Entra tokens in the cloud of a search endpoint."""
    return _AUTHORITIES[audience(endpoint, token_host=token_host)]
