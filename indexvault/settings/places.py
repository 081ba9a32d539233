"""Where stores keep their blobs, so that two stores are two places.

A copy of a snapshot in the same place is none, and two stores must not share their locks and records.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from indexvault.errors import SettingsError
from indexvault.settings.model import EnvironmentSecret, Settings, StoreSettings

_CONTAINER = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*")
"""Source: Naming and referencing containers, blobs, and metadata, container names, 2026-09."""
_AZURITE = "http://127.0.0.1:10000/devstoreaccount1"
"""What `UseDevelopmentStorage=true` stands for. Source: Use the Azurite emulator, connection strings, 2026-09."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_PORTS = {"https": 443, "http": 80}


def check_containers(store: StoreSettings, path: str) -> None:
    """Raise SettingsError for names that no container can have, and for one container in place of two."""
    for member in ("snapshots_container", "runs_container"):
        if not _CONTAINER.fullmatch(getattr(store, member)):
            raise SettingsError(
                "expected the name of a container: 3 to 63 lower-case letters, digits and single inner dashes",
                on=f"settings {path}.{member}",
                do="Correct the name",
            )
    if store.snapshots_container == store.runs_container:
        raise SettingsError(
            "expected two containers: snapshots are never overwritten, records of runs are",
            on=f"settings {path}",
            do="Give snapshots_container and runs_container different names",
        )


def check_places(settings: Settings, environment: Mapping[str, str]) -> None:
    """Raise SettingsError if two stores share a container, whatever each calls the account."""
    taken: dict[tuple[str, str], str] = {}
    for name, store in settings.stores.items():
        account = _account(store, environment)
        for container in (store.snapshots_container, store.runs_container):
            other = None if account is None else taken.setdefault((account, container), name)
            if other is not None and other != name:
                raise SettingsError(
                    f"it uses the container {container} of the same storage account, where store {other} is already, so"
                    " a copy from one to the other would be none",
                    on=f"settings $.stores.{name}",
                    do="Give it another account, or other containers with snapshots_container and runs_container",
                )


def _account(store: StoreSettings, environment: Mapping[str, str]) -> str | None:
    """Return what tells a store's account from others, or None if that is not known."""
    if store.account_url is not None:
        return _place(store.account_url)
    text = store.connection_string
    if isinstance(text, EnvironmentSecret):
        value = environment.get(text.env, "").strip()
        return _place_of_text(value) if value else f"variable {text.env}"
    return _place_of_text(text or "")


def _place_of_text(text: str) -> str | None:
    parts = (part.partition("=") for part in text.split(";"))
    members = {name.strip().lower(): value.strip() for name, _equals, value in parts}
    if members.get("usedevelopmentstorage", "").lower() == "true":
        return _place(_AZURITE)
    if members.get("blobendpoint"):
        return _place(members["blobendpoint"])
    if members.get("accountname"):
        return _place(f"https://{members['accountname']}.blob.{members.get('endpointsuffix') or 'core.windows.net'}")
    return None


def _place(url: str) -> str | None:
    """Return a URL's host, port and path in one form for all of an account's addresses; None if it has none."""
    try:
        address = urlsplit(url)
        host, port = (address.hostname or "").rstrip("."), address.port or _PORTS.get(address.scheme)
    except ValueError:
        return None
    if host in _LOOPBACK:
        host = "localhost"
    account, dot, rest = host.replace(".privatelink.", ".").partition(".")
    # No account's name has a dash: this is the read-only address of its second region.
    return f"{account.removesuffix('-secondary')}{dot}{rest}:{port}/{address.path.strip('/')}" if host else None
