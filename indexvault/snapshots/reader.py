"""Read members of packs back, each proved by its hash before it is passed on.

What lies close together in a pack is read with one request, and holes between are read over. So chunks in key order,
which after many snapshots lie in many packs, take about one request for each pack in a window of some megabytes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.locations import MOST_HOPS, MovedPacks, gone_pack, misled
from indexvault.snapshots.names import PackFolder, repair_advice
from indexvault.snapshots.packs import Placed, open_chunk
from indexvault.snapshots.store import SnapshotReader

MOST_HOLE = 128 * 1024
"""Bytes between two members that are read over: fetching them costs less than another request."""

LARGEST_SPAN = 8 * MEBIBYTE
"""Stored bytes that one request reads, unless a single member is larger."""

WINDOW = 8 * MEBIBYTE
"""Stored bytes of chunks that a reader fetches at once. It holds two windows."""

REQUESTS_AT_ONCE = 4
_OPENED_AT_ONCE = MEBIBYTE
"""Uncompressed bytes that one hop to a thread opens."""

type Failure = IntegrityError | NotFoundError


class StoredMember(NamedTuple):
    """A member as it is stored, not proved, and the name of the blob that it was read from."""

    data: bytes
    blob: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A member that is looked for: its position among those asked for, and where it lies as far as is known."""

    position: int
    pack: str
    offset: int
    stored: int

    @property
    def until(self) -> int:
        return self.offset + self.stored


@dataclass(frozen=True, slots=True)
class Span:
    """Members of one pack that one request reads, in the order of their offsets."""

    pack: str
    start: int
    end: int
    members: tuple[_Wanted, ...]


def spans_of(members: Iterable[_Wanted]) -> list[Span]:
    """Return the requests that read these members."""
    spans: list[Span] = []
    in_order = sorted(members, key=lambda each: (each.pack, each.offset))
    for pack, some in groupby(in_order, key=lambda each: each.pack):
        together: list[_Wanted] = []
        start = end = 0
        for each in some:
            until = max(end, each.until)
            if together and (each.offset - end > MOST_HOLE or until - start > LARGEST_SPAN):
                spans.append(Span(pack, start, end, tuple(together)))
                together = []
            if not together:
                start, until = each.offset, each.until
            together.append(each)
            end = until
        spans.append(Span(pack, start, end, tuple(together)))
    return spans


async def fetch_members(
    blobs: SnapshotReader,
    folder: PackFolder,
    name_of: Callable[[str], str],
    places: Sequence[Placed],
    moved: MovedPacks | None = None,
) -> list[StoredMember | Failure]:
    """Return the members in some places as they are stored, not proved, or why there is none.

    `name_of` gives the blob of a pack: `folder.pack` or `folder.segments`. Members of packs that were rewritten are
    read where they lie now; `moved` keeps the records that say where. A failure names the blob at fault: the pack that
    is gone or ends too early, or the record of locations that can't be read or leads nowhere.
    """
    records = moved or MovedPacks(blobs, folder)
    wanted = [_Wanted(at, place.pack, place.offset, place.stored) for at, place in enumerate(places)]
    fetching = _Fetching(blobs, name_of, len(wanted))
    for hop in range(MOST_HOPS):
        await fetching.fetch(_forwarded(wanted, records) if not hop else wanted)
        missing, fetching.missing = fetching.missing, []
        wanted = await _moved(missing, records, fetching.fail, folder, name_of)
        if not wanted:
            break
    for each in wanted:
        fetching.fail(each, misled(folder, each.pack))
    return fetching.found


