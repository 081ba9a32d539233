"""What a move is told and what its steps tell each other."""

import hashlib
from datetime import datetime

import msgspec

from indexvault.model import IndexName
from indexvault.restore.checks import Findings
from indexvault.restore.job import Mode, RestoreJob
from indexvault.restore.report import Difference, StretchCompared
from indexvault.workflow.activity import Work


class MoveJob(msgspec.Struct, frozen=True, kw_only=True):
    """One index to move to another name, service, tier or region.

    `snapshot` is the id of one that was made earlier (None: a fresh one is made). `alias` is made on the target
    service, or swapped, once the new index is proved; `delete_source` deletes the source then, if nothing has changed
    it. `forget` leaves an earlier move of this index as it is and begins anew. The rest is as in a restore.
    """

    service: str
    index: str
    target_service: str
    target_index: str
    run: str
    snapshot: str | None = None
    alias: str | None = None
    delete_source: bool = False
    patch: str | None = None
    overlay: str | None = None
    accept_loss: bool = False
    allow_cross_region: bool = False
    skip_refused: bool = False
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
        """What the steps of this move work for: its target and the alias are its own until it ends."""
        also = () if self.alias is None else (IndexName(self.target_service, self.alias),)
        return Work(run=self.run, service=self.service, index=self.target, also=also)

    def restore(self, snapshot: str, store: str, mode: Mode, run: str) -> RestoreJob:
        """Return the restore of a snapshot to the target: the first, which makes it, or one that catches up."""
        return RestoreJob(
            service=self.service,
            index=self.index,
            snapshot=snapshot,
            target_service=self.target_service,
            target_index=self.target_index,
            run=run,
            mode=mode,
            store=store,
            patch=self.patch if mode == "create" else None,
            overlay=self.overlay if mode == "create" else None,
            # A sync that ends makes whole whatever an earlier one left.
            discard_unfinished=mode == "sync",
            accept_loss=self.accept_loss,
            allow_cross_region=self.allow_cross_region,
            skip_refused=self.skip_refused,
            parallel=self.parallel,
            owner=self.owner,
        )

    @property
    def fingerprint(self) -> str:
        """What two jobs share that ask for the same."""
        same = msgspec.structs.replace(self, run="", owner="", parallel=1, skip_refused=False, forget=False)
        return hashlib.sha256(msgspec.json.encode(same)).hexdigest()


class IndexState(msgspec.Struct, frozen=True):
    """How an index was: if neither changes, nobody is known to have written to it."""

    etag: str
    count: int


class MoveState(msgspec.Struct, frozen=True, kw_only=True):
    """A move that has begun and not ended: what is durable of it, under the source's name.

    `records` is the run that its parts are named by, `execution` the one that works on it, or did last. `rounds`
    counts the snapshots; `snapshot` is the last one, `held` the one that the target was last proved to hold, `proved`
    how the target was then, and `notes` what was to be told of that. `restores` are the runs that were to make the
    target, each begun while its name was free, `syncs` those that caught up. `alias_etag` is the alias's state at the
    beginning. `removing` says that the source, as `deleting` has it, is about to be deleted.
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
    restores: list[str] = []
    syncs: list[str] = []
    alias_etag: str | None = None
    deleting: IndexState | None = None
    removing: bool = False


class MoveRun(msgspec.Struct, frozen=True, kw_only=True):
    """What each step is told after the first."""

    execution: str
    records: str
    source: IndexName
    target: IndexName
    work: Work
    owner: str
    parallel: int

    @property
    def ending(self) -> Work:
        """What the last steps work for: the source too is nobody else's while it may be deleted."""
        return msgspec.structs.replace(self.work, also=(*self.work.also, self.source))


class MoveBegun(msgspec.Struct, frozen=True, kw_only=True):
    """Where a move stands: at its beginning, or where an earlier execution stopped.

    `documents`, `losses` and `notes` are of the snapshot that the target holds, `is_half_synced` says that a sync of
    the last one has not ended. `source_is_gone` says that this move has deleted the source already, and only has to
    end.
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
    is_half_synced: bool
    source_is_gone: bool
    same_store: bool
    source_store: str
    target_store: str
    started: datetime


class Found(msgspec.Struct, frozen=True):
    """The execution that has begun the move and not ended it; None where there is none, or it is this one."""

    execution: str | None


class Round(msgspec.Struct, frozen=True):
    """A snapshot that was made for the move, or that the target was proved to hold, with what is to be told of it."""

    run: MoveRun
    rounds: int
    snapshot: str
    notes: list[str] = []


class Restoring(msgspec.Struct, frozen=True):
    """A restore, by its run's name, that is about to make the target, or to make it equal to a newer snapshot."""

    run: MoveRun
    restore: str
    mode: Mode


class SourceDivision(msgspec.Struct, frozen=True):
    """How the source is compared: by stretches of keys, or by content digest where keys have no order."""

    stretches: list[tuple[str | None, str | None]]
    by_digest: bool


class KeyStretch(msgspec.Struct, frozen=True):
    """The keys above `after` and up to `until`, to be compared between source and target."""

    run: MoveRun
    after: str | None
    until: str | None


class DigestOrder(msgspec.Struct, frozen=True):
    """Two snapshots of the source whose documents should be the same."""

    run: MoveRun
    before: str
    after: str


class SourceProof(msgspec.Struct, frozen=True):
    """What comparing the target with the source came to."""

    compared: int
    different: int
    missing: int
    extra: int
    differences: list[Difference]

    @property
    def proved(self) -> bool:
        """Whether the two hold the same documents."""
        return not self.different + self.missing + self.extra


def proof_of(parts: list[StretchCompared]) -> SourceProof:
    """Put a comparison together."""
    return SourceProof(
        compared=sum(part.identical + part.equal + part.different + part.missing for part in parts),
        different=sum(part.different for part in parts),
        missing=sum(part.missing for part in parts),
        extra=sum(part.extra for part in parts),
        differences=[each for part in parts for each in part.differences][:100],
    )


class Transfer(msgspec.Struct, frozen=True):
    """A snapshot to be in another store too."""

    source_store: str
    target_store: str
    service: str
    index: str
    snapshot: str


class Transferred(msgspec.Struct, frozen=True):
    """How many chunks had to be copied."""

    chunks: int


class Switched(msgspec.Struct, frozen=True):
    """What became of the alias, and of the source; `notes` say why it was kept although it was to be deleted."""

    alias: str | None
    source_deleted: bool
    notes: list[str]


class Ended(msgspec.Struct, frozen=True):
    """When the move was over."""

    finished: datetime


class MoveFindings(Findings, frozen=True, kw_only=True):
    """What was found about a move. `would` says step by step what it would do."""

    would: list[str]


class MovePreflightReport(MoveFindings, frozen=True, kw_only=True):
    """What a move would do and whether it could, without doing it."""

    service: str
    index: str
    target_service: str
    target_index: str


class MoveReport(msgspec.Struct, frozen=True, kw_only=True):
    """A move that was proved against its source.

    `rounds` is how many snapshots it took: more than one where the source was written to meanwhile. `copied` are
    chunks that the target's store lacked.
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
