"""The job of a restore, and the small payloads that its activities exchange."""

from datetime import datetime, timedelta

import msgspec

from indexvault.model import IndexName, Mode, TargetIndexOptions
from indexvault.restore.checks import Check
from indexvault.snapshots.manifest import Presumption
from indexvault.workflow.activity import Work
from indexvault.workflow.resume import fingerprint

PROVE_EVERY = timedelta(days=7)
"""After how long a target that is followed is compared in full again, unless it is said."""


class RestoreJob(TargetIndexOptions, frozen=True, kw_only=True):
    """One snapshot to restore.

    `service`, `index` and `snapshot` (an id) name the snapshot, `store` the store to read it from (None: the service's
    own). `target_index` may be an alias, except in mode create. `run` names the execution, `owner` says in words who
    started it.

    `in_place` replaces a plain index, which no alias can swap; `delete_old` deletes the replaced index. With
    `update_definition` a sync or fill changes what a live index allows. `keys` and `filter` (JMESPath) restrict the
    restore to single documents. `discard_unfinished` forgets an unfinished restore into this target instead of
    refusing; `resume` continues it, whatever else is asked. With `follow`, a sync writes only what differs from the
    snapshot that the target equals, as long as it was proved in full within `prove_every`.

    `locked_by` is the run that already holds the target's locks, if this restore is part of it; `part_of` is the run
    that users know, if this one is a part with locks of its own. `without` are stores that are not asked for anything,
    because they don't answer.
    """

    service: str
    index: str
    snapshot: str
    target_service: str
    target_index: str
    run: str
    mode: Mode = "create"
    store: str | None = None
    in_place: bool = False
    delete_old: bool = False
    update_definition: bool = False
    keys: tuple[str, ...] = ()
    filter: str | None = None
    discard_unfinished: bool = False
    resume: bool = False
    follow: bool = False
    prove_every: timedelta = PROVE_EVERY
    parallel: int = 4
    owner: str = "the command line"
    locked_by: str | None = None
    part_of: str | None = None
    without: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The snapshot as a person writes it."""
        return f"{self.service}/{self.index}@{self.snapshot}"

    @property
    def target(self) -> IndexName:
        """The index or alias to restore to, as asked."""
        return IndexName(self.target_service, self.target_index)

    @property
    def work(self) -> Work:
        """What the activities of this job work for."""
        return Work(run=self.run, service=self.target_service, index=self.target, part_of=self.part_of)

    @property
    def fingerprint(self) -> str:
        """A hash that two jobs share if they ask for the same, whoever asks, when, how fast and how strictly."""
        return fingerprint(
            self,
            ignoring={
                "run": "",
                "owner": "",
                "parallel": 1,
                "discard_unfinished": False,
                "resume": False,
                "skip_refused": False,
                "locked_by": None,
            },
            order="service index snapshot target_service target_index run mode store alias in_place delete_old"
            " update_definition patch overlay keys filter skip_refused accept_loss allow_cross_region"
            " discard_unfinished resume parallel owner locked_by",
            leaving_out={"accept_unsettled", "accept_unauthentic", "part_of", "follow", "prove_every", "without"},
        )


class RestoreRun(msgspec.Struct, frozen=True, kw_only=True):
    """What every activity after the first is given.

    `execution` is the run that works now, `records` the run whose name its checkpoints have: an earlier one if that one
    is resumed. `target` is the name that was asked for, `mark` the name whose restore state marks the target as
    unfinished. `also` are the other names locked with `target` while the execution lives: the index that is written,
    the alias that is swapped, an old index to delete. `locked_by` is the run that holds the locks, if it is another,
    `part_of` the run that users know, if it is another.
    `skip_refused` is what this execution was asked.

    The digests bind every activity to records that this execution has proved: `plan` to the plan, `source` to what is
    noted of the snapshot (once claimed), `made` to what is noted of the index that is written (once there).
    """

    execution: str
    records: str
    target: IndexName
    mark: IndexName
    also: tuple[IndexName, ...]
    owner: str
    parallel: int
    plan: str
    skip_refused: bool
    source: str = ""
    made: str = ""
    locked_by: str | None = None
    part_of: str | None = None

    @property
    def work(self) -> Work:
        """What the activities of this run work for."""
        return Work(
            run=self.locked_by or self.execution,
            service=self.target.service,
            index=self.target,
            also=self.also,
            part_of=self.part_of,
        )


class Stretch(msgspec.Struct, frozen=True):
    """Consecutive chunks of the snapshot that is restored, by position: `start` included, `end` not.

    `digest` is that of the record that says which chunks these are.
    """

    run: RestoreRun
    start: int
    end: int
    digest: str


class StoredStretch(msgspec.Struct, frozen=True):
    """Consecutive chunks of a snapshot in a store, by position, and which of their documents are wanted.

    `run` is the restore whose checkpoints say which chunks these are, with `digest` that of their record; its plan has
    the keys. Without it the snapshot's tree says which chunks, and `keys` are given. If `packs` are named, only chunks
    that lie in these are meant.
    """

    store: str
    service: str
    index: str
    snapshot: str
    start: int
    end: int
    keys: tuple[str, ...] = ()
    filter: str | None = None
    run: RestoreRun | None = None
    digest: str = ""
    packs: tuple[str, ...] = ()


class StoredPacks(msgspec.Struct, frozen=True, kw_only=True):
    """One share of the packs that a snapshot uses, by its number.

    `run` is the restore whose checkpoints say which packs these are, with `digest` that of their record. Without it the
    snapshot's tree says which, and the share is one `of` so many.
    """

    store: str
    service: str
    index: str
    snapshot: str
    number: int
    of: int = 1
    run: RestoreRun | None = None
    digest: str = ""


class StartedRestore(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore will do. `source` is the job as first asked, `resumes` the execution that it continues."""

    run: RestoreRun
    mode: Mode
    store: str
    source: RestoreJob
    resumes: str | None
    documents: int
    bytes: int
    requests: int
    seconds: float
    losses: list[str]
    stretches: list[tuple[int, int]]
    checks: list[Check]
    started: datetime


