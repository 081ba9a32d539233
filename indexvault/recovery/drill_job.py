"""A drill: a snapshot restored under a temporary name, to see whether and how fast it could be on a bad night."""

from datetime import timedelta
from hashlib import sha256

import msgspec

from indexvault.errors import ErrorRecord
from indexvault.model import DRILL_PREFIX, IndexName
from indexvault.restore.job import RestoreJob
from indexvault.settings.model import DrillQuery
from indexvault.snapshots.manifest import AwareTime
from indexvault.workflow.activity import Work


class DrillJob(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot to restore to another name on `target_service`, prove, query and remove again.

    `snapshot` is its id (None: the newest one). `recovery_time` is what the restore may take, if that matters.
    """

    service: str
    index: str
    target_service: str
    run: str
    snapshot: str | None = None
    overlay: str | None = None
    allow_cross_region: bool = False
    recovery_time: timedelta | None = None
    queries: tuple[DrillQuery, ...] = ()
    owner: str = "the command line"

    @property
    def temporary(self) -> IndexName:
        """The index that drills of this index make and remove: its lock keeps them apart."""
        source = IndexName(self.service, self.index)
        return IndexName(self.target_service, f"{DRILL_PREFIX}{sha256(str(source).encode()).hexdigest()[:16]}")

    @property
    def work(self) -> Work:
        """What the activities of this job work for."""
        return Work(run=self.run, service=self.target_service, index=self.temporary)

    def restore(self, snapshot: str) -> RestoreJob:
        """Return the restore of a snapshot under the temporary name. What the snapshot lacks is accepted, and told."""
        return RestoreJob(
            service=self.service,
            index=self.index,
            snapshot=snapshot,
            target_service=self.target_service,
            target_index=self.temporary.index,
            run=f"{self.run}-restore",
            overlay=self.overlay,
            allow_cross_region=self.allow_cross_region,
            accept_loss=True,
            accept_unsettled=True,
            owner=self.owner,
            locked_by=self.run,
        )


class OpenedDrill(msgspec.Struct, frozen=True):
    """The snapshot that a drill is about, by its id and the time it was made, and when the drill began."""

    snapshot: str
    created: AwareTime
    started: AwareTime


class Answered(msgspec.Struct, frozen=True):
    """How a query was answered by the restored index: how many of the `of` documents that the live one found it found.

    `fault` says why it could not be compared, or is empty. `query` is its number among those of the settings.
    """

    query: int
    same: int
    of: int
    fault: str = ""

    @property
    def is_alike(self) -> bool:
        """Whether at least half of what one finds is found by the other: a live index goes on changing."""
        return not self.fault and 2 * self.same >= self.of

    @property
    def found_nothing(self) -> bool:
        """Whether neither found anything, so that the two are alike and it means nothing."""
        return not self.fault and self.of == 0


class DrillReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill came to. `seconds` is what the restore took with its proofs, if it got that far.

    `snapshot` is empty and `snapshot_created` None if the drill failed before it had chosen one.
    """

    service: str
    index: str
    target_service: str
    run: str
    snapshot: str = ""
    snapshot_created: AwareTime | None = None
    started: AwareTime
    finished: AwareTime
    documents: int = 0
    seconds: float | None = None
    recovery_time: timedelta | None = None
    losses: list[str] = []
    queries: list[Answered] = []
    failure: ErrorRecord | None = None
    left: str = ""
    """Why the temporary index could not be removed, or empty. A later tick tries again."""

    @property
    def faults(self) -> list[str]:
        """Why the drill failed, one line each."""
        faults = [f"{self.failure.on}: {self.failure.what}"] if self.failure is not None else []
        if self.seconds is not None and self.recovery_time is not None:
            allowed = self.recovery_time.total_seconds()
            if self.seconds > allowed:
                faults.append(f"the restore took {self.seconds:.0f} s, and {allowed:.0f} s are allowed")
        faults += [
            f"query {each.query} was answered otherwise: {each.fault or f'{each.same} of {each.of} documents'}"
            for each in self.queries
            if not each.is_alike
        ]
        if self.documents:  # an empty index has nothing that a query could find
            faults += [
                f"query {each.query} was answered otherwise: it finds nothing on either side"
                for each in self.queries
                if each.found_nothing
            ]
        return faults

    @property
    def is_good(self) -> bool:
        """Whether the snapshot was restored and proved in time, and the queries were answered alike."""
        return not self.faults


class FailedDrill(msgspec.Struct, frozen=True):
    """A drill that failed before it had made anything."""

    job: DrillJob
    failure: ErrorRecord


class RestoredDrill(msgspec.Struct, frozen=True, kw_only=True):
    """What the restore of a drill came to, for the activity that ends it."""

    job: DrillJob
    opened: OpenedDrill
    documents: int = 0
    seconds: float | None = None
    losses: list[str] = []
    failure: ErrorRecord | None = None
    queries: list[Answered] = []
