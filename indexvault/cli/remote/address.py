"""The address of a deployment, and the key to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from indexvault.errors import SettingsError

KEY_VARIABLE = "INDEXVAULT_KEY"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DO = "Write it as https://contoso-vault.azurewebsites.net"


@dataclass(frozen=True, slots=True)
class Address:
    """A deployment: its URL without `/api`, and its function key, which is never shown."""

    url: str
    key: str = field(repr=False)


def address_of(url: str, key: str | None, environment: Mapping[str, str]) -> Address:
    """Read a deployment's address; `key` takes precedence over the environment's.

    Raises SettingsError for a URL that can't be used, and if there is no key.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"https", "http"} or not host:
        raise SettingsError("expected an https URL", on="--url", do=_DO)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError("expected a URL without user, query or fragment: a key does not belong in it", on="--url",
                            do=f"Set {KEY_VARIABLE}")  # fmt: skip
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise SettingsError("expected https: http, which shows the key to the network, is for loopback only",
                            on="--url", do=_DO)  # fmt: skip
    found = (key if key is not None else environment.get(KEY_VARIABLE, "")).strip()
    if not found or not found.isascii() or not found.isprintable():
        raise SettingsError(
            "there is no key for the deployment" if not found else "it can't be a key",
            on=KEY_VARIABLE if key is None else "--key",
            do=f"Set {KEY_VARIABLE} to a function key of the app",
        )
    return Address(url.rstrip("/").removesuffix("/api"), found)
