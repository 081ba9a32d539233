"""Where the command line finds its settings."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from indexvault.errors import SettingsError

CONFIG_VARIABLE = "INDEXVAULT_CONFIG"
FILE_NAME = "indexvault.json"
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def find_settings(environment: Mapping[str, str], named: str | None, *, folder: Path) -> Mapping[str, str]:
    """Return the environment with INDEXVAULT_CONFIG set to what is to be read.

    `named` is what --config says. Else it is what the variable holds, else indexvault.json in `folder`, else the one in
    the user's configuration folder. Raises SettingsError if there is none, and for a file in `folder` that somebody
    else owns or may write: settings decide which secrets go to which host.
    """
    if named is not None:
        return {**environment, CONFIG_VARIABLE: str(Path(named).expanduser().absolute())}
    if environment.get(CONFIG_VARIABLE, "").strip():
        return environment
    here, users = folder / FILE_NAME, user_file(environment)
    if here.is_file():
        _check_owner(here)
        return {**environment, CONFIG_VARIABLE: str(here)}
    if users is not None and users.is_file():
        return {**environment, CONFIG_VARIABLE: str(users)}
    raise SettingsError(
        f"there are none: no --config, no {CONFIG_VARIABLE}, no {FILE_NAME} in this folder"
        + (f", no {users}" if users is not None else ""),
        on="settings",
        do=f"Write them to {FILE_NAME} (indexvault init does), or name their file with --config",
    )


def user_file(environment: Mapping[str, str]) -> Path | None:
    """Return the settings file of the user, whether there is one or not, or None if the user has no folder."""
    if os.name == "nt":
        base = environment.get("APPDATA")
    else:
        home = environment.get("HOME")
        base = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None)
    return Path(base) / "indexvault" / FILE_NAME if base and Path(base).is_absolute() else None


def _check_owner(path: Path) -> None:
    if os.name == "nt":
        return
    status = path.stat()
    if status.st_uid not in {os.getuid(), 0} or status.st_mode & _OTHERS_MAY_WRITE:
        raise SettingsError(
            "others than you own it or may write it, and it decides where secrets go",
            on=f"file {FILE_NAME} of this folder",
            do=f"chmod go-w {FILE_NAME}, or name it with --config if you trust it",
        )
