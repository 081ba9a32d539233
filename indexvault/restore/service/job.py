"""The job of a whole service's restore, and the small payloads that its activities exchange."""

from datetime import datetime
from typing import Literal

import msgspec

from indexvault.model import IndexName, TargetOptions
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Work
from indexvault.workflow.resume import fingerprint

type ObjectState = Literal["made", "there", "left out", "failed", "to be made"]


class ServiceRestoreJob(TargetOptions, frozen=True, kw_only=True):
    """A service to restore to another one.

    `snapshot` is the id of the snapshot of the service's objects; of each index that `indexes` (names and patterns)
    selects, the newest snapshot at or before `at` is restored (None: the newest), with `proved` the newest one whose
    run read the whole index. `rename` are rules such as `*=dr-*`; the first that matches a name decides.
    """

    service: str
    snapshot: str
    target_service: str
    run: str
    at: datetime | None = None
    proved: bool = False
    indexes: tuple[str, ...] = ("*",)
    rename: tuple[str, ...] = ()
    parallel: int = 4
    owner: str = "the command line"

    @property
    def work(self) -> Work:
        """What the activities of this job work for."""
        return Work(run=self.run, service=self.target_service, index=IndexName(self.target_service, SERVICE_OBJECTS))

    def index_run(self, position: int, execution: str | None = None) -> str:
        """Name the restore of an index of the plan, of this execution or an earlier one."""
        return f"{execution or self.run}-{position}"

    @property
    def fingerprint(self) -> str:
        """A hash that two jobs share if they ask for the same, whoever asks, when, how fast and how strictly."""
        return fingerprint(
            self,
            ignoring={"run": "", "owner": "", "parallel": 1, "skip_refused": False},
            order="service snapshot target_service run at indexes rename"
            " overlay accept_loss allow_cross_region skip_refused parallel owner",
            leaving_out={"accept_unsettled", "accept_unauthentic", *(() if self.proved else ("proved",))},
        )


class PlannedIndex(msgspec.Struct, frozen=True):
    """An index, its snapshot, and its name on the target.

    `lacking` are the paths of missing secrets, `fault` says why the snapshot can't be read.
    """

    index: str
    snapshot: str
    target: str
    lacking: list[str] = []
    fault: str = ""


class PlannedObject(msgspec.Struct, frozen=True):
    """An object and its name on the target."""

    kind: str
    name: str
    target: str


class ServicePlan(msgspec.Struct, frozen=True):
    """What to restore, in order of kind.

    `withheld` describes what the snapshot itself lacks, `only_imported` are the indexes that the service had and of
    which there are imported snapshots alone.
    """

    indexes: list[PlannedIndex]
    objects: list[PlannedObject]
    withheld: list[str]
    started: datetime
    only_imported: list[str] = []


class StartedServiceRestore(msgspec.Struct, frozen=True):
    """The plan, and the document counts of the indexes that earlier executions restored, by name on the target."""

    plan: ServicePlan
    made: dict[str, int]


class ObjectInput(msgspec.Struct, frozen=True):
    """One object to create."""

    job: ServiceRestoreJob
    object: PlannedObject


class ObjectOutcome(msgspec.Struct, frozen=True):
    """What became of one object: `there` if the target had the same one; `left out` and `failed` say why.

    `to be made` is what a dry run says of an object that a restore would make.
    """

    kind: str
    name: str
    target: str
    outcome: ObjectState
    why: str = ""
    documents: int | None = None


class CheckedObjects(msgspec.Struct, frozen=True):
    """What a restore would do: its plan, and what would become of every object that is no index."""

    plan: ServicePlan
    outcomes: list[ObjectOutcome]


class ServiceRestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each object, in the order in which they were created."""

    service: str
    snapshot: str
    target_service: str
    objects: list[ObjectOutcome]
    started: datetime
    finished: datetime

    @property
    def whole(self) -> bool:
        """Whether everything that the snapshot holds is on the target."""
        return all(each.outcome in {"made", "there", "to be made"} for each in self.objects)


class ServiceFinished(msgspec.Struct, frozen=True):
    """When the restore ended."""

    at: datetime
