"""The job of a move, its durable state, and the small payloads that its activities exchange."""

from datetime import datetime

import msgspec

from indexvault.model import IndexName, Mode, TargetIndexOptions, TargetOptions, shared_options
from indexvault.restore.checks import Findings
from indexvault.restore.job import ClaimedStretch, RestoreJob
from indexvault.restore.not_compared import NotCompared
from indexvault.restore.report import Difference, StretchCompared
from indexvault.search.definitions import Alias
from indexvault.workflow.activity import Work
from indexvault.workflow.resume import digest_of, fingerprint


class MoveJob(TargetIndexOptions, frozen=True, kw_only=True):
    """One index to move to another name, service, tier or region.

    `snapshot` is the id of an existing snapshot (None: make a new one). `delete_source` deletes the source once the new
    index is proved, if nothing has changed it; with `lose_refused` also if the target lacks documents that it refused.
    `forget` leaves an earlier move of this index as it is and starts over. The rest is as in a restore.
    """

    service: str
    index: str
    target_service: str
    target_index: str
    run: str
    snapshot: str | None = None
    delete_source: bool = False
    lose_refused: bool = False
    forget: bool = False
    parallel: int = 4
    owner: str = "the command line"

    @property
    def source(self) -> IndexName:
        """The index that is moved."""
        return IndexName(self.service, self.index)

    @property
    def target(self) -> IndexName:
        """The index that it becomes."""
        return IndexName(self.target_service, self.target_index)

    @property
    def work(self) -> Work:
        """What the activities of this move work for: its target and the alias stay locked until it ends."""
        also = () if self.alias is None else (IndexName(self.target_service, self.alias),)
        return Work(run=self.run, service=self.service, index=self.target, also=also)

    def restore(self, snapshot: str, store: str, mode: Mode, run: str) -> RestoreJob:
        """Return the restore of a snapshot to the target: the first one, which creates it, or a sync that catches up.

        The alias is the move's own concern. A sync takes the definition as it is, and so neither patch nor overlay.
        """
        options = shared_options(self, TargetOptions) | {"patch": self.patch}
        if mode == "sync":
            options |= {"patch": None, "overlay": None}
        return RestoreJob(
            service=self.service,
            index=self.index,
            snapshot=snapshot,
            target_service=self.target_service,
            target_index=self.target_index,
            run=run,
            mode=mode,
            store=store,
            # A sync that ends completes whatever an earlier one left.
            discard_unfinished=mode == "sync",
            parallel=self.parallel,
            owner=self.owner,
            **options,
        )

    @property
    def fingerprint(self) -> str:
        """A hash that two jobs share if they ask for the same, whoever asks, when, how fast and how strictly."""
        return fingerprint(
            self,
            ignoring={"run": "", "owner": "", "parallel": 1, "skip_refused": False, "forget": False},
            order="service index target_service target_index run snapshot alias delete_source"
            " patch overlay accept_loss allow_cross_region skip_refused forget parallel owner",
            leaving_out={"lose_refused", "accept_unsettled", "accept_unauthentic"},
        )

    @property
    def digest(self) -> str:
        """A hash of the whole job."""
        return digest_of(self)

    def is_same(self, begun: "MoveJob") -> bool:
        """Return whether this job asks for the same as the job of an unfinished move, or only not to delete the source.

        Unlike `resumes` it looks at the job itself, not at what is noted to be its fingerprint.
        """
        jobs = {msgspec.structs.replace(job, delete_source=False).fingerprint for job in (self, begun)}
        return len(jobs) == 1

    def resumes(self, begun: str) -> bool:
        """Return whether this job resumes the move with the fingerprint `begun`.

        It asks for the same, or for the same without deleting the source.
        """
        return begun in {self.fingerprint, msgspec.structs.replace(self, delete_source=True).fingerprint}


class IndexState(msgspec.Struct, frozen=True):
    """An index at one time: if ETag and count don't change, nobody is known to have written to it.

    `content` is the digest of its definition. A new ETag with the same content is no proof of another writer, since
    services renew ETags by themselves, but an index that was made anew has one too.
    """

    etag: str
    count: int
    content: str = ""


