"""Find what was deleted, by counts of key ranges that descend along the tree of the last snapshot.

The tree says how many documents each stretch of keys had, and the documents read by the field say which were added. A
stretch whose count agrees with both is not looked at further. One that differs is divided, or its keys are listed and
held against the tree's own counts, down to the chunks that differ; only these are read. So what this costs grows with
the deletions, and with the logarithm of the size of the index.

A count says little and a list of keys much, so stretches are not counted down to single documents: a list of 1,000 keys
replaces ten counts for each deletion in it. What is best depends on how many keys an answer lists (`KeyLister.most`):

- By facets, some 40,000 keys. A stretch is counted in halves, until it has no more lists than documents that differ;
  then it is listed. Of a million documents, one deletion takes about 9 requests, and 200 at random keys take 30, since
  they are in all lists.
- By pages, 1,000 keys. Instead of counting a half, its first page is asked for, with the count of the whole half: a
  list for the price of a count. One deletion of a million takes about 10 requests, 20 at random keys 98, 200 take 415
  (with counts alone, 900 to 1,000, as many as all pages). With pages there is no way to find 200 with 100 requests: 181
  of all 1,000 pages have one in them.

A count and the counts of its halves are of different moments. While documents come and go, one half's count can't be
inferred from the others'. So at first it is, and if the whole does not agree in the end, what differs is divided once
more, with each half counted by itself; then every stretch has agreed, or was listed, at a moment of its own.

What nothing shows: a document that was deleted while another was added to the same stretch, and the field did not name
that one.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from itertools import batched, pairwise
from math import ceil
from typing import NamedTuple

from indexvault.backup.changes.base import Base
from indexvault.backup.changes.listing import KeyLister
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.tree import Entries, Entry, Node
from indexvault.snapshots.tree_reader import NODES_AT_ONCE

FEW_PARTS = 8
"""Parts of a stretch below which it is divided along what is below them: halves would be uneven."""

type LookUp = Callable[[Sequence[str]], Awaitable[list[str]]]
"""Reads documents by their keys, keeps them, and returns the keys of those that there are."""


class Ledger:
    """The keys that the index should have beside those of the base: `added` ones, and without those that are `gone`."""

    def __init__(self, added: Sequence[str]) -> None:
        self.added = list(added)
        self.gone: list[str] = []

    def difference(self, keys: KeyRange) -> int:
        """Return how many documents more than the base has a range should have."""
        return _within(self.added, keys) - _within(self.gone, keys)

    def note_gone(self, key: str) -> None:
        """Note that a key of the base, or an added one, is no longer there."""
        insort(self.gone, key)

    def note_found(self, key: str) -> None:
        """Note that there is a document that neither the base nor the field knew."""
        place = bisect_left(self.gone, key)
        if place < len(self.gone) and self.gone[place] == key:
            del self.gone[place]
        else:
            insort(self.added, key)

    def keys_of(self, documents: Sequence[str], keys: KeyRange) -> set[str]:
        """Return the keys that a range should have, from those that the base has in it."""
        there = set(documents) | set(_slice(self.added, keys))
        return there - set(_slice(self.gone, keys))


class Part(NamedTuple):
    """An entry of the base's tree, of some level, and the range of keys that it stands for. An empty tree has none."""

    level: int
    entry: Entry | None
    keys: KeyRange

    @property
    def documents(self) -> int:
        """How many documents the base has here."""
        return self.entry.documents if self.entry is not None else 0


type Stretch = list[Part]
"""Parts that follow each other."""


