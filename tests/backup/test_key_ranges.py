import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.backup.key_ranges import edges_of_tree, range_count, ranges_between
from indexvault.backup.limits import LIMITS
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import Chunk, ends_chunk
from indexvault.snapshots.tree import Entries, Node
from indexvault.snapshots.tree_reader import TreeReader
from tests.memory_store import MemoryStore
from tests.snapshots.trees import FOLDER, chunks_for, write_tree


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
    [(0, 4, 1), (LIMITS.smallest_range - 1, 4, 1), (2 * LIMITS.smallest_range, 4, 2), (10**6, 4, 16), (10**6, 1, 4)],
)
def test_small_indexes_are_read_in_fewer_ranges(documents: int, parallel: int, expected: int) -> None:
    assert range_count(documents, parallel) == expected


@pytest.mark.parametrize(
    ("documents", "average", "expected"),
    [(10**9, 1000, 7451), (10**9, 10, 1000), (10**6, 1000, 16), (5 * 10**8, 19_000, 70_781)],
)
def test_ranges_stay_small_enough_for_a_record(documents: int, average: float, expected: int) -> None:
    assert range_count(documents, 4, average_bytes=average) == expected


@given(st.integers(2, 8), st.integers(0, 6), st.integers(1, 400))
def test_edges_lie_on_chunk_boundaries_and_leave_even_ranges(ranges: int, bits: int, count: int) -> None:
    chunks = chunks_for(range(count), bits=bits)
    edges = asyncio.run(edges_of(chunks, bits, ranges))
    assert edges == sorted(set(edges))
    assert len(edges) < ranges
    assert all(ends_chunk(edge, bits) for edge in edges)
    lasts = {chunk.last for chunk in chunks[:-1]}
    assert set(edges) <= lasts
    largest_chunk = max(each.documents for each in chunks)
    sizes = sizes_between(edges, chunks)
    assert max(sizes) <= count / ranges + 2 * largest_chunk


async def edges_of(chunks: list[Chunk], bits: int, ranges: int) -> list[str]:
    store = MemoryStore()
    tree, _used = await write_tree(store.snapshots, chunks, bits=bits)
    return await edges_of_tree(TreeReader(store.snapshots, FOLDER), tree, bits, ranges)


def sizes_between(edges: list[str], chunks: list[Chunk]) -> list[int]:
    return [
        sum(
            chunk.documents
            for chunk in chunks
            if (keys.after is None or chunk.first > keys.after) and (keys.until is None or chunk.last <= keys.until)
        )
        for keys in ranges_between(edges)
    ]


async def test_of_a_large_tree_only_the_upper_segments_are_read() -> None:
    store = MemoryStore()
    chunks = chunks_for(range(40_000))
    tree, _used = await write_tree(store.snapshots, chunks)
    assert tree.level > 1
    reader = TreeReader(store.snapshots, FOLDER)
    opened: list[int] = []
    open_segments = reader.open

    async def counted(nodes: Sequence[Node], level: int) -> list[Entries]:
        opened.extend([level] * len(nodes))
        return await open_segments(nodes, level)

    reader.open = counted  # type: ignore[method-assign]  # what is read is watched
    edges = await edges_of_tree(reader, tree, 2, 8)
    assert len(edges) == 7
    assert 1 not in opened
    sizes = sizes_between(edges, chunks)
    assert max(sizes) < 40_000 / 8 * 1.3
    assert sum(sizes) == 40_000


def test_a_chunk_that_a_size_cap_ended_is_no_place_to_split() -> None:
    capped = next(f"{number}" for number in range(100) if not ends_chunk(f"{number}", 4))
    last = chunks_for([1])[0]
    chunks = [msgspec.structs.replace(last, first="", last=capped, documents=10), last]
    assert asyncio.run(edges_of(chunks, 4, 2)) == []
