"""What the restore of a whole service is told and what its steps tell each other."""

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from indexvault.model import IndexName
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Work

type ObjectState = Literal["made", "there", "left out", "failed"]


class ServiceRestoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """A service to restore to another one.

    `snapshot` is the id of the snapshot of the service's objects; of each index that `indexes` (names and patterns)
    means, the newest snapshot at or before `at` is taken (None: the newest). `rename` are rules such as `*=dr-*`,
    the first that fits a name decides. `overlay` names what the settings add to definitions.
    """

    service: str
    snapshot: str
    target_service: str
    run: str
    at: datetime | None = None
    indexes: tuple[str, ...] = ("*",)
    rename: tuple[str, ...] = ()
    overlay: str | None = None
    accept_loss: bool = False
    allow_cross_region: bool = False
    skip_refused: bool = False
    parallel: int = 4
    owner: str = "the command line"

    @property
    def work(self) -> Work:
        """What the steps of this job work for."""
        return Work(run=self.run, service=self.target_service, index=IndexName(self.target_service, SERVICE_OBJECTS))

    def index_run(self, position: int, execution: str | None = None) -> str:
        """Name the restore of an index of the plan, of this execution or an earlier one."""
        return f"{execution or self.run}-{position}"

    @property
    def fingerprint(self) -> str:
        """What two jobs share that ask for the same: a hash over all but who asks, when, how fast and how strictly."""
        same = msgspec.structs.replace(self, run="", owner="", parallel=1, skip_refused=False)
        return hashlib.sha256(msgspec.json.encode(same)).hexdigest()


class PlannedIndex(msgspec.Struct, frozen=True):
    """An index, its snapshot, and the name that it gets; `lacking` are the paths of secrets that are missing."""

    index: str
    snapshot: str
    target: str
    lacking: list[str] = []


class PlannedObject(msgspec.Struct, frozen=True):
    """An object and the name that it gets."""

    kind: str
    name: str
    target: str


class ServicePlan(msgspec.Struct, frozen=True):
    """What there is to restore, each kind in its turn. `withheld` were left out of the snapshot already."""

    indexes: list[PlannedIndex]
    objects: list[PlannedObject]
    withheld: list[str]
    started: datetime


class ServiceBegun(msgspec.Struct, frozen=True):
    """The plan, and the documents of the indexes that earlier executions have made, by their names on the target."""

    plan: ServicePlan
    made: dict[str, int]


class Found(msgspec.Struct, frozen=True):
    """The execution that has begun the same and not ended it; None where there is none, or it is this one."""

    execution: str | None


class ObjectOrder(msgspec.Struct, frozen=True):
    """One object to be made."""

    job: ServiceRestoreJob
    object: PlannedObject


class ObjectOutcome(msgspec.Struct, frozen=True):
    """What became of one object: `there` if the target had the same one, `left out` and `failed` with the reason."""

    kind: str
    name: str
    target: str
    outcome: ObjectState
    why: str = ""
    documents: int | None = None


class ServiceRestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each object, in the order in which they were made."""

    service: str
    snapshot: str
    target_service: str
    objects: list[ObjectOutcome]
    started: datetime
    finished: datetime

    @property
    def whole(self) -> bool:
        """Whether everything that the snapshot holds is on the target."""
        return all(each.outcome in {"made", "there"} for each in self.objects)


class Finished(msgspec.Struct, frozen=True):
    """When it was over."""

    at: datetime