class ClaimedStretch(msgspec.Struct, frozen=True):
    """A stretch of the plan, with the digest of the record that says which chunks it has."""

    start: int
    end: int
    digest: str


class Claimed(msgspec.Struct, frozen=True):
    """The target is marked, and the plan follows from the job and the manifest.

    `source` and those of `stretches` are the digests of what is noted of the snapshot, `stored` is how many documents
    the chunks of all stretches have. `packs` are the digests of the shares of packs that are to be proved. `notes` name
    the stores in which the snapshot could not be held.
    """

    source: str
    stretches: list[ClaimedStretch]
    packs: list[str]
    stored: int
    losses: list[str]
    notes: list[str] = []
    presumption: Presumption | None = None


class StretchProved(msgspec.Struct, frozen=True):
    """How many chunks are in the store as they were written, and how many wanted documents they hold."""

    chunks: int
    wanted: int


MOST_DOUBTFUL = 64
"""Packs that are named as doubtful at most: if there are more, every chunk is proved by itself."""


class PacksProved(msgspec.Struct, frozen=True):
    """The packs of a share that are not in the store as they were written, MOST_DOUBTFUL and one of each kind at most.

    Those that are gone may have been rewritten. In those that are damaged, what the snapshot needs may be sound.
    """

    gone: list[str]
    damaged: list[str]


class TargetReady(msgspec.Struct, frozen=True):
    """The index that is written, the synonym maps created for it, and what the operator should know.

    `digest` is that of the record of the index as the service returned it.
    """

    written_index: str = msgspec.field(name="into")
    digest: str
    synonym_maps: list[str]
    notes: list[str]


class StretchLoaded(msgspec.Struct, frozen=True):
    """What was written of one stretch; `untouched` chunks were already in the target."""

    uploaded: int = 0
    deleted: int = 0
    bytes: int = 0
    requests: int = 0
    refused: int = 0
    untouched: int = 0


class Settled(msgspec.Struct, frozen=True):
    """The documents that the target counted when waiting ended, and the seconds that were waited."""

    counted: int
    waited: float = 0.0
