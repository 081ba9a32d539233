"""Read the documents that a field says were changed.

They are read one answer after the other along the field, from its lower bound on and without an upper one: a document
that is changed meanwhile moves forward along the field, to where it is yet to be read, and both of its versions are
found. Each answer is exact for its part of the field at its moment, there is no `$skip`, and ties decide nothing. A
value that fills an answer alone, and the documents without a value, are read the same way along the key.

A document whose field moves back meanwhile, as one can that is written by a clock which is behind, may be read in the
version before. The next run reads it: its field lies after the start of this one less the margin.
"""

from collections.abc import Sequence

from indexvault.backup.answers import Answers
from indexvault.backup.changes.records import CHANGED_PART, ChangedDocuments, ChangesPlan
from indexvault.backup.cuts.by_walking import ByWalking
from indexvault.backup.cuts.cut import Cut
from indexvault.backup.external_sort import SortedRunStore, Sorter
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import BackupJob, ScanSummary
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Between, Null, Partition
from indexvault.backup.pieces import Piece, PieceReader
from indexvault.backup.state import Plan, changes_record, require_changes, require_plan
from indexvault.errors import OutdatedReadingError, UnexpectedAnswerError
from indexvault.search.page import Document
from indexvault.search.request_count import counted_requests
from indexvault.search.schema import Schema, read_schema
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import digest_of

_ROOM = 2
"""How many times as many documents may come as a run reads at most: an index may change faster than it is read."""


async def read_changes(resources: Resources, job: BackupJob, *, limits: Limits = LIMITS) -> ScanSummary:
    """Read the changed documents of the plan into sorted runs, and record them.

    What an earlier attempt has read is read again: nothing else would show that a record of it is whole, and it is
    little.

    Raises OutdatedReadingError if more documents change meanwhile than a reading by changes is for.
    """
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    reader = _ChangesReader(resources, job, plan, SortedRunStore(store.runs, job.run, plan.key_field, limits))
    with counted_requests() as counter:
        documents, size = await reader.read(require_changes(plan, job), limits)
    found = ChangedDocuments(reader.sorter.runs, documents, size, counter.requests, resources.clock())
    await checkpoints.write(changes_record(plan, CHANGED_PART), found)
    return ScanSummary(documents=found.documents, bytes=found.bytes, digest=digest_of(found))


class _ChangesReader:
    def __init__(self, resources: Resources, job: BackupJob, plan: Plan, store: SortedRunStore) -> None:
        self._resources = resources
        self._on = f"{job.service} index {job.index}"
        service = resources.clients.service(job.service)
        self._answers = Answers(
            service,
            job.index,
            plan.key_field,
            average_document_bytes=plan.average_document_bytes,
            elevated=plan.elevated,
            session=f"{plan.id}-changes",
        )
        self._probe = ServiceIndexProbe(service, job.index, plan.key_field, elevated=plan.elevated)
        self._schema = read_schema(plan.definition.fullest.body, on=self._on)
        self.sorter = Sorter(store, changes_record(plan, CHANGED_PART))
        self._documents = self._bytes = self._most = 0

    async def read(self, changes: ChangesPlan, limits: Limits) -> tuple[int, int]:
        """Read everything, and return how many documents that were, and their bytes."""
        self._most = _ROOM * max(limits.most_changes, changes.changed + changes.valueless)
        pieces = PieceReader(self._answers, self._probe, self._take, self._refuse)
        cuts = ways_along(self._schema, changes.field)
        # Also if none was counted: nothing vouches for the count in the plan of a resumed run.
        await pieces.read(Partition(conditions=(Null(changes.field),), documents=changes.valueless), cuts)
        changed = Partition(conditions=(Between(changes.field, low=changes.since),), documents=changes.changed)
        await pieces.read(changed, cuts)
        await self.sorter.finish()
        return self._documents, self._bytes

    async def _take(self, documents: Sequence[Document]) -> None:
        size = sum(len(document.line) + 1 for document in documents)
        self._documents += len(documents)
        self._bytes += size
        if self._documents > self._most:
            raise OutdatedReadingError(
                f"more than {self._most:,} documents were changed while the changes were read",
                on=self._on,
                do="Run the backup again; it reads the whole index",
            )
        await self.sorter.add(documents)
        self._resources.report(ProgressUpdate(stage="read", documents=len(documents), bytes=size))

    async def _refuse(self, partition: Partition) -> Piece:
        raise UnexpectedAnswerError(
            f"{partition} does not sort as it compares",
            on=self._on,
            do="Read the whole index: leave changes out; if it persists, report how the field is defined",
        )


def ways_along(schema: Schema, path: str) -> list[Cut]:
    """Return how to cut what is read by changes: along the field, and along the key where a value is shared."""
    field = next(field for each, field in schema.walk() if each == path)
    return [ByWalking(path, field), ByWalking(schema.key.name, schema.key)]
