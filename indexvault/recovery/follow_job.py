"""Following: the jobs that keep a standby equal to the active service of its pair, and what they exchange."""

from datetime import datetime
from typing import Literal

import msgspec

from indexvault.errors import ErrorRecord
from indexvault.model import IndexName
from indexvault.restore.job import RestoreJob
from indexvault.restore.report import RestoreReport
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Work

type When = Literal["before", "after"]
"""Before the indexes come synonym maps, which these name; after them, what names indexes."""


class FollowJob(msgspec.Struct, frozen=True, kw_only=True):
    """One index of a standby to make equal to a snapshot of the active service `source`.

    `generation` is the pair's when this was decided. `created` is when the snapshot was made, `unchanged` a later time
    at which the index was found as it is in the snapshot. `run` is the name of this part of a run, whose lock it has.
    """

    pair: str
    generation: int
    source: str
    target: IndexName
    snapshot: str
    created: AwareTime
    run: str
    unchanged: AwareTime | None = None
    overlay: str | None = None
    allow_cross_region: bool = False
    owner: str = "the command line"

    @property
    def work(self) -> Work:
        """What the activities of this job work for."""
        return Work(run=self.run, service=self.target.service, index=self.target)


class FollowObjectsJob(msgspec.Struct, frozen=True, kw_only=True):
    """The other objects of a standby to make equal to those in a snapshot of the active service's.

    Members are as those of a `FollowJob`.
    """

    pair: str
    generation: int
    source: str
    service: str
    when: When
    snapshot: str
    created: AwareTime
    run: str
    overlay: str | None = None
    owner: str = "the command line"

    @property
    def target(self) -> IndexName:
        """What is written, as locks and records name it."""
        return IndexName(self.service, SERVICE_OBJECTS)

    @property
    def work(self) -> Work:
        """What the activity of this job works for."""
        return Work(run=self.run, service=self.service, index=self.target)


class OpenedFollow(msgspec.Struct, frozen=True):
    """The restore that makes an index equal to its snapshot. `notes` is whether it proves what a sync can follow."""

    restore: RestoreJob
    notes_proof: bool


class FollowStart(msgspec.Struct, frozen=True):
    """The run that has worked on the index before and may be dead, None if there is none."""

    before: str | None


class ClosedFollow(msgspec.Struct, frozen=True):
    """An index that was made equal to its snapshot, with the report of the restore."""

    job: FollowJob
    report: RestoreReport


class FailedFollow(msgspec.Struct, frozen=True):
    """An index that was not made equal to its snapshot, and why."""

    job: FollowJob
    failure: ErrorRecord


class FailedObjects(msgspec.Struct, frozen=True):
    """Objects that could not be made equal, and why."""

    job: FollowObjectsJob
    failure: ErrorRecord


class FollowReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an index of a standby came to: `written` documents were sent and `deleted` ones removed.

    `created` says that the index was made, `compared` that every document was read. `losses` are what the snapshot
    lacks.
    """

    pair: str
    source: str
    target: IndexName
    snapshot: str
    snapshot_created: AwareTime
    documents: int
    written: int
    deleted: int
    created: bool = False
    compared: bool = False
    losses: list[str] = []
    notes: list[str] = []
    finished: datetime


class FollowedObject(msgspec.Struct, frozen=True):
    """What became of one object that is not an index; `why` says what was left out or failed, and what to do."""

    kind: str
    name: str
    outcome: Literal["made", "changed", "there", "left out", "failed"]
    why: str = ""


class FollowObjectsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a standby's other objects. `only_there` names those that the active service has not."""

    pair: str
    source: str
    service: str
    snapshot: str
    objects: list[FollowedObject] = []
    only_there: list[str] = []

    @property
    def faults(self) -> list[str]:
        """What is not as on the active service, one line each."""
        return [f"{each.kind} {each.name}: {each.why}" for each in self.objects if each.why]
