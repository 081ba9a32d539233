"""Read the partitions of an index that can't be read in key order, and check them for documents that moved.

A partition is read in pieces, each exact at its moment. But a document whose values change can move from a piece that
is yet to be read to one that has been. So every partition is checked afterwards: its pieces are asked for once more,
for their keys only, and what holds a key that was not read is read again. See `settle` for when that ends.
"""

from collections.abc import Sequence
from contextlib import aclosing

import msgspec

from indexvault.backup.answers import Answers, is_whole
from indexvault.backup.cuts.cut import Cut
from indexvault.backup.external_sort import SortedRunStore, Sorter
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import CollectInput, ScanSummary
from indexvault.backup.key_marks import mark_of, pack, unpack
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.paged import PagedReader
from indexvault.backup.partition import Between, Partition
from indexvault.backup.partitioning import reading_order
from indexvault.backup.pieces import Piece, PieceReader, cuts_for
from indexvault.backup.state import (
    CollectedPartition,
    Plan,
    SortedSet,
    partition_record,
    require_plan,
    require_same,
)
from indexvault.search.client import SearchService
from indexvault.search.lookup import KeyLookup
from indexvault.search.page import Document
from indexvault.search.query import MOST_PER_PAGE
from indexvault.search.request_count import counted_requests
from indexvault.search.schema import read_schema
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import digest_of

_TOGETHER = MOST_PER_PAGE * 4 // 5
"""Documents of neighbouring pieces whose keys are asked for at once: some may have been added."""


async def collect(resources: Resources, given: CollectInput, *, limits: Limits = LIMITS) -> ScanSummary:
    """Read one partition of the plan and write its documents in sorted runs; in a later round, check it.

    What can't be settled within the limits is read as far as possible, and the record says how much is left open.
    """
    job = given.job
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    record = partition_record(plan, given.position)
    collected = await checkpoints.read(record, CollectedPartition)
    if collected is None or collected.round < given.round:
        if collected is not None:
            require_same(job, f"the record of partition {given.position}", collected, given.before)
        with counted_requests() as counter:
            collector = _Collector(resources, resources.clients.service(job.service), given, plan, limits)
            runs = SortedRunStore(store.runs, job.run, plan.key_field, limits)
            done = await collector.collect(runs, collected)
        collected = msgspec.structs.replace(
            done, requests=counter.requests + (collected.requests if collected is not None else 0)
        )
        await checkpoints.write(record, collected)
    return ScanSummary(documents=collected.documents, bytes=collected.bytes, digest=digest_of(collected))


