"""The durable records of a backup while it runs, in the runs container.

The name of a range's or partition's record contains the plan's `id`, so that a run which starts over never finds the
records of the plan before.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from indexvault.backup.changes.records import ChangesPlan
from indexvault.backup.external_sort import SortedRun
from indexvault.backup.job import BackupJob, KeptRange
from indexvault.backup.partition import Partition
from indexvault.backup.pieces import Piece
from indexvault.errors import IntegrityError, OutdatedReadingError
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import BoundaryBits, Chunk, Digest, Size
from indexvault.snapshots.manifest import FORMAT, Added, Definition, Loss, SynonymMap
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import digest_of

PLAN_FORMAT = f"{FORMAT} plan 8"
"""Changes whenever a run's records change their meaning: a run in another format is not continued."""
PLAN_RECORD = "plan"
STARTED_OVER_RECORD = "again"
_POSITION_DIGITS = 10
KEY_ORDER = "key order"
"""The method of a plan that reads in the order of the keys, as for most indexes."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to read an index, fixed for the whole run.

    `counted` is the service's own count of documents, `found` the number that a query finds: they differ while the
    former lags, or where access lists hide documents from this caller. The index is read in key `ranges` or in
    `partitions`, or only the `changes` since the last snapshot; with `exact`, each document is in only one partition.
    `method` and `reason` say in words how it is
    read and why; `tried` names the partitioners that could not divide it. `revealed` are fields that are made
    retrievable while it is read. `etag` is that of the definition as its owner left it, `etag_reading` that of the
    definition under which documents are read: they differ if fields are revealed. Chunks that the previous snapshot
    names are not stored again; unless the plan is `trusting`, the store is asked for each of their packs.
    `previous_tree` is the digest of that snapshot's root: with another tree, it is not the one that was compared.
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
    boundary_bits: BoundaryBits
    generation: str = ""
    previous: SnapshotReference | None
    previous_tree: str = ""
    trusting: bool = True
    method: str
    reason: str
    tried: list[str] = []
    ranges: list[KeyRange] = []
    partitions: list[Partition] = msgspec.field(default_factory=list, name="parts")
    exact: bool = True
    changes: ChangesPlan | None = None
    revealed: list[str] = []
    requests: int = 0


class PlanHeader(msgspec.Struct, frozen=True):
    """The member of a plan that says whether the rest can be read."""

    format: str = ""


class StartedOver(msgspec.Struct, frozen=True):
    """The record that a run reads its index again, and no longer trusts the chunks of earlier snapshots."""

    why: str


class Leftover(msgspec.Struct, frozen=True):
    """What a range left over: the SHA-256 of its bytes, in hex, and their number."""

    sha256: Digest
    bytes: Size


class ScannedRange(msgspec.Struct, frozen=True, kw_only=True):
    """The chunks of a range, or of a part of those that partitions were merged into, all of them stored.

    Chunks without a pack are in the `leftover`, where their offsets point. `again` is how many of its subranges were
    read again because their count had changed. `open` is how many documents the counts leave open after that.
    """

    chunks: list[Chunk]
    digest: Digest
    added: Added
    leftover: Leftover | None = None
    again: int = 0
    open: int = 0
    requests: int = 0


class KeptRanges(msgspec.Struct, frozen=True):
    """Ranges that are as in the snapshot before, so that the trees of both have the same chunks there."""

    ranges: tuple[KeptRange, ...]


class SortedSet(msgspec.Struct, frozen=True):
    """The sorted runs that one round wrote of a partition: the set's name, and the segments of each run."""

    name: str
    round: int
    runs: list[SortedRun]
    finished: datetime


class CollectedPartition(msgspec.Struct, frozen=True, kw_only=True):
    """The documents of a partition, in sorted runs, as of a round: 0 read all of them, later ones checked them.

    `pieces` are those that it was read in. Of keys there are only marks (see `key_marks`): `known` have ever been read
    here, `present` were there in this round, `new` of those were not known before and `returned` were known, but not
    present in the round before; `gone` were present then and are no more. `unread` keys were seen,
    but not their documents, and `again` is how many pieces were read again.
    """

    round: int
    sets: list[SortedSet]
    pieces: list[Piece]
    known: bytes
    present: bytes
    new: bytes = b""
    returned: bytes = b""
    gone: bytes = b""
    unread: int = 0
    bytes: int
    again: int = 0
    requests: int

    @property
    def documents(self) -> int:
        """How many documents have been read."""
        return len(self.known) // 8


class Merged(msgspec.Struct, frozen=True):
    """The documents of all partitions, merged: how many, their bytes, and the digests of the records of the parts."""

    documents: int
    bytes: int
    parts: list[Digest]


