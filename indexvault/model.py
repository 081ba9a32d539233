"""Names and types that every room shares."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

from indexvault.bounds import DEFINITION_LIMIT, MEBIBYTE, decode
from indexvault.errors import UNDECODABLE

type Clock = Callable[[], datetime]
"""Returns the time, aware and in UTC."""

INDEX_NAME_LENGTH = 128
"""Characters in the name of an index or alias at most. Source: Naming rules (Azure AI Search), 2026-09."""
INDEX_NAME = f"[a-z0-9]([a-z0-9_-]{{0,{INDEX_NAME_LENGTH - 2}}}[a-z0-9_])?"
"""Regular expression for the name of an index or alias, from end to end: it can't end with a dash. Two dashes or
two underscores in a row are refused too, see `is_index_name`. Source: as for INDEX_NAME_LENGTH."""
INDEX_PATTERN = f"!?[a-z0-9*][a-z0-9*_-]{{0,{INDEX_NAME_LENGTH - 1}}}"
"""Regular expression for an entry of a list of indexes: a name, or a pattern with `*`; `!` in front leaves out."""

DRILL_PREFIX = "indexvault-drill-"
"""What the names of the temporary indexes of drills begin with: no pattern matches them."""

CONFIGURED_NAME_LENGTH = 60
"""Characters in a name that the settings give, at most."""
CONFIGURED_NAME = f"[a-z0-9]([a-z0-9-]{{0,{CONFIGURED_NAME_LENGTH - 2}}}[a-z0-9])?"
"""Regular expression for the names that the settings give to services, stores and policies, from end to end."""


def is_index_name(text: str) -> bool:
    """Return whether the service accepts this name for an index or alias."""
    return re.fullmatch(INDEX_NAME, text) is not None and "--" not in text and "__" not in text


MOST_LEVELS = 64
"""The deepest nesting of definitions and overlays. Complex fields have 10 levels, two objects each. Source: Service
limits, 2026-09."""


def exceeds_levels(value: Any, most: int) -> bool:
    """Return whether decoded JSON nests deeper than this many levels, without recursion."""
    level: list[Any] = [value]
    for _ in range(most):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def definition_fault(text: bytes | msgspec.Raw) -> str | None:
    """Return why a definition can't be worked with, or None if it can.

    It has to be a JSON object, decodable to its end, of at most MOST_LEVELS levels and DEFINITION_LIMIT bytes.
    """
    if len(memoryview(text)) > DEFINITION_LIMIT:
        return f"it has more than {DEFINITION_LIMIT // MEBIBYTE} MiB"
    try:
        value = decode(text)
    except UNDECODABLE as error:
        return f"it can't be decoded ({type(error).__name__})"
    if not isinstance(value, dict):
        return "it is not an object"
    return f"it has more than {MOST_LEVELS} levels" if exceeds_levels(value, MOST_LEVELS) else None


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


class IndexName(msgspec.Struct, frozen=True):
    """An index of a configured service."""

    service: str
    index: str

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.service}/{self.index}"


type Authenticity = Literal["authentic", "accepted", "unauthentic"]
"""Who made a snapshot, as far as record keys tell: somebody who has one, somebody whom an operator has trusted by
accepting the snapshot, or nobody knows."""

type Mode = Literal["create", "replace", "sync", "fill"]
"""How a restore treats its target.

`create`: make a new index under a free name. `replace`: make a new index beside the old one, then swap the alias.
`sync`: make the existing index equal to the snapshot. `fill`: add the documents that the existing index lacks.
"""


class TargetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that a restore, a move and the restore of a whole service share.

    Jobs and HTTP requests inherit them, so their JSON stays flat. Add an option here, use it where it takes effect,
    and give it a flag on the command line.
    """

    overlay: str | None = None
    """Name the overlay of the settings that completes definitions, above all with the secrets no snapshot holds."""
    accept_loss: bool = False
    """Restore a lossy snapshot, without the fields it lacks."""
    accept_unsettled: bool = False
    """Restore an unsettled snapshot, which may lack documents that the service's counts left open."""
    accept_unauthentic: bool = False
    """Restore a snapshot that no record key has signed and no operator has accepted."""
    allow_cross_region: bool = False
    """Let the data leave the region of its service."""
    skip_refused: bool = False
    """Continue without documents that the target refuses; the report lists them."""


class TargetIndexOptions(TargetOptions, frozen=True, kw_only=True):
    """The options that a restore and a move of one index share."""

    alias: str | None = None
    """Create this alias, or swap it, once the new index is proved."""
    patch: str | None = None
    """Change the definition with this JSON Merge Patch (as JSON text), fields addressed by name."""


def shared_options(given: TargetOptions, kind: type[TargetOptions] = TargetOptions) -> dict[str, Any]:
    """Return the options of `kind` by member name, to pass on from one job or request to another."""
    return {name: getattr(given, name) for name in kind.__struct_fields__}
