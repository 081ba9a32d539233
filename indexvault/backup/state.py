"""What is durable of a backup while it is under way, in the runs container.

Every record of a part carries the plan's `id` in its name, so that a run which starts over never finds those of the
plan it gave up.
"""

from datetime import datetime

import msgspec

from indexvault.backup.job import BackupJob
from indexvault.backup.partition import Partition
from indexvault.errors import IntegrityError
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import FORMAT, Added, Definition, Loss, SynonymMap
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.checkpoints import Checkpoints

PLAN_FORMAT = f"{FORMAT} plan 3"
"""Changes whenever records of a run mean something else than before: a run of another format is not continued."""
PLAN = "plan"
KEY_ORDER = "key order"
"""The method of a plan that reads in the order of the keys, as most indexes are."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run holds to from its first step to its last.

    `counted` is the service's own count of documents, `found` how many a query finds: they differ while the former
    lags, or where documents are kept from this caller. The index is read either in key `ranges` or in `parts`; with
    `exact`, each document is in one part only. `method` and `reason` say in words how it is read and why; `tried` names
    the ways of cutting that had nothing to cut with. `revealed` are fields that are made retrievable for the reading.
    `etag` is that of the definition as its owner left it, `etag_reading` that of the one the documents are read under:
    they differ where fields are revealed. While it is `trusting`, a chunk that the previous snapshot names is not sent.
    """

    id: str
    format: str = PLAN_FORMAT
    started: datetime
    definition: Definition
    etag: str
    etag_reading: str
    synonym_maps: list[SynonymMap]
    losses: list[Loss]
    key_field: str
    counted: int
    found: int
    elevated: bool
    average_document_bytes: float
    boundary_bits: int
    generation: str = ""
    previous: SnapshotReference | None
    trusting: bool = True
    method: str
    reason: str
    tried: list[str] = []
    ranges: list[KeyRange] = []
    parts: list[Partition] = []
    exact: bool = True
    revealed: list[str] = []
    requests: int = 0


class ScannedRange(msgspec.Struct, frozen=True, kw_only=True):
    """The chunks of a range, all of them stored and accounted for.

    `again` is how many stretches of it were read again because their count had changed.
    """

    chunks: list[Chunk]
    digest: str
    added: Added
    again: int = 0
    requests: int = 0


class CollectedPart(msgspec.Struct, frozen=True, kw_only=True):
    """The documents of a part, sorted and set aside.

    `attempt` names the set, `runs` gives the segments of each sorted run in it, in the form of chunks. `documents` have
    unique keys, `before` and `after` are counts of the part. `readings` is how often it was read.
    """

    attempt: str
    runs: list[list[Chunk]]
    documents: int
    bytes: int
    before: int
    after: int
    readings: int
    requests: int


def range_record(plan: Plan, position: int) -> str:
    """Name the record of a scanned range."""
    return f"{plan.id}-range-{position}"


def part_record(plan: Plan, position: int) -> str:
    """Name the record of a collected part."""
    return f"{plan.id}-part-{position}"


def merged_record(plan: Plan) -> str:
    """Name the record of the chunks that all parts were merged into."""
    return f"{plan.id}-merged"


def snapshot_record(plan: Plan) -> str:
    """Name the record of the snapshot's id."""
    return f"{plan.id}-snapshot"


async def require_plan(checkpoints: Checkpoints, job: BackupJob) -> Plan:
    """Read the plan of a run that must have one."""
    return await require(checkpoints, PLAN, Plan, job)


async def require[Kind](checkpoints: Checkpoints, part: str, kind: type[Kind], job: BackupJob) -> Kind:
    """Read a record that must be there. Raises IntegrityError if it is gone."""
    record = await checkpoints.read(part, kind)
    if record is None:
        raise IntegrityError(
            f"its record of {part} is gone", on=f"run {job.run}", do="Start a new run; this one can't be resumed"
        )
    return record
