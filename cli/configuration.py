"""Where the settings come from: INDEXVAULT_CONFIG."""

from collections.abc import Mapping
from pathlib import Path

from errors import SettingsError
from settings.model import Settings
from settings.read import read_settings

VARIABLE = "INDEXVAULT_CONFIG"


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings that INDEXVAULT_CONFIG holds (a JSON object) or points to (anything else).

    Raises SettingsError where there are none, or none that can be used.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        raise SettingsError(
            "it is not set", on=VARIABLE, do="Set it to the path of the settings file, or to the JSON itself"
        )
    if text.startswith("{"):
        return read_settings(text)
    try:
        return read_settings(Path(text).expanduser().read_bytes())
    except OSError as error:
        raise SettingsError(
            f"the file {text} can't be read ({error.strerror or type(error).__name__})",
            on=VARIABLE,
            do="Set it to the path of the settings file, or to the JSON itself",
        ) from None