class DeletionFinder:
    """Finds what was deleted, and what was added without the field, and notes both in a ledger.

    `again` is how many times keys were listed since counts differed. Use it once.
    """

    def __init__(self, base: Base, ledger: Ledger, lister: KeyLister, look_up: LookUp) -> None:
        self._base = base
        self._ledger = ledger
        self._lister = lister
        self._look_up = look_up
        self._infers = True
        self.again = 0

    async def find(self) -> None:
        """Find everything that is gone."""
        tree = self._base.tree
        whole = parts_of(tree.level, tree.entries, KeyRange(None, None))
        for infers in (True, False):
            self._infers = infers
            counted = await self._lister.count(KeyRange(None, None))
            if counted == self._expected(whole):
                return
            await self._resolve(whole, counted)

    def _expected(self, parts: Stretch) -> int:
        return sum(part.documents for part in parts) + self._ledger.difference(_keys(parts))

    async def _resolve(self, parts: Stretch, counted: int) -> None:
        """Find what differs in a stretch that has so many documents."""
        expected = self._expected(parts)
        if counted == expected:
            return
        lists = ceil(max(expected, counted) / self._lister.most)
        if lists > max(1, abs(expected - counted)):
            parts = await self._fine(parts)
            if len(parts) > 1:
                middle = _middle(parts)
                divide = self._count_halves if self._lister.by_facets else self._page_of_half
                await divide(parts[:middle], parts[middle:], counted)
                return
        await self._list(parts)

    async def _fine(self, parts: Stretch) -> Stretch:
        """Return a stretch in parts that can be halved: several, and none with more than half of the documents."""
        while True:
            half = sum(part.documents for part in parts) / 2
            large = [part for part in parts if part.level and (len(parts) < FEW_PARTS or part.documents > half)]
            if not large:
                return parts
            opened = await self._opened(large)
            parts = [each for part in parts for each in opened.get(part, [part])]

    async def _count_halves(self, left: Stretch, right: Stretch, counted: int) -> None:
        found = await self._lister.count(_keys(left))
        agrees = found == self._expected(left)
        await self._resolve(left, found)
        # If the left half agrees, the right one does not: what it counts only decides how it is divided.
        rest = counted - found if agrees or self._infers else await self._lister.count(_keys(right))
        await self._resolve(right, rest)

    async def _page_of_half(self, left: Stretch, right: Stretch, counted: int) -> None:
        page = await self._lister.first(_keys(right))
        self.again += 1
        await self._resolve(left, counted - page.counted if self._infers else await self._lister.count(_keys(left)))
        if page.is_whole:
            await self._compare(right, page.keys)
            return
        known, rest = await self._divided(right, page.keys[-1] if page.keys else "")
        if not known:
            await self._list(rest)
            return
        keys = _slice(page.keys, _keys(known))
        await self._compare(known, keys)
        await self._resolve(rest, page.counted - len(keys))

    async def _divided(self, parts: Stretch, last: str) -> tuple[Stretch, Stretch]:
        """Divide a stretch into what ends before or at a key, and the rest."""
        known: Stretch = []
        rest = deque(parts)
        while rest:
            part = rest.popleft()
            if part.keys.until is not None and part.keys.until <= last:
                known.append(part)
            elif part.level:
                rest.extendleft(reversed((await self._opened([part]))[part]))
            else:
                rest.appendleft(part)
                break
        return known, list(rest)

    async def _list(self, parts: Stretch) -> None:
        """List the keys of a stretch, one answer after the other, and find what differs."""
        held: Stretch = []
        size = 0
        async with aclosing(self._small(parts)) as small:
            async for part in small:
                more = self._expected([part])
                if held and size + more > self._lister.most:
                    await self._list_together(held)
                    held, size = [], 0
                held.append(part)
                size += more
        if held:
            await self._list_together(held)

    async def _list_together(self, parts: Stretch) -> None:
        self.again += 1
        await self._compare(parts, await self._lister.keys(_keys(parts)))

    async def _small(self, parts: Stretch) -> AsyncGenerator[Part]:
        """Yield parts, with those below in place of one that has more than a fraction of what an answer lists."""
        for part in parts:
            if part.level and part.documents > self._lister.most // FEW_PARTS:
                async with aclosing(self._small((await self._opened([part]))[part])) as below:
                    async for each in below:
                        yield each
            else:
                yield part

    async def _opened(self, parts: Stretch) -> dict[Part, Stretch]:
        """Return what is below parts."""
        opened: dict[Part, Stretch] = {}
        for level in {part.level for part in parts}:
            here = [part for part in parts if part.level == level]
            for some in batched(here, NODES_AT_ONCE, strict=False):
                below = await self._base.open([part.entry for part in some if isinstance(part.entry, Node)], level)
                for part, entries in zip(some, below, strict=True):
                    opened[part] = parts_of(level - 1, entries, part.keys)
        return opened

    async def _compare(self, parts: Stretch, listed: Sequence[str]) -> None:
        """Hold the keys of a stretch against the tree, and note what is gone or was found."""
        differing: dict[Part, Sequence[str]] = {}
        for part in parts:
            here = _slice(listed, part.keys)
            if len(here) != self._expected([part]) or not self._has_last(part, here):
                differing[part] = here
        for part, below in (await self._opened([part for part in differing if part.level])).items():
            await self._compare(below, differing[part])
        leaves = [part for part in differing if not part.level]
        chunks = [part.entry for part in leaves if isinstance(part.entry, Chunk)]
        async with aclosing(self._base.documents(chunks)) as reading:
            for part in leaves:
                documents: Sequence[str] = ()
                if part.entry is not None:
                    _chunk, found = await anext(reading)
                    documents = list(found)
                await self._note(part.keys, documents, differing[part])

    def _has_last(self, part: Part, listed: Sequence[str]) -> bool:
        """Return whether the last key that the base has in a part is listed, unless it is known to be gone.

        The tree names it, so that this costs nothing, and shows what a count alone would not.
        """
        last = part.entry.last if part.entry is not None else None
        return last is None or _holds(listed, last) or _holds(self._ledger.gone, last)

    async def _note(self, keys: KeyRange, documents: Sequence[str], listed: Sequence[str]) -> None:
        there = self._ledger.keys_of(documents, keys)
        here = set(listed)
        for key in sorted(there - here):
            self._ledger.note_gone(key)
        if unknown := sorted(here - there):
            for key in await self._look_up(unknown):
                self._ledger.note_found(key)


def parts_of(level: int, entries: Entries, keys: KeyRange) -> Stretch:
    """Return the entries that make up a range of keys, each with its own."""
    if not entries:
        return [Part(0, None, keys)]
    borders = [keys.after, *(entry.last for entry in entries[:-1]), keys.until]
    return [Part(level, entry, KeyRange(*ends)) for entry, ends in zip(entries, pairwise(borders), strict=True)]


def _keys(parts: Stretch) -> KeyRange:
    return KeyRange(parts[0].keys.after, parts[-1].keys.until)


def _middle(parts: Stretch) -> int:
    """Return the position at which a stretch is divided into halves of about as many documents."""
    half, seen = sum(part.documents for part in parts) / 2, 0
    for at, part in enumerate(parts[:-1], 1):
        seen += part.documents
        if seen >= half:
            return at
    return len(parts) - 1


def _holds(keys: Sequence[str], key: str) -> bool:
    place = bisect_left(keys, key)
    return place < len(keys) and keys[place] == key


def _within(keys: Sequence[str], wanted: KeyRange) -> int:
    start, end = _places(keys, wanted)
    return end - start


def _slice(keys: Sequence[str], wanted: KeyRange) -> Sequence[str]:
    start, end = _places(keys, wanted)
    return keys[start:end]


def _places(keys: Sequence[str], wanted: KeyRange) -> tuple[int, int]:
    start = 0 if wanted.after is None else bisect_right(keys, wanted.after)
    end = len(keys) if wanted.until is None else bisect_right(keys, wanted.until)
    return start, end
