"""The hosts that a secret itself names: the host of an address, account or server of a connection string."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from indexvault.search.addresses import host_named, host_of, is_address
from indexvault.search.secret_names import plain

_SERVERS = frozenset({"addr", "address", "datasource", "host", "hostname", "networkaddress", "server"})
_STORAGE = ("blob", "dfs", "file", "queue", "table")
_DEFAULT_SUFFIX = "core.windows.net"
_OWN_SCHEME = re.compile(r"(?:tcp|np|admin):", re.IGNORECASE)
UNREADABLE = "an address that can be read in different ways"
"""Stands for a host that can't be told for certain. No setting can name it."""


def hosts_named_by(secret: str) -> list[frozenset[str]]:
    """Return the hosts that a secret would be sent to as far as it says so itself; each as its alternative names.

    An account of storage has a name for each kind of data. An empty list for a plain key.
    """
    if is_address(secret):
        return [frozenset({_host(secret)})]
    members = {plain(name): value.strip() for name, equals, value in _members(secret) if equals}
    return list(_hosts(members))


def _members(text: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in text.split(";") if part.strip()]


def _hosts(members: dict[str, str]) -> Iterator[frozenset[str]]:
    account = members.get("accountname")
    if account is not None and not any(name.endswith("endpoint") for name in members):
        suffix = members.get("endpointsuffix", _DEFAULT_SUFFIX)
        yield frozenset(host_named(f"{account}.{kind}.{suffix}") or UNREADABLE for kind in _STORAGE)
    for name, value in members.items():
        if is_address(value) or name.endswith("endpoint"):
            yield frozenset({_host(value)})
        elif name in _SERVERS:
            server = _OWN_SCHEME.sub("", value).partition(",")[0].partition("\\")[0]
            yield frozenset({host_named(server.partition(":")[0]) or UNREADABLE})


def _host(address: str) -> str:
    """Return the host of an address of any scheme, such as `mongodb://user:password@db.example`."""
    if address.strip().lower().startswith(("https:", "http:")):
        return host_of(address.strip()) or UNREADABLE
    try:
        name = urlsplit(address.strip()).hostname
    except ValueError:
        return UNREADABLE
    return host_named(name or "") or UNREADABLE
