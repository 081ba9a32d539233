"""Secrets, which the settings only name."""

from collections.abc import Mapping

from errors import SettingsError
from settings.model import EnvironmentSecret


def secret_value(secret: EnvironmentSecret, environment: Mapping[str, str], on: str) -> str:
    """Give a secret's value from the environment, which is passed in. Raises SettingsError if it is not set."""
    value = environment.get(secret.env, "").strip()
    if not value:
        raise SettingsError(
            f"the environment variable {secret.env} is not set",
            on=on,
            do=f"Set {secret.env}, or take the entry out of the settings to use an Entra identity",
        )
    return value
