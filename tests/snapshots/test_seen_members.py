"""Which members of packs were seen: exact for what writers make, and small."""

import tracemalloc

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.packs import PACK_LIMIT, SMALLEST_MEMBER
from indexvault.snapshots.seen_members import SeenMembers


def chunk(place: int, *, pack: str = "a", sha256: str = "0") -> Chunk:
    return Chunk(sha256, "k", "k", 1, 9, pack, place * SMALLEST_MEMBER + place % SMALLEST_MEMBER, SMALLEST_MEMBER)


@given(st.lists(st.tuples(st.integers(0, PACK_LIMIT // SMALLEST_MEMBER - 1), st.sampled_from("abc"))))
def test_what_was_added_is_in_it_and_nothing_else(places: list[tuple[int, str]]) -> None:
    seen, known = SeenMembers(), set[tuple[int, str]]()
    for place, pack in places:
        entry = chunk(place, pack=pack)
        assert (entry in seen) == ((place, pack) in known)
        assert seen.add(entry) == ((place, pack) not in known)
        assert entry in seen
        known.add((place, pack))
    assert len(seen) == len(known)


def test_another_chunk_in_the_same_place_is_another() -> None:
    seen = SeenMembers()
    assert seen.add(chunk(7))
    others = [msgspec.structs.replace(chunk(7), sha256=str(number)) for number in range(1, 500)]
    assert sum(each not in seen for each in others) > 490
    assert sum(seen.add(each) for each in others) > 400


def test_ten_million_would_take_a_hundred_megabytes() -> None:
    tracemalloc.start()
    seen = SeenMembers()
    for number in range(200_000):
        seen.add(chunk(3 * number % 130_001, pack=f"{number // 4000}"))
    taken, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(seen) == 200_000
    assert taken < 10 * len(seen)


@given(st.lists(st.lists(st.tuples(st.integers(0, 99), st.sampled_from("abc")))))
def test_several_are_added_as_one_by_one(batches: list[list[tuple[int, str]]]) -> None:
    one_by_one, together = SeenMembers(), SeenMembers()
    for places in batches:
        entries = [chunk(place, pack=pack) for place, pack in places]
        assert list(together.new(entries)) == [entry for entry in entries if entry not in one_by_one]
        assert together.add_all(entries) == [entry for entry in entries if one_by_one.add(entry)]
    assert len(together) == len(one_by_one)
