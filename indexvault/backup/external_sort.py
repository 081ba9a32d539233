"""Documents that come in any order, put into key order in bounded memory: an external merge sort.

What is read is sorted in runs of some megabytes, each set aside in segments in the runs container and not on a local
disk: so a run that was killed goes on from the parts it had read, on whatever machine. Then all sorted runs are read
side by side, one segment of each at a time, and merged.
"""

import asyncio
import hashlib
import heapq
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import AsyncExitStack, aclosing

from indexvault.errors import IntegrityError
from indexvault.search.page import Document
from indexvault.snapshots.chunks import Chunk, compress, document_lines, key_reader, open_chunk
from indexvault.snapshots.names import run_prefix
from indexvault.snapshots.store import RunBlobs

RUN_BYTES = 8 * 1024 * 1024
"""Bytes of documents that are sorted in memory at once."""
SEGMENT_BYTES = 1024 * 1024
"""Bytes of documents in a segment, unless one document is larger."""
MOST_AT_ONCE = 32
"""Sorted runs that are merged at once: with a segment of each in memory, this bounds what merging takes."""
_LARGEST_SEGMENT = 256 * 1024 * 1024
_PAGE = 500
"""Merged documents that are handed on together."""

type SortedRun = list[Chunk]
"""The segments of a sorted run. They are not in the snapshot container; a chunk's form is used for its checksum."""


class SetAside:
    """Sorted runs of one run of a workflow, in the runs container, where its records are removed with it."""

    def __init__(self, blobs: RunBlobs, run: str, key_field: str) -> None:
        self._blobs = blobs
        self._prefix = f"{run_prefix(run)}sorted/"
        self._key_of = key_reader(key_field)

    async def write(self, name: str, pages: AsyncIterable[Sequence[Document]]) -> SortedRun:
        """Set aside documents, which come in key order, under a name that no other run has."""
        segments: list[Chunk] = []
        held: list[Document] = []
        size = 0
        async for document in (document async for page in pages for document in page):
            if held and size + len(document.line) > SEGMENT_BYTES:
                segments.append(await self._put(name, len(segments), held))
                held, size = [], 0
            held.append(document)
            size += len(document.line) + 1
        if held:
            segments.append(await self._put(name, len(segments), held))
        return segments

    async def read(self, name: str, segments: SortedRun) -> AsyncGenerator[Document]:
        """Return the documents of a sorted run. Raises IntegrityError for a missing or damaged segment."""
        for position, segment in enumerate(segments):
            blob_name = self._name(name, position)
            blob = await self._blobs.read(blob_name, _LARGEST_SEGMENT)
            if blob is None:
                raise IntegrityError("these documents that were set aside are gone", on=blob_name, do="Run again")
            data = await asyncio.to_thread(open_chunk, segment, blob.data, blob_name)
            for line in document_lines(data):
                yield Document(self._key_of(line), line)

    async def _put(self, name: str, position: int, documents: list[Document]) -> Chunk:
        data = b"\n".join(document.line for document in documents) + b"\n"
        stored = await asyncio.to_thread(compress, data)
        await self._blobs.put(self._name(name, position), stored)
        return Chunk(
            sha256=hashlib.sha256(data).hexdigest(),
            first=documents[0].key,
            last=documents[-1].key,
            documents=len(documents),
            bytes=len(data),
            stored=len(stored),
        )

    def _name(self, name: str, position: int) -> str:
        return f"{self._prefix}{name}/{position:06}.jsonl.gz"


class Sorter:
    """Takes documents in any order and sets them aside in sorted runs.

    `name` is that of the set. The runs are named by it and their position.
    """

    def __init__(self, aside: SetAside, name: str) -> None:
        self._aside = aside
        self._name = name
        self._held: list[Document] = []
        self._size = 0
        self.runs: list[SortedRun] = []

    async def add(self, documents: Sequence[Document]) -> None:
        """Take documents."""
        self._held += documents
        self._size += sum(len(document.line) for document in documents)
        if self._size >= RUN_BYTES:
            await self.finish()

    async def finish(self) -> None:
        """Set aside what is still held."""
        if self._held:
            documents = sorted(self._held, key=_key)
            self._held, self._size = [], 0
            self.runs.append(await self._aside.write(run_name(self._name, len(self.runs)), _one_page(documents)))


def run_name(name: str, position: int) -> str:
    """Name one sorted run of a set."""
    return f"{name}-{position:06}"


async def merge(aside: SetAside, runs: dict[str, SortedRun], *, name: str) -> AsyncGenerator[list[Document]]:
    """Return the documents of all sorted runs in key order, each key once, a page at a time.

    Of several documents with one key, which are versions of it, one is given. More runs than can be read at once are
    first merged into fewer; `name` is for those.
    """
    level = 0
    while len(runs) > MOST_AT_ONCE:
        fewer: dict[str, SortedRun] = {}
        for group in itertools.batched(runs.items(), MOST_AT_ONCE, strict=False):
            written = run_name(f"{name}-{level}", len(fewer))
            fewer[written] = await aside.write(written, _merged(aside, dict(group)))
        runs, level = fewer, level + 1
    async with aclosing(_merged(aside, runs)) as pages:
        async for page in pages:
            yield page


async def _merged(aside: SetAside, runs: dict[str, SortedRun]) -> AsyncGenerator[list[Document]]:
    async with AsyncExitStack() as opened:
        streams = [await opened.enter_async_context(aclosing(aside.read(name, run))) for name, run in runs.items()]
        heap: list[tuple[str, int, Document]] = []
        for position, stream in enumerate(streams):
            async for document in stream:
                heap.append((document.key, position, document))
                break
        heapq.heapify(heap)
        page: list[Document] = []
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
                last = key
            if len(page) >= _PAGE:
                yield page
                page = []
        if page:
            yield page


async def _one_page(documents: list[Document]) -> AsyncGenerator[list[Document]]:
    yield documents


def _key(document: Document) -> str:
    return document.key
