"""Read the secrets that the settings name."""

import re
from collections.abc import Mapping

from indexvault.errors import IndexvaultError, SettingsError, UnauthorizedError
from indexvault.search.random_text import is_random
from indexvault.search.secret_shapes import has_secret
from indexvault.settings.model import EnvironmentSecret, Settings

_ANY_VARIABLE = "the environment variable that api_key names"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")


def check_variable(name: str, on: str) -> None:
    """Raise SettingsError, without repeating it, for what can't be a variable's name, such as the secret itself."""
    if not _VARIABLE.fullmatch(name) or has_secret(name) or is_random(name):
        raise SettingsError(
            "expected the name of an environment variable",
            on=f"{on}.env",
            do="Name the variable that holds the secret, such as CONTOSO_EAST_KEY",
        )


def _without(on: str) -> str:
    """Return what does without a secret of the settings."""
    if on.endswith("connection_string"):
        return "name the account with account_url instead, to use an Entra identity"
    return "take the entry out of the settings" + (" to use an Entra identity" if on.endswith("api_key") else "")


def naming_the_variable(error: IndexvaultError, settings: Settings) -> IndexvaultError:
    """Return the refusal of a service's key with the name of the variable that holds it; another error as it is."""
    service = settings.services.get(error.on.partition(" ")[0])
    if not isinstance(error, UnauthorizedError) or service is None or service.api_key is None:
        return error
    return UnauthorizedError(
        error.what, on=error.on, do=error.do.replace(_ANY_VARIABLE, f"{_ANY_VARIABLE}, {service.api_key.env},")
    )


def secret_value(secret: EnvironmentSecret, environment: Mapping[str, str], on: str) -> str:
    """Return a secret's value from the environment.

    Raises SettingsError if it is not set, or holds control characters.
    """
    check_variable(secret.env, on)
    value = environment.get(secret.env, "").strip()
    if not value:
        raise SettingsError(
            f"the environment variable {secret.env} is not set",
            on=on,
            do=f"Set {secret.env} (export {secret.env}=..., in Azure an app setting), or {_without(on)}",
        )
    if not value.isprintable():  # no HTTP header accepts it, and the library's error would quote it
        raise SettingsError(
            f"the environment variable {secret.env} holds a line break or another control character",
            on=on,
            do=f"Set {secret.env} to the secret alone, on one line",
        )
    return value
