"""Remember which members of packs were seen, in about six bytes each: ten million chunks take 70 MB."""

from array import array
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from indexvault.snapshots.packs import SMALLEST_MEMBER
from indexvault.snapshots.tree import Entry

_FIRST_SIZE = 48
_TAG_BITS = 12
_TAGS = (1 << _TAG_BITS) - 1


class SeenMembers:
    """A set of entries of one generation's trees.

    Two entries are the same if they name the same member of a pack and agree in everything else. Members are told apart
    by where they begin, without error. Entries that name one member and contradict each other, which no writer makes,
    are told apart in all but one of 4,000 cases, others in each process.
    """

    def __init__(self) -> None:
        self._packs: dict[str, _Pack] = {}

    def add(self, entry: Entry) -> bool:
        """Add an entry, and return whether it is new."""
        pack = self._packs.get(entry.pack)
        if pack is None:
            pack = self._packs[entry.pack] = _Pack()
        return pack.add(_number(entry))

    def add_all[Kind: Entry](self, entries: Sequence[Kind]) -> list[Kind]:
        """Add entries, and return those that are new."""
        new: list[Kind] = []
        for name, some in groupby(entries, _PACK):
            pack = self._packs.get(name)
            if pack is None:
                pack = self._packs[name] = _Pack()
            new += [entry for entry in some if pack.add(_number(entry))]
        return new

    def new[Kind: Entry](self, entries: Sequence[Kind]) -> Sequence[Kind]:
        """Return those of some entries that were not added."""
        return [entry for entry in entries if entry not in self] if self._packs else entries

    def __contains__(self, entry: Entry) -> bool:
        pack = self._packs.get(entry.pack)
        return pack is not None and pack.has(_number(entry))

    def __len__(self) -> int:
        return sum(pack.count for pack in self._packs.values())


class _Pack:
    """The numbers of one pack's members, in a hash table with open addressing. No number is 0."""

    __slots__ = ("_table", "count")

    def __init__(self) -> None:
        self._table = array("I", bytes(4 * _FIRST_SIZE))
        self.count = 0

    def add(self, number: int) -> bool:
        table = self._table
        size = len(table)
        at = number * _SPREAD % size
        while found := table[at]:
            if found == number:
                return False
            at = at + 1 if at + 1 < size else 0
        table[at] = number
        self.count += 1
        if 3 * self.count > 2 * len(self._table):
            self._grow()
        return True

    def has(self, number: int) -> bool:
        return self._table[self._slot(number)] != 0

    def _slot(self, number: int) -> int:
        """Return where a number is, or would be put."""
        table = self._table
        size = len(table)
        at = number * _SPREAD % size
        while (found := table[at]) and found != number:
            at = at + 1 if at + 1 < size else 0
        return at

    def _grow(self) -> None:
        numbers = [number for number in self._table if number]
        self._table = array("I", bytes(4 * (len(self._table) * 3 // 2 | 1)))
        self.count = 0
        for number in numbers:
            self.add(number)


_SPREAD = 2_654_435_761
_PACK = attrgetter("pack")


def _number(entry: Entry) -> int:
    """Return a number of 32 bits that tells an entry from all others of its pack."""
    return (entry.offset // SMALLEST_MEMBER) << _TAG_BITS | (hash(entry) % _TAGS + 1)
