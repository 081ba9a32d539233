"""A failover: what is asked for, what is decided, and what is told in the end.

All of it passes through the workflow engine, so it is small: names, times and counts.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from indexvault.model import IndexName
from indexvault.restore.job import RestoreJob
from indexvault.settings.model import PairMode
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Work
from indexvault.workflow.resume import fingerprint

type IndexOutcome = Literal["brought", "left as it is", "left out", "failed", "to be brought"]


class FailoverJob(msgspec.Struct, frozen=True, kw_only=True):
    """A pair whose service `to` is to become the active one.

    With `planned`, the active service is read first, so that nothing is lost. `at` and `snapshots` (references with an
    id) choose older snapshots than the newest ones; `leave_out` are indexes that are not brought over. The `accept_…`
    members are those of a restore. `back` says that it was asked for as a failback. With `repair`, documents in which a
    hot-hot pair differs are made as on its authority.
    """

    pair: str
    to: str
    run: str
    planned: bool = False
    back: bool = False
    repair: bool = False
    overlay: str | None = None
    at: AwareTime | None = None
    snapshots: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    accept_loss: bool = False
    accept_unsettled: bool = False
    accept_unauthentic: bool = False
    parallel: int = 4
    owner: str = "the command line"

    @property
    def work(self) -> Work:
        """What the activities work for that keep other failovers off."""
        return Work(run=self.run, service=self.to, index=IndexName(self.to, SERVICE_OBJECTS))

    def work_on(self, indexes: list[str]) -> Work:
        """Return what the activities work for that write to the service which becomes active."""
        names = tuple(IndexName(self.to, index) for index in indexes)
        return msgspec.structs.replace(self.work, also=names)

    @property
    def fingerprint(self) -> str:
        """A hash that two jobs share if they ask for the same, whoever asks, when and how fast."""
        return fingerprint(self, ignoring={"run": "", "owner": "", "parallel": 1})


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot in reach. `as_of` is the time up to which it holds what was written to its index.

    It was made at `created`, if that was earlier. `fault` says in words why it is not used, `presumed` that its run
    read only what a field says was changed.
    """

    id: str
    as_of: AwareTime
    fault: str = ""
    created: AwareTime | None = None
    presumed: bool = False

    @property
    def holds_since(self) -> datetime:
        """The time from which on the index was as in it, as far as is known."""
        return self.as_of if self.created is None else self.created


class IndexFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An index of the service that was active: its snapshots in reach, the newest first, and whether `to` has it.

    `alias` says that `to` has an alias of that name. `held` is the snapshot that the index on `to` was proved equal to
    by following, None if that is not known or it is being written to.
    """

    index: str
    snapshots: tuple[Candidate, ...] = ()
    there: bool = False
    alias: bool = False
    held: Candidate | None = None


class FailoverFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a failover is decided on.

    `source` is the service that is active, `answers` whether it does. `unread` are stores that did not answer.
    `objects` are the snapshots of those, the newest first. `only_there` are indexes of the pair that only `to` has.
    `drifts` say in words what was measured last of a hot-hot pair. `following` is false if `to` may hold documents that
    nobody else has, since a failover that was not planned.
    """

    generation: int
    source: str
    now: AwareTime
    answers: bool = False
    unread: tuple[str, ...] = ()
    indexes: tuple[IndexFacts, ...] = ()
    objects: tuple[Candidate, ...] = ()
    only_there: tuple[str, ...] = ()
    following: bool = True
    drifts: tuple[str, ...] = ()


class PlannedIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An index to bring over: the snapshot, the time it is as of, and how: with `keep`, it equals that one already.

    `note` says which newer snapshots are passed over, and why; `older` is the next usable one before it. A planned
    failover makes a snapshot in each `round`.
    """

    index: str
    snapshot: str
    as_of: AwareTime
    mode: Literal["create", "sync", "keep"]
    note: str = ""
    older: str = ""
    round: int = 0


class LeftOut(msgspec.Struct, frozen=True):
    """An index that is not brought over, and why. `accepted` says that it was asked for so."""

    index: str
    why: str
    accepted: bool = False


class FailoverPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a failover does.

    `generation` is the one that it begins, `lock` the indexes of `to` that are locked until then. `objects` is the
    snapshot of the source's other objects, None if there is none; `kinds` are those that are made as in it. `compared`
    are the indexes that are held against the live ones of the source, `repair` whether they are then made as these.
    `holds_more` says that `to` may hold documents that nobody else has. `decided` is when this was decided, later than
    `started` if an interrupted failover is resumed.
    """

    pair: str
    mode: PairMode
    source: str
    to: str
    generation: int
    started: AwareTime
    recovery_point: timedelta
    recovery_time: timedelta
    overlay: str | None = None
    indexes: tuple[PlannedIndex, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    lock: tuple[str, ...] = ()
    objects: str | None = None
    objects_as_of: AwareTime | None = None
    kinds: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    answers: bool = False
    repair: bool = False
    warnings: tuple[str, ...] = ()
    holds_more: bool = False
    decided: AwareTime | None = None

    @property
    def until(self) -> datetime:
        """The time up to which writes that no snapshot has may be lost."""
        return self.started if self.decided is None else self.decided

    def age(self, as_of: datetime) -> timedelta:
        """Return how long before the decision a snapshot was as of: what may be lost if nothing was written since."""
        return max(self.until - as_of, timedelta())


class IndexResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an index.

    `age` is how much may be lost: the time from `as_of` to the decision, or to the swap if the service that was active
    still answered.
    """

    index: str
    outcome: IndexOutcome
    snapshot: str | None = None
    as_of: AwareTime | None = None
    age: timedelta | None = None
    mode: str = ""
    documents: int | None = None
    written: int | None = None
    losses: list[str] = []
    notes: list[str] = []
    why: str = ""


class ObjectResult(msgspec.Struct, frozen=True):
    """What became of an object that is no index; `why` says what was left out or failed, and what to do."""

    kind: str
    name: str
    outcome: Literal["made", "changed", "there", "left out", "failed", "to be made", "to be changed"]
    why: str = ""

    @property
    def is_there(self) -> bool:
        """Whether it is on the service as it should be, or will be."""
        return self.outcome not in {"left out", "failed"}


class FailoverReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a failover has done, or with `dry_run` what one would do.

    `window` is the longest time whose writes may be lost, over all indexes; None if nothing was brought over.
    `enabled` are the indexers that run on the service which is active now. `repeated` says that this is the report of
    an earlier run: there was nothing to do.
    """

    pair: str
    mode: PairMode
    source: str
    to: str
    generation: int
    run: str
    planned: bool
    started: AwareTime
    finished: AwareTime
    recovery_point: timedelta
    recovery_time: timedelta
    window: timedelta | None
    dry_run: bool = False
    following: bool = False
    indexes: list[IndexResult] = []
    objects: list[ObjectResult] = []
    enabled: list[str] = []
    unread: list[str] = []
    warnings: list[str] = []
    next_steps: list[str] = []
    resumed: str | None = None
    rounds: int = 0
    repeated: bool = False

    @property
    def took(self) -> timedelta:
        """How long it took, from the first attempt on."""
        return self.finished - self.started

    @property
    def keeps_point(self) -> bool:
        """Whether no more may be lost than the recovery point allows."""
        return self.window is None or self.window <= self.recovery_point

    @property
    def keeps_time(self) -> bool:
        """Whether it took no longer than the recovery time allows."""
        return self.dry_run or self.took <= self.recovery_time

    @property
    def faults(self) -> list[str]:
        """What is not on the service that becomes active, one line each."""
        missing = [f"index {each.index}: {each.why}" for each in self.indexes if each.outcome in {"left out", "failed"}]
        return missing + [
            f"{each.kind} {each.name}: {each.why}" for each in self.objects if each.outcome in {"left out", "failed"}
        ]


class CheckedFailover(msgspec.Struct, frozen=True):
    """What a failover would do, and the restores whose stored chunks are still to be proved."""

    plan: FailoverPlan
    report: FailoverReport
    restores: list[RestoreJob]


class FoundFailover(msgspec.Struct, frozen=True):
    """The execution that has begun a failover and not ended it, if there is one, and the indexes that it locked."""

    execution: str | None
    locked: tuple[str, ...] = ()


class StartedFailover(msgspec.Struct, frozen=True, kw_only=True):
    """A failover that is to be carried out, or resumed.

    `swapped` says that the role is swapped already, `done` are the results so far. `ended` is the report if there is
    nothing left to do.
    """

    job: FailoverJob
    plan: FailoverPlan
    resumes: str | None = None
    swapped: bool = False
    done: list[IndexResult] = []
    ended: FailoverReport | None = None

    @property
    def work(self) -> Work:
        """What the activities work for that write to the service which becomes active."""
        return self.job.work_on(list(self.plan.lock))


class IndexTurn(msgspec.Struct, frozen=True):
    """An index whose turn it is."""

    started: StartedFailover
    index: PlannedIndex


class OpenedIndex(msgspec.Struct, frozen=True):
    """The restore that brings an index over."""

    restore: RestoreJob


class ClosedIndex(msgspec.Struct, frozen=True):
    """What became of an index, to be noted."""

    started: StartedFailover
    result: IndexResult


class ObjectsTurn(msgspec.Struct, frozen=True):
    """Kinds of other objects whose turn it is."""

    started: StartedFailover
    kinds: tuple[str, ...]


class ObjectsDone(msgspec.Struct, frozen=True):
    """What became of other objects."""

    outcomes: list[ObjectResult]


class Swap(msgspec.Struct, frozen=True):
    """The results under which the role is swapped. `rounds` are those of a planned failover."""

    started: StartedFailover
    results: list[IndexResult]
    objects: list[ObjectResult]
    rounds: int = 0


class Swapped(msgspec.Struct, frozen=True):
    """The role is swapped since a time. `uncopied` are the pair's stores that don't have it yet."""

    since: datetime
    uncopied: list[str]


class Enabled(msgspec.Struct, frozen=True):
    """The indexers that run now, and what could not be enabled."""

    indexers: list[str]
    failed: list[ObjectResult]


class FailoverEnd(msgspec.Struct, frozen=True):
    """A failover that has swapped, and enabled what it could."""

    started: StartedFailover
    swapped: Swapped
    enabled: Enabled


class GivenUp(msgspec.Struct, frozen=True):
    """A failover that has failed before it swapped."""

    started: StartedFailover
