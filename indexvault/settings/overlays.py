"""Overlays complete definitions for another service, above all with the secrets that no snapshot holds.

    {"overlays": {"west": {"datasources/blobs": {"credentials": {"connectionString": {"env": "WEST_BLOBS"}}},
                           "indexes/hotels": {"vectorSearch": {"vectorizers": {"ada": {...}}}}}}}

Each entry is a JSON Merge Patch of one object, by its kind and its name in the snapshot. An entry never holds a secret
itself, but names its environment variable (in Azure an app setting, which may be a Key Vault reference).
"""

from collections.abc import Mapping
from typing import Any

from indexvault.errors import NotFoundError, SettingsError
from indexvault.model import MOST_LEVELS, exceeds_levels
from indexvault.search.secret_scan import SECRET_MEMBERS
from indexvault.settings.model import EnvironmentSecret, Settings
from indexvault.settings.secrets import secret_value

KINDS = frozenset(
    {"indexes", "synonymmaps", "datasources", "skillsets", "indexers", "knowledgesources", "knowledgebases", "aliases"}
)
_IDENTITY = "ResourceId="


def check_overlays(settings: Settings) -> None:
    """Raise SettingsError for an entry of no known kind, or one with a secret written out."""
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
            _require_named(patch, path)


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
    if isinstance(patch, list):
        return [filled(item, environment, on) for item in patch]
    if not isinstance(patch, dict):
        return patch
    if patch.keys() == {"env"} and isinstance(patch["env"], str):
        return secret_value(EnvironmentSecret(env=patch["env"]), environment, on)
    return {name: filled(inner, environment, f"{on}.{name}") for name, inner in patch.items()}


def _require_named(value: Any, path: str) -> None:
    if isinstance(value, list):
        for position, item in enumerate(value):
            _require_named(item, f"{path}[{position}]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in SECRET_MEMBERS and isinstance(inner, str) and not inner.startswith(_IDENTITY):
                raise SettingsError(
                    "expected no secret in the settings themselves",
                    on=f"{path}.{name}",
                    do='Put it in an environment variable and name it: {"env": "NAME"}',
                )
            _require_named(inner, f"{path}.{name}")
