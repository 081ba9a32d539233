"""What a round says of all partitions together, counted in bounded memory."""

import random
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.backup.key_marks import mark_of, pack
from indexvault.backup.partition import Between, Partition
from indexvault.backup.pieces import Piece
from indexvault.backup.round import Round, read_round
from indexvault.backup.state import CollectedPartition

FIELD = Partition(conditions=(Between("part", low="1"),))
KEYS = st.sets(st.sampled_from("abcdefgh"))
SIDES = st.lists(st.tuples(KEYS, KEYS, KEYS, KEYS), min_size=1, max_size=4)


def partition(known: set[str], present: set[str], new: set[str], gone: set[str]) -> CollectedPartition:
    return CollectedPartition(
        round=1,
        sets=[],
        pieces=[Piece(FIELD, len(present), paged=True, marks=pack(map(mark_of, present)))],
        known=pack(map(mark_of, known | present | new)),
        present=pack(map(mark_of, present)),
        new=pack(map(mark_of, new)),
        gone=pack(map(mark_of, gone)),
        bytes=0,
        requests=0,
    )


class Records:
    """The records of partitions; counts how often they are read."""

    def __init__(self, partitions: Sequence[CollectedPartition]) -> None:
        self.partitions = partitions
        self.read = 0

    async def __call__(self, position: int) -> CollectedPartition:
        self.read += 1
        return self.partitions[position]

    async def together(self, *, most_bytes: int = 1 << 20) -> Round:
        return await read_round(self, len(self.partitions), most_bytes=most_bytes)


@given(sides=SIDES, most_bytes=st.sampled_from([8, 16, 24, 1 << 20]))
async def test_marks_are_counted_the_same_whatever_fits_in_memory(
    sides: list[tuple[set[str], set[str], set[str], set[str]]], most_bytes: int
) -> None:
    found = await Records([partition(*each) for each in sides]).together(most_bytes=most_bytes)
    known = [known | present | new for known, present, new, _gone in sides]
    new = set().union(*(new for _known, _present, new, _gone in sides))
    gone = set().union(*(gone for _known, _present, _new, gone in sides))
    assert found.known == len(set().union(*known))
    assert found.present == len(set().union(*(each[1] for each in sides)))
    assert found.present_each == sum(len(each[1]) for each in sides)
    before = set().union(*(known[at] - each[2] for at, each in enumerate(sides)))
    assert found.unknown == frozenset(map(mark_of, new - gone - before))


async def test_what_fits_in_memory_is_read_once() -> None:
    records = Records([partition(set("abc"), set("ab"), set(), set()), partition(set("d"), set("d"), set(), set())])
    found = await records.together()
    assert (found.known, found.present, records.read) == (4, 3, 2)


@pytest.mark.parametrize("partitions", [10, 60])
async def test_memory_does_not_grow_with_the_index(partitions: int) -> None:
    """Each partition has 5,000 keys. Together they have 4.8 MB of marks in the larger case, and 0.5 MB may be held."""
    rng = random.Random(1)

    async def read(position: int) -> CollectedPartition:
        marks = pack(rng.getrandbits(64) for _ in range(5000)) if position not in made else made[position]
        made[position] = marks
        return CollectedPartition(
            round=0, sets=[], pieces=[], known=bytes(bytearray(marks)), present=bytes(bytearray(marks)), bytes=0,
            requests=0,
        )  # fmt: skip

    made: dict[int, bytes] = {}
    for position in range(partitions):
        await read(position)
    tracemalloc.start()
    try:
        found = await read_round(read, partitions, most_bytes=500_000)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.known == found.present == 5000 * partitions
    assert peak < 2_500_000
