"""Names and types that every room shares."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

type Clock = Callable[[], datetime]
"""Returns the time, aware and in UTC."""


class IndexName(msgspec.Struct, frozen=True):
    """An index of a configured service."""

    service: str
    index: str

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.service}/{self.index}"


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
