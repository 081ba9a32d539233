"""The inputs and outputs of a backup's workflow and activities.

They pass through the workflow engine, so they are small: names, keys and counts, never documents. Anything larger is a
durable record in the runs container (see `backup.state`).
"""

from datetime import datetime, timedelta

import msgspec

from indexvault.model import IndexName
from indexvault.settings.model import ChangesSettings, HiddenFields
from indexvault.snapshots.labels import Labels
from indexvault.snapshots.manifest import Missed, Presumption, Reading
from indexvault.workflow.activity import Work
from indexvault.workflow.lock_holder import LocalProcess


class Kept(msgspec.Struct, frozen=True):
    """All ranges that are as in the last snapshot: their positions as a bitmap in hex, and sums over them."""

    positions: str = "0"
    documents: int = 0
    digest: str = ""
    requests: int = 0

    def has(self, position: int) -> bool:
        """Return whether the range at a position is one of them."""
        return bool(int(self.positions, 16) >> position & 1)


class BackupJob(msgspec.Struct, frozen=True, kw_only=True):
    """An index to back up.

    `run` names the execution and is in the name of each of its durable records. `parallel` is how many ranges or
    partitions are read at once, `owner` says in words who started it, `process` names the process of a command. A
    generation of chunks older than `full_every` is not continued: all chunks are stored again. `hidden_fields` says
    what to do about fields that the service has but does not return: `report` them as losses, `fail`, or `reveal` them
    while the index is read. With `changes`, only what a field says was changed is read, if there is a snapshot to merge
    it into. With a `policy`, the index's snapshots are replicated and pruned afterwards. `part_of` is the run that
    users know, if the backup is part of one. `labels` are what the snapshot is to carry.

    The rest is filled in by the workflow, so that activities follow no records but the run's own: `revealed` are the
    fields that the run reveals, `plan` is the digest of the plan, which was `planned` at that time, `read` that of the
    records of what was read last.
    `left` are the positions of the ranges that left something over for shared packs, `kept` sums up those that are as
    in the last snapshot.
    """

    service: str
    index: str
    run: str
    parallel: int = 4
    owner: str = "the command line"
    policy: str | None = None
    process: LocalProcess | None = None
    full_every: timedelta | None = None
    hidden_fields: HiddenFields = "report"
    changes: ChangesSettings | None = None
    part_of: str | None = None
    labels: Labels = Labels()
    revealed: tuple[str, ...] = ()
    plan: str = ""
    planned: datetime | None = None
    read: str = ""
    left: tuple[int, ...] = ()
    kept: Kept = Kept()

    @property
    def work(self) -> Work:
        """What the activities of this job work for."""
        index = IndexName(self.service, self.index)
        return Work(run=self.run, service=self.service, index=index, part_of=self.part_of)


class Prepared(msgspec.Struct, frozen=True):
    """The fields that this run has revealed, and what an operator should know about those that others did."""

    revealed: list[str] = []
    notes: list[str] = []


class PlanSummary(msgspec.Struct, frozen=True):
    """What there is to read: a number of key ranges, or of partitions, or `by_changes`; and the documents expected.

    `digest` is that of the plan, which was made at `planned`, `resumed` says whether by an earlier attempt. What is as
    in the last snapshot is recorded each `checkpoint_bytes`. `notes` tell what an operator should know, such as why an
    earlier attempt was not continued.
    """

    ranges: int
    documents: int
    partitions: int = msgspec.field(default=0, name="parts")
    by_changes: bool = False
    notes: list[str] = []
    digest: str = ""
    planned: datetime | None = None
    resumed: bool = False
    checkpoint_bytes: int = 1 << 62


class ScanInput(msgspec.Struct, frozen=True):
    """The ranges to read one after the other: the position of the first in the plan, and their number.

    `resumed` says whether an earlier attempt of the run may have read some of them.
    """

    job: BackupJob
    position: int
    ranges: int = 1
    resumed: bool = True


class KeptRange(msgspec.Struct, frozen=True, array_like=True):
    """A range, by its position, whose chunks are those of the last snapshot, so that it has no record of its own.

    `digest` is the content digest of its documents.
    """

    position: int
    documents: int
    bytes: int
    digest: str
    requests: int = 0


class KeptInput(msgspec.Struct, frozen=True):
    """Ranges that are as in the last snapshot, to be recorded together."""

    job: BackupJob
    ranges: tuple[KeptRange, ...]


class CollectInput(msgspec.Struct, frozen=True):
    """The partition to read, by its position in the plan; a later `round` checks it.

    `before` is the digest of what is known of it since the round before.
    """

    job: BackupJob
    position: int
    round: int = 0
    before: str = ""


class SettleInput(msgspec.Struct, frozen=True):
    """The round after which to decide whether every document is accounted for.

    `before` is the digest of what was known after the round before, `read` are those of the partitions' records.
    """

    job: BackupJob
    round: int
    before: str
    read: list[str]


class MergeInput(msgspec.Struct, frozen=True):
    """The partitions to merge, by the digests of their records."""

    job: BackupJob
    read: list[str]


class ChangesInput(msgspec.Struct, frozen=True):
    """The changes to merge into the last snapshot, by the digest of the record of what was read."""

    job: BackupJob
    read: str


class Settled(msgspec.Struct, frozen=True):
    """Whether reading has ended, how many documents are left open, and the digest of what is known."""

    ended: bool
    open: int = 0
    digest: str = ""


class StartOverInput(msgspec.Struct, frozen=True):
    """A run that must read its index again, and why."""

    job: BackupJob
    why: str


class ScanSummary(msgspec.Struct, frozen=True):
    """How many documents, and bytes of documents, an activity read or merged, and the digest of its records.

    `left` are the positions of the ranges that left something over for a shared pack, `kept` the ranges that are as in
    the last snapshot and have no record.
    """

    documents: int
    bytes: int
    digest: str = ""
    left: tuple[int, ...] = ()
    kept: tuple[KeptRange, ...] = ()


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """A finished snapshot.

    `unsettled` says in words what the service's counts leave open, for a snapshot in that state. `presumption` is there
    if only changes were read, `missed` if a full reading followed presumed snapshots. `unchanged` says that nothing had
    changed since the `snapshot`, which was there already: then no other was made, and `started` is the time at which
    the index was still the same.
    `bytes` are those of the documents, `stored_bytes` those of their chunks (compressed). `added_chunks` were added to
    the store by this snapshot, the rest was there already; `added_bytes` (compressed) are those of these chunks and of
    the segments that list them.
    """

    service: str
    index: str
    snapshot: str
    state: str
    losses: list[str]
    unsettled: list[str] = []
    presumption: Presumption | None = None
    missed: Missed | None = None
    unchanged: bool = False
    documents: int
    chunks: int
    bytes: int
    stored_bytes: int
    added_chunks: int
    added_bytes: int
    started: datetime
    finished: datetime
    reading: Reading | None = None
    notes: list[str] = []
