"""Read files of a folder that others may have written.

A pipe would wait for ever, a device has no end, and a file may be larger than memory: each is refused by name.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from indexvault.bounds import MEBIBYTE
from indexvault.errors import SettingsError

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def require_plain(file: Path) -> None:
    """Raise SettingsError unless this is a plain file, or a link to one."""
    try:
        _require_plain(file.stat(), file)
    except OSError as error:
        raise _unreadable(file, error) from None


def open_plain(file: Path) -> BinaryIO:
    """Open a plain file, or one that a link leads to. Raises SettingsError for anything else, and never waits."""
    require_plain(file)  # opening a device may do something
    try:
        descriptor = os.open(file, _FLAGS)
    except OSError as error:
        raise _unreadable(file, error) from None
    opened = os.fdopen(descriptor, "rb")
    try:
        _require_plain(os.fstat(descriptor), file)  # it may have been replaced since
    except SettingsError:
        opened.close()
        raise
    return opened


def read_plain(file: Path, limit: int) -> bytes:
    """Return a plain file's bytes. Raises SettingsError for anything else, and for more than `limit` bytes."""
    with open_plain(file) as opened:
        data = opened.read(limit + 1) if os.fstat(opened.fileno()).st_size <= limit else None
    if data is None or len(data) > limit:
        raise SettingsError(
            f"it has more than {limit // MEBIBYTE} MiB", on=str(file), do="Check that it is the right file"
        )
    return data


def _require_plain(found: os.stat_result, file: Path) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    kind = next((words for is_kind, words in _KINDS if is_kind(found.st_mode)), "no file")
    raise SettingsError(f"it is {kind}, and not a plain file", on=str(file), do="Put a plain file in its place")


def _unreadable(file: Path, error: OSError) -> SettingsError:
    return SettingsError(f"it can't be read ({error.strerror})", on=str(file), do="Check the file and its permissions")
