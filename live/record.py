"""The record of what a run makes, and the mark by which it is known: what lacks either is nobody's to remove.

A line is on disk before its index is created, so that even a run that is killed leaves a list of what to remove.
"""

import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

DEFAULT_PREFIX = "indexvault-live-"
MARK = "Made by indexvault's live checks; may be deleted. Run "
"""How the description of every index begins that a run makes. Restored copies keep it."""

_PREFIX = re.compile(r"[a-z][a-z0-9-]{6,58}-")


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run is about to make: an index, or the snapshots of a service of that name."""

    kind: str
    name: str
    endpoint: str
    run: str
    at: datetime


class Record:
    """A file with a line for each thing that is made. It is appended to only, and each line is flushed to disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, made: Made) -> None:
        """Write down what is about to be made."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(made) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self, endpoint: str) -> list[Made]:
        """Return what was made on an endpoint. A last line that a killed run left unfinished is skipped."""
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                found.append(msgspec.json.decode(line, type=Made))
            except msgspec.MsgspecError:
                continue
        return [made for made in found if made.endpoint == endpoint]


def require_prefix(prefix: str) -> str:
    """Return a prefix of index names. Raises ValueError unless it is long enough to be nobody else's."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(
            f"the prefix {prefix!r} is not 8 to 60 lower-case letters, digits and hyphens that end with a hyphen"
        )
    return prefix


def is_ours(definition: Mapping[str, Any], prefix: str) -> bool:
    """Return whether an index is a live check's: its name has the prefix and its description the mark."""
    description = definition.get("description")
    return (
        str(definition.get("name", "")).startswith(prefix)
        and isinstance(description, str)
        and description.startswith(MARK)
    )
