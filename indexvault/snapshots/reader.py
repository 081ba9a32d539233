"""Read chunks back, each proved by its hash before it is passed on.

Chunks are read in windows of some megabytes. So those in key order, which after many snapshots lie in many packs, take
about one request for each pack in a window.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import attrgetter

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.fetch import Failure, StoredMember, fetch_members, read_member
from indexvault.snapshots.locations import MovedPacks
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.packs import open_chunk, open_chunks
from indexvault.snapshots.store import SnapshotReader

WINDOW = 8 * MEBIBYTE
"""Stored bytes of chunks that a reader fetches at once. It holds two windows, and as much of later ones at most."""

_PLANNED_AT_ONCE = 8
"""Windows that are planned together: their chunks are listed in memory."""
_OPENED_AT_ONCE = 2 * MEBIBYTE
"""Uncompressed bytes that one hop to a thread opens."""
_OPENED_TOGETHER = 256 * 1024
"""Uncompressed bytes that one call opens: few enough to stay in the processor's cache while they are used."""


async def read_chunk(blobs: SnapshotReader, folder: PackFolder, chunk: Chunk) -> bytes:
    """Return the uncompressed bytes of a chunk; `document_lines` splits them.

    Of several replicas, the first that has it sound is used. Raises NotFoundError if its pack is gone, IntegrityError
    if it does not hold exactly what was stored.
    """
    return await blobs.first_sound(lambda one: _read_chunk(one, folder, chunk))


def read_chunks[Used](
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
    return _singly(read_batches(blobs, folder, chunks, use, window=window))


async def read_batches[Used](
    blobs: SnapshotReader,
    folder: PackFolder,
    chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]],
    use: Callable[[Chunk, bytes], Used],
    *,
    window: int = WINDOW,
) -> AsyncGenerator[list[tuple[Chunk, Used]]]:
    """Yield chunks with what `use` makes of their uncompressed bytes, in order; see `try_batches`.

    What is wrong with a chunk is raised, after those before it have been yielded.
    """
    async with aclosing(try_batches(blobs, folder, chunks, use, window=window)) as reading:
        async for some in reading:
            sound: list[tuple[Chunk, Used]] = []
            for chunk, used in some:
                if isinstance(used, IntegrityError | NotFoundError):
                    if sound:
                        yield sound
                    raise used
                sound.append((chunk, used))
            yield sound


def try_chunks[Used](
    blobs: SnapshotReader,
    folder: PackFolder,
    chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]],
    use: Callable[[Chunk, bytes], Used],
    *,
    window: int = WINDOW,
) -> AsyncGenerator[tuple[Chunk, Used | Failure]]:
    """Yield each chunk with what `use` makes of its uncompressed bytes, or with what is wrong with it, in order.

    See `try_batches`. Close the generator (`aclosing`) to cancel what is under way.
    """
    return _singly(try_batches(blobs, folder, chunks, use, window=window))


async def _singly[Each](batches: AsyncGenerator[list[Each]]) -> AsyncGenerator[Each]:
    """Yield what comes in batches one by one."""
    async with aclosing(batches):
        async for some in batches:
            for each in some:
                yield each


async def try_batches[Used](
    blobs: SnapshotReader,
    folder: PackFolder,
    chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]],
    use: Callable[[Chunk, bytes], Used],
    *,
    window: int = WINDOW,
) -> AsyncGenerator[list[tuple[Chunk, Used | Failure]]]:
    """Yield chunks with what `use` makes of their uncompressed bytes, or with what is wrong with one, in order.

    `chunks` come in batches. `use` runs in a thread, for some megabytes of chunks at once, which come together; it may
    raise IntegrityError. At most three windows of so many stored bytes are held. Close the generator (`aclosing`) to
    cancel what is under way.
    """
    windows = _planned(_windows(chunks, window), window)
    moved = MovedPacks(blobs, folder)
    ahead: deque[tuple[_Window, asyncio.Task[list[StoredMember | Failure]]]] = deque()
    held: dict[int, StoredMember | Failure] = {}
    more = True
    try:
        while more or ahead:
            while more and len(ahead) < 2:  # noqa: PLR2004 - the one that is used and the next
                planned = await anext(windows, None)
                if planned is None:
                    more = False
                else:
                    fetching = fetch_members(blobs, folder, folder.pack, list(planned.fetched.values()), moved)
                    ahead.append((planned, asyncio.create_task(fetching)))
            if not ahead:
                break
            planned, task = ahead[0]
            held.update(zip(planned.fetched, await task, strict=True))
            ahead.popleft()
            some = planned.chunks
            for start, end in _batches(some, _OPENED_AT_ONCE):
                stored = [held.pop(planned.first + at) for at in range(start, end)]
                used, failed = await asyncio.to_thread(_open_all, some[start:end], stored, use)
                del stored
                for at in failed:  # another replica may have it sound
                    used[at] = await _again(blobs, folder, some[start + at], use)
                yield list(zip(some[start:end], used, strict=True))
    finally:
        for _planned_window, task in ahead:
            task.cancel()
        await asyncio.gather(*(task for _planned_window, task in ahead), return_exceptions=True)
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
) -> tuple[list[Used | Failure], list[int]]:
    """Return what is made of each chunk, or what is wrong with it, and the positions where something is."""
    results: list[Used | Failure] = []
    failed: list[int] = []
    for start, end in _batches(chunks, _OPENED_TOGETHER):
        some = chunks[start:end]
        for at, (chunk, opened) in enumerate(zip(some, _opened(some, stored[start:end]), strict=True), start):
            if not isinstance(opened, bytes):
                results.append(opened)
                failed.append(at)
                continue
            try:
                results.append(use(chunk, opened))
            except (IntegrityError, NotFoundError) as error:
                results.append(error)
                failed.append(at)
    return results, failed