class MoveState(msgspec.Struct, frozen=True, kw_only=True):
    """A move that has started and not ended: the durable record under the source's name.

    `records` is the run that its backups are named after, `execution` the run that works on it, or did last. `rounds`
    counts the snapshots; `snapshot` is the last one, `held` the one that a restore last made the target hold, `notes`
    the notes of that restore, `refused` the report that names the documents it skipped. `restores` are the runs that
    were to create the target, each started while its name was free, `syncs` those that caught up. `alias_etag` is the
    alias's ETag at the start, `alias_index` where it led. `deleting` and `proved` are source and target before they
    were last compared. `removing` says that the source, in the state `deleting`, is about to be deleted, after a
    comparison with the result `compared` and `excepted`, which left out `not_compared`.
    """

    job: MoveJob
    fingerprint: str
    records: str
    execution: str
    started: datetime
    rounds: int = 0
    snapshot: str | None = None
    held: str | None = None
    proved: IndexState | None = None
    notes: list[str] = []
    refused: str | None = None
    restores: list[str] = []
    syncs: list[str] = []
    alias_etag: str | None = None
    alias_index: str | None = None
    deleting: IndexState | None = None
    compared: int = 0
    excepted: int = 0
    not_compared: NotCompared = NotCompared()
    removing: bool = False

    @property
    def alias_before(self) -> Alias | None:
        """The alias as it was at the start, or None if there was none."""
        if self.job.alias is None or self.alias_etag is None:
            return None
        return Alias(self.job.alias, (self.alias_index,) if self.alias_index is not None else (), self.alias_etag)


class MoveRun(msgspec.Struct, frozen=True, kw_only=True):
    """What every activity after the first is given. `job` is the digest of the job that its state must have."""

    execution: str
    records: str
    job: str
    source: IndexName
    target: IndexName
    work: Work
    owner: str
    parallel: int

    @property
    def ending(self) -> Work:
        """What the last activities work for: the source is locked too while it may be deleted."""
        return msgspec.structs.replace(self.work, also=(*self.work.also, self.source))


class StartedMove(msgspec.Struct, frozen=True, kw_only=True):
    """Where a move starts: at its beginning, or where an earlier execution stopped.

    `documents`, `losses` and `notes` are those of the snapshot that the target holds, `refused` names the report of the
    documents it lacks. `is_half_synced` says that a sync to the last snapshot has not ended, `is_in_use` that the alias
    leads to the target already, `source_is_gone` that this move has already deleted the source and only has to end,
    after a comparison with the result `compared` and `excepted`, which left out `not_compared`.
    """

    run: MoveRun
    job: MoveJob
    resumes: str | None
    rounds: int
    snapshot: str | None
    held: str | None
    documents: int
    losses: list[str]
    notes: list[str]
    refused: str | None
    is_half_synced: bool
    is_in_use: bool
    source_is_gone: bool
    compared: int
    excepted: int
    same_store: bool
    source_store: str
    target_store: str
    started: datetime
    not_compared: NotCompared = NotCompared()


class RoundSnapshot(msgspec.Struct, frozen=True):
    """A snapshot that was made for the move, or that the target was proved to hold, with notes for the report."""

    run: MoveRun
    rounds: int
    snapshot: str
    notes: list[str] = []


class Restored(msgspec.Struct, frozen=True):
    """What a restore left out of the target: the report that names the documents it skipped, or None."""

    refused: str | None


class PlannedRestore(msgspec.Struct, frozen=True):
    """A restore, by its run's name, that is about to create the target or to sync it to a newer snapshot."""

    run: MoveRun
    restore: str
    mode: Mode


class SourceDivision(msgspec.Struct, frozen=True):
    """How to compare the source: by ranges of keys, or by a new snapshot if keys have no order.

    `not_compared` are the fields that a comparison by ranges leaves out.
    """

    ranges: list[tuple[str | None, str | None]] = msgspec.field(name="stretches")
    by_snapshot: bool
    not_compared: NotCompared = NotCompared()


