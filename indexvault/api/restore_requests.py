"""The request of `POST /restores`."""

from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta, field

from indexvault.api.parameters import IndexName, IndexPattern, KeptSnapshotName, OverlayName, ServiceName
from indexvault.model import Mode, TargetOptions
from indexvault.restore.job import PROVE_EVERY
from indexvault.settings.patterns import MOST_PATTERNS

OWNER = "POST /restores"
type DocumentKey = Annotated[str, Meta(min_length=1, max_length=1024, description="The key of a document.")]


type RenameRule = Annotated[str, Meta(min_length=3, max_length=1000, description="A rule such as `*=dr-*`.")]


class RestoreRequest(TargetOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which snapshot to restore, where, and how.

    The index keeps its name if `target_index` is left out; except in mode create the target may be an alias. `patch` is
    a JSON Merge Patch of the definition with fields by name, `overlay` names the overlay of the settings that completes
    it, such as with the secrets that no snapshot holds, `filter` is a JMESPath expression. A `dry_run` is answered at
    once with what would be checked, apart from the chunks, and starts nothing.

    With `proved` only a snapshot is meant whose run read the whole index, none that is presumed: the newest at or
    before the time that `snapshot` names. With `follow`, a sync writes only what differs from the snapshot that the
    target equals, as long as every document was compared within `prove_every`.

    A snapshot of `$service` means all of the service: its other objects, and each index as it was then. Of the other
    members it takes `indexes` (names and patterns), `rename` (rules for the names on the target, of which the first
    that fits decides), `overlay` and those that accept or allow something. There a `dry_run` is a run, too, whose
    report says what would become of each object.
    """

    snapshot: KeptSnapshotName
    proved: bool = False
    target_service: ServiceName
    target_index: IndexName | None = None
    mode: Mode = "create"
    alias: IndexName | None = None
    replace_in_place: bool = False
    delete_old: bool = False
    update_definition: bool = False
    patch: dict[str, Any] | None = None
    overlay: OverlayName | None = None
    keys: Annotated[list[DocumentKey], Meta(max_length=1000)] = field(default_factory=list)
    filter: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    resume: bool = False
    follow: bool = False
    prove_every: timedelta = PROVE_EVERY
    discard_unfinished: bool = False
    indexes: Annotated[list[IndexPattern], Meta(min_length=1, max_length=MOST_PATTERNS)] = field(
        default_factory=lambda: ["*"]
    )
    rename: Annotated[list[RenameRule], Meta(max_length=1000)] = field(default_factory=list)
    dry_run: bool = False
