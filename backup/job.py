"""What a backup is told and what its steps tell each other.

These records cross the engine, so they are small: names, keys and counts, never documents. What is larger lies in the
runs container (see `checkpoints`).
"""

from datetime import datetime

import msgspec

from engine.step import IndexName, Work


class BackupJob(msgspec.Struct, frozen=True, kw_only=True):
    """One index to back up.

    `run` names the execution; everything durable of it carries that name. `parallel` is how many ranges are read at
    once, `owner` says in words who started it.
    """

    service: str
    index: str
    run: str
    parallel: int = 4
    owner: str = "the command line"

    @property
    def work(self) -> Work:
        """What the steps of this job work for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.service, self.index))


class PlanSummary(msgspec.Struct, frozen=True):
    """What planning found: how many ranges there are to read, and the documents expected."""

    ranges: int
    documents: int


class ScanOrder(msgspec.Struct, frozen=True):
    """One range of the plan to be read, by its position."""

    job: BackupJob
    position: int


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
