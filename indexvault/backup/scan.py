"""Read one key range of an index into chunks."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from indexvault.backup.chunking import Earlier, folder_of, scanned_range, store_chunks
from indexvault.backup.job import BackupJob, KeptInput, KeptRange, ScanInput, ScanSummary
from indexvault.backup.leftovers import leftover_name, write_leftover
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.recount import Reread, SettledRange, settle
from indexvault.backup.state import (
    KeptRanges,
    Plan,
    ScannedRange,
    kept_prefix,
    kept_record,
    may_have_kept,
    range_record,
    require_plan,
)
from indexvault.backup.stored import is_stored
from indexvault.errors import TooLargeError, TooSlowError
from indexvault.search.client import SearchService
from indexvault.search.page import Document, PageReader
from indexvault.search.page_size import page_size
from indexvault.search.query import DocumentQuery, key_range
from indexvault.search.request_count import counted_requests
from indexvault.search.scan import KeyRange, scan_range
from indexvault.snapshots.chunk_writer import ChunkWriter, StoredChunk, digest_of_stored
from indexvault.snapshots.manifest import Added
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.patience import Patience, settle_seconds
from indexvault.workflow.resume import digest_of


async def scan(resources: Resources, given: ScanInput, *, limits: Limits = LIMITS) -> ScanSummary:
    """Read ranges of the plan into chunks, and account for their documents.

    What an earlier attempt has read is read back and counted again, and read anew if that does not agree. If the unique
    keys of a subrange do not come to agree with the service's count of it, the record says how many are left open. A
    range that is as in the last snapshot has no record of its own.
    """
    job, store = given.job, resources.clients.store_of(given.job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    ranges = _Ranges(resources, job, plan, limits)
    # Tried again, an activity that reads a single range has not finished it: there is no record to look for.
    looks_back = given.resumed or given.ranges > 1
    earlier = await _kept_earlier(checkpoints, plan, given) if looks_back else {}
    documents = size = unrecorded = 0
    digests: list[str] = []
    left: list[int] = []
    kept: list[KeptRange] = []
    for position in range(given.position, given.position + given.ranges):
        scanned = await ranges.found(position, earlier.get(position)) if looks_back else None
        if scanned is None:
            scanned = await ranges.read(position)
        if isinstance(scanned, KeptRange):
            kept.append(scanned)
            documents, size = documents + scanned.documents, size + scanned.bytes
            unrecorded += scanned.bytes
            if unrecorded >= limits.checkpoint_bytes and given.ranges > 1:
                await keep(resources, KeptInput(job, tuple(kept)))
                unrecorded = 0
            continue
        documents += sum(chunk.documents for chunk in scanned.chunks)
        size += sum(chunk.bytes for chunk in scanned.chunks)
        digests.append(digest_of(scanned))
        left += [position] if scanned.leftover is not None else []
    return ScanSummary(documents=documents, bytes=size, digest=digest_of(digests), left=tuple(left), kept=tuple(kept))


async def keep(resources: Resources, given: KeptInput) -> Done:
    """Record ranges that are as in the last snapshot, so that a run which is interrupted does not read them again."""
    checkpoints = Checkpoints(resources.clients.store_of(given.job.service).runs, given.job.run)
    plan = await require_plan(checkpoints, given.job)
    await checkpoints.write(kept_record(plan, given.ranges), KeptRanges(given.ranges))
    return Done()


async def _kept_earlier(checkpoints: Checkpoints, plan: Plan, given: ScanInput) -> dict[int, KeptRange]:
    """Return which ranges an earlier attempt found to be as in the last snapshot, as it says, by position."""
    first, last = given.position, given.position + given.ranges - 1
    found: dict[int, KeptRange] = {}
    async for part in checkpoints.parts(kept_prefix(plan)):
        if may_have_kept(part, plan, first, last) and (record := await checkpoints.read(part, KeptRanges)) is not None:
            found.update({each.position: each for each in record.ranges if first <= each.position <= last})
    return found


class _Ranges:
    """Reads ranges of a plan, or finds what an earlier attempt has read of them."""

    def __init__(self, resources: Resources, job: BackupJob, plan: Plan, limits: Limits) -> None:
        self._resources = resources
        self._job = job
        self._plan = plan
        self._limits = limits
        self._store = resources.clients.store_of(job.service)
        self._service = resources.clients.service(job.service)
        self._checkpoints = Checkpoints(self._store.runs, job.run)
        self._earlier: Earlier | None = None

    async def found(self, position: int, kept: KeptRange | None) -> ScannedRange | KeptRange | None:
        """Return what an earlier attempt has read of a range if it is stored and still agrees with the count."""
        keys = self._plan.ranges[position]
        scanned = record = await self._checkpoints.read(range_record(self._plan, position), ScannedRange)
        if record is None and kept is not None and (earlier := await self._before()).is_relied_on:
            scanned = ScannedRange(chunks=await earlier.chunks_in(keys), digest=kept.digest, added=Added())
        if scanned is None or not await self._is_stored(position, scanned):
            return None
        documents = sum(chunk.documents for chunk in scanned.chunks)
        if await _count(self._service, self._job.index, self._plan, keys) != documents:
            return None
        size = sum(chunk.bytes for chunk in scanned.chunks)
        self._resources.report(ProgressUpdate(stage="read", documents=documents, bytes=size))
        if record is not None or kept is None:
            return record
        return KeptRange(position, documents, size, kept.digest, kept.requests)

    async def read(self, position: int) -> ScannedRange | KeptRange:
        """Read a range. Return its record, which is written, or that it is as in the last snapshot and has none."""
        plan, keys = self._plan, self._plan.ranges[position]
        earlier = await self._before()
        writer = ChunkWriter(self._store.snapshots, folder_of(self._job, plan), pack_bytes=self._limits.pack_bytes)
        try:
            with counted_requests() as counter:
                scanner = _Scanner(
                    self._resources, self._service, self._job, plan, position, earlier=earlier, writer=writer
                )
                settled = await scanner.scan(keys)
            if scanner.is_as_before and not settled.again and not settled.open:
                chunks = [each.chunk for each in settled.stored]
                documents, size = sum(each.documents for each in chunks), sum(each.bytes for each in chunks)
                return KeptRange(position, documents, size, digest_of_stored(settled.stored), counter.requests)
            name = leftover_name(self._job, plan, position)
            left = await write_leftover(self._store.runs, name, await writer.leave(self._limits.smallest_pack))
        finally:
            await writer.close()
        scanned = scanned_range(
            settled.stored, again=settled.again, left_open=settled.open, leftover=left, requests=counter.requests
        )
        await self._checkpoints.write(range_record(plan, position), scanned)
        return scanned

    async def _before(self) -> Earlier:
        if self._earlier is None:
            self._earlier = await Earlier.open(self._store, self._plan)
        return self._earlier

    async def _is_stored(self, position: int, scanned: ScannedRange) -> bool:
        name = leftover_name(self._job, self._plan, position)
        keys = self._plan.ranges[position]
        return await is_stored(self._store, self._job, self._plan, scanned, keys, leftover=name)


class _Scanner:
    def __init__(
        self,
        resources: Resources,
        service: SearchService,
        job: BackupJob,
        plan: Plan,
        position: int,
        *,
        earlier: Earlier,
        writer: ChunkWriter,
    ) -> None:
        self._resources = resources
        self._service = service
        self._index = job.index
        self._plan = plan
        self._earlier = earlier
        self._writer = writer
        self._session = f"{plan.id}-{position}"
        self._reader = PageReader(plan.key_field)
        self.is_as_before = False

    async def scan(self, keys: KeyRange) -> SettledRange:
        """Read the range, then read again the subranges that differ from their counts.

        Afterwards, `is_as_before` says whether the first reading found the chunks of the last snapshot and no others.
        """
        return await settle(
            keys,
            await self._stored(keys, self._reported(self._pages(keys))),
            self._plan.boundary_bits,
            count=self._count,
            read=self._read_again,
            wait=Patience(settle_seconds(self._resources, self._service.name), self._resources.sleep),
        )

    async def _stored(self, keys: KeyRange, pages: AsyncGenerator[Sequence[Document]]) -> list[StoredChunk]:
        async with self._earlier.within(keys) as previous:
            storing = store_chunks(pages, self._plan.boundary_bits, self._writer, previous)
            async with aclosing(storing) as some:
                stored = [entry async for batch in some for entry in batch]
            self.is_as_before = self._earlier.is_relied_on and await previous.found_all()
            return stored

    async def _count(self, keys: KeyRange) -> int:
        return await _count(self._service, self._index, self._plan, keys)

    async def _read_again(self, keys: KeyRange) -> Reread:
        """Read a subrange: in one answer with its count if it fits one page, else page by page."""
        key_field = self._plan.key_field
        query = DocumentQuery(
            filter=key_range(key_field, keys.after, keys.until),
            orderby=f"{key_field} asc",
            top=page_size(self._plan.average_document_bytes),
            count=True,
        )
        with contextlib.suppress(TooLargeError, TooSlowError):  # then read it page by page, with smaller pages
            page = await self._service.documents(
                self._index, query, self._reader, elevated=self._plan.elevated, may_shrink=True
            )
            if page.count == len(page.documents):
                return Reread(await self._stored(keys, _one_page(page.documents)), counted=page.count)
        return Reread(await self._stored(keys, self._pages(keys)), counted=None)

    def _pages(self, keys: KeyRange) -> AsyncGenerator[Sequence[Document]]:
        return scan_range(
            self._service,
            self._index,
            self._plan.key_field,
            keys,
            average_document_bytes=self._plan.average_document_bytes,
            session=self._session,
            elevated=self._plan.elevated,
        )

    async def _reported(self, pages: AsyncGenerator[Sequence[Document]]) -> AsyncGenerator[Sequence[Document]]:
        async with aclosing(pages):
            async for documents in pages:
                yield documents
                size = sum(len(document.line) + 1 for document in documents)
                self._resources.report(ProgressUpdate(stage="read", documents=len(documents), bytes=size))


async def _count(service: SearchService, index: str, plan: Plan, keys: KeyRange) -> int:
    """Return how many documents the service counts in a range."""
    query = DocumentQuery(filter=key_range(plan.key_field, keys.after, keys.until))
    return await service.count_found(index, query, PageReader(plan.key_field), elevated=plan.elevated)


async def _one_page(documents: Sequence[Document]) -> AsyncGenerator[Sequence[Document]]:
    yield documents
