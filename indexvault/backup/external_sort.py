"""Sort documents by key in bounded memory: an external merge sort.

Documents are sorted in runs of some megabytes. Each sorted run is written in segments to the runs container, not to a
local disk, so that an interrupted backup resumes on any machine. Then all sorted runs are read in parallel, one segment
of each at a time, and merged.
"""

import asyncio
import hashlib
import heapq
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import AsyncExitStack, aclosing

import msgspec

from indexvault.backup.limits import LIMITS, Limits
from indexvault.errors import IntegrityError
from indexvault.search.page import Document
from indexvault.snapshots.chunks import Digest, Size, document_lines, key_reader
from indexvault.snapshots.packs import member, open_member
from indexvault.snapshots.run_names import run_prefix
from indexvault.snapshots.store import RunBlobs

_LARGEST_SEGMENT = 256 * 1024 * 1024
"""Bytes of a segment's blob that are read at most."""


class SortedSegment(msgspec.Struct, frozen=True):
    """A segment of a sorted run: the SHA-256 of its uncompressed bytes, in hex, and their number."""

    sha256: Digest
    bytes: Size


type SortedRun = list[SortedSegment]
"""The segments of a sorted run, in order."""


class SortedRunStore:
    """The sorted runs of one workflow run, in the runs container. They are removed with its other records."""

    def __init__(self, blobs: RunBlobs, run: str, key_field: str, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self._blobs = blobs
        self._prefix = f"{run_prefix(run)}sorted/"
        self._key_of = key_reader(key_field)

    async def write(self, name: str, pages: AsyncIterable[Sequence[Document]]) -> SortedRun:
        """Write documents that come in key order, under a name that no other sorted run has."""
        segments: list[SortedSegment] = []
        documents: list[Document] = []
        size = 0
        async for document in (document async for page in pages for document in page):
            if documents and size + len(document.line) > self.limits.segment_bytes:
                segments.append(await self._put(name, len(segments), documents))
                documents, size = [], 0
            documents.append(document)
            size += len(document.line) + 1
        if documents:
            segments.append(await self._put(name, len(segments), documents))
        return segments

    async def read(self, name: str, segments: SortedRun) -> AsyncGenerator[Document]:
        """Yield the documents of a sorted run. Raises IntegrityError for a missing or damaged segment."""
        for position, segment in enumerate(segments):
            blob_name = self._name(name, position)
            blob = await self._blobs.read(blob_name, _LARGEST_SEGMENT)
            if blob is None:
                raise IntegrityError("these sorted documents are gone", on=blob_name, do="Run again")
            data = await asyncio.to_thread(open_member, segment.sha256, blob.data, segment.bytes, blob_name)
            for line in document_lines(data):
                yield Document(self._key_of(line), line)

    async def _put(self, name: str, position: int, documents: list[Document]) -> SortedSegment:
        segment, stored = await asyncio.to_thread(_packed, documents)
        await self._blobs.put(self._name(name, position), stored)
        return segment

    def _name(self, name: str, position: int) -> str:
        return f"{self._prefix}{name}/{position:06}.jsonl.gz"


class Sorter:
    """Takes documents in any order and writes them in sorted runs, listed in `runs`.

    `name` is that of the set. Each run is named by it and its position.
    """

    def __init__(self, store: SortedRunStore, name: str) -> None:
        self._store = store
        self._name = name
        self._documents: dict[str, Document] = {}
        self._size = 0
        self.runs: list[SortedRun] = []

    async def add(self, documents: Sequence[Document]) -> None:
        """Take documents. Of several versions of one, the last that came is the newest."""
        self._documents.update((document.key, document) for document in documents)
        self._size += sum(len(document.line) for document in documents)
        if self._size >= self._store.limits.sorted_run_bytes:
            await self.finish()

    async def finish(self) -> None:
        """Write the documents that are still in memory."""
        if self._documents:
            documents = sorted(self._documents.values(), key=_key)
            self._documents, self._size = {}, 0
            self.runs.append(await self._store.write(run_name(self._name, len(self.runs)), _one_page(documents)))


def run_name(name: str, position: int) -> str:
    """Return the name of one sorted run of a set."""
    return f"{name}-{position:06}"


async def merge(store: SortedRunStore, runs: dict[str, SortedRun], *, name: str) -> AsyncGenerator[list[Document]]:
    """Yield the documents of all sorted runs in key order, each key once, a page at a time.

    Of several documents with the same key, which are versions of one document, the one in the first of `runs` is
    chosen: put the newest first. If there are more runs than may be merged at once, they are first merged into fewer,
    named after `name`.
    """
    level = 0
    while len(runs) > store.limits.merged_at_once:
        fewer: dict[str, SortedRun] = {}
        for group in itertools.batched(runs.items(), store.limits.merged_at_once, strict=False):
            written = run_name(f"{name}-{level}", len(fewer))
            fewer[written] = await store.write(written, _merged(store, dict(group)))
        runs, level = fewer, level + 1
    async with aclosing(_merged(store, runs)) as pages:
        async for page in pages:
            yield page


async def _merged(store: SortedRunStore, runs: dict[str, SortedRun]) -> AsyncGenerator[list[Document]]:
    async with AsyncExitStack() as opened:
        streams = [await opened.enter_async_context(aclosing(store.read(name, run))) for name, run in runs.items()]
        heap: list[tuple[str, int, Document]] = []
        for position, stream in enumerate(streams):
            async for document in stream:
                heap.append((document.key, position, document))
                break
        heapq.heapify(heap)
        page: list[Document] = []
        size = 0
        last: str | None = None
        while heap:
            key, position, document = heap[0]
            following = await anext(streams[position], None)
            if following is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (following.key, position, following))
            if key != last:
                page.append(document)
                size += len(document.line)
                last = key
            if len(page) >= store.limits.merged_page or size >= store.limits.sorted_run_bytes:
                yield page
                page, size = [], 0
        if page:
            yield page


def _packed(documents: list[Document]) -> tuple[SortedSegment, bytes]:
    """Return a segment and the bytes to store for it. Use a thread."""
    data = b"\n".join([*(document.line for document in documents), b""])
    sha256 = hashlib.sha256(data).hexdigest()
    return SortedSegment(sha256, len(data)), member(sha256, data)


async def _one_page(documents: list[Document]) -> AsyncGenerator[list[Document]]:
    yield documents


def _key(document: Document) -> str:
    return document.key
