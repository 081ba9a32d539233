"""Comparing two states as a run: what it is about, and what it reports."""

import msgspec

from indexvault.errors import ConflictError
from indexvault.model import IndexName
from indexvault.recovery.drift import Drift, ServiceDrift
from indexvault.recovery.mend import Mended
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.workflow.activity import Work

type State = IndexName | SnapshotReference
"""An index as it is now, or a snapshot."""


def parse_state(text: str) -> State:
    """Read SERVICE/INDEX, or a snapshot. Raises SettingsError when it is neither."""
    if "@" in text:
        return SnapshotReference.parse(text)
    service, _, index = text.partition("/")
    return IndexName(service, index)


class DriftJob(msgspec.Struct, frozen=True, kw_only=True):
    """Two states of an index to compare, as text: SERVICE/INDEX or a snapshot.

    With `repair_from`, which is one of the two, the other one is made as it; `allow_cross_region` lets its documents
    leave their region for that. `by_counts` compares no documents. For a `pair`, the result is kept as its drift in the
    store of the service `home`, with the report.
    """

    one: str
    other: str
    run: str
    repair_from: str | None = None
    by_counts: bool = False
    accept_loss: bool = False
    allow_cross_region: bool = False
    owner: str = "the command line"
    pair: str | None = None
    home: str | None = None

    @property
    def target(self) -> IndexName | None:
        """The index that is to be made as the other side, or None. Raises ConflictError for a snapshot."""
        if self.repair_from is None:
            return None
        state = parse_state(self.other if self.repair_from == self.one else self.one)
        if not isinstance(state, IndexName):
            raise ConflictError("a snapshot is never changed", on=str(state), do="Name the snapshot with --repair-from")
        return state

    @property
    def work(self) -> Work:
        """What the activities of this job work for: the index that is written to, or the first side."""
        target = self.target
        if target is None:
            first = parse_state(self.one)
            target = IndexName(first.service, first.index)
        return Work(run=self.run, service=self.home or target.service, index=target)


class ObjectsJob(msgspec.Struct, frozen=True, kw_only=True):
    """The definitions of `kinds` of objects of a pair's two services to compare; see `DriftJob`."""

    pair: str
    one: str
    other: str
    home: str
    kinds: tuple[str, ...]
    run: str
    owner: str = "the command line"

    @property
    def work(self) -> Work:
        """What the activity of this job works for."""
        return Work(run=self.run, service=self.home, index=IndexName(self.other, SERVICE_OBJECTS))


class DriftReport(msgspec.Struct, frozen=True):
    """What differed, and, if it was to be mended, what was written and what differs since then."""

    drift: Drift
    mended: Mended | None = None
    left: Drift | None = None

    @property
    def is_alike(self) -> bool:
        """Whether the two are alike by now, as far as documents go if they were made so."""
        now = self.left or self.drift
        return now.is_alike


class ObjectsReport(msgspec.Struct, frozen=True):
    """What differs between the other objects of two services: it has no indexes."""

    drift: ServiceDrift
