"""Read one key range of an index into chunks."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from indexvault.backup.chunking import Earlier, folder_of, scanned_range, store_chunks
from indexvault.backup.job import BackupJob, ScanInput, ScanSummary
from indexvault.backup.leftovers import leftover_name, write_leftover
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.recount import Reread, SettledRange, settle
from indexvault.backup.state import Plan, ScannedRange, range_record, require_plan
from indexvault.backup.stored import is_stored
from indexvault.errors import TooLargeError, TooSlowError
from indexvault.search.client import SearchService
from indexvault.search.page import Document, PageReader
from indexvault.search.page_size import page_size
from indexvault.search.query import DocumentQuery, key_range
from indexvault.search.request_count import counted_requests
from indexvault.search.scan import KeyRange, scan_range
from indexvault.snapshots.chunk_writer import ChunkWriter, StoredChunk
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.patience import Patience, settle_seconds
from indexvault.workflow.resume import digest_of


async def scan(resources: Resources, given: ScanInput, *, limits: Limits = LIMITS) -> ScanSummary:
    """Read ranges of the plan into chunks, and account for their documents.

    What an earlier attempt has read is read back and counted again, and read anew if that does not agree. If the unique
    keys of a subrange do not come to agree with the service's count of it, the record says how many are left open.
    """
    job = given.job
    checkpoints = Checkpoints(resources.clients.store_of(job.service).runs, job.run)
    plan = await require_plan(checkpoints, job)
    documents = size = 0
    digests: list[str] = []
    left: list[int] = []
    for position in range(given.position, given.position + given.ranges):
        scanned = await _scan_range(resources, job, plan, position, limits)
        documents += sum(chunk.documents for chunk in scanned.chunks)
        size += sum(chunk.bytes for chunk in scanned.chunks)
        digests.append(digest_of(scanned))
        left += [position] if scanned.leftover is not None else []
    return ScanSummary(documents=documents, bytes=size, digest=digest_of(digests), left=tuple(left))


async def _scan_range(resources: Resources, job: BackupJob, plan: Plan, position: int, limits: Limits) -> ScannedRange:
    """Read one range, unless an earlier attempt has, and return its record."""
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    record = range_record(plan, position)
    leftover = leftover_name(job, plan, position)
    keys = plan.ranges[position]
    service = resources.clients.service(job.service)
    scanned = await checkpoints.read(record, ScannedRange)
    if scanned is not None and await is_stored(store, job, plan, scanned, keys, leftover=leftover):
        documents = sum(chunk.documents for chunk in scanned.chunks)
        if await _count(service, job.index, plan, keys) == documents:
            size = sum(chunk.bytes for chunk in scanned.chunks)
            resources.report(ProgressUpdate(stage="read", documents=documents, bytes=size))
            return scanned
    earlier = await Earlier.open(store, plan)
    writer = ChunkWriter(store.snapshots, folder_of(job, plan), pack_bytes=limits.pack_bytes)
    try:
        with counted_requests() as counter:
            scanner = _Scanner(resources, service, job, plan, position, earlier=earlier, writer=writer)
            settled = await scanner.scan(keys)
        left = await write_leftover(store.runs, leftover, await writer.leave(limits.smallest_pack))
    finally:
        await writer.close()
    scanned = scanned_range(
        settled.stored, again=settled.again, left_open=settled.open, leftover=left, requests=counter.requests
    )
    await checkpoints.write(record, scanned)
    return scanned


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

    async def scan(self, keys: KeyRange) -> SettledRange:
        """Read the range, then read again the subranges that differ from their counts."""
        return await settle(
            keys,
            await self._stored(keys, self._reported(self._pages(keys))),
            self._plan.boundary_bits,
            count=self._count,
            read=self._read_again,
            wait=Patience(settle_seconds(self._resources, self._service.name), self._resources.sleep),
        )

    async def _stored(self, keys: KeyRange, pages: AsyncGenerator[list[Document]]) -> list[StoredChunk]:
        async with self._earlier.within(keys) as previous:
            storing = store_chunks(pages, self._plan.boundary_bits, self._writer, previous)
            async with aclosing(storing) as some:
                return [entry async for batch in some for entry in batch]

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

    def _pages(self, keys: KeyRange) -> AsyncGenerator[list[Document]]:
        return scan_range(
            self._service,
            self._index,
            self._plan.key_field,
            keys,
            average_document_bytes=self._plan.average_document_bytes,
            session=self._session,
            elevated=self._plan.elevated,
        )

    async def _reported(self, pages: AsyncGenerator[list[Document]]) -> AsyncGenerator[list[Document]]:
        async with aclosing(pages):
            async for documents in pages:
                yield documents
                size = sum(len(document.line) + 1 for document in documents)
                self._resources.report(ProgressUpdate(stage="read", documents=len(documents), bytes=size))


async def _count(service: SearchService, index: str, plan: Plan, keys: KeyRange) -> int:
    """Return how many documents the service counts in a range."""
    query = DocumentQuery(filter=key_range(plan.key_field, keys.after, keys.until))
    return await service.count_found(index, query, PageReader(plan.key_field), elevated=plan.elevated)


async def _one_page(documents: list[Document]) -> AsyncGenerator[list[Document]]:
    yield documents