class SourceRange(msgspec.Struct, frozen=True):
    """The keys above `after` and up to `until`, to compare between source and target."""

    run: MoveRun
    after: str | None
    until: str | None


class SnapshotDivision(msgspec.Struct, frozen=True):
    """The stretches of the snapshot that shows the source as it is now.

    `source` is the digest of what is noted of the snapshot, `documents` how many it has. `not_compared` are the
    fields that the comparison leaves out.
    """

    source: str
    stretches: list[ClaimedStretch]
    documents: int
    not_compared: NotCompared = NotCompared()


class SnapshotStretch(msgspec.Struct, frozen=True):
    """Consecutive chunks of that snapshot, to compare with the target; `source` is as in the division."""

    run: MoveRun
    source: str
    chunks: ClaimedStretch


class FoundInTarget(msgspec.Struct, frozen=True):
    """How many documents of the source the target was found to have."""

    run: MoveRun
    found: int


class SourceProof(msgspec.Struct, frozen=True):
    """The result of comparing the target with the source.

    Each document of the source is counted once: `compared` are the same, `excepted` are those that the target refused
    and the user said to skip.
    """

    compared: int
    different: int
    missing: int
    extra: int
    differences: list[Difference]
    excepted: int = 0

    @property
    def proved(self) -> bool:
        """Whether the two hold the same documents, apart from the excepted ones."""
        return not self.different + self.missing + self.extra


class BeforeComparing(msgspec.Struct, frozen=True):
    """Source and target before they are compared: while these last, the source may be deleted."""

    source: IndexState
    target: IndexState


class ProvedMove(msgspec.Struct, frozen=True):
    """A move whose target was compared with the source, and the result.

    `before` is None if an earlier execution has deleted the source: then nothing is left to delete.
    """

    run: MoveRun
    compared: int
    excepted: int
    before: BeforeComparing | None
    not_compared: NotCompared = NotCompared()


def proof_of(parts: list[StretchCompared]) -> SourceProof:
    """Add up the parts of a comparison."""
    return SourceProof(
        compared=sum(part.identical + part.equal for part in parts),
        different=sum(part.different for part in parts),
        missing=sum(part.missing for part in parts),
        extra=sum(part.extra for part in parts),
        differences=[each for part in parts for each in part.differences][:100],
        excepted=sum(part.refused for part in parts),
    )


class Transfer(msgspec.Struct, frozen=True):
    """A snapshot to copy to another store."""

    source_store: str
    target_store: str
    service: str
    index: str
    snapshot: str


class Transferred(msgspec.Struct, frozen=True):
    """How many packs were copied."""

    packs: int


class MoveCutOver(msgspec.Struct, frozen=True):
    """The alias that was swapped, and whether the source was deleted; `notes` say why it was kept if not.

    `compare_again` says that source or target has another ETag and the same definition since they were compared, so
    that only another comparison shows whether it is the same index.
    """

    alias: str | None
    source_deleted: bool
    notes: list[str]
    compare_again: bool = False


class MoveFindings(Findings, frozen=True, kw_only=True):
    """What preflight found about a move. `would` says step by step what it would do."""

    would: list[str]


class MovePreflightReport(MoveFindings, frozen=True, kw_only=True):
    """What a move would do, and whether it could."""

    service: str
    index: str
    target_service: str
    target_index: str


class MoveReport(msgspec.Struct, frozen=True, kw_only=True):
    """A move that was proved against its source.

    `rounds` is how many snapshots it took: more than one if the source was written to meanwhile, or if its keys have no
    order. `copied` counts the packs that the target's store lacked, `documents` those of the snapshot. `compared` is
    how many documents of the source were proved to be in the target, `excepted` how many it refused and lacks.
    `not_compared` is what the proof says nothing about.
    """

    service: str
    index: str
    target_service: str
    target_index: str
    snapshot: str
    rounds: int
    copied: int
    documents: int
    compared: int
    alias: str | None
    source_deleted: bool
    resumed: str | None
    losses: list[str]
    notes: list[str]
    started: datetime
    finished: datetime
    excepted: int = 0
    not_compared: NotCompared = NotCompared()
