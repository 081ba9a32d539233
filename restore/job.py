"""What a restore is told and what its steps tell each other: small records that cross the engine."""

from datetime import datetime

import msgspec

from engine.step import IndexName, Work


class RestoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot to restore as a new index.

    `service`, `index` and `snapshot` (an id) name the source; the store is that of the source service. `run` names the
    execution, `owner` says in words who started it. `accept_loss` says that a lossy snapshot is good enough.
    """

    service: str
    index: str
    snapshot: str
    target_service: str
    target_index: str
    run: str
    accept_loss: bool = False
    parallel: int = 4
    owner: str = "the command line"

    @property
    def work(self) -> Work:
        """What the steps of this job work for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.target_service, self.target_index))


class Stretch(msgspec.Struct, frozen=True):
    """Consecutive chunks of a manifest, by position: `start` included, `end` not."""

    job: RestoreJob
    start: int
    end: int


class RestorePlan(msgspec.Struct, frozen=True):
    """What the snapshot holds and in which stretches it is handled, as (start, end) positions of chunks."""

    documents: int
    losses: list[str]
    stretches: list[tuple[int, int]]
    started: datetime


class StretchProved(msgspec.Struct, frozen=True):
    """That so many chunks are in the store as they were written."""

    chunks: int


class TargetReady(msgspec.Struct, frozen=True):
    """That the target is there: the synonym maps made for it, and what the operator should know."""

    synonym_maps: list[str]
    notes: list[str]


class Settled(msgspec.Struct, frozen=True):
    """The documents that the target counted when waiting ended."""

    counted: int


class Concluded(msgspec.Struct, frozen=True):
    """When the restore was over."""

    finished: datetime


class StretchLoaded(msgspec.Struct, frozen=True):
    """What loading one stretch came to."""

    documents: int
    bytes: int
    requests: int


class Difference(msgspec.Struct, frozen=True):
    """A document that is not as it should be: `different`, `missing` or `extra` in the target."""

    key: str
    kind: str


class StretchCompared(msgspec.Struct, frozen=True):
    """What comparing one stretch came to, with the first differences in key order.

    `identical` documents have the same bytes, `equal` ones the same values in other bytes.
    """

    identical: int
    equal: int
    different: int
    missing: int
    extra: int
    differences: list[Difference]


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """A restored index that was proved to be its snapshot. `bytes` are those of its documents as they were loaded."""

    service: str
    index: str
    snapshot: str
    target_service: str
    target_index: str
    documents: int
    bytes: int
    identical: int
    equal: int
    requests: int
    synonym_maps: list[str]
    losses: list[str]
    notes: list[str]
    started: datetime
    finished: datetime
