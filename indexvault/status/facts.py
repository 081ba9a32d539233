"""The facts about the fleet: services, their indexes and snapshots, runs, and the stores that hold the snapshots.

`gather.read_fleet` reads them from what is durable. Names, reasons and failures come from services and stores: whoever
shows them escapes them.
"""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from indexvault.model import IndexName
from indexvault.snapshots.manifest import AwareTime
from indexvault.status.health import Health
from indexvault.workflow.runs import ItemState, RunKind, RunState


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot in the history of an index. `stored` and `added_stored` are bytes in the store, compressed."""

    id: str
    state: str
    created: AwareTime
    documents: int
    bytes: int
    stored: int
    added_stored: int
    authentic: bool = True


class VerificationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """When stored packs of an index were last read back, and the damage known since, in words."""

    at: AwareTime | None
    damage: tuple[str, ...] = ()


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an index in the newest run that has finished with it."""

    run: str
    state: ItemState
    finished: AwareTime | None
    failure: str | None = None


class ReplicaFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The copies of an index's snapshots in another store.

    `behind` is how many whole snapshots it lacks; `unread` says why it could not be asked, or is empty.
    """

    store: str
    last: AwareTime | None = None
    behind: int = 0
    unread: str = ""


class IndexFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One index that is on a service, or has snapshots, or should have.

    `index` is `$service` for the service's other objects. `is_on_service` is None if the service could not be asked.
    `last_complete` is the newest snapshot that lacks nothing, a presumed one included; `last_proved` the newest that
    was read in full. `history` are the newest snapshots, the oldest first. `damaged` are snapshots that can't be read
    or have vanished, by id. `last_drill` is when a restore drill last succeeded.
    """

    service: str
    index: str
    health: Health
    is_on_service: bool | None
    policies: tuple[str, ...] = ()
    recovery_point: timedelta | None = None
    next_run: AwareTime | None = None
    running: str | None = None
    last: Point | None = None
    last_complete: Point | None = None
    last_proved: Point | None = None
    last_verified: VerificationFacts | None = None
    last_drill: AwareTime | None = None
    last_run: LastRun | None = None
    snapshots: int = 0
    damaged: tuple[str, ...] = ()
    unauthentic: tuple[str, ...] = ()
    is_revealed: bool = False
    replicas: tuple[ReplicaFacts, ...] = ()
    history: tuple[Point, ...] = ()

    @property
    def name(self) -> IndexName:
        """The index with its service."""
        return IndexName(self.service, self.index)


class PolicyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A policy: when it runs next, and its last run. `failure` is that of the run as a whole."""

    policy: str
    schedule: str
    recovery_point: timedelta
    next_run: AwareTime
    last_run: str | None = None
    last_state: RunState | None = None
    last_finished: AwareTime | None = None
    failure: str | None = None


class ServiceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One configured service. `unread` says why it could not be asked for its indexes, or is empty."""

    service: str
    health: Health
    region: str
    tier: str
    store: str
    unread: str = ""
    policies: tuple[PolicyFacts, ...] = ()
    indexes: tuple[IndexFacts, ...] = ()


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `documents` of `expected` are those of all its stages; both are None while nothing is known.

    `items` is how many indexes it works on, `ended` how many of them are finished, `failed` how many failed. `store` is
    where its record is.
    """

    run: str
    kind: RunKind
    state: RunState
    service: str
    asked: str
    store: str
    started_by: str
    created: AwareTime
    policy: str | None = None
    started: AwareTime | None = None
    finished: AwareTime | None = None
    items: int = 0
    ended: int = 0
    failed: int = 0
    indexes: tuple[str, ...] = ()
    stage: str | None = None
    documents: int | None = None
    expected: int | None = None
    bytes: int | None = None
    rate: float | None = None
    seconds_left: int | None = None
    failure: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it has ended."""
        return self.finished is not None


class StoreFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One configured store: the services whose snapshots go there first, and those that are copied to it.

    `unread` says why it could not be asked, or is empty.
    """

    store: str
    region: str
    health: Health
    own: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    unread: str = ""


class DriftFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was last measured between the two services of a pair that are both written to.

    `other` is the service that lacks the `missing` documents and has the `extra` ones. `definition` names what differs
    in definitions, `absent` the service that lacks the index. `since` is when the drift was first seen, `failure` why
    the last measurement failed.
    """

    other: str
    changed: int = 0
    missing: int = 0
    extra: int = 0
    definition: tuple[str, ...] = ()
    absent: str | None = None
    measured: AwareTime | None = None
    since: AwareTime | None = None
    failure: str | None = None


class PairIndexFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One index of a pair, as its other service has it. `index` is `$service` for the service's other objects.

    On a standby it equals `snapshot`, which holds what was in the active service's index up to `as_of`; both are None
    if it was never proved. `towards` is the snapshot that it is being brought to, `failure` why it could not be, and
    `gone_since` when it was deleted on the active service. `drift` is there if both services are written to.
    """

    service: str
    index: str
    health: Health
    snapshot: str | None = None
    as_of: AwareTime | None = None
    towards: str | None = None
    failure: str | None = None
    gone_since: AwareTime | None = None
    drift: DriftFacts | None = None


class PairFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Two services that take over from each other.

    `active`, `generation` and `since` are None if the role could not be read, `standby` if the settings name none, too.
    `following` says whether the standby is kept equal. `as_of` is up to when all of the standby's indexes hold what the
    active ones had, None if one was never proved. `last_drill` is the oldest of their last good drills. `unread` are
    the stores whose role could not be read.
    """

    pair: str
    mode: str
    primary: str
    active: str | None
    standby: str | None
    generation: int | None
    since: AwareTime | None
    following: bool
    recovery_point: timedelta
    recovery_time: timedelta
    health: Health
    as_of: AwareTime | None = None
    last_drill: AwareTime | None = None
    unread: tuple[str, ...] = ()
    indexes: tuple[PairIndexFacts, ...] = ()


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """All that is configured, as it was at `checked_at`. `runs` are the unfinished ones, then the newest others."""

    health: Health
    services: tuple[ServiceFacts, ...]
    runs: tuple[RunFacts, ...]
    replicas: tuple[StoreFacts, ...]
    checked_at: AwareTime
    pairs: tuple[PairFacts, ...] = ()

    @property
    def indexes(self) -> Iterator[IndexFacts]:
        """All indexes of all services."""
        return (index for service in self.services for index in service.indexes)
