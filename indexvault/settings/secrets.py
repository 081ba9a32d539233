"""Read the secrets that the settings name."""

import re
from collections.abc import Mapping

from indexvault.errors import SettingsError
from indexvault.search.random_text import is_random
from indexvault.search.secret_shapes import has_secret
from indexvault.settings.model import EnvironmentSecret

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")


def check_variable(name: str, on: str) -> None:
    """Raise SettingsError, without repeating it, for what can't be a variable's name, such as the secret itself."""
    if not _VARIABLE.fullmatch(name) or has_secret(name) or is_random(name):
        raise SettingsError(
            "expected the name of an environment variable",
            on=f"{on}.env",
            do="Name the variable that holds the secret, such as CONTOSO_EAST_KEY",
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
            do=f"Set {secret.env}, or take the entry out of the settings to use an Entra identity",
        )
    if not value.isprintable():  # no HTTP header accepts it, and the library's error would quote it
        raise SettingsError(
            f"the environment variable {secret.env} holds a line break or another control character",
            on=on,
            do=f"Set {secret.env} to the secret alone, on one line",
        )
    return value
