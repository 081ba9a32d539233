import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.backup.key_ranges import edges_of_chunks, range_count, ranges_between
from indexvault.backup.limits import LIMITS
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import Chunk, ends_chunk


def chunk(first: str, last: str, documents: int = 1) -> Chunk:
    return Chunk(sha256="0" * 64, first=first, last=last, documents=documents, bytes=1, stored=1)


@given(st.lists(st.text("abc", min_size=1), unique=True).map(sorted), st.text("abc", min_size=1))
def test_every_key_is_in_exactly_one_range(edges: list[str], key: str) -> None:
    holding = [
        keys
        for keys in ranges_between(edges)
        if (keys.after is None or key > keys.after) and (keys.until is None or key <= keys.until)
    ]
    assert len(holding) == 1


def test_one_range_without_edges_has_no_bounds() -> None:
    assert ranges_between([]) == [KeyRange(after=None, until=None)]


@pytest.mark.parametrize(
    ("documents", "parallel", "expected"),
    [(0, 4, 1), (LIMITS.smallest_range - 1, 4, 1), (2 * LIMITS.smallest_range, 4, 2), (10**6, 4, 32), (10**6, 1, 8)],
)
def test_small_indexes_are_read_in_fewer_ranges(documents: int, parallel: int, expected: int) -> None:
    assert range_count(documents, parallel) == expected


@given(st.integers(2, 8), st.integers(0, 6), st.integers(1, 400))
def test_edges_lie_on_chunk_boundaries_and_leave_even_ranges(ranges: int, bits: int, count: int) -> None:
    keys = [f"{number:06}" for number in range(count)]
    chunks: list[Chunk] = []
    first = 0
    for position, key in enumerate(keys):
        if ends_chunk(key, bits) or position == count - 1:
            chunks.append(chunk(keys[first], key, position + 1 - first))
            first = position + 1
    edges = edges_of_chunks(chunks, bits, ranges)
    assert edges == sorted(set(edges))
    assert len(edges) < ranges
    assert all(ends_chunk(edge, bits) for edge in edges)
    largest_chunk = max(each.documents for each in chunks)
    bounds = [0, *(keys.index(edge) + 1 for edge in edges), count]
    sizes = [upper - lower for lower, upper in itertools.pairwise(bounds)]
    assert max(sizes) <= count / ranges + 2 * largest_chunk


def test_a_chunk_that_a_size_cap_ended_is_no_place_to_split() -> None:
    capped = next(f"{number}" for number in range(100) if not ends_chunk(f"{number}", 4))
    assert edges_of_chunks([chunk("", capped, 10), chunk("z", "z", 10)], 4, 2) == []
