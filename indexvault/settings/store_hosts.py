"""Check that a store's tokens go to hosts of Azure Storage only, and that no key stands in the settings themselves."""

from indexvault.errors import SettingsError
from indexvault.search.addresses import host_of, is_address
from indexvault.search.secret_names import plain
from indexvault.settings.model import StoreSettings

_AUTHORITIES = {
    ".blob.core.windows.net": "login.microsoftonline.com",
    ".blob.storage.azure.net": "login.microsoftonline.com",
    ".blob.core.usgovcloudapi.net": "login.microsoftonline.us",
    ".blob.core.chinacloudapi.cn": "login.chinacloudapi.cn",
}
"""By what hosts end in, names of private endpoints (`account.privatelink.blob.core.windows.net`) included. Source:
Azure Private Endpoint private DNS zone values, 2026-07; Storage account overview, DNS zone endpoints, 2026-09."""
_PUBLIC = ".blob.core.windows.net"
_OPEN_MEMBERS = frozenset({"accountname", "defaultendpointsprotocol", "endpointsuffix", "usedevelopmentstorage"})
_ADDRESSES = frozenset(
    {f"{kind}{place}endpoint" for kind in ("blob", "dfs", "file", "queue", "table") for place in ("", "secondary")}
    | {"developmentstorageproxyuri"}
)


def store_authority(account_url: str, *, token_host: str | None = None) -> str:
    """Return the host that issues Entra tokens for a storage account; that of the public cloud for `token_host`.

    Raises SettingsError for any other host outside the known clouds, since a token must not be sent to a stranger.
    """
    host = host_of(account_url)
    if host is not None and account_url.startswith("https:"):
        for suffix, issuer in _AUTHORITIES.items():
            if host.partition(":")[0].endswith(suffix):
                return issuer
        if host == token_host:
            return _AUTHORITIES[_PUBLIC]
    raise SettingsError(
        "an Entra identity is used only with hosts of Azure Blob Storage",
        on=f"account_url {host or '(no host)'}",
        do=f"Use a host that ends in {', '.join(_AUTHORITIES)}, or name the host in token_host",
    )


def check_connection_string(store: StoreSettings, path: str) -> None:
    """Raise SettingsError, without repeating it, for a connection string with anything in it that may be a key."""
    text = store.connection_string
    if not isinstance(text, str):
        return
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, value = part.partition("=")
        is_open = plain(name) in _OPEN_MEMBERS or (plain(name) in _ADDRESSES and _is_open_address(value))
        if not equals or not is_open:
            raise SettingsError(
                "expected no account key, SAS or other secret in the settings themselves",
                on=f"settings {path}.connection_string",
                do='Put the connection string in an environment variable and name it: {"env": "NAME"}',
            )


def _is_open_address(value: str) -> bool:
    return is_address(value) and host_of(value) is not None and not set(value) & set("?#=")