class _Fetching:
    """Rounds of requests. `missing` are the members whose packs were not there in the last one."""

    def __init__(self, blobs: SnapshotReader, name_of: Callable[[str], str], number: int) -> None:
        self._blobs = blobs
        self._name_of = name_of
        self._room = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self.found: list[StoredMember | Failure] = [gone_pack("")] * number
        self.missing: list[_Wanted] = []

    async def fetch(self, wanted: Iterable[_Wanted]) -> None:
        await _all(self._fetch(span) for span in spans_of(wanted))

    def fail(self, wanted: _Wanted, failure: Failure) -> None:
        self.found[wanted.position] = failure

    async def _fetch(self, span: Span) -> None:
        name = self._name_of(span.pack)
        async with self._room:
            try:
                data = await self._blobs.read_range(name, span.start, span.end - span.start)
            except NotFoundError:
                self.missing.extend(span.members)
                return
            except IntegrityError as error:
                broken = IntegrityError(error.what, on=name, do=repair_advice(name))
            else:
                for each in span.members:
                    at = each.offset - span.start
                    self.found[each.position] = StoredMember(data[at : at + each.stored], name)
                return
        if len(span.members) == 1:
            self.fail(span.members[0], broken)
        else:  # the blob ends within the span: some of its members may be whole
            await _all(self._fetch(Span(each.pack, each.offset, each.until, (each,))) for each in span.members)


def _forwarded(wanted: Iterable[_Wanted], records: MovedPacks) -> list[_Wanted]:
    """Return where members are to be looked for first: not in packs that were not there before."""
    forwarded: list[_Wanted] = []
    for each in wanted:
        now: _Wanted = each
        for _hop in range(MOST_HOPS):
            moved = records.known(now.pack)
            place = moved.find(now.offset) if moved is not None else None
            if place is None:
                break
            now = _Wanted(each.position, *place)
        forwarded.append(now)
    return forwarded


async def _moved(
    missing: Sequence[_Wanted],
    records: MovedPacks,
    fail: Callable[[_Wanted, Failure], None],
    folder: PackFolder,
    name_of: Callable[[str], str],
) -> list[_Wanted]:
    """Return where the members of missing packs lie now, as far as records of locations say."""
    moved: list[_Wanted] = []
    for pack, some in groupby(sorted(missing, key=lambda each: each.pack), key=lambda each: each.pack):
        members = list(some)
        try:
            record = await records.find(pack)
        except IntegrityError as error:
            for each in members:
                fail(each, error)
            continue
        for each in members:
            place = record.find(each.offset) if record is not None else None
            if place is not None:
                moved.append(_Wanted(each.position, *place))
            elif record is None:
                fail(each, gone_pack(name_of(pack)))
            else:
                fail(each, misled(folder, pack))
    return moved


async def read_member(
    blobs: SnapshotReader, folder: PackFolder, name_of: Callable[[str], str], place: Placed
) -> StoredMember:
    """Return one member of one store as it is stored, not proved. Raises NotFoundError, IntegrityError."""
    (found,) = await fetch_members(blobs, folder, name_of, [place])
    if isinstance(found, StoredMember):
        return found
    raise found


async def read_chunk(blobs: SnapshotReader, folder: PackFolder, chunk: Chunk) -> bytes:
    """Return the uncompressed bytes of a chunk; `document_lines` splits them.

    Of several replicas, the first that has it sound is used. Raises NotFoundError if its pack is gone, IntegrityError
    if it does not hold exactly what was stored.
    """
    return await blobs.first_sound(lambda one: _read_chunk(one, folder, chunk))


async def read_chunks[Used](
    blobs: SnapshotReader,
    folder: PackFolder,
    chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]],
    use: Callable[[Chunk, bytes], Used],
    *,
    window: int = WINDOW,
) -> AsyncGenerator[tuple[Chunk, Used]]:
    """Yield each chunk with what `use` makes of its uncompressed bytes, in order; see `try_chunks`.

    What is wrong with a chunk is raised in its turn.
    """
    async with aclosing(try_chunks(blobs, folder, chunks, use, window=window)) as reading:
        async for chunk, used in reading:
            if isinstance(used, IntegrityError | NotFoundError):
                raise used
            yield chunk, used


