"""Overlays complete definitions for another service, above all with the secrets that no snapshot holds.

    {"overlays": {"west": {
       "datasources/blobs": {"credentials": {"connectionString": {"env": "WEST_BLOBS", "host": "contoso.blob.core.windows.net"}}},
       "indexes/hotels": {"vectorSearch": {"vectorizers": {"ada": {"azureOpenAIParameters": {
          "apiKey": {"env": "WEST_MODEL", "host": "contoso.openai.azure.com"}}}}}}}}}

Each entry is a JSON Merge Patch of one object, by its kind and its name in the snapshot. An entry never holds a secret
itself, but names its environment variable (in Azure an app setting, which may be a Key Vault reference) and the host
that the secret is for: snapshots and patches of others say where a definition sends it (see `restore.secret_hosts`).
"""  # noqa: E501 - an example of JSON

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from indexvault.errors import NotFoundError, SettingsError
from indexvault.model import MOST_LEVELS, exceeds_levels
from indexvault.search.addresses import host_named
from indexvault.search.secret_scan import secret_members
from indexvault.settings.model import EnvironmentSecret, Settings
from indexvault.settings.secrets import check_variable, secret_value

KINDS = frozenset(
    {"indexes", "synonymmaps", "datasources", "skillsets", "indexers", "knowledgesources", "knowledgebases", "aliases"}
)
HOSTLESS = (("skillsets", "cognitiveServices.key"),)
"""Secrets whose host no definition names: the service knows where the key of a Cognitive Services account goes. Source:
Attach a Foundry resource to a skillset, 2026-09."""
_MEMBERS = {"env", "host"}
_WRITE = 'Write {"env": "VARIABLE", "host": "HOST"}, with the host that the secret may be sent to'
_POSITION = re.compile(r"\[\d+\]")


class OverlaySecret(msgspec.Struct, frozen=True):
    """A secret of an overlay: its value, which must not be written down, and the host it is for, None for HOSTLESS."""

    value: str
    host: str | None


class OverlayEntry(msgspec.Struct, frozen=True):
    """An overlay's patch of one object: with its secrets filled in, and with a mark for each that is not a secret."""

    filled: Any
    marked: Any
    secrets: dict[str, OverlaySecret]


def check_overlays(settings: Settings) -> None:
    """Raise SettingsError for an entry of no known kind, a secret written out, or one without the host it is for."""
    for name, overlay in settings.overlays.items():
        for entry, patch in overlay.items():
            path = f"settings $.overlays.{name}.{entry}"
            kind, slash, rest = entry.partition("/")
            if kind not in KINDS or not slash or not rest:
                raise SettingsError(
                    f"expected KIND/NAME with a kind of {', '.join(sorted(KINDS))}", on=path, do="Correct the entry"
                )
            if exceeds_levels(patch, MOST_LEVELS):
                raise SettingsError(f"it has more than {MOST_LEVELS} levels", on=path, do="Patch only what changes")
            for below, named in _named(patch):
                _check_named(named, f"{path}.{below}", needs_host=(kind, _POSITION.sub("", below)) not in HOSTLESS)
            _require_no_secret(patch, path)


def overlay_of(settings: Settings, name: str) -> Mapping[str, dict[str, Any]]:
    """Return an overlay by its name. Raises NotFoundError naming the known overlays."""
    if name not in settings.overlays:
        known = ", ".join(sorted(settings.overlays)) or "none"
        raise NotFoundError(
            "no overlay of this name is configured", on=f"overlay {name}", do=f"Known overlays: {known}"
        )
    return settings.overlays[name]


def filled(patch: Any, environment: Mapping[str, str], on: str) -> Any:
    """Return a patch with the secrets it names filled in. Raises SettingsError for one that is not set."""
    return overlay_entry(patch, environment, on).filled


def overlay_entry(patch: Any, environment: Mapping[str, str], on: str) -> OverlayEntry:
    """Return a patch with the secrets it names. Raises SettingsError for one that is not set."""
    secrets: dict[str, OverlaySecret] = {}
    marks: dict[str, str] = {}
    for path, named in _named(patch):
        mark = f"<secret {len(secrets) + 1} of the overlay>"
        host = named.get("host")
        value = secret_value(EnvironmentSecret(env=named["env"]), environment, f"{on}.{path}")
        secrets[mark] = OverlaySecret(value, None if host is None else host_named(host))
        marks[path] = mark
    return OverlayEntry(
        filled=_replaced(patch, "", {path: secrets[mark].value for path, mark in marks.items()}),
        marked=_replaced(patch, "", marks),
        secrets=secrets,
    )


def _named(patch: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the paths of the secrets that a patch names, each with what it says of it."""
    if isinstance(patch, list):
        for position, item in enumerate(patch):
            yield from _named(item, f"{path}[{position}]")
    elif isinstance(patch, dict):
        if isinstance(patch.get("env"), str):
            yield path, patch
            return
        for name, inner in patch.items():
            yield from _named(inner, f"{path}.{name}" if path else name)


def _replaced(patch: Any, path: str, values: Mapping[str, str]) -> Any:
    if path in values:
        return values[path]
    if isinstance(patch, list):
        return [_replaced(item, f"{path}[{position}]", values) for position, item in enumerate(patch)]
    if not isinstance(patch, dict):
        return patch
    return {name: _replaced(inner, f"{path}.{name}" if path else name, values) for name, inner in patch.items()}


def _check_named(named: dict[str, Any], path: str, *, needs_host: bool) -> None:
    if not named.keys() <= _MEMBERS:
        raise SettingsError("a secret has the members env and host only", on=path, do=_WRITE)
    check_variable(named["env"], path)
    host = named.get("host")
    if host is None and needs_host:
        raise SettingsError("it does not name the host that the secret is for", on=path, do=_WRITE)
    if host is not None and (not isinstance(host, str) or host_named(host) is None):
        raise SettingsError("expected a host such as contoso.openai.azure.com", on=f"{path}.host", do=_WRITE)


def _require_no_secret(patch: Any, path: str) -> None:
    named = {below: "" for below, _ in _named(patch)}
    for member in secret_members(_replaced(patch, "", named)):
        raise SettingsError(
            "expected no secret in the settings themselves",
            on=f"{path}.{member.replace('/', '.')}",
            do=f"Put it in an environment variable and name it. {_WRITE}",
        )
