"""What a restore is told and what its steps tell each other: small records that cross the engine."""

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from indexvault.model import IndexName
from indexvault.restore.checks import Check
from indexvault.workflow.activity import Work

type Mode = Literal["create", "replace", "sync", "fill"]
"""How a restore treats its target.

`create`: a new index, under a name that is free. `replace`: a new index beside the old one, then the alias swapped.
`sync`: the existing index made equal to the snapshot. `fill`: documents that the existing index lacks.
"""


class RestoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot to restore.

    `service`, `index` and `snapshot` (an id) name the snapshot, `store` the store it is read from (None: that of the
    service). `target_index` may be an alias, except in mode create. `run` names the execution, `owner` says in words
    who started it.

    `alias` points at the new index once it is proved. `in_place` replaces a plain index, which can't be swapped;
    `delete_old` lets a replaced index go. `update_definition` lets a sync change what a live index allows. `patch` is a
    JSON Merge Patch of the definition, `overlay` names what the settings have for it, secrets above all. `keys` and
    `filter` (JMESPath) restrict the restore to single documents. `skip_refused` goes on without documents that the
    target refuses. `accept_loss` and `allow_cross_region` say that a lossy snapshot, or data leaving its region, is
    fine. `discard_unfinished` forgets an unfinished restore into this target instead of refusing; `resume` goes on with
    it, whatever else is asked. `locked_by` is the run that has the target's locks already, where the restore is a part
    of it.
    """

    service: str
    index: str
    snapshot: str
    target_service: str
    target_index: str
    run: str
    mode: Mode = "create"
    store: str | None = None
    alias: str | None = None
    in_place: bool = False
    delete_old: bool = False
    update_definition: bool = False
    patch: str | None = None
    overlay: str | None = None
    keys: tuple[str, ...] = ()
    filter: str | None = None
    skip_refused: bool = False
    accept_loss: bool = False
    allow_cross_region: bool = False
    discard_unfinished: bool = False
    resume: bool = False
    parallel: int = 4
    owner: str = "the command line"
    locked_by: str | None = None

    @property
    def reference(self) -> str:
        """The snapshot as a person writes it."""
        return f"{self.service}/{self.index}@{self.snapshot}"

    @property
    def target(self) -> IndexName:
        """The index or alias that the restore was asked to go to."""
        return IndexName(self.target_service, self.target_index)

    @property
    def work(self) -> Work:
        """What the steps of this job work for."""
        return Work(run=self.run, service=self.target_service, index=self.target)

    @property
    def fingerprint(self) -> str:
        """What two jobs share that ask for the same: a hash over all but who asks, when, how fast and how strictly."""
        same = msgspec.structs.replace(
            self,
            run="",
            owner="",
            parallel=1,
            discard_unfinished=False,
            resume=False,
            skip_refused=False,
            locked_by=None,
        )
        return hashlib.sha256(msgspec.json.encode(same)).hexdigest()


class RestoreRun(msgspec.Struct, frozen=True, kw_only=True):
    """What each step is told after the first.

    `execution` is the run that works now, `records` the run under whose name the records lie: an earlier one where it
    is resumed. `target` is what was asked for, `mark` the name under which the target is marked as unfinished. `also`
    are the other names that are locked with `target` for as long as the execution lives: the index that is written,
    the alias that is swapped, an old index that is to be deleted. `locked_by` has the locks, if another run has.
    """

    execution: str
    records: str
    target: IndexName
    mark: IndexName
    also: tuple[IndexName, ...]
    owner: str
    parallel: int
    locked_by: str | None = None

    @property
    def work(self) -> Work:
        """What the steps of this run work for."""
        return Work(
            run=self.locked_by or self.execution, service=self.target.service, index=self.target, also=self.also
        )


class Stretch(msgspec.Struct, frozen=True):
    """Consecutive chunks of a manifest, by position: `start` included, `end` not."""

    run: RestoreRun
    start: int
    end: int

    @property
    def part(self) -> str:
        """What the records of this stretch are called."""
        return f"{self.start}-{self.end}"


class StoredStretch(msgspec.Struct, frozen=True):
    """Consecutive chunks of a snapshot in a store, by position, and which of their documents are wanted."""

    store: str
    service: str
    index: str
    snapshot: str
    start: int
    end: int
    keys: tuple[str, ...] = ()
    filter: str | None = None


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore is going to do. `source` is the job as first asked, `resumes` the execution that is continued."""

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


class StretchProved(msgspec.Struct, frozen=True):
    """That so many chunks are in the store as they were written, with so many of the wanted documents."""

    chunks: int
    wanted: int


class TargetReady(msgspec.Struct, frozen=True):
    """That the target is there: the synonym maps made for it, and what the operator should know."""

    into: str
    synonym_maps: list[str]
    notes: list[str]


class StretchLoaded(msgspec.Struct, frozen=True):
    """What writing one stretch came to; `untouched` chunks were found in the target as they are."""

    uploaded: int = 0
    deleted: int = 0
    bytes: int = 0
    requests: int = 0
    refused: int = 0
    untouched: int = 0


class Settled(msgspec.Struct, frozen=True):
    """The documents that the target counted when waiting ended."""

    counted: int