async def try_chunks[Used](
    blobs: SnapshotReader,
    folder: PackFolder,
    chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]],
    use: Callable[[Chunk, bytes], Used],
    *,
    window: int = WINDOW,
) -> AsyncGenerator[tuple[Chunk, Used | Failure]]:
    """Yield each chunk with what `use` makes of its uncompressed bytes, or with what is wrong with it, in order.

    `chunks` come in batches. `use` runs in a thread, for about a megabyte of chunks at once; it may raise
    IntegrityError. At most two windows of so many stored bytes are held. Close the generator (`aclosing`) to cancel
    what is under way.
    """
    windows = _windows(chunks, window)
    moved = MovedPacks(blobs, folder)
    ahead: deque[tuple[list[Chunk], asyncio.Task[list[StoredMember | Failure]]]] = deque()
    more = True
    try:
        while more or ahead:
            while more and len(ahead) < 2:  # noqa: PLR2004 - the one that is used and the next
                some = await anext(windows, None)
                if some is None:
                    more = False
                else:
                    ahead.append((some, asyncio.create_task(fetch_members(blobs, folder, folder.pack, some, moved))))
            if not ahead:
                break
            some, task = ahead[0]
            stored = await task
            ahead.popleft()
            for start, end in _batches(some):
                used = await asyncio.to_thread(_open_all, some[start:end], stored[start:end], use)
                for position, (chunk, result) in enumerate(zip(some[start:end], used, strict=True), start):
                    stored[position] = _NOTHING
                    if isinstance(result, IntegrityError | NotFoundError):
                        # Another replica may have it sound.
                        yield chunk, await _again(blobs, folder, chunk, use)
                    else:
                        yield chunk, result
    finally:
        for _some, task in ahead:
            task.cancel()
        await asyncio.gather(*(task for _some, task in ahead), return_exceptions=True)
        await windows.aclose()


def as_bytes(_chunk: Chunk, data: bytes) -> bytes:
    """Use a chunk as its bytes: for `read_chunks`."""
    return data


async def _again[Used](
    blobs: SnapshotReader, folder: PackFolder, chunk: Chunk, use: Callable[[Chunk, bytes], Used]
) -> Used | Failure:
    async def read(one: SnapshotReader) -> Used:
        return await asyncio.to_thread(use, chunk, await _read_chunk(one, folder, chunk))

    try:
        return await blobs.first_sound(read)
    except (IntegrityError, NotFoundError) as error:
        return error


async def _read_chunk(blobs: SnapshotReader, folder: PackFolder, chunk: Chunk) -> bytes:
    stored = await read_member(blobs, folder, folder.pack, chunk)
    return await asyncio.to_thread(open_chunk, chunk, stored.data, stored.blob)


def _open_all[Used](
    chunks: list[Chunk], stored: list[StoredMember | Failure], use: Callable[[Chunk, bytes], Used]
) -> list[Used | Failure]:
    results: list[Used | Failure] = []
    for chunk, found in zip(chunks, stored, strict=True):
        if not isinstance(found, StoredMember):
            results.append(found)
            continue
        try:
            results.append(use(chunk, open_chunk(chunk, found.data, found.blob)))
        except IntegrityError as error:
            results.append(error)
    return results


async def _windows(
    chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]], most: int
) -> AsyncGenerator[list[Chunk]]:
    """Yield consecutive chunks of about `most` stored bytes, and always at least one."""
    window: list[Chunk] = []
    size = 0
    async for batch in _batches_of(chunks):
        for chunk in batch:
            window.append(chunk)
            size += chunk.stored
            if size >= most:
                yield window
                window, size = [], 0
    if window:
        yield window


async def _batches_of(
    chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]],
) -> AsyncGenerator[Sequence[Chunk]]:
    if isinstance(chunks, AsyncIterable):
        async for batch in chunks:
            yield batch
    else:
        for batch in chunks:
            yield batch


def _batches(chunks: list[Chunk]) -> list[tuple[int, int]]:
    """Return where to cut chunks so that one hop to a thread opens about a megabyte."""
    cut: list[tuple[int, int]] = []
    start = size = 0
    for position, chunk in enumerate(chunks):
        size += chunk.bytes
        if size >= _OPENED_AT_ONCE:
            cut.append((start, position + 1))
            start, size = position + 1, 0
    if start < len(chunks):
        cut.append((start, len(chunks)))
    return cut


async def _all(requests: Iterable[Coroutine[None, None, None]]) -> None:
    """Run requests to their end; the first error of one stops all."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_NOTHING = StoredMember(b"", "")
