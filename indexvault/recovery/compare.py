"""Compare two indexes, or an index and a snapshot: definitions first, then counts of key ranges, then documents.

A range whose counts differ is known to differ before a document is read. One whose counts agree may still hold changed
documents, so these are read as well, unless only counts are asked for. Chunks of a snapshot whose hashes the index's
documents have are not read.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from msgspec.structs import replace

from indexvault.backup.key_ranges import ranges_between, ranges_by_rank
from indexvault.errors import ConflictError, UnreadableIndexError
from indexvault.recovery.common_fields import common_schema
from indexvault.recovery.drift import Deviating, Drift, Kind, RangeCounted
from indexvault.recovery.settle import IsSame, settled
from indexvault.recovery.sides import LiveSide, Side, SnapshotSide
from indexvault.restore.compare import Comparison, ComparisonTally, Deviation, deviations, differing
from indexvault.restore.not_compared import NotCompared, fields_not_compared
from indexvault.restore.projection import Projection
from indexvault.restore.read_target import count_all, looked_up
from indexvault.restore.selection import Selection
from indexvault.restore.values import same_document
from indexvault.search.request_count import counted_requests
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunk_documents import KeyedLine
from indexvault.snapshots.field_diff import DefinitionDifference, definition_differences

MOST_FOUND = 100_000
"""Deviating documents that are looked up again and named. Of further ones, only their number is told."""
_RANGE_DOCUMENTS = 25_000
"""Documents of a range whose count is compared."""
_MOST_RANGES = 400
_AT_ONCE = 4
"""Ranges that are read at the same time: both services also answer their users."""
_EVERY_KEY = KeyRange(None, None)
_ALL_BITS = 0
"""Ranges may end at any key: nothing is cut into chunks here."""

type Wait = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Terms:
    """How documents of two sides are compared: by the fields that both return."""

    by: Comparison
    other: Projection
    not_compared: NotCompared

    @classmethod
    def between(cls, one: Side, other: Side) -> "Terms":
        """Return the terms for two sides. Raises ConflictError if their key fields differ."""
        if one.schema.key.name != other.schema.key.name:
            raise ConflictError(
                f"its key field is {one.schema.key.name}, that of {other.name} {other.schema.key.name}",
                on=one.name,
                do="Compare indexes with the same key field",
            )
        common = common_schema(one.schema, other.schema)
        compared = {path for path, _field in common.walk()}
        return cls(
            Comparison(schema=common, projection=Projection(one.schema, common), selection=Selection()),
            Projection(other.schema, common),
            fields_not_compared(one.schema, other.schema, compared=compared),
        )

    def is_same(self, here: bytes, there: bytes) -> bool:
        """Return whether a document of the first side has the values of one of the second."""
        wanted, present = self.by.projection.project(here), self.other.project(there)
        return wanted == present or same_document(wanted, present, self.by.schema)


async def compare(
    one: Side, other: Side, *, wait: Callable[[], Wait], by_counts: bool = False, most_found: int = MOST_FOUND
) -> Drift:
    """Compare two sides.

    `wait` makes what rests between look-ups of deviating documents. With `by_counts`, only definitions and numbers are
    compared. Raises ConflictError if the key fields differ, UnreadableIndexError if neither side has its keys in order.
    """
    with counted_requests() as counter:
        if not _is_ordered(one) and _is_ordered(other):
            drift = _swapped(await _compare(other, one, wait, by_counts=by_counts, most_found=most_found))
        else:
            drift = await _compare(one, other, wait, by_counts=by_counts, most_found=most_found)
    return replace(drift, requests=counter.requests)


async def _compare(one: Side, other: Side, wait: Callable[[], Wait], *, by_counts: bool, most_found: int) -> Drift:
    terms = Terms.between(one, other)
    if not _is_ordered(one):
        raise UnreadableIndexError(
            f"neither its keys nor those of {other.name} have an order to compare them by",
            on=one.name,
            do="Back both up, and compare the snapshots: indexvault diff",
        )
    definition = [each for each in definition_differences(one.definition, other.definition) if each.path != "name"]
    ranges = await _ranges(one, other)
    if by_counts and not _is_ordered(other):
        ranges = [_EVERY_KEY]
    counted = await _counted(ranges, one, other) if by_counts or _is_ordered(other) else []
    if by_counts:
        return Drift(one=one.name, other=other.name, definition=definition, ranges=counted, by_counts=True)
    found = _Found(most_found)
    for part in await _limited(ranges, lambda keys: _part(keys, one, other, terms, most_found)):
        found.add(part)
    drift = await _drift(one, other, terms, found, wait())
    return replace(drift, definition=definition, ranges=counted)


class _Found:
    """What the comparisons of ranges came to, put together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.identical = self.equal = self.there = 0
        self.first: list[tuple[str, Kind]] = []
        self.further: dict[Kind, int] = {"different": 0, "missing": 0, "extra": 0}

    def add(self, part: "_Part") -> None:
        self.identical += part.tally.identical
        self.equal += part.tally.equal
        self.there += part.there
        room = self.most - len(self.first)
        self.first += part.named[:room]
        for _key, kind in part.named[room:]:
            self.further[kind] += 1
        for kind, number in part.further.items():
            self.further[kind] += number


