"""The first settings file: from answers to text."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexvault.errors import SettingsError
from indexvault.model import CONFIGURED_NAME
from indexvault.search.addresses import host_of
from indexvault.settings.schema import SCHEMA_NAME

LOCAL = "local"
"""The name of what is on this machine."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstService:
    """A service to be configured; `key_variable` names the variable of its API key, None is an Entra identity."""

    name: str
    endpoint: str
    region: str
    tier: str
    key_variable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStore:
    """The store to be configured; `address` is a URL, `env:NAME` or a connection string without a secret."""

    name: str
    address: str
    region: str


def settings_text(services: Sequence[FirstService], store: FirstStore) -> str:
    """Return the settings as JSON, which refers to the schema beside it."""
    settings = {
        "$schema": f"./{SCHEMA_NAME}",
        "stores": {store.name: {**_address(store.address), "region": store.region}},
        "services": {service.name: _service(service, store.name) for service in services},
    }
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def is_local(address: str) -> bool:
    """Return whether an address is on this machine."""
    return address == "UseDevelopmentStorage=true" or (host_of(address) or "").rpartition(":")[0] in _LOOPBACK


def name_of(address: str) -> str:
    """Return the name that an endpoint or a store gets: what its host begins with. LOCAL for any that has none."""
    first = (host_of(address) or "").partition(".")[0]
    usable = re.fullmatch(CONFIGURED_NAME, first) and not first.isdecimal()
    return first if usable and not is_local(address) else LOCAL


def variable(text: str, option: str) -> str:
    """Return the name of an environment variable. Raises SettingsError, without repeating it, for anything else."""
    if _VARIABLE.fullmatch(text) is None:
        raise SettingsError(
            "this is no name of an environment variable; a secret does not belong here",
            on=option,
            do="Name the variable that holds it",
        )
    return text


def whole_endpoint(text: str) -> str:
    """Return an endpoint with https before it where only a host is given.

    Raises SettingsError for a name that is no host.
    """
    if "://" in text:
        return text
    host = text.rstrip("/")
    if "." not in host and ":" not in host:
        raise SettingsError(
            "this is the name of a service, not its address",
            on="--endpoint",
            do=f"Write it as https://{host}.search.windows.net"
            if re.fullmatch(CONFIGURED_NAME, host)
            else "Write a URL",
        )
    return f"https://{host}"


def check_store(text: str) -> None:
    """Raise SettingsError for what is neither an address, nor `env:NAME`, nor a connection string."""
    if text.startswith(("https:", "http:", "env:")) or "=" in text:
        return
    if _VARIABLE.fullmatch(text) and not re.fullmatch(r"[a-z0-9]{3,24}", text):
        do = f"If {text} is a variable that holds a connection string: --store env:{text}"
    elif re.fullmatch(r"[a-z0-9]{3,24}", text):
        do = f"Write it as https://{text}.blob.core.windows.net"
    elif re.fullmatch(r"[a-z0-9]{3,24}\.blob\.[a-z.]+", text):
        do = f"Write it as https://{text}"
    else:
        do = "Write it as https://ACCOUNT.blob.core.windows.net, or env:VARIABLE"
    raise SettingsError("this is no address of a store", on="--store", do=do)


def _service(service: FirstService, store: str) -> Mapping[str, Any]:
    key = {} if service.key_variable is None else {"api_key": {"env": service.key_variable}}
    return {
        "endpoint": service.endpoint,
        "region": service.region,
        "tier": service.tier,
        "store": store,
        **key,
    }


def _address(address: str) -> Mapping[str, Any]:
    if address.startswith("env:"):
        return {"connection_string": {"env": variable(address.removeprefix("env:"), "--store env:NAME")}}
    if address.startswith(("https:", "http:")):
        return {"account_url": address.rstrip("/")}
    return {"connection_string": address}
