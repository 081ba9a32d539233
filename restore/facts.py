"""What the checks of a restore stand on."""

from collections.abc import Sequence

import msgspec

from errors import ErrorRecord
from restore.changes import SchemaChanges
from restore.job import RestoreJob
from restore.place import Place
from restore.regions import Regions
from search.schema import Schema
from search.statistics import IndexStatistics, ServiceStatistics
from snapshots.manifest import Manifest


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision stands on.

    `definition` is the one that the target would get, with its `schema`; `changes` are from the snapshot's schema to
    the one that documents go into. `present` is the definition of the existing index in modes sync and fill, `held`
    what the index that is written or replaced in place takes up now.
    `missing_maps` and `differing_maps` are synonym maps that the definition names. `denied` is what the target says to
    a caller without the roles.
    """

    job: RestoreJob
    manifest: Manifest
    definition: msgspec.Raw
    preview: bool
    schema: Schema
    changes: SchemaChanges
    tier: str
    regions: Regions
    allow_cross_region: bool
    denied: ErrorRecord | None
    place: Place
    alias_place: Place | None
    present: msgspec.Raw | None
    statistics: ServiceStatistics
    missing_maps: Sequence[str]
    differing_maps: Sequence[str]
    knows_preview: bool
    documents: int
    bytes: int
    held: IndexStatistics | None