class _Collector:
    def __init__(
        self, resources: Resources, service: SearchService, given: CollectInput, plan: Plan, limits: Limits
    ) -> None:
        self._resources = resources
        self._round = given.round
        self._partition = plan.partitions[given.position]
        self._name = f"{partition_record(plan, given.position)}-{given.round}"
        self._limits = limits
        self._answers = Answers(
            service,
            given.job.index,
            plan.key_field,
            average_document_bytes=plan.average_document_bytes,
            elevated=plan.elevated,
            session=self._name,
        )
        schema = read_schema(plan.definition.fullest.body, on=f"{service.name} index {given.job.index}")
        self._lookup = KeyLookup(
            service,
            given.job.index,
            schema,
            average_document_bytes=plan.average_document_bytes,
            elevated=plan.elevated,
        )
        self._cuts: Sequence[Cut] = [] if self._partition.partial else cuts_for(schema, limits)
        self._paged = PagedReader(
            self._answers,
            self._take,
            limits,
            resources.clock,
            orderby=reading_order(schema),
            session=self._name,
            average_document_bytes=plan.average_document_bytes,
        )
        probe = ServiceIndexProbe(service, given.job.index, plan.key_field, elevated=plan.elevated)
        self._pieces = PieceReader(self._answers, probe, self._take, self._paged.read)
        self._present: set[int] = set()
        self._known: set[int] = set()
        self._taken: set[int] = set()
        self._unread = 0
        self._bytes = 0
        self._again = 0

    async def collect(self, store: SortedRunStore, before: CollectedPartition | None) -> CollectedPartition:
        """Read the partition, or check what an earlier round has read."""
        self._sorter = Sorter(store, self._name)
        if before is None:
            await self._read_first()
            known_before = present_before = frozenset[int]()
        else:
            known_before, present_before = frozenset(unpack(before.known)), frozenset(unpack(before.present))
            self._known = set(known_before)
            for piece in together(before.pieces):
                await self._check(piece)
        await self._sorter.finish()
        sets = [] if before is None else before.sets
        if self._sorter.runs:
            sets = [*sets, SortedSet(self._name, self._round, self._sorter.runs, self._resources.clock())]
        checked = before is not None
        return CollectedPartition(
            round=self._round,
            sets=sets,
            pieces=self._pieces.pieces,
            known=pack(self._known),
            present=pack(self._present),
            new=pack(self._present - known_before) if checked else b"",
            returned=pack((self._present & known_before) - present_before) if checked else b"",
            gone=pack(present_before - self._present) if checked else b"",
            unread=self._unread,
            bytes=self._bytes + (before.bytes if before is not None else 0),
            again=self._again + (before.again if before is not None else 0),
            requests=0,
        )

    async def _read_first(self) -> None:
        if self._partition.partial:
            self._pieces.pieces.append(await self._read_once(keys_only=False))
        else:
            await self._pieces.read(self._partition, self._cuts)
        self._again += max(0, self._paged.readings - 1)

    async def _check(self, piece: Piece) -> None:
        """Ask for a piece's keys. If any was not read, or if it is no longer settled, read it again."""
        if self._partition.partial:
            await self._check_partial()
            return
        wanted: set[str] = set()
        if not piece.open:
            kept, wanted = await (self._check_paged(piece) if piece.paged else self._check_answer(piece))
            if kept:
                self._pieces.pieces.append(piece)
                return
        self._again += 1
        self._taken = set()
        await self._pieces.read(msgspec.structs.replace(piece.partition, documents=0), self._cuts)
        await self._look_up([key for key in wanted if mark_of(key) not in self._taken])

    async def _check_answer(self, piece: Piece) -> tuple[bool, set[str]]:
        page = await self._answers.ask_keys(piece.partition)
        marks = {mark_of(document.key): document.key for document in page.documents}
        unknown = {key for mark, key in marks.items() if mark not in self._known}
        if unknown or not is_whole(page):
            return False, unknown
        self._present.update(marks)
        return True, set()

    async def _check_paged(self, piece: Piece) -> tuple[bool, set[str]]:
        unknown: set[str] = set()
        counts: set[int | None] = set()
        async with aclosing(self._paged.pages(piece.partition, self._round, keys_only=True)) as pages:
            async for page in pages:
                counts.add(page.count)
                unknown |= {each.key for each in page.documents if mark_of(each.key) not in self._known}
        if unknown or counts != {piece.documents}:
            return False, unknown
        self._present.update(unpack(piece.marks))
        return True, set()

    async def _check_partial(self) -> None:
        """Read one end of an ordering once more, and again with its documents if keys were not known."""
        piece = await self._read_once(keys_only=True)
        if not set(unpack(piece.marks)) <= self._known:
            self._again += 1
            piece = await self._read_once(keys_only=False)
        self._pieces.pieces.append(piece)

    async def _read_once(self, *, keys_only: bool) -> Piece:
        """Read as far as `$skip` reaches. `open` is how far the counts of the pages are apart."""
        counts: set[int] = set()
        marks: set[int] = set()
        async with aclosing(self._paged.pages(self._partition, self._round, keys_only=keys_only)) as pages:
            async for page in pages:
                counts |= {page.count} if page.count is not None else set()
                marks |= {mark_of(document.key) for document in page.documents}
                if not keys_only:
                    await self._take(page.documents)
        self._present |= marks
        moved = max(counts, default=0) - min(counts, default=0)
        return Piece(self._partition, len(marks), paged=True, open=moved, marks=pack(marks))

    async def _look_up(self, keys: Sequence[str]) -> None:
        """Read documents by key that left their piece between two answers. Those that are deleted are no loss.

        Documents that only elevated reading shows can't be looked up with certainty by a key that is not filterable:
        they are counted as not read.
        """
        if not keys:
            return
        if not self._lookup.is_certain:
            self._unread += len(keys)
            return
        async with aclosing(self._lookup.find(keys)) as found:
            async for key, line in found:
                await self._take([Document(key, line)])

    async def _take(self, documents: Sequence[Document]) -> None:
        marks = {mark_of(document.key) for document in documents}
        new = [document for document in documents if mark_of(document.key) not in self._known]
        self._present |= marks
        self._known |= marks
        self._taken |= marks
        await self._sorter.add(documents)
        size = sum(len(document.line) + 1 for document in new)
        self._bytes += size
        self._resources.report(ProgressUpdate(stage="read", documents=len(new), bytes=size))


def together(pieces: Sequence[Piece]) -> list[Piece]:
    """Put neighbouring intervals together, as long as one answer holds their keys."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last is not None and not (piece.paged or last.paged) and last.documents + piece.documents <= _TOGETHER:
            joined = _joined(last.partition, piece.partition)
            if joined is not None:
                found[-1] = Piece(joined, last.documents + piece.documents)
                continue
        found.append(piece)
    return found


def _joined(one: Partition, other: Partition) -> Partition | None:
    """Return the union of two partitions that differ only in one field's interval, the second following the first."""
    if not (one.conditions and other.conditions) or one.conditions[:-1] != other.conditions[:-1]:
        return None
    low, high = one.conditions[-1], other.conditions[-1]
    if not (isinstance(low, Between) and isinstance(high, Between)) or low.field != high.field:
        return None
    if one.lucene != other.lucene or low.high is None or low.high != high.low or high.after:
        return None
    whole = Between(low.field, low=low.low, high=high.high, after=low.after)
    return msgspec.structs.replace(one, conditions=(*one.conditions[:-1], whole))
