"""What a backup is told and what its steps tell each other.

These records cross the engine, so they are small: names, keys and counts, never documents. What is larger lies in the
runs container (see `checkpoints`).
"""

from datetime import datetime, timedelta

import msgspec

from indexvault.model import IndexName
from indexvault.settings.model import HiddenFields
from indexvault.snapshots.manifest import Reading
from indexvault.workflow.activity import Work


class BackupJob(msgspec.Struct, frozen=True, kw_only=True):
    """One index to back up.

    `run` names the execution; everything durable of it carries that name. `parallel` is how many ranges are read at
    once, `owner` says in words who started it. A generation of chunks older than `full_every` is not continued: all
    chunks are written anew. `hidden_fields` is what to do about fields that the service has and does not return:
    `report` them as losses, `fail`, or `reveal` them while the index is read. With a `policy`, the index's snapshots
    are replicated and pruned afterwards. `part_of` is the run that a person knows, where the backup is a part of one.
    """

    service: str
    index: str
    run: str
    parallel: int = 4
    owner: str = "the command line"
    policy: str | None = None
    full_every: timedelta | None = None
    hidden_fields: HiddenFields = "report"
    part_of: str | None = None

    @property
    def work(self) -> Work:
        """What the steps of this job work for."""
        index = IndexName(self.service, self.index)
        return Work(run=self.run, service=self.service, index=index, part_of=self.part_of)


class PlanSummary(msgspec.Struct, frozen=True):
    """What planning found: how many key ranges, or else parts, there are to read, and the documents expected.

    `notes` tell what an operator should know, such as why an earlier attempt was not continued.
    """

    ranges: int
    documents: int
    parts: int = 0
    notes: list[str] = []


class ScanOrder(msgspec.Struct, frozen=True):
    """One range of the plan to be read, by its position."""

    job: BackupJob
    position: int


class CollectOrder(msgspec.Struct, frozen=True):
    """One part of the plan to be read, by its position; a later `round` reads again what was read before."""

    job: BackupJob
    position: int
    round: int = 0


class Recounted(msgspec.Struct, frozen=True):
    """The parts, by position, that no longer hold what was read of them."""

    changed: list[int]


class ScanSummary(msgspec.Struct, frozen=True):
    """What reading one range came to."""

    documents: int
    bytes: int


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """A finished snapshot.

    `added_bytes` are the chunk bytes this snapshot added to the store (compressed), the rest was there already.
    """

    service: str
    index: str
    snapshot: str
    state: str
    losses: list[str]
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