class OpenPart(msgspec.Struct, frozen=True):
    """A part of the index that could not be settled: the fields that it is told apart by, and documents left open."""

    part: str
    documents: int


class Settling(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the whole index after a round.

    `totals` are the counts of everything, before the first round and after each. `missing` are marks of keys that were
    known and are nowhere since a round; `escaped` counts those that came back after that, `escaped_twice` those that
    two rounds in a row had missed. `unknown` keys were new to every partition in this round. `lacking` is by how many
    documents the keys that were read disagree with the counts, `waited` how many seconds counts were waited for, since
    they can be off for minutes. `ended` says that no other round follows, `open` which documents are left open then.
    """

    round: int
    started: datetime
    totals: list[int]
    missing: list[tuple[int, int]] = []
    escaped: int = 0
    escaped_twice: int = 0
    unknown: int = 0
    open_rounds: int = 0
    lacking: int = 0
    waited: float = 0.0
    ended: bool = False
    open: list[OpenPart] = []


def range_record(plan: Plan, position: int) -> str:
    """Return the name of a scanned range's record."""
    return f"{plan.id}-range-{position}"


def kept_prefix(plan: Plan) -> str:
    """Return what the names of the records of ranges begin with that are as in the snapshot before."""
    return f"{plan.id}-kept-"


def kept_record(plan: Plan, ranges: Sequence[KeptRange]) -> str:
    """Return the name of the record of such ranges. It tells the first position and the last."""
    positions = [each.position for each in ranges]
    return f"{kept_prefix(plan)}{min(positions)}-{max(positions)}"


def may_have_kept(record: str, plan: Plan, first: int, last: int) -> bool:
    """Return whether the name of a record of such ranges tells some of the positions from `first` to `last`."""
    least, _, most = record.removeprefix(kept_prefix(plan)).partition("-")
    is_name = least.isdecimal() and most.isdecimal() and len(least) < _POSITION_DIGITS > len(most)
    return is_name and int(least) <= last and first <= int(most)


def partition_record(plan: Plan, position: int) -> str:
    """Return the name of a collected partition's record."""
    return f"{plan.id}-part-{position}"


def settling_record(plan: Plan) -> str:
    """Return the name of the record of whether the partitions are accounted for."""
    return f"{plan.id}-settling"


def merged_record(plan: Plan) -> str:
    """Return the name of the record of what all partitions were merged into."""
    return f"{plan.id}-merged"


def merged_part_record(plan: Plan, position: int) -> str:
    """Return the name of the record with the chunks of a part of that."""
    return f"{plan.id}-merged-{position}"


def changes_record(plan: Plan, part: str) -> str:
    """Return the name of a record of a reading by changes."""
    return f"{plan.id}-{part}"


def require_changes(plan: Plan, job: BackupJob) -> ChangesPlan:
    """Return how a plan reads by changes. Raises OutdatedReadingError if it does not."""
    if plan.changes is None:
        raise OutdatedReadingError("its plan reads the whole index", on=f"run {job.run}", do="Run the backup again")
    return plan.changes


async def require_plan(checkpoints: Checkpoints, job: BackupJob) -> Plan:
    """Read the plan. Raises IntegrityError if it is gone, OutdatedReadingError if it is not the one the run follows."""
    plan = await require(checkpoints, PLAN_RECORD, Plan, job)
    require_same(job, "the plan", plan, job.plan)
    return plan


def require_same(job: BackupJob, what: str, record: object, digest: str) -> None:
    """Raise OutdatedReadingError if a record is not the one with this digest, unless the digest is empty."""
    if digest and digest_of(record) != digest:
        raise OutdatedReadingError(
            f"{what} in the runs container is not what this run wrote: somebody else may have written there",
            on=f"run {job.run}",
            do="Find out who can write to the runs container",
        )


def partition_reader(
    checkpoints: Checkpoints, job: BackupJob, plan: Plan, digests: Sequence[str]
) -> Callable[[int], Awaitable[CollectedPartition]]:
    """Return a function that reads a partition's record by its position, and checks that it has its digest.

    The function raises IntegrityError if the record is gone, OutdatedReadingError if it has another digest.
    """

    async def read(position: int) -> CollectedPartition:
        record = await require(checkpoints, partition_record(plan, position), CollectedPartition, job)
        require_same(job, f"the record of partition {position}", record, digests[position])
        return record

    return read


async def require[Kind](checkpoints: Checkpoints, part: str, kind: type[Kind], job: BackupJob) -> Kind:
    """Read a record that must exist. Raises IntegrityError if it is gone."""
    record = await checkpoints.read(part, kind)
    if record is None:
        raise IntegrityError(
            f"its record of {part} is gone", on=f"run {job.run}", do="Start a new run; this one can't be resumed"
        )
    return record
