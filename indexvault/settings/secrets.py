"""Secrets, which the settings only name."""

from collections.abc import Mapping

from indexvault.errors import SettingsError
from indexvault.settings.model import EnvironmentSecret


def secret_value(secret: EnvironmentSecret, environment: Mapping[str, str], on: str) -> str:
    """Return a secret's value from the environment, which is passed in.

    Raises SettingsError if it is not set or can't be one.
    """
    value = environment.get(secret.env, "").strip()
    if not value:
        raise SettingsError(
            f"the environment variable {secret.env} is not set",
            on=on,
            do=f"Set {secret.env}, or take the entry out of the settings to use an Entra identity",
        )
    if not value.isprintable():  # no HTTP header takes it, and the library that refuses it would repeat it
        raise SettingsError(
            f"the environment variable {secret.env} holds a line break or another control character",
            on=on,
            do=f"Set {secret.env} to the secret alone, on one line",
        )
    return value