def _opened(chunks: list[Chunk], stored: list[StoredMember | Failure]) -> Sequence[bytes | Failure]:
    """Return the uncompressed bytes of each chunk, or what is wrong with it."""
    members = [found.data for found in stored if isinstance(found, StoredMember)]
    if 1 < len(members) == len(chunks) and (opened := open_chunks(chunks, members)) is not None:
        return opened
    return [_opened_alone(chunk, found) for chunk, found in zip(chunks, stored, strict=True)]


def _opened_alone(chunk: Chunk, stored: StoredMember | Failure) -> bytes | Failure:
    if not isinstance(stored, StoredMember):
        return stored
    try:
        return open_chunk(chunk, stored.data, stored.blob)
    except IntegrityError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Window:
    """Consecutive chunks that are used together, and what is fetched with them, by the chunks' numbers.

    `first` is the number of its first chunk. Some of it may be fetched with an earlier window, or it fetches for later
    ones.
    """

    first: int
    chunks: list[Chunk]
    fetched: dict[int, Chunk]


async def _planned(windows: AsyncGenerator[list[Chunk]], room: int) -> AsyncGenerator[_Window]:
    """Plan windows, some at once."""
    first = 0
    async with aclosing(windows):
        while some := [window async for window in _first(windows, _PLANNED_AT_ONCE)]:
            for planned in _plan(some, first, room):
                yield planned
            first += sum(map(len, some))


async def _first[Kind](coming: AsyncGenerator[Kind], most: int) -> AsyncGenerator[Kind]:
    for _ in range(most):
        found = await anext(coming, None)
        if found is None:
            return
        yield found


def _plan(windows: Sequence[list[Chunk]], first: int, room: int) -> list[_Window]:
    """Return what is fetched with each of consecutive windows.

    After many snapshots, every window has a few chunks in each of many packs. What several windows need of such a pack
    is fetched with the first of them, up to `room` stored bytes in all: so that is one request, and not one a window.
    """
    starts = list(accumulate(map(len, windows), initial=first))
    planned = [
        _Window(start, window, dict(enumerate(window, start))) for start, window in zip(starts, windows, strict=False)
    ]
    needed: dict[str, int] = {}
    users: dict[str, list[int]] = {}
    for at, window in enumerate(windows):
        for pack, some in groupby(window, key=_PACK):
            needed[pack] = needed.get(pack, 0) + sum([chunk.stored for chunk in some])
            if (using := users.setdefault(pack, [at]))[-1] != at:
                using.append(at)
    early: dict[str, int] = {}
    for pack in sorted((pack for pack, using in users.items() if len(using) > 1), key=needed.__getitem__):
        room -= needed[pack]
        if room < 0:
            break
        early[pack] = users[pack][0]
    if early:
        for at, each in enumerate(planned):
            for number, chunk in enumerate(each.chunks, each.first):
                if (begin := early.get(chunk.pack, at)) != at:
                    planned[begin].fetched[number] = each.fetched.pop(number)
    return planned


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


def _batches(chunks: list[Chunk], most: int) -> list[tuple[int, int]]:
    """Return where to cut chunks into pieces of at most so many uncompressed bytes, or of one chunk."""
    cut: list[tuple[int, int]] = []
    start = size = 0
    for position, chunk in enumerate(chunks):
        if size and size + chunk.bytes > most:
            cut.append((start, position))
            start, size = position, 0
        size += chunk.bytes
    if start < len(chunks):
        cut.append((start, len(chunks)))
    return cut


_PACK = attrgetter("pack")
