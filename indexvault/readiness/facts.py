"""The facts that a pair's readiness is judged by, each with what kept it from being read.

`gather.read_pairs` reads them. Texts come from services, stores and records: whoever shows them escapes them.
"""

from datetime import timedelta

import msgspec

from indexvault.readiness.management import Resource
from indexvault.recovery.drift_records import DriftState
from indexvault.recovery.standby_records import StandbyState
from indexvault.search.statistics import ServiceStatistics
from indexvault.settings.model import PairMode, Tier
from indexvault.snapshots.manifest import AwareTime
from indexvault.status.facts import IndexFacts


class IndexSize(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its service's quotas an index takes: documents, and bytes of storage and of vector index."""

    documents: int = 0
    storage: int = 0
    vectors: int = 0


class ObjectFacts(msgspec.Struct, frozen=True):
    """An object of the active service that an index depends on, and what the other service would lack to have it.

    `lacks` says in words which secrets the overlay doesn't supply. `is_there` is whether the other service has one of
    this name; None if it could not be asked.
    """

    kind: str
    name: str
    lacks: tuple[str, ...] = ()
    is_there: bool | None = None


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A service of a pair and its store.

    `resource` is what the management API told, `untold` why it told nothing. `unread`, `store_unread` say why service
    and store don't answer, or are empty. `may_write` is whether the roles suffice for a restore to it; None if that
    could not be found out. `sizes` and `objects` are None if they could not be read.
    """

    service: str
    region: str
    tier: Tier
    replicas: int | None
    store: str
    store_region: str
    resource: Resource | None = None
    untold: str = ""
    unread: str = ""
    store_unread: str = ""
    statistics: ServiceStatistics | None = None
    may_write: bool | None = None
    sizes: dict[str, IndexSize] | None = None
    objects: dict[str, frozenset[str]] | None = None


class DrillFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The last drill of an index: on which service, what its restore took, and why it failed, or empty."""

    target: str
    finished: AwareTime
    seconds: float | None = None
    failure: str = ""


class PairIndexFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An index of a pair: its snapshots, as the active service's store tells, and its last drill.

    `misfits` says in words which limits of the other service its definition exceeds; `covered_after` is whether a
    policy of that service would back it up. `drill_within`, `prove_within` are how old the last drill and the last full
    reading may be, where the settings say so.
    """

    facts: IndexFacts
    drill: DrillFacts | None = None
    drill_within: timedelta | None = None
    prove_within: timedelta | None = None
    misfits: tuple[str, ...] = ()
    covered_after: bool = False
    standby: StandbyState | None = None
    drift: DriftState | None = None


class PairFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a pair at `now`. `other` is None for one whose standby is made at failover.

    `copies` is the store that a failover would read from. `unread` are records and lists that could not be read, in
    words.
    """

    pair: str
    mode: PairMode
    now: AwareTime
    active: SideFacts
    other: SideFacts | None
    copies: str
    copies_region: str
    copies_unread: str = ""
    """Why the records in that store could not be read, or empty."""
    recovery_point: timedelta
    recovery_time: timedelta
    generation: int = 0
    is_following: bool = True
    role_unread: str = ""
    """Why the role is known from one store only, or empty."""
    role_failure: str = ""
    """Why it is not known at all, or empty: then `active` is only the primary of the settings."""
    overlay: str | None = None
    geo_redundant: tuple[str, ...] = ()
    has_record_key: bool = False
    indexes: tuple[PairIndexFacts, ...] = ()
    data_sources: tuple[str, ...] | None = None
    needs: tuple[ObjectFacts, ...] | None = None
    unread: tuple[str, ...] = ()