@dataclass(slots=True)
class _Part:
    """The comparison of one range; `there` is how many documents the second side was found to have."""

    tally: ComparisonTally
    named: list[tuple[str, Kind]]
    further: dict[Kind, int]
    there: int = 0


def _is_ordered(side: Side) -> bool:
    return isinstance(side, SnapshotSide) or side.schema.has_key_order


async def _ranges(one: Side, other: Side) -> list[KeyRange]:
    """Return ranges that cover all keys, of about as many documents each."""
    for side in (one, other):
        if isinstance(side, SnapshotSide):
            return ranges_between(await side.edges())
    assert isinstance(one, LiveSide)  # noqa: S101 - there is nothing else
    documents = await count_all(one.service, one.index, one.schema)
    wanted = min(_MOST_RANGES, documents // _RANGE_DOCUMENTS)
    if wanted < 2:  # noqa: PLR2004 - not worth dividing
        return [_EVERY_KEY]
    return await ranges_by_rank(
        one.service,
        one.index,
        one.schema.key.name,
        documents=documents,
        ranges=wanted,
        bits=_ALL_BITS,
        elevated=one.schema.is_protected,
    )


async def _counted(ranges: Sequence[KeyRange], one: Side, other: Side) -> list[RangeCounted]:
    """Return how many documents both sides have in each range."""

    async def count(keys: KeyRange) -> RangeCounted:
        here, there = await asyncio.gather(one.count(keys), other.count(keys))
        return RangeCounted(keys.after, keys.until, here, there)

    return await _limited(ranges, count)


async def _limited[Result](ranges: Sequence[KeyRange], work: Callable[[KeyRange], Awaitable[Result]]) -> list[Result]:
    """Work on ranges, a few at a time, and return the results in order."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def carry_out(keys: KeyRange) -> Result:
        async with room:
            return await work(keys)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(carry_out(keys)) for keys in ranges]
    return [task.result() for task in tasks]


async def _part(keys: KeyRange, one: Side, other: Side, terms: Terms, most_found: int) -> _Part:
    """Compare all documents of a range."""
    part = _Part(ComparisonTally(differences=[]), [], {"different": 0, "missing": 0, "extra": 0})
    async with aclosing(_deviations(keys, one, other, terms, part)) as found:
        async for deviation, is_swapped in found:
            kind = _other_way(deviation.kind) if is_swapped else deviation.kind
            if len(part.named) < most_found:
                part.named.append((deviation.key, kind))
            else:
                part.further[kind] += 1
    return part


async def _deviations(
    keys: KeyRange, one: Side, other: Side, terms: Terms, part: _Part
) -> AsyncGenerator[tuple[Deviation, bool]]:
    """Yield what deviates, and whether it is told from the second side's point of view."""
    by, tally = terms.by, part.tally
    # Ranges end between chunks of the first snapshot, and anywhere in those of a second one.
    is_swapped = isinstance(other, SnapshotSide) and not isinstance(one, SnapshotSide)
    stored, present = (other, one) if is_swapped else (one, other)
    if isinstance(stored, SnapshotSide):
        # The projections change places with the sides.
        projection = terms.other if is_swapped else by.projection
        compared = Comparison(schema=by.schema, projection=projection, selection=by.selection)
        there = _projected(present.documents(keys), by.projection if is_swapped else terms.other)
        found = deviations(stored.chunks(keys), stored.read, there, compared, tally)
    elif _is_ordered(present):
        found = differing(stored.documents(keys), _projected(present.documents(keys), terms.other), by, tally)
    else:
        assert isinstance(present, LiveSide)  # noqa: S101 - snapshots are in order
        found = _by_look_up(stored.documents(keys), present, terms, part)
    async with aclosing(found):
        async for deviation in found:
            yield deviation, is_swapped


async def _projected(documents: AsyncGenerator[list[KeyedLine]], to: Projection) -> AsyncGenerator[list[KeyedLine]]:
    async with aclosing(documents):
        async for some in documents:
            yield some if to.keeps_bytes else [(key, to.project(line)) for key, line in some]


async def _by_look_up(
    documents: AsyncGenerator[list[KeyedLine]], other: LiveSide, terms: Terms, part: _Part
) -> AsyncGenerator[Deviation]:
    """Yield what deviates from an index whose keys have no order: its documents are looked up one page at a time."""
    lookup = other.lookup()
    async with aclosing(documents):
        async for some in documents:
            there = _counting(_projected(looked_up(lookup, [key for key, _line in some]), terms.other), part)
            async with aclosing(there), aclosing(differing(_given(some), there, terms.by, part.tally)) as found:
                async for deviation in found:
                    yield deviation


async def _counting(documents: AsyncGenerator[list[KeyedLine]], part: _Part) -> AsyncGenerator[list[KeyedLine]]:
    async with aclosing(documents):
        async for some in documents:
            part.there += len(some)
            yield some


async def _given(some: list[KeyedLine]) -> AsyncGenerator[Sequence[KeyedLine]]:
    yield some


async def _drift(one: Side, other: Side, terms: Terms, found: _Found, wait: Wait) -> Drift:
    """Look deviating documents up again, and return what is left of them."""
    same: IsSame = terms.is_same
    named = await settled([key for key, _kind in found.first], one, other, same, wait=wait)
    became_same = len(found.first) - len(named)
    uncounted = 0
    if not _is_ordered(other):
        assert isinstance(other, LiveSide)  # noqa: S101 - snapshots are in order
        uncounted = max(0, await count_all(other.service, other.index, other.schema) - found.there)
    return Drift(
        one=one.name,
        other=other.name,
        identical=found.identical,
        equal=found.equal + became_same,
        different=_number(named, "different") + found.further["different"],
        missing=_number(named, "missing") + found.further["missing"],
        extra=_number(named, "extra") + found.further["extra"],
        moving=sum(each.moving for each in named),
        uncounted=uncounted,
        found=named,
        left_out=sum(found.further.values()),
        not_compared=terms.not_compared,
    )


def _number(named: Sequence[Deviating], kind: Kind) -> int:
    return sum(each.kind == kind and not each.moving for each in named)


def turned(each: Deviating) -> Deviating:
    """Return a deviating document as the other side sees it."""
    return Deviating(each.key, _other_way(each.kind), each.moving)


def _other_way(kind: Kind) -> Kind:
    match kind:
        case "missing":
            return "extra"
        case "extra":
            return "missing"
        case _:
            return kind


def _swapped(drift: Drift) -> Drift:
    """Return a comparison as if the sides had been given the other way round."""
    return replace(
        drift,
        one=drift.other,
        other=drift.one,
        definition=[DefinitionDifference(each.path, each.after, each.before) for each in drift.definition],
        missing=drift.extra + drift.uncounted,
        extra=drift.missing,
        uncounted=0,
        found=[turned(each) for each in drift.found],
        ranges=[RangeCounted(each.after, each.until, each.other, each.one) for each in drift.ranges],
    )
