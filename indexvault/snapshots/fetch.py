"""Fetch members of packs as they are stored, with few requests, wherever a repack has moved them.

What lies close together in a pack is read with one request, and holes between are read over.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.locations import MOST_HOPS, MovedPacks, gone_pack, misled
from indexvault.snapshots.names import PackFolder, repair_advice
from indexvault.snapshots.packs import Placed
from indexvault.snapshots.store import SnapshotReader

MOST_HOLE = 128 * 1024
"""Bytes between two members that are read over: fetching them costs less than another request."""

LARGEST_SPAN = 8 * MEBIBYTE
"""Stored bytes that one request reads, unless a single member is larger."""

REQUESTS_AT_ONCE = 4

type Failure = IntegrityError | NotFoundError


class StoredMember(NamedTuple):
    """A member as it is stored, not proved, and the name of the blob that it was read from.

    A view holds all members that were read with it.
    """

    data: bytes | memoryview
    blob: str


class WantedMember(NamedTuple):
    """A member that is looked for: its position among those asked for, and where it lies as far as is known."""

    position: int
    pack: str
    offset: int
    stored: int

    @property
    def until(self) -> int:
        """Where it ends in its pack."""
        return self.offset + self.stored


@dataclass(frozen=True, slots=True)
class Span:
    """Members of one pack that one request reads, in the order of their offsets."""

    pack: str
    start: int
    end: int
    members: tuple[WantedMember, ...]


def spans_of(members: Iterable[WantedMember]) -> list[Span]:
    """Return the requests that read these members."""
    spans: list[Span] = []
    for pack, some in groupby(sorted(members, key=_PLACE), key=_PACK):
        together: list[WantedMember] = []
        start = end = 0
        for each in some:
            _position, _pack, offset, stored = each
            until = max(end, offset + stored)
            if together and (offset - end > MOST_HOLE or until - start > LARGEST_SPAN):
                spans.append(Span(pack, start, end, tuple(together)))
                together = []
            if not together:
                start, until = offset, offset + stored
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
    wanted = [WantedMember(at, place.pack, place.offset, place.stored) for at, place in enumerate(places)]
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
        self.missing: list[WantedMember] = []

    async def fetch(self, wanted: Iterable[WantedMember]) -> None:
        await _all(self._fetch(span) for span in spans_of(wanted))

    def fail(self, wanted: WantedMember, failure: Failure) -> None:
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
                found, start = self.found, span.start
                # Members with holes between them are copied: the holes may be far larger.
                is_whole = sum([each.stored for each in span.members]) == len(data)
                source = memoryview(data) if is_whole else data
                for position, _pack, offset, stored in span.members:
                    found[position] = StoredMember(source[offset - start : offset - start + stored], name)
                return
        if len(span.members) == 1:
            self.fail(span.members[0], broken)
        else:  # the blob ends within the span: some of its members may be whole
            await _all(self._fetch(Span(each.pack, each.offset, each.until, (each,))) for each in span.members)


def _forwarded(wanted: Iterable[WantedMember], records: MovedPacks) -> list[WantedMember]:
    """Return where members are to be looked for first: not in packs that were not there before."""
    if records.are_none_known:
        return list(wanted)
    forwarded: list[WantedMember] = []
    for each in wanted:
        now: WantedMember = each
        for _hop in range(MOST_HOPS):
            moved = records.known(now.pack)
            place = moved.find(now.offset) if moved is not None else None
            if place is None:
                break
            now = WantedMember(each.position, *place)
        forwarded.append(now)
    return forwarded


async def _moved(
    missing: Sequence[WantedMember],
    records: MovedPacks,
    fail: Callable[[WantedMember, Failure], None],
    folder: PackFolder,
    name_of: Callable[[str], str],
) -> list[WantedMember]:
    """Return where the members of missing packs lie now, as far as records of locations say."""
    moved: list[WantedMember] = []
    for pack, some in groupby(sorted(missing, key=_PACK), key=_PACK):
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
                moved.append(WantedMember(each.position, *place))
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


async def _all(requests: Iterable[Coroutine[None, None, None]]) -> None:
    """Run requests to their end; the first error of one stops all."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_PACK = attrgetter("pack")
_PLACE = attrgetter("pack", "offset")
