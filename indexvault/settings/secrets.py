"""Read the secrets that the settings name."""

from collections.abc import Mapping

from indexvault.errors import SettingsError
from indexvault.settings.model import EnvironmentSecret


def secret_value(secret: EnvironmentSecret, environment: Mapping[str, str], on: str) -> str:
    """Return a secret's value from the environment.

    Raises SettingsError if it is not set, or holds control characters.
    """
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
